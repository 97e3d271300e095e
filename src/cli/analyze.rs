//! `vonglau analyze`: a video file through exactly the decode, gate, detector, tracker and rules of the service.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{PlaceArgs, refused, say, start_log, without_telemetry};
use crate::{
    app,
    config::ModelChoice,
    domain::{
        event::{Crossing, Event, EventChange},
        ids::{CameraId, RuleId},
        refusal::Refusal,
        rule::{Rule, What},
    },
    logic::rules::{Rules, words},
    vision::{
        analyze::{Method, Models, analyze},
        classifier::ClassifierModel,
    },
};

#[derive(Debug, Args)]
pub(super) struct AnalyzeArgs {
    /// Tệp video / The video file
    file: PathBuf,
    /// Luật cần thử, [[rule]] / The rules to run, [[rule]] tables
    #[arg(long, value_name = "RULES.toml")]
    rules: Option<PathBuf>,
    /// Bộ nhận dạng; mặc định là bộ đã cài, hoặc bộ đi kèm / The detector; the installed one by default, or the program's own
    #[arg(long, value_name = "MODEL.onnx")]
    model: Option<PathBuf>,
    /// Thư mục mô hình phụ của luật attribute; mặc định là models trong thư mục dữ liệu / The folder of extra models, for
    /// rules of the kind attribute; models in the data folder by default
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// In JSON, mỗi dòng một cảnh báo / JSON, one line an event
    #[arg(long)]
    json: bool,
    /// Xem mọi khung hình, cả hình và từng ô, để đối chiếu (rất chậm) / Every frame, whole and in tiles: the judge of the
    /// ordinary way (very slow)
    #[arg(long)]
    brute: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// The file is the only camera there is.
const THE_FILE: CameraId = CameraId(1);

pub(super) fn run(args: &AnalyzeArgs) -> anyhow::Result<ExitCode> {
    without_telemetry()?;
    start_log("warn");
    let rules = args.rules.as_deref().map(read_rules).transpose()?.unwrap_or_default();
    let config = args.place.load(None)?;
    let model = app::find_model(&args.model.clone().map_or(config.model, ModelChoice::File), &config.data)?;
    if model.is_none() {
        say::err(format_args!(
            "Không dùng bộ nhận dạng; chỉ tìm chuyển động / No detector in use; only motion is found"
        ));
    }
    let classifiers = classifiers(&rules, args.models.as_deref().unwrap_or(&config.data.join("models")))?;
    let (named, mut crossings) = (rules.clone(), Vec::new());
    let mut engine = Rules::new(THE_FILE, rules, model.as_ref().map(|m| m.sha256.clone()));
    let print = |changes: Vec<EventChange>| {
        for change in changes {
            if let EventChange::Close { event, .. } = change {
                say!("{}", line(&event, args.json));
            }
        }
    };
    let method = if args.brute { Method::Brute } else { Method::Gated };
    let models = Models { detector: model, classifiers };
    let summary = analyze(&args.file, models, method, &mut |seen| {
        print(engine.step(seen));
        crossings.extend(engine.take_crossings());
    })?;
    print(engine.finish());
    let crossed = counted(&named, &crossings);
    if args.json {
        let tracks: serde_json::Map<_, _> =
            summary.tracks.iter().map(|(class, n)| (class.name().to_owned(), (*n).into())).collect();
        say!(
            "{}",
            serde_json::json!({
                "frames": summary.frames, "frames_analysed": summary.frames_analysed,
                "inferences": summary.inferences, "cpu_seconds": summary.cpu_seconds,
                "duration_us": summary.duration_us, "tracks": tracks, "crossings": crossed,
            })
        );
    } else {
        for count in &crossed {
            say!("{count}");
        }
        let tracks: Vec<String> = summary.tracks.iter().map(|(class, n)| format!("{} {n}", class.name())).collect();
        say!(
            "frames {} · analysed {} · inferences {} · cpu {:.1} s · tracks: {}",
            summary.frames,
            summary.frames_analysed,
            summary.inferences,
            summary.cpu_seconds,
            if tracks.is_empty() { "0".to_owned() } else { tracks.join(", ") }
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn read_rules(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Refusal::new(
            place.clone(),
            format!("không đọc được tệp luật ({error})"),
            format!("the rules cannot be read ({error})"),
        )
    })?;
    let rules = crate::config::rules::parse_toml(&text)
        .map_err(|wrong| refused(wrong.into_iter().map(|r| r.within(&place)).collect()))?;
    // Without a store the order in the file gives the ids; every rule watches the one file there is.
    Ok(rules.into_iter().zip(1..).map(|(rule, id)| Rule { id: RuleId(id), camera: None, ..rule }).collect())
}

/// The extra classifiers that the rules ask, and no others.
fn classifiers(rules: &[Rule], folder: &Path) -> Result<Vec<ClassifierModel>, Refusal> {
    let mut wanted: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    for rule in rules {
        if let What::Attribute { model, label, .. } = &rule.what {
            wanted.insert(model, (&rule.name, label));
        }
    }
    let one = |(file, (rule, label)): (&str, (&str, &str))| {
        let path = folder.join(file);
        let Some(model) = path.is_file().then(|| ClassifierModel::load(&path)).transpose()? else {
            let folder = folder.display();
            return Err(Refusal::new(
                format!("{rule}: model"),
                format!("không có mô hình phụ «{file}» trong {folder}; cài bằng vonglau model add hoặc ghi --models"),
                format!(
                    "there is no extra model “{file}” in {folder}; install it by vonglau model add or give --models"
                ),
            ));
        };
        if !model.spec.labels.iter().any(|l| l == label) {
            let labels = model.spec.labels.join(", ");
            return Err(Refusal::new(
                format!("{rule}: label"),
                format!("mô hình phụ «{file}» không có nhãn «{label}»; có: {labels}"),
                format!("the extra model “{file}” has no label “{label}”; there are: {labels}"),
            ));
        }
        Ok(model)
    };
    wanted.into_iter().map(one).collect()
}

fn line(event: &Event, json: bool) -> String {
    let corners = event.rect.corners();
    if json {
        return serde_json::json!({
            "kind": event.kind.name(), "rule": event.rule_name, "class": event.class.map(|c| c.name()),
            "track": event.track, "start_us": event.start_us, "end_us": event.end_us,
            "score": event.score, "box": corners, "numbers": event.numbers, "why": event_words(event),
        })
        .to_string();
    }
    let class = event.class.map_or("-", |c| c.name());
    let seconds = |us: i64| us as f64 / 1e6;
    let (vi, en) = words::why(event);
    format!(
        "{:>8.1} – {:<8.1} s  {}  {}  {class}  {:.2}  {vi} / {en}",
        seconds(event.start_us),
        seconds(event.end_us),
        event.kind.name(),
        event.rule_name,
        event.score
    )
}

fn event_words(event: &Event) -> serde_json::Value {
    let (vi, en) = words::why(event);
    serde_json::json!({ "vi": vi, "en": en })
}

/// Who went over lines, by rule, direction and class, each once.
fn counted(rules: &[Rule], crossings: &[Crossing]) -> Vec<serde_json::Value> {
    let mut counts: BTreeMap<(RuleId, &str, &str), u64> = BTreeMap::new();
    for c in crossings {
        *counts.entry((c.rule, c.direction.name(), c.class.name())).or_default() += 1;
    }
    let name = |id: RuleId| rules.iter().find(|r| r.id == id).map_or("", |r| r.name.as_str());
    counts
        .into_iter()
        .map(|((rule, direction, class), n)| {
            serde_json::json!({ "rule": name(rule), "direction": direction, "class": class, "n": n })
        })
        .collect()
}
