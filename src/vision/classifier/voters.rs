//! All extra classifiers of a process, and when each looks at what.

use super::Classifier;
use crate::{
    domain::{
        frame::Frame,
        track::{LABELS_MAX, Labelled, TrackPoint},
    },
    logic::{
        ballot::{Ballot, Candidate},
        colour::named,
    },
    vision::{kept::hidden, picture::Scaler},
};

/// An object of which others hide more is not looked at.
const HIDDEN_MAX: f32 = 0.3;

/// The loaded classifiers.
#[derive(Debug, Default)]
pub struct Voters {
    all: Vec<(Classifier, Ballot)>,
}

impl Voters {
    /// One more, in place of an earlier one of that file.
    pub fn add(&mut self, classifier: Classifier) {
        self.all.retain(|(there, _)| there.spec().file != classifier.spec().file);
        let ballot = Ballot::new(classifier.spec().input);
        self.all.push((classifier, ballot));
    }
    /// Looks at some of what was seen in a frame. One that fails says so in `problem` and goes on.
    pub fn look(
        &mut self,
        frame: &Frame,
        points: &[TrackPoint],
        scaler: &mut Scaler,
        problem: &mut Option<String>,
    ) -> Vec<Labelled> {
        let mut out = Vec::new();
        if self.all.is_empty() {
            return out;
        }
        let clear = |p: &&TrackPoint| {
            p.confirmed && !p.held && named::cut(p.rect) == (false, false) && hidden(p, points) <= HIDDEN_MAX
        };
        let clear: Vec<&TrackPoint> = points.iter().filter(clear).collect();
        let size = |p: &TrackPoint| [p.rect.width() * frame.width as f32, p.rect.height() * frame.height as f32];
        for (classifier, ballot) in &mut self.all {
            let wanted = clear.iter().filter(|p| classifier.spec().classes.contains(&p.class));
            let candidates: Vec<_> = wanted.map(|p| Candidate { track: p.track, size: size(p) }).collect();
            for track in ballot.choose(frame.time, &candidates) {
                let Some(point) = clear.iter().find(|p| p.track == track) else { continue };
                match classifier.look(frame, point.rect, scaler) {
                    Ok((label, score)) if out.len() < LABELS_MAX => {
                        let spec = classifier.spec();
                        out.push(Labelled {
                            camera: frame.camera,
                            track,
                            class: point.class,
                            time: frame.time,
                            rect: point.rect,
                            model: spec.file.clone(),
                            model_sha256: spec.sha256.clone(),
                            label: spec.labels.get(label).cloned().unwrap_or_default(),
                            score,
                        });
                    }
                    Ok(_) => {}
                    Err(said) => *problem = Some(format!("{}: {said}", classifier.spec().file)),
                }
            }
        }
        out
    }
}
