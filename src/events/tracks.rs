//! The confirmed tracks of one camera, from their first sighting to the row that is kept.

use std::collections::BTreeMap;

use crate::{
    domain::{
        ids::{CameraId, TrackId},
        time::{MediaTime, Span},
        track::{FrameSeen, TrackPoint},
    },
    store::TrackRow,
};

/// A track not seen for this long is over, even if nobody said so; the tracker itself gives up after half of it.
const STALE_US: i64 = 60_000_000;
/// The most tracks at a time; of more, those unseen for longest are over.
const TRACKS_MAX: usize = 400;

#[derive(Debug)]
struct Kept {
    first: MediaTime,
    last: MediaTime,
    best: TrackPoint,
    points: u32,
}

/// The tracks that go on.
#[derive(Debug)]
pub(super) struct Tracks {
    camera: CameraId,
    going_on: BTreeMap<TrackId, Kept>,
}

/// What a frame brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Brought {
    /// Tracks confirmed for the first time.
    pub confirmed: u64,
    /// Confirmed tracks that are over.
    pub over: Vec<TrackRow>,
}

impl Tracks {
    pub fn new(camera: CameraId) -> Self {
        Self { camera, going_on: BTreeMap::new() }
    }

    pub fn frame(&mut self, seen: &FrameSeen) -> Brought {
        let mut brought = Brought::default();
        // The parent distrusts the child: a score that is no number could never be stored.
        for point in seen.tracks.iter().filter(|p| p.score.is_finite()) {
            let new =
                Kept { first: seen.time, last: seen.time, best: TrackPoint { confirmed: false, ..*point }, points: 0 };
            let kept = self.going_on.entry(point.track).or_insert(new);
            kept.last = kept.last.max(seen.time);
            kept.points = kept.points.saturating_add(1);
            kept.best.class = point.class;
            if point.score > kept.best.score {
                (kept.best.score, kept.best.rect) = (point.score, point.rect);
            }
            if point.confirmed && !kept.best.confirmed {
                kept.best.confirmed = true;
                brought.confirmed += 1;
            }
        }
        brought.over.extend(seen.ended.iter().filter_map(|id| self.end(*id)));
        brought.over.extend(self.idle(seen.time));
        while self.going_on.len() > TRACKS_MAX {
            let oldest = self.going_on.iter().min_by_key(|(id, kept)| (kept.last, **id)).map(|(id, _)| *id);
            brought.over.extend(oldest.and_then(|id| self.end(id)));
        }
        brought
    }

    /// Ends those unseen for long; `now` is where the frames are, or would be.
    pub fn idle(&mut self, now: MediaTime) -> Vec<TrackRow> {
        let stale = |kept: &Kept| now.since(kept.last).abs() > STALE_US;
        let over: Vec<_> = self.going_on.iter().filter(|(_, kept)| stale(kept)).map(|(id, _)| *id).collect();
        over.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// Ends all.
    pub fn finish(&mut self) -> Vec<TrackRow> {
        let all: Vec<_> = self.going_on.keys().copied().collect();
        all.into_iter().filter_map(|id| self.end(id)).collect()
    }

    fn end(&mut self, id: TrackId) -> Option<TrackRow> {
        let kept = self.going_on.remove(&id).filter(|kept| kept.best.confirmed)?;
        let span = Span { start_us: kept.first.us().min(kept.last.us()), end_us: kept.last.us() };
        Some(TrackRow { camera: self.camera, span, best: kept.best, points: kept.points })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{detection::Class, geometry::NormBox};

    #[test]
    fn a_confirmed_track_is_counted_once_and_kept_when_it_ends() {
        let camera = CameraId(3);
        let rect = |x| NormBox::new(x, 0.1, x + 0.1, 0.2).unwrap();
        let point = |track, class, score, x, confirmed| TrackPoint {
            track: TrackId(track),
            class,
            score,
            rect: rect(x),
            confirmed,
            held: false,
            identity: 1.0,
        };
        let mut tracks = Tracks::new(camera);
        let mut frame = |ms: i64, points: &[TrackPoint], ended: &[i64]| {
            let ended = ended.iter().copied().map(TrackId).collect();
            tracks.frame(&FrameSeen {
                camera,
                time: MediaTime(ms * 1000),
                motion: vec![],
                tracks: points.to_vec(),
                ended,
            })
        };
        let stranger = point(2, Class::Person, 0.9, 0.8, false);
        assert_eq!(frame(0, &[point(1, Class::Truck, 0.5, 0.1, false), stranger], &[]), Brought::default());
        assert_eq!(frame(200, &[point(1, Class::Car, 0.8, 0.2, true)], &[]).confirmed, 1);
        assert_eq!(frame(400, &[point(1, Class::Car, 0.7, 0.3, true)], &[2]), Brought::default());
        let brought = frame(2600, &[], &[1]);
        let best = point(1, Class::Car, 0.8, 0.2, true);
        let row = TrackRow { camera, span: Span { start_us: 0, end_us: 400_000 }, best, points: 3 };
        assert_eq!(brought, Brought { confirmed: 0, over: vec![row] });
    }

    #[test]
    fn a_track_whose_end_nobody_told_is_over_after_a_minute() {
        let camera = CameraId(3);
        let rect = NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap();
        let (track, class) = (TrackId(1), Class::Bus);
        let point = TrackPoint { track, class, score: 0.5, rect, confirmed: true, held: false, identity: 1.0 };
        let mut tracks = Tracks::new(camera);
        tracks.frame(&FrameSeen { camera, time: MediaTime(0), motion: vec![], tracks: vec![point], ended: vec![] });
        assert!(tracks.idle(MediaTime(STALE_US)).is_empty());
        assert_eq!(tracks.idle(MediaTime(STALE_US + 1)).len(), 1);
        assert!(tracks.finish().is_empty());
    }
}
