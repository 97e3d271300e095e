//! Rules as data: what an officer wants to be told about. Kinds and keys are spelled as in `RULES.toml`.

use serde::{Deserialize, Serialize};

use super::{
    detection::Class,
    geometry::{Point, Polygon},
    ids::{CameraId, RuleId},
    refusal::Refusal,
};

/// What kind of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Motion in the zone in k of n frames; needs no detector.
    Motion,
    /// An object's foot point in the zone in k of n frames, once a track.
    Intrusion,
}

impl RuleKind {
    /// Its name, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Motion => "motion",
            Self::Intrusion => "intrusion",
        }
    }
    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Motion, Self::Intrusion].into_iter().find(|k| k.name() == name)
    }
}

/// One rule as typed: `[[rule]]` in a TOML file, or the body of `POST /api/v1/rules`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleDraft {
    /// What people call it.
    pub name: String,
    /// `motion` or `intrusion`.
    pub kind: String,
    /// The camera's code; missing means every camera (of `analyze`: the file).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// Corners of the zone, normalised; missing means the whole picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Vec<Point>>,
    /// Class names; missing means all. Not for `motion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// Least score of a sighting, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f32>,
    /// Frames that must agree …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// … of this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Quiet seconds after which a motion event closes, and before the same rule may open again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_s: Option<f32>,
}

/// A checked rule. `Serialize` writes the typed form that the store keeps beside each version.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its identity; 0 before the store has given one.
    pub id: RuleId,
    /// Grows by one at each change; events keep the one they were made under.
    pub version: i64,
    /// The camera it watches; `None` means every camera.
    pub camera: Option<CameraId>,
    /// What people call it.
    pub name: String,
    /// What it looks for.
    pub kind: RuleKind,
    /// Where.
    pub zone: Polygon,
    /// Which classes; empty means all.
    pub classes: Vec<Class>,
    /// Least score of a sighting.
    pub min_score: f32,
    /// Frames that must agree …
    pub k: u32,
    /// … of this many.
    pub n: u32,
    /// Quiet seconds.
    pub cooldown_s: f32,
}

/// The most frames a rule may look back.
pub const N_MAX: u32 = 100;

impl RuleDraft {
    /// Checks every key and fills in the defaults; `camera` is left to the caller, who knows the codes.
    ///
    /// # Errors
    /// One [`Refusal`] a wrong key, its place being the key.
    pub fn checked(&self) -> Result<Rule, Vec<Refusal>> {
        let mut wrong = Vec::new();
        let kind = RuleKind::from_name(&self.kind).unwrap_or_else(|| {
            wrong.push(Refusal::new(
                "kind",
                format!("không có loại luật «{}»; các loại: motion, intrusion", self.kind),
                format!("there is no rule kind “{}”; kinds: motion, intrusion", self.kind),
            ));
            RuleKind::Motion
        });
        if self.name.trim().is_empty() || self.name.chars().count() > super::camera::NAME_CHARS_MAX {
            wrong.push(Refusal::new("name", "tên luật trống hoặc quá dài", "the rule's name is empty or too long"));
        }
        let zone = match self.zone.clone().map(Polygon::new) {
            None => Polygon::whole(),
            Some(Ok(zone)) => zone,
            Some(Err(refusal)) => {
                wrong.push(refusal.within("zone"));
                Polygon::whole()
            }
        };
        let mut classes = Vec::new();
        for label in self.classes.iter().flatten() {
            match Class::from_label(label) {
                Some(class) => classes.push(class),
                None => wrong.push(Refusal::new(
                    "classes",
                    format!("không có loại đối tượng «{label}»; có: person, bicycle, motorcycle, car, bus, truck"),
                    format!("there is no class “{label}”; there are person, bicycle, motorcycle, car, bus, truck"),
                )),
            }
        }
        let (k_default, n_default) = match kind {
            RuleKind::Motion => (3, 5),
            RuleKind::Intrusion => (2, 3),
        };
        let n = self.n.unwrap_or(n_default.max(self.k.unwrap_or(0)));
        let k = self.k.unwrap_or(k_default.min(n));
        if k == 0 || k > n || n > N_MAX {
            wrong.push(Refusal::new(
                "k",
                format!("k = {k}, n = {n}: cần 1 ≤ k ≤ n ≤ {N_MAX}"),
                format!("k = {k}, n = {n}: 1 ≤ k ≤ n ≤ {N_MAX} is needed"),
            ));
        }
        let min_score = self.min_score.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&min_score) {
            wrong.push(Refusal::new("min_score", "phải từ 0 đến 1", "must be from 0 to 1"));
        }
        let cooldown_s = self.cooldown_s.unwrap_or(2.0);
        if !(0.0..=86_400.0).contains(&cooldown_s) {
            wrong.push(Refusal::new("cooldown_s", "phải từ 0 đến 86400 giây", "must be from 0 to 86400 seconds"));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let name = self.name.trim().to_owned();
        Ok(Rule { id: RuleId(0), version: 1, camera: None, name, kind, zone, classes, min_score, k, n, cooldown_s })
    }
}

impl Rule {
    /// The typed form, every default written out; `camera` is the code to put there.
    #[must_use]
    pub fn to_draft(&self, camera: Option<String>) -> RuleDraft {
        let classes =
            (self.kind == RuleKind::Intrusion).then(|| self.classes.iter().map(|c| c.name().to_owned()).collect());
        RuleDraft {
            name: self.name.clone(),
            kind: self.kind.name().to_owned(),
            camera,
            zone: Some(self.zone.corners().to_vec()),
            classes,
            min_score: Some(self.min_score),
            k: Some(self.k),
            n: Some(self.n),
            cooldown_s: Some(self.cooldown_s),
        }
    }
    /// Whether it watches that camera.
    #[must_use]
    pub fn watches(&self, camera: CameraId) -> bool {
        self.camera.is_none_or(|c| c == camera)
    }
    /// Whether it asks for that class.
    #[must_use]
    pub fn wants(&self, class: Class) -> bool {
        self.classes.is_empty() || self.classes.contains(&class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_with_three_mistakes_names_all_three() {
        let draft = RuleDraft {
            name: "Cổng".into(),
            kind: "intrusion".into(),
            camera: None,
            zone: Some([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]].map(Point::from).to_vec()),
            classes: Some(vec!["elephant".into()]),
            min_score: None,
            k: Some(9),
            n: Some(3),
            cooldown_s: None,
        };
        let places: Vec<_> = draft.checked().unwrap_err().into_iter().map(|r| r.place).collect();
        assert_eq!(places, ["zone", "classes", "k"]);
    }

    #[test]
    fn the_typed_form_of_a_checked_rule_checks_to_the_same_rule() {
        let draft: RuleDraft = RuleDraft {
            zone: None,
            ..serde_json::from_str(r#"{"name":"x","kind":"intrusion","classes":["person"]}"#).unwrap()
        };
        let rule = draft.checked().unwrap();
        assert_eq!(rule.to_draft(None).checked().unwrap(), rule);
    }
}
