//! From camera to camera: ways, sightings, and the routes people follow.

use std::collections::BTreeMap;

use super::{colour::PartColours, detection::Class, ids::CameraId, search::Heading, time::Span};

/// Where something that leaves a camera comes to next.
#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    /// Which it leaves.
    pub from: CameraId,
    /// Where it comes to.
    pub to: CameraId,
    /// Which way of the picture leads there; `None`: not told.
    pub heading: Option<Heading>,
    /// Seconds it takes, as a person gave them.
    pub drawn_s: Option<u32>,
    /// How often it was confirmed.
    pub times: u32,
    /// Sum of the logarithms of the seconds it then took …
    pub sum_ln: f64,
    /// … and of their squares.
    pub sum_ln2: f64,
}

/// Where a camera stands on the plan, 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Which.
    pub camera: CameraId,
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// A track as far as following needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Its number.
    pub track: i64,
    /// Where.
    pub camera: CameraId,
    /// From when to when.
    pub span: Span,
    /// What it was taken for.
    pub class: Class,
    /// Sightings by class.
    pub votes: BTreeMap<Class, u32>,
    /// Its colours.
    pub colours: Vec<PartColours>,
    /// Which way it went.
    pub heading: Option<Heading>,
    /// Area of its box, 0..=1 of the picture.
    pub area: f32,
}

/// Someone begins to follow.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteDraft {
    /// The first sighting.
    pub track: i64,
    /// What it is.
    pub class: Class,
    /// The case it serves.
    pub case_number: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

/// A route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its number.
    pub id: i64,
    /// What is followed.
    pub class: Class,
    /// The case it serves.
    pub case_number: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who follows.
    pub actor: String,
    /// Since when, UTC microseconds.
    pub made_us: i64,
}

/// What a person said of a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepDraft {
    /// Which sighting.
    pub track: i64,
    /// Whether it is the one followed.
    pub accepted: bool,
}

/// A step of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteStep {
    /// The sighting.
    pub sighting: Sighting,
    /// Whether it is the one followed.
    pub accepted: bool,
    /// Seconds from the sighting before, when it is one of the way.
    pub took_s: Option<u32>,
}
