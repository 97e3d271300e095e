//! Rules as data: what an officer wants to be told about. Kinds and keys are spelled as in `RULES.toml`.

use serde::{Deserialize, Serialize};

pub use super::rule_draft::RuleDraft;
use super::{
    detection::Class,
    geometry::{NormBox, Point, Polygon},
    ground::Ground,
    ids::{CameraId, RuleId},
    schedule::Schedule,
    time::MediaTime,
};

/// What kind of rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Motion in the zone in k of n frames; needs no detector.
    Motion,
    /// An object's foot point in the zone in k of n frames, once a track.
    Intrusion,
    /// A foot point goes over a line.
    LineCrossing,
    /// Something drives against the arrow.
    WrongWay,
    /// A vehicle stands in the zone for long.
    Stopped,
    /// Somebody stays in the zone for long.
    Loitering,
    /// Many at once in the zone.
    Crowd,
    /// A new still thing of no class that somebody left.
    LeftObject,
    /// Faster over measured ground than the limit: an estimate.
    Speeding,
    /// An extra classifier says so of a track.
    Attribute,
    /// The picture is covered, turned, blurred.
    Tamper,
    /// The camera gives no picture.
    CameraDown,
}

impl RuleKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 12] = [
        Self::Motion,
        Self::Intrusion,
        Self::LineCrossing,
        Self::WrongWay,
        Self::Stopped,
        Self::Loitering,
        Self::Crowd,
        Self::LeftObject,
        Self::Speeding,
        Self::Attribute,
        Self::Tamper,
        Self::CameraDown,
    ];
    /// The name of each.
    pub const EACH_NAME: [&str; Self::ALL.len()] = {
        let (mut names, mut i) = ([""; Self::ALL.len()], 0);
        while i < names.len() {
            names[i] = Self::ALL[i].name();
            i += 1;
        }
        names
    };
    /// Their names, for a person who mistyped one.
    pub const NAMES: &str = "motion, intrusion, line_crossing, wrong_way, stopped, loitering, crowd, left_object, \
                             speeding, attribute, tamper, camera_down";

    /// Its name, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Motion => "motion",
            Self::Intrusion => "intrusion",
            Self::LineCrossing => "line_crossing",
            Self::WrongWay => "wrong_way",
            Self::Stopped => "stopped",
            Self::Loitering => "loitering",
            Self::Crowd => "crowd",
            Self::LeftObject => "left_object",
            Self::Speeding => "speeding",
            Self::Attribute => "attribute",
            Self::Tamper => "tamper",
            Self::CameraDown => "camera_down",
        }
    }
    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.name() == name)
    }
    /// Whether it looks at followed objects of wanted classes.
    #[must_use]
    pub const fn is_about_objects(self) -> bool {
        !matches!(self, Self::Motion | Self::LeftObject | Self::Tamper | Self::CameraDown)
    }
    /// Whether it looks at a zone.
    #[must_use]
    pub const fn has_zone(self) -> bool {
        !matches!(self, Self::LineCrossing | Self::Speeding | Self::Tamper | Self::CameraDown)
    }
}

/// How much an event of a rule matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It is only counted, where the kind counts: no event.
    Count,
    /// Worth knowing.
    Low,
    /// Worth a look.
    #[default]
    Normal,
    /// Worth a look at once.
    High,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Count, Self::Low, Self::Normal, Self::High];

    /// Its name, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
    /// The one with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Which way over a line, as seen when walking from its first point to its second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the walker's left to his right.
    LeftToRight,
    /// From his right to his left.
    RightToLeft,
}

impl Direction {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::LeftToRight, Self::RightToLeft];

    /// Its name, as stored and typed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftToRight => "left_to_right",
            Self::RightToLeft => "right_to_left",
        }
    }
    /// The one with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }
}

/// What a rule looks for, with the keys of its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// See [`RuleKind::Motion`].
    Motion {
        /// Frames that must agree …
        k: u32,
        /// … of this many.
        n: u32,
    },
    /// See [`RuleKind::Intrusion`].
    Intrusion {
        /// Frames that must agree …
        k: u32,
        /// … of this many.
        n: u32,
    },
    /// See [`RuleKind::LineCrossing`].
    LineCrossing {
        /// From its first point to its second.
        line: [Point; 2],
        /// `None`: both count.
        direction: Option<Direction>,
        /// So far beyond the line, in picture heights, before it is crossed.
        margin: f32,
    },
    /// See [`RuleKind::WrongWay`].
    WrongWay {
        /// The arrow of the traffic.
        allowed: [Point; 2],
        /// More than this off the arrow is the wrong way, degrees.
        angle_deg: f32,
        /// For at least so long …
        seconds: f32,
        /// … and so far, metres (an estimate by the size of the box).
        distance: f32,
    },
    /// See [`RuleKind::Stopped`].
    Stopped {
        /// For so long.
        seconds: f32,
    },
    /// See [`RuleKind::Loitering`].
    Loitering {
        /// For so long.
        seconds: f32,
    },
    /// See [`RuleKind::Crowd`].
    Crowd {
        /// So many at once …
        count: u32,
        /// … for so long.
        seconds: f32,
    },
    /// See [`RuleKind::LeftObject`].
    LeftObject {
        /// Still for so long.
        seconds: f32,
        /// The least side of its box, 0..=1 of the picture's.
        min_size: f32,
    },
    /// See [`RuleKind::Speeding`].
    Speeding {
        /// Measured ground.
        ground: Box<Ground>,
        /// The limit.
        limit_kmh: f32,
    },
    /// See [`RuleKind::Attribute`].
    Attribute {
        /// Which classifier.
        model: String,
        /// The label that matters.
        label: String,
        /// The share of a track's votes it needs.
        share: f32,
    },
    /// See [`RuleKind::Tamper`].
    Tamper {
        /// For so long.
        seconds: f32,
    },
    /// See [`RuleKind::CameraDown`].
    CameraDown {
        /// For so long.
        seconds: f32,
    },
}

impl What {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        match self {
            Self::Motion { .. } => RuleKind::Motion,
            Self::Intrusion { .. } => RuleKind::Intrusion,
            Self::LineCrossing { .. } => RuleKind::LineCrossing,
            Self::WrongWay { .. } => RuleKind::WrongWay,
            Self::Stopped { .. } => RuleKind::Stopped,
            Self::Loitering { .. } => RuleKind::Loitering,
            Self::Crowd { .. } => RuleKind::Crowd,
            Self::LeftObject { .. } => RuleKind::LeftObject,
            Self::Speeding { .. } => RuleKind::Speeding,
            Self::Attribute { .. } => RuleKind::Attribute,
            Self::Tamper { .. } => RuleKind::Tamper,
            Self::CameraDown { .. } => RuleKind::CameraDown,
        }
    }
}

/// A checked rule. [`Rule::to_draft`] is the typed form that the store keeps beside each version.
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
    pub what: What,
    /// Where; the whole picture for kinds without a zone.
    pub zone: Polygon,
    /// Parts of the zone that are left out.
    pub except: Vec<NormBox>,
    /// Which classes; empty means all.
    pub classes: Vec<Class>,
    /// When.
    pub schedule: Schedule,
    /// When not, even so; without a span: never.
    pub quiet: Schedule,
    /// Least score of a sighting.
    pub min_score: f32,
    /// How much it matters.
    pub severity: Severity,
    /// Quiet seconds.
    pub cooldown_s: f32,
}

/// The most parts of a zone that may be left out.
pub const EXCEPT_MAX: usize = 8;
/// The most frames a rule may look back.
pub const N_MAX: u32 = 100;

impl Rule {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> RuleKind {
        self.what.kind()
    }
    /// Whether it watches that camera.
    #[must_use]
    pub fn watches(&self, camera: CameraId) -> bool {
        self.camera.is_none_or(|c| c == camera)
    }
    /// Whether it watches at that time.
    #[must_use]
    pub fn is_on(&self, time: MediaTime) -> bool {
        self.schedule.watches(time) && (self.quiet.texts().is_empty() || !self.quiet.watches(time))
    }
    /// Whether it looks at that place.
    #[must_use]
    pub fn covers(&self, place: Point) -> bool {
        self.zone.contains(place) && !self.except.iter().any(|part| part.contains(place))
    }
    /// Whether it asks for that class.
    #[must_use]
    pub fn wants(&self, class: Class) -> bool {
        self.classes.is_empty() || self.classes.contains(&class)
    }
    /// How many of how many frames must agree, where the kind asks for that.
    #[must_use]
    pub const fn k_of_n(&self) -> (u32, u32) {
        match self.what {
            What::Motion { k, n } | What::Intrusion { k, n } => (k, n),
            _ => (1, 1),
        }
    }
}
