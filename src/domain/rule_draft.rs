//! A rule as typed, and its way to a checked one and back. A key of another kind, a number out of bounds and a shape
//! that is none are refused, all of them together, each with its place and what to do.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{
    camera::NAME_CHARS_MAX,
    detection::Class,
    geometry::{Point, Polygon},
    ids::RuleId,
    refusal::Refusal,
    rule::{Direction, N_MAX, Rule, RuleKind, Severity, What},
    schedule::Schedule,
};

mod shapes;
#[cfg(test)]
mod tests;

/// Whoever drives or rides.
const VEHICLES: [Class; 5] = [Class::Bicycle, Class::Motorcycle, Class::Car, Class::Bus, Class::Truck];

/// One rule as typed: `[[rule]]` in a TOML file, or the body of `POST /api/v1/rules`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDraft {
    /// What people call it.
    pub name: String,
    /// One of [`RuleKind::NAMES`].
    pub kind: String,
    /// The camera's code; missing means every camera (of `analyze`: the file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Corners of the zone, normalised; missing means the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Vec<Point>>,
    /// Parts of the zone that are left out: left, upper, right, lower edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<Vec<[f32; 4]>>,
    /// Class names; missing means those that the kind is usually about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// When it watches, local time; missing means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<String>>,
    /// When it does not, even so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<Vec<String>>,
    /// Least score of a sighting, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f32>,
    /// `count`, `low`, `normal` or `high`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Quiet seconds after which an event closes, and before the same rule may open again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_s: Option<f32>,
    /// Frames that must agree …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// … of this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// The line's two points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Vec<Point>>,
    /// `both`, `left_to_right` or `right_to_left`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// So far beyond the line, in picture heights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f32>,
    /// The arrow of the traffic: from, to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Point>>,
    /// More than this off the arrow is the wrong way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub angle_deg: Option<f32>,
    /// For at least so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f32>,
    /// … and so far, metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<f32>,
    /// So many at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The least side of a left thing's box, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_size: Option<f32>,
    /// Four points of the picture …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Vec<Point>>,
    /// … and their places on the ground, metres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground_m: Option<Vec<[f32; 2]>>,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_kmh: Option<f32>,
    /// Which classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The label that matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The share of a track's votes it needs, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f32>,
}

/// Reads a draft and collects what is wrong with it.
struct Check<'a> {
    draft: &'a RuleDraft,
    wrong: Vec<Refusal>,
}

impl RuleDraft {
    /// Checks every key and fills in the defaults; `camera` is left to the caller, who knows the codes.
    ///
    /// # Errors
    /// One [`Refusal`] a wrong key, its place being the key.
    pub fn checked(&self) -> Result<Rule, Vec<Refusal>> {
        let mut check = Check { draft: self, wrong: Vec::new() };
        let rule = check.rule();
        if check.wrong.is_empty() { Ok(rule) } else { Err(check.wrong) }
    }
    /// The keys of one kind alone that are given here, with the kinds they belong to.
    fn own_keys(&self) -> [(&'static str, bool, &'static [RuleKind]); 15] {
        use RuleKind::{
            Attribute, CameraDown, Crowd, Intrusion, LeftObject, LineCrossing, Loitering, Motion, Speeding, Stopped,
            Tamper, WrongWay,
        };
        let lasting: &[RuleKind] = &[WrongWay, Stopped, Loitering, Crowd, LeftObject, Tamper, CameraDown];
        [
            ("k", self.k.is_some(), &[Motion, Intrusion]),
            ("n", self.n.is_some(), &[Motion, Intrusion]),
            ("line", self.line.is_some(), &[LineCrossing]),
            ("direction", self.direction.is_some(), &[LineCrossing]),
            ("margin", self.margin.is_some(), &[LineCrossing]),
            ("allowed", self.allowed.is_some(), &[WrongWay]),
            ("angle_deg", self.angle_deg.is_some(), &[WrongWay]),
            ("distance", self.distance.is_some(), &[WrongWay]),
            ("seconds", self.seconds.is_some(), lasting),
            ("count", self.count.is_some(), &[Crowd]),
            ("min_size", self.min_size.is_some(), &[LeftObject]),
            ("ground", self.ground.is_some(), &[Speeding]),
            ("ground_m", self.ground_m.is_some(), &[Speeding]),
            ("limit_kmh", self.limit_kmh.is_some(), &[Speeding]),
            ("model", self.model.is_some() || self.label.is_some() || self.share.is_some(), &[Attribute]),
        ]
    }
}

impl Check<'_> {
    fn refuse(&mut self, place: &str, vi: impl Into<String>, en: impl Into<String>) {
        self.wrong.push(Refusal::new(place, vi, en));
    }

    fn rule(&mut self) -> Rule {
        let draft = self.draft;
        let kind = RuleKind::from_name(&draft.kind).unwrap_or_else(|| {
            let (wrong, names) = (&draft.kind, RuleKind::NAMES);
            self.refuse(
                "kind",
                format!("không có loại luật «{wrong}»; các loại: {names}"),
                format!("there is no rule kind “{wrong}”; kinds: {names}"),
            );
            RuleKind::Motion
        });
        if draft.name.trim().is_empty() || draft.name.chars().count() > NAME_CHARS_MAX {
            self.refuse("name", "tên luật trống hoặc quá dài", "the rule's name is empty or too long");
        }
        let (zone, classes) = (self.zone(kind), self.classes(kind));
        let schedule = self.schedule("schedule", draft.schedule.as_ref());
        let quiet = self.schedule("quiet", draft.quiet.as_ref());
        let except = self.except(kind);
        if RuleKind::from_name(&draft.kind).is_some() {
            self.strangers(kind);
        }
        let what = self.what(kind);
        let severity = self.severity(kind);
        let min_score = self.number("min_score", draft.min_score, 0.0, 0.0..=1.0, "");
        let cooldown_s = self.number("cooldown_s", draft.cooldown_s, 2.0, 0.0..=86_400.0, "giây / seconds");
        let name = draft.name.trim().to_owned();
        Rule {
            id: RuleId(0),
            version: 1,
            camera: None,
            name,
            what,
            zone,
            except,
            classes,
            schedule,
            quiet,
            min_score,
            severity,
            cooldown_s,
        }
    }

    fn zone(&mut self, kind: RuleKind) -> Polygon {
        let Some(corners) = self.draft.zone.clone() else { return Polygon::whole() };
        if !kind.has_zone() {
            self.stranger("zone", kind);
            return Polygon::whole();
        }
        Polygon::new(corners).unwrap_or_else(|refusal| {
            self.wrong.push(refusal.within("zone"));
            Polygon::whole()
        })
    }

    fn classes(&mut self, kind: RuleKind) -> Vec<Class> {
        let Some(labels) = &self.draft.classes else {
            return match kind {
                RuleKind::WrongWay | RuleKind::Stopped | RuleKind::Speeding => VEHICLES.to_vec(),
                RuleKind::Loitering | RuleKind::Crowd => vec![Class::Person],
                _ => Vec::new(),
            };
        };
        if !kind.is_about_objects() && kind != RuleKind::Motion {
            self.stranger("classes", kind);
        }
        let mut classes = Vec::new();
        for label in labels {
            match Class::from_label(label) {
                Some(class) => classes.push(class),
                None => self.refuse(
                    "classes",
                    format!("không có loại đối tượng «{label}»; có: person, bicycle, motorcycle, car, bus, truck"),
                    format!("there is no class “{label}”; there are person, bicycle, motorcycle, car, bus, truck"),
                ),
            }
        }
        classes
    }

    fn schedule(&mut self, key: &str, texts: Option<&Vec<String>>) -> Schedule {
        let texts = texts.map(Vec::as_slice).unwrap_or_default();
        Schedule::new(texts).unwrap_or_else(|mut refusal| {
            refusal.place = format!("{key}{}", refusal.place);
            self.wrong.push(refusal);
            Schedule::default()
        })
    }

    fn severity(&mut self, kind: RuleKind) -> Severity {
        let Some(name) = self.draft.severity.as_deref() else { return Severity::Normal };
        match Severity::from_name(name) {
            Some(Severity::Count) if kind != RuleKind::LineCrossing => {
                self.refuse(
                    "severity",
                    "chỉ luật line_crossing mới chỉ đếm được; chọn low, normal hoặc high",
                    "only line_crossing can just count; take low, normal or high",
                );
                Severity::Normal
            }
            Some(severity) => severity,
            None => {
                self.refuse(
                    "severity",
                    format!("không có mức «{name}»; có: count, low, normal, high"),
                    format!("there is no severity “{name}”; there are count, low, normal, high"),
                );
                Severity::Normal
            }
        }
    }

    fn stranger(&mut self, key: &str, kind: RuleKind) {
        let kind = kind.name();
        self.refuse(
            key,
            format!("luật {kind} không dùng khóa này; hãy bỏ đi"),
            format!("a {kind} rule has no such key; take it out"),
        );
    }

    fn strangers(&mut self, kind: RuleKind) {
        for (key, _, _) in self.draft.own_keys().into_iter().filter(|(_, given, of)| *given && !of.contains(&kind)) {
            self.stranger(key, kind);
        }
    }

    fn number(&mut self, key: &str, given: Option<f32>, or: f32, range: RangeInclusive<f32>, unit: &str) -> f32 {
        let value = given.unwrap_or(or);
        if range.contains(&value) {
            return value;
        }
        let (from, to) = range.into_inner();
        let (unit_vi, unit_en) = unit.split_once(" / ").unwrap_or((unit, unit));
        self.refuse(
            key,
            format!("phải từ {from} đến {to} {unit_vi}").trim_end().to_owned(),
            format!("must be from {from} to {to} {unit_en}").trim_end().to_owned(),
        );
        or
    }

    fn seconds(&mut self, or: f32) -> f32 {
        self.number("seconds", self.draft.seconds, or, 0.5..=86_400.0, "giây / seconds")
    }

    fn k_of_n(&mut self, k_default: u32, n_default: u32) -> (u32, u32) {
        let n = self.draft.n.unwrap_or(n_default.max(self.draft.k.unwrap_or(0)));
        let k = self.draft.k.unwrap_or(k_default.min(n));
        if k == 0 || k > n || n > N_MAX {
            self.refuse(
                "k",
                format!("k = {k}, n = {n}: cần 1 ≤ k ≤ n ≤ {N_MAX}"),
                format!("k = {k}, n = {n}: 1 ≤ k ≤ n ≤ {N_MAX} is needed"),
            );
        }
        (k, n)
    }

    fn missing(&mut self, key: &str) {
        self.refuse(key, "thiếu khóa này; hãy thêm vào", "this key is missing; add it");
    }

    fn text(&mut self, key: &str, given: Option<&String>) -> String {
        let text = given.map(|t| t.trim().to_owned()).unwrap_or_default();
        if text.is_empty() || text.chars().count() > NAME_CHARS_MAX {
            self.missing(key);
        }
        text
    }

    fn what(&mut self, kind: RuleKind) -> What {
        let draft = self.draft;
        match kind {
            RuleKind::Motion => {
                let (k, n) = self.k_of_n(3, 5);
                What::Motion { k, n }
            }
            RuleKind::Intrusion => {
                let (k, n) = self.k_of_n(2, 3);
                What::Intrusion { k, n }
            }
            RuleKind::LineCrossing => self.line(),
            RuleKind::WrongWay => What::WrongWay {
                allowed: self.two_points("allowed", draft.allowed.as_ref()),
                angle_deg: self.number("angle_deg", draft.angle_deg, 120.0, 45.0..=175.0, "độ / degrees"),
                seconds: self.seconds(2.0),
                distance: self.number("distance", draft.distance, 5.0, 0.0..=1000.0, "mét / metres"),
            },
            RuleKind::Stopped => What::Stopped { seconds: self.seconds(60.0) },
            RuleKind::Loitering => What::Loitering { seconds: self.seconds(120.0) },
            RuleKind::Crowd => {
                let count = draft.count.unwrap_or(5);
                if !(2..=200).contains(&count) {
                    self.refuse("count", "phải từ 2 đến 200", "must be from 2 to 200");
                }
                What::Crowd { count, seconds: self.seconds(10.0) }
            }
            RuleKind::LeftObject => What::LeftObject {
                seconds: self.seconds(60.0),
                min_size: self.number("min_size", draft.min_size, 0.02, 0.0..=1.0, ""),
            },
            RuleKind::Speeding => {
                let limit_kmh = match draft.limit_kmh {
                    None => {
                        self.missing("limit_kmh");
                        50.0
                    }
                    given => self.number("limit_kmh", given, 50.0, 5.0..=200.0, "km/h"),
                };
                match self.ground() {
                    Some(ground) => What::Speeding { ground: Box::new(ground), limit_kmh },
                    // Something is refused by now; this is never seen.
                    None => What::Tamper { seconds: 1.0 },
                }
            }
            RuleKind::Attribute => What::Attribute {
                model: self.text("model", draft.model.as_ref()),
                label: self.text("label", draft.label.as_ref()),
                share: self.number("share", draft.share, 0.7, 0.5..=1.0, ""),
            },
            RuleKind::Tamper => What::Tamper { seconds: self.seconds(20.0) },
            RuleKind::CameraDown => What::CameraDown { seconds: self.seconds(60.0) },
        }
    }
}

impl Rule {
    /// The typed form, every default written out; `camera` is the code to put there.
    #[must_use]
    pub fn to_draft(&self, camera: Option<String>) -> RuleDraft {
        let kind = self.kind();
        let draft = RuleDraft {
            name: self.name.clone(),
            kind: kind.name().to_owned(),
            camera,
            zone: kind.has_zone().then(|| self.zone.corners().to_vec()),
            classes: kind.is_about_objects().then(|| self.classes.iter().map(|c| c.name().to_owned()).collect()),
            except: (!self.except.is_empty()).then(|| self.except.iter().map(|part| part.corners()).collect()),
            schedule: (!self.schedule.texts().is_empty()).then(|| self.schedule.texts().to_vec()),
            quiet: (!self.quiet.texts().is_empty()).then(|| self.quiet.texts().to_vec()),
            min_score: Some(self.min_score),
            severity: Some(self.severity.name().to_owned()),
            cooldown_s: Some(self.cooldown_s),
            ..RuleDraft::default()
        };
        let points = |p: &[Point]| Some(p.to_vec());
        match &self.what {
            What::Motion { k, n } | What::Intrusion { k, n } => RuleDraft { k: Some(*k), n: Some(*n), ..draft },
            What::LineCrossing { line, direction, margin } => RuleDraft {
                line: points(line),
                direction: Some(direction.map_or("both", Direction::name).to_owned()),
                margin: Some(*margin),
                ..draft
            },
            What::WrongWay { allowed, angle_deg, seconds, distance } => RuleDraft {
                allowed: points(allowed),
                angle_deg: Some(*angle_deg),
                seconds: Some(*seconds),
                distance: Some(*distance),
                ..draft
            },
            What::Crowd { count, seconds } => RuleDraft { count: Some(*count), seconds: Some(*seconds), ..draft },
            What::LeftObject { seconds, min_size } => {
                RuleDraft { seconds: Some(*seconds), min_size: Some(*min_size), ..draft }
            }
            What::Speeding { ground, limit_kmh } => RuleDraft {
                ground: points(&ground.picture()),
                ground_m: Some(ground.metres().to_vec()),
                limit_kmh: Some(*limit_kmh),
                ..draft
            },
            What::Attribute { model, label, share } => {
                RuleDraft { model: Some(model.clone()), label: Some(label.clone()), share: Some(*share), ..draft }
            }
            What::Stopped { seconds }
            | What::Loitering { seconds }
            | What::Tamper { seconds }
            | What::CameraDown { seconds } => RuleDraft { seconds: Some(*seconds), ..draft },
        }
    }
}
