//! The confirmed tracks of one camera, from their first sighting to the row that is kept.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::track_queue::Waiting;
use crate::{
    domain::{
        colour::PartColours,
        detection::Class,
        ids::{CameraId, TrackId},
        look::TrackLook,
        time::{MediaTime, Span},
        track::{FrameSeen, TrackPoint},
    },
    logic::path::Way,
    store::TrackRow,
};

/// A track not seen for this long is over, even if nobody said so; the tracker itself gives up after half of it.
const STALE_US: i64 = 60_000_000;
/// The most tracks at a time; of more, those unseen for longest are over.
const TRACKS_MAX: usize = 400;
/// So often the row of one that goes on is brought up to date, microseconds of media time.
const REFRESH_US: i64 = 60_000_000;
/// Looks that may wait for the first frame of their track; as many as vision may send ahead, and more.
const EARLY_MAX: usize = 512;

#[derive(Debug)]
struct Kept {
    first: MediaTime,
    last: MediaTime,
    best: TrackPoint,
    points: u32,
    way: Way,
    votes: BTreeMap<Class, u32>,
    colours: Vec<PartColours>,
    size_px: Option<[u16; 2]>,
    /// Not yet written.
    pictures: [Option<Bytes>; 2],
    /// When it was last given to be written.
    given: MediaTime,
}

impl Kept {
    fn new(point: &TrackPoint, time: MediaTime) -> Self {
        Self {
            first: time,
            last: time,
            best: TrackPoint { confirmed: false, ..*point },
            points: 0,
            way: Way::default(),
            votes: BTreeMap::new(),
            colours: Vec::new(),
            size_px: None,
            pictures: [None, None],
            given: time,
        }
    }
    /// What vision says of its looks; pictures said before stay until they are written.
    fn look(&mut self, look: TrackLook) {
        self.votes = look.votes.into_iter().collect();
        self.colours = look.colours;
        self.size_px = Some(look.size_px);
        for (held, new) in self.pictures.iter_mut().zip([look.largest, look.sharpest]) {
            if new.is_some() {
                *held = new;
            }
        }
    }
    fn see(&mut self, point: &TrackPoint, time: MediaTime) {
        self.last = self.last.max(time);
        self.points = self.points.saturating_add(1);
        (self.best.class, self.best.identity) = (point.class, point.identity);
        if point.score > self.best.score {
            (self.best.score, self.best.rect) = (point.score, point.rect);
        }
        self.way.push(time, point.rect);
    }
    fn write(&mut self, camera: CameraId, open: bool) -> Waiting {
        self.given = self.last;
        let row = TrackRow {
            id: None,
            camera,
            span: Span { start_us: self.first.us().min(self.last.us()), end_us: self.last.us() },
            best: self.best,
            points: self.points,
            open,
            votes: self.votes.clone(),
            colours: self.colours.clone(),
            size_px: self.size_px,
            path: self.way.encode(),
        };
        Waiting { row, pictures: std::mem::take(&mut self.pictures) }
    }
}

/// Looks that came before the frames in which their tracks are seen, which wait to be read. The first tracks go when there
/// are more than [`EARLY_MAX`].
#[derive(Debug, Default)]
pub(super) struct Early(BTreeMap<(CameraId, TrackId), TrackLook>);

impl Early {
    /// Keeps one; how many pictures had to be dropped.
    fn put(&mut self, mut look: TrackLook) -> u64 {
        let key = (look.camera, look.track);
        if let Some(before) = self.0.remove(&key) {
            // One that was said before is not said again.
            look.largest = look.largest.or(before.largest);
            look.sharpest = look.sharpest.or(before.sharpest);
        }
        self.0.insert(key, look);
        let lost = if self.0.len() > EARLY_MAX { self.0.pop_first() } else { None };
        lost.map_or(0, |(_, look)| [look.largest, look.sharpest].iter().flatten().count() as u64)
    }
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
    /// Confirmed tracks to be written: new ones, some that go on, those that are over.
    pub rows: Vec<Waiting>,
}

impl Tracks {
    pub fn new(camera: CameraId) -> Self {
        Self { camera, going_on: BTreeMap::new() }
    }

    /// Hands a look to its track; one whose track is not seen yet waits. How many pictures had to be dropped for it.
    pub fn look(tracks: Option<&mut Self>, look: TrackLook, early: &mut Early) -> u64 {
        match tracks.and_then(|tracks| tracks.going_on.get_mut(&look.track)) {
            Some(kept) => {
                kept.look(look);
                0
            }
            None => early.put(look),
        }
    }

    pub fn frame(&mut self, seen: &FrameSeen, early: &mut Early) -> Brought {
        let mut brought = Brought::default();
        // The parent distrusts the child: a score that is no number could never be stored.
        for point in seen.tracks.iter().filter(|p| p.score.is_finite() && p.identity.is_finite()) {
            let kept = self.going_on.entry(point.track).or_insert_with(|| Kept::new(point, seen.time));
            if let Some(look) = early.0.remove(&(self.camera, point.track)) {
                kept.look(look);
            }
            kept.see(point, seen.time);
            let new = point.confirmed && !kept.best.confirmed;
            if new {
                kept.best.confirmed = true;
                brought.confirmed += 1;
            }
            if new || kept.best.confirmed && kept.last.since(kept.given) >= REFRESH_US {
                brought.rows.push(kept.write(self.camera, true));
            }
        }
        brought.rows.extend(seen.ended.iter().filter_map(|id| self.end(*id)));
        brought.rows.extend(self.idle(seen.time));
        while self.going_on.len() > TRACKS_MAX {
            let oldest = self.going_on.iter().min_by_key(|(id, kept)| (kept.last, **id)).map(|(id, _)| *id);
            brought.rows.extend(oldest.and_then(|id| self.end(id)));
        }
        brought
    }

    /// Ends those unseen for long; `now` is where the frames are, or would be.
    pub fn idle(&mut self, now: MediaTime) -> Vec<Waiting> {
        let stale = |kept: &Kept| now.since(kept.last).abs() > STALE_US;
        let over: Vec<_> = self.going_on.iter().filter(|(_, kept)| stale(kept)).map(|(id, _)| *id).collect();
        over.into_iter().filter_map(|id| self.end(id)).collect()
    }

    /// Ends all.
    pub fn finish(&mut self) -> Vec<Waiting> {
        let all: Vec<_> = self.going_on.keys().copied().collect();
        all.into_iter().filter_map(|id| self.end(id)).collect()
    }

    fn end(&mut self, id: TrackId) -> Option<Waiting> {
        let mut kept = self.going_on.remove(&id).filter(|kept| kept.best.confirmed)?;
        Some(kept.write(self.camera, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::geometry::NormBox, logic::path};

    const CAMERA: CameraId = CameraId(3);

    fn point(track: i64, class: Class, score: f32, x: f32, confirmed: bool) -> TrackPoint {
        let rect = NormBox::new(x, 0.1, x + 0.1, 0.2).unwrap();
        TrackPoint { track: TrackId(track), class, score, rect, confirmed, held: false, identity: 0.9 }
    }
    fn frame(ms: i64, points: &[TrackPoint], ended: &[i64]) -> FrameSeen {
        let ended = ended.iter().copied().map(TrackId).collect();
        FrameSeen {
            camera: CAMERA,
            time: MediaTime(ms * 1000),
            motion: vec![],
            tracks: points.to_vec(),
            ended,
            still: None,
            labels: Vec::new(),
        }
    }

    #[test]
    fn a_confirmed_track_is_counted_once_and_written_when_it_is_believed_and_when_it_ends() {
        let (mut tracks, mut early) = (Tracks::new(CAMERA), Early::default());
        let stranger = point(2, Class::Person, 0.9, 0.8, false);
        let first = frame(0, &[point(1, Class::Truck, 0.5, 0.1, false), stranger], &[]);
        assert_eq!(tracks.frame(&first, &mut early), Brought::default());
        let look = TrackLook {
            camera: CAMERA,
            track: TrackId(1),
            votes: vec![(Class::Car, 1), (Class::Truck, 1)],
            colours: vec![],
            size_px: [64, 36],
            largest: Some(Bytes::from_static(b"one")),
            sharpest: None,
        };
        assert_eq!(Tracks::look(Some(&mut tracks), look.clone(), &mut early), 0);
        let brought = tracks.frame(&frame(200, &[point(1, Class::Car, 0.8, 0.2, true)], &[]), &mut early);
        let [soon] = &brought.rows[..] else { panic!("{brought:?}") };
        assert_eq!((brought.confirmed, soon.row.open, soon.row.points, soon.row.size_px), (1, true, 2, Some([64, 36])));
        assert_eq!(soon.pictures, [Some(Bytes::from_static(b"one")), None]);
        let third = frame(400, &[point(1, Class::Car, 0.7, 0.3, true)], &[2]);
        assert_eq!(tracks.frame(&third, &mut early), Brought::default());
        let last = TrackLook { largest: None, votes: vec![(Class::Car, 2)], ..look };
        assert_eq!(Tracks::look(Some(&mut tracks), last, &mut early), 0);
        let brought = tracks.frame(&frame(2600, &[], &[1]), &mut early);
        let [late] = &brought.rows[..] else { panic!("{brought:?}") };
        let (row, best) = (&late.row, point(1, Class::Car, 0.8, 0.2, true));
        assert_eq!((brought.confirmed, row.open, row.best, row.points), (0, false, best, 3));
        assert_eq!((row.span, &row.votes), (Span { start_us: 0, end_us: 400_000 }, &BTreeMap::from([(Class::Car, 2)])));
        assert_eq!(late.pictures, [None, None], "written once");
        let (places, _) = path::decode(&row.path).unwrap();
        assert_eq!((places[0].time, places.last().unwrap().time), (MediaTime(0), MediaTime(400_000)));
    }

    #[test]
    fn one_that_goes_on_for_long_is_brought_up_to_date_every_minute() {
        let (mut tracks, mut early) = (Tracks::new(CAMERA), Early::default());
        let mut ends = Vec::new();
        for second in 0..200 {
            let seen = frame(second * 1000, &[point(1, Class::Car, 0.8, 0.2, true)], &[]);
            let brought = tracks.frame(&seen, &mut early);
            ends.extend(brought.rows.iter().map(|w| w.row.span.end_us / 1_000_000));
            assert!(brought.rows.iter().all(|w| w.row.open));
        }
        assert_eq!(ends, [0, 60, 120, 180]);
    }

    #[test]
    fn a_track_whose_end_nobody_told_is_over_after_a_minute() {
        let mut tracks = Tracks::new(CAMERA);
        tracks.frame(&frame(0, &[point(1, Class::Bus, 0.5, 0.1, true)], &[]), &mut Early::default());
        assert!(tracks.idle(MediaTime(STALE_US)).is_empty());
        assert_eq!(tracks.idle(MediaTime(STALE_US + 1)).len(), 1);
        assert!(tracks.finish().is_empty());
    }

    #[test]
    fn looks_that_overtake_the_frames_of_their_track_wait_for_it_and_not_for_ever() {
        let (mut tracks, mut early) = (Tracks::new(CAMERA), Early::default());
        let look = |track, largest: Option<&'static str>, votes| TrackLook {
            camera: CAMERA,
            track: TrackId(track),
            votes: vec![(Class::Car, votes)],
            colours: vec![],
            size_px: [64, 36],
            largest: largest.map(Bytes::from),
            sharpest: None,
        };
        assert_eq!(Tracks::look(None, look(1, Some("one"), 1), &mut early), 0);
        assert_eq!(Tracks::look(Some(&mut tracks), look(1, None, 9), &mut early), 0);
        let brought = tracks.frame(&frame(0, &[point(1, Class::Car, 0.8, 0.2, true)], &[]), &mut early);
        assert_eq!(brought.rows[0].row.votes, BTreeMap::from([(Class::Car, 9)]));
        assert_eq!(brought.rows[0].pictures, [Some(Bytes::from_static(b"one")), None]);
        let lost: u64 =
            (0..1000).map(|t| Tracks::look(Some(&mut tracks), look(50 + t, Some("x"), 1), &mut early)).sum();
        assert_eq!((lost, early.0.len()), (1000 - EARLY_MAX as u64, EARLY_MAX));
    }
}
