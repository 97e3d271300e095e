//! What a rule would have said of days gone by, from the ways of tracks that were kept. In: tracks by their start. Out:
//! the events, as the rules at work would have made them from looks half a second apart.
//!
//! Time in which nothing moved is skipped. Kinds that look at motion, still things, votes or the camera's state cannot
//! be tried: those are not kept.

use std::collections::VecDeque;

use super::{path::Place, rules::Rules};
use crate::domain::{
    detection::Class,
    event::{Event, EventChange},
    geometry::NormBox,
    ids::{CameraId, TrackId},
    rule::{Rule, RuleKind},
    time::MediaTime,
    track::{FrameSeen, TrackPoint},
};

/// Looks so far apart are played.
const STEP_US: i64 = 500_000;

/// One track that was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Its number, as in events.
    pub track: TrackId,
    /// What it was.
    pub class: Class,
    /// Its best score.
    pub score: f32,
    /// Where it was, oldest first; straight between two places.
    pub way: Vec<Place>,
}

/// Whether a rule of that kind can be tried on tracks alone.
#[must_use]
pub const fn can_try(kind: RuleKind) -> bool {
    kind.is_about_objects() && !matches!(kind, RuleKind::Attribute)
}

/// Plays the tracks, ordered by their start.
#[must_use]
pub fn play(camera: CameraId, rule: Rule, tracks: impl IntoIterator<Item = Kept>) -> Vec<Event> {
    let mut rules = Rules::new(camera, vec![rule], None);
    let mut waiting = tracks.into_iter().filter(|k| !k.way.is_empty()).peekable();
    let mut live: VecDeque<(Kept, usize)> = VecDeque::new();
    let mut out = Vec::new();
    let mut take = |changes: Vec<EventChange>| {
        out.extend(
            changes
                .into_iter()
                .filter_map(|c| if let EventChange::Close { event, .. } = c { Some(event) } else { None }),
        );
    };
    let mut now = None::<MediaTime>;
    loop {
        // With nobody there the next one's beginning is the next moment.
        let next = match (now, live.is_empty(), waiting.peek()) {
            (Some(at), false, _) => at.plus_us(STEP_US),
            (_, true, Some(next)) => next.way[0].time.max(now.unwrap_or(MediaTime(i64::MIN))),
            (None, false, _) | (_, true, None) => break,
        };
        now = Some(next);
        while let Some(kept) = waiting.next_if(|k| k.way[0].time <= next) {
            live.push_back((kept, 0));
        }
        let (mut points, mut ended) = (Vec::with_capacity(live.len()), Vec::new());
        live.retain_mut(|(kept, at)| match place(&kept.way, at, next) {
            Some(rect) => {
                let (track, class, score) = (kept.track, kept.class, kept.score);
                points.push(TrackPoint { track, class, score, rect, confirmed: true, held: false, identity: 1.0 });
                true
            }
            None => {
                ended.push(kept.track);
                false
            }
        });
        let seen = FrameSeen {
            camera,
            time: next,
            motion: Vec::new(),
            tracks: points,
            ended,
            still: None,
            labels: Vec::new(),
        };
        take(rules.step(&seen));
    }
    take(rules.finish());
    out
}

/// Where it is at that time, going on from piece `at`; `None` when its way is over.
fn place(way: &[Place], at: &mut usize, time: MediaTime) -> Option<NormBox> {
    while way.get(*at + 1).is_some_and(|next| next.time <= time) {
        *at += 1;
    }
    let here = way[*at];
    let Some(next) = way.get(*at + 1) else { return (time.since(here.time) < STEP_US).then_some(here.rect) };
    let part = time.since(here.time).max(0) as f32 / next.time.since(here.time).max(1) as f32;
    let (a, b) = (here.rect.corners(), next.rect.corners());
    let [x0, y0, x1, y1] = std::array::from_fn(|i| a[i] + (b[i] - a[i]) * part);
    NormBox::new(x0, y0, x1, y1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleDraft;

    fn rule(json: &str) -> Rule {
        serde_json::from_str::<RuleDraft>(json).unwrap().checked().unwrap()
    }
    fn kept(track: i64, start_s: i64, class: Class, from: f32, to: f32, lasts_s: i64) -> Kept {
        let at = |s: i64, x: f32| Place {
            time: MediaTime(s * 1_000_000),
            rect: NormBox::new(x - 0.02, 0.4, x + 0.02, 0.5).unwrap(),
        };
        Kept { track: TrackId(track), class, score: 0.7, way: vec![at(start_s, from), at(start_s + lasts_s, to)] }
    }

    #[test]
    fn days_with_three_tracks_give_what_the_rule_would_have_said_of_them() {
        const DAY_S: i64 = 86_400;
        let tracks = vec![
            kept(1, 10, Class::Car, 0.1, 0.9, 8),
            kept(2, DAY_S, Class::Person, 0.9, 0.1, 20),
            kept(3, DAY_S + 5, Class::Car, 0.9, 0.6, 10),
        ];
        let line = rule(r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.0],[0.5,1.0]]}"#);
        let told: Vec<_> = play(CameraId(1), line, tracks.clone()).into_iter().map(|e| (e.track, e.class)).collect();
        assert_eq!(told, [(Some(TrackId(1)), Some(Class::Car)), (Some(TrackId(2)), Some(Class::Person))]);
        let stays = rule(r#"{"name":"x","kind":"loitering","seconds":15}"#);
        assert_eq!(play(CameraId(1), stays, tracks).len(), 1);
    }

    #[test]
    fn a_busy_week_is_played_quickly() {
        // 20 000 tracks: two minutes of the week have one beginning every minute of them.
        let week: Vec<_> = (0..20_000).map(|i| kept(i, i * 30, Class::Motorcycle, 0.1, 0.9, 8)).collect();
        let line = rule(r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.0],[0.5,1.0]]}"#);
        assert_eq!(play(CameraId(1), line, week).len(), 20_000);
    }
}
