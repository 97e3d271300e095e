//! The plan of cameras: where they stand, and the ways between them.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};

use super::{access::Reach, body::Given, error::ApiError, state::AppState};
use crate::{
    domain::{
        follow::{Spot, Way},
        ids::CameraId,
        query::Actor,
        refusal::Refusal,
        search::Heading,
    },
    logic::follow,
};

/// The most ways of a plan.
const WAYS_MAX: usize = 2000;
/// The longest time of a way, seconds.
const DRAWN_S_MAX: u32 = 7200;

#[derive(Serialize)]
pub(super) struct PlanJson {
    spots: Vec<SpotJson>,
    ways: Vec<WayJson>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpotJson {
    camera: CameraId,
    x: f64,
    y: f64,
}

#[derive(Serialize)]
struct WayJson {
    from: CameraId,
    to: CameraId,
    heading: Option<Heading>,
    drawn_s: Option<u32>,
    /// Confirmed follows it was learned from.
    times: u32,
    /// Seconds it usually takes, by both.
    usual_s: f64,
    /// From and to which seconds two of three take.
    low_s: f64,
    high_s: f64,
}

impl From<Way> for WayJson {
    fn from(way: Way) -> Self {
        let (mean, spread) = follow::usual(&way);
        let Way { from, to, heading, drawn_s, times, .. } = way;
        let [low_s, usual_s, high_s] = [-1.0, 0.0, 1.0].map(|n| (mean + n * spread).exp());
        Self { from, to, heading, drawn_s, times, usual_s, low_s, high_s }
    }
}

/// A plan as a page gives it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanDraft {
    spots: Vec<SpotJson>,
    ways: Vec<WayDraft>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WayDraft {
    from: CameraId,
    to: CameraId,
    #[serde(default)]
    heading: Option<Heading>,
    #[serde(default)]
    drawn_s: Option<u32>,
}

pub(super) async fn show(reach: Reach, State(state): State<AppState>) -> Result<Json<PlanJson>, ApiError> {
    let spots = state.store.spots().await?;
    let ways = state.store.ways().await?;
    Ok(Json(PlanJson {
        spots: spots
            .into_iter()
            .filter(|s| reach.has(s.camera))
            .map(|s| SpotJson { camera: s.camera, x: s.x, y: s.y })
            .collect(),
        ways: ways.into_iter().filter(|w| reach.has(w.from) && reach.has(w.to)).map(WayJson::from).collect(),
    }))
}

pub(super) async fn change(
    actor: Actor,
    reach: Reach,
    State(state): State<AppState>,
    Given(draft): Given<PlanDraft>,
) -> Result<Json<PlanJson>, ApiError> {
    let known: Vec<CameraId> = state.store.cameras().await?.into_iter().map(|camera| camera.id).collect();
    let (spots, ways) = draft.checked(&known)?;
    let (store, count) = (state.store.clone(), ways.len());
    state.change(async move { store.draw_plan(spots, ways).await }).await?;
    tracing::info!(actor = %actor.name, ways = count, "the plan of cameras was drawn anew");
    show(reach, State(state)).await
}

impl PlanDraft {
    fn checked(self, known: &[CameraId]) -> Result<(Vec<Spot>, Vec<Way>), Vec<Refusal>> {
        let mut wrong = Vec::new();
        let mut note = |place: String, vi: &str, en: &str| wrong.push(Refusal::new(place, vi, en));
        let no_camera = ("không có camera này; hãy tải lại trang", "there is no such camera; load the page again");
        for (i, spot) in self.spots.iter().enumerate() {
            if !known.contains(&spot.camera) {
                note(format!("spots[{i}].camera"), no_camera.0, no_camera.1);
            }
            if self.spots[..i].iter().any(|other| other.camera == spot.camera) {
                note(
                    format!("spots[{i}].camera"),
                    "camera này đã được đặt rồi",
                    "this camera stands somewhere already",
                );
            }
            if ![spot.x, spot.y].iter().all(|v| (0.0..=1.0).contains(v)) {
                note(format!("spots[{i}]"), "vị trí phải từ 0 đến 1 trên sơ đồ", "a place must be 0 to 1 of the plan");
            }
        }
        for (i, way) in self.ways.iter().enumerate() {
            if !known.contains(&way.from) || !known.contains(&way.to) {
                note(format!("ways[{i}]"), no_camera.0, no_camera.1);
            }
            if way.from == way.to {
                note(
                    format!("ways[{i}].to"),
                    "đường phải nối hai camera khác nhau",
                    "a way must join two different cameras",
                );
            }
            if self.ways[..i].iter().any(|other| (other.from, other.to) == (way.from, way.to)) {
                note(format!("ways[{i}]"), "đường này đã được vẽ rồi", "this way is drawn already");
            }
            if way.drawn_s.is_some_and(|s| !(1..=DRAWN_S_MAX).contains(&s)) {
                note(
                    format!("ways[{i}].drawn_s"),
                    "thời gian đi phải từ 1 đến 7200 giây",
                    "the time must be 1 to 7200 seconds",
                );
            }
        }
        if self.ways.len() > WAYS_MAX {
            note("ways".into(), "quá nhiều đường; tối đa 2000", "too many ways; at most 2000");
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let spots = self.spots.into_iter().map(|s| Spot { camera: s.camera, x: s.x, y: s.y }).collect();
        let way = |w: WayDraft| Way {
            from: w.from,
            to: w.to,
            heading: w.heading,
            drawn_s: w.drawn_s,
            times: 0,
            sum_ln: 0.0,
            sum_ln2: 0.0,
        };
        Ok((spots, self.ways.into_iter().map(way).collect()))
    }
}
