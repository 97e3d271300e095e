//! The extra classifiers: which the child is given, and what is known of them.

use super::{Loading, Parent, life::MODEL_DEATHS_MAX};
use crate::{runtime::board::ExtraModel, vision::classifier::ClassifierModel};

impl Parent {
    /// Those to be loaded by a child that has a detector, or none. What is refused, and why, goes on the board.
    pub(super) fn classifiers(&self, detector: bool) -> Vec<&ClassifierModel> {
        let (mut out, mut told) = (Vec::new(), Vec::new());
        for classifier in &self.given.program.classifiers {
            let deaths = |file: &str| self.classifier_deaths.get(file).copied().unwrap_or(0);
            let (model, extra) = match classifier {
                Err((file, refusal)) => {
                    (None, ExtraModel { file: file.clone(), why: Some(refusal.to_string()), ..ExtraModel::default() })
                }
                Ok(model) if deaths(&model.spec.file) >= MODEL_DEATHS_MAX => {
                    let why = "mô hình phụ làm tiến trình phân tích dừng đột ngột; hãy đổi mô hình / it crashes the analysis; \
                               use another one";
                    (None, ExtraModel { why: Some(why.to_owned()), ..about(model) })
                }
                Ok(model) => (Some(model), about(model)),
            };
            out.extend(model.filter(|_| detector));
            told.push(extra);
        }
        self.given.board.extra_models.send_replace(told);
        out
    }
    /// Bytes of all of them.
    pub(super) fn classifier_bytes(&self) -> u64 {
        self.given.program.classifiers.iter().flatten().map(|m| m.bytes.len() as u64).sum()
    }
    /// How loading one went.
    pub(super) fn classifier(&mut self, file: String, why: Option<String>) {
        if let Some(wire) = &mut self.wire {
            wire.loading.retain(|what| *what != Loading::Classifier(file.clone()));
        }
        match &why {
            Some(why) => tracing::warn!(file, why, "an extra model is not used"),
            None => tracing::info!(file, "extra model loaded"),
        }
        self.classifier_deaths.remove(&file);
        self.given.board.extra_models.send_modify(|all| {
            if let Some(extra) = all.iter_mut().find(|e| e.file == file) {
                extra.why = why;
            }
        });
    }
}

fn about(ClassifierModel { spec, .. }: &ClassifierModel) -> ExtraModel {
    ExtraModel {
        file: spec.file.clone(),
        name: spec.name.clone(),
        labels: spec.labels.clone(),
        words: spec.words.clone(),
        classes: spec.classes.iter().copied().collect(),
        why: None,
    }
}
