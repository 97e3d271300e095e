//! Tracks on their way into the store, and their pictures behind them. Pure.
//!
//! A track is written when it is first believed, now and then while it goes on, and when it is over; of one that waits only
//! the newest state does. Its number in the store is learned from the first writing. Limits: [`WAITING_MAX`] tracks,
//! [`PICTURES_MAX`] of them with pictures, [`NEW_BURST`] new ones of a camera at once and [`NEW_EVERY_US`] apart.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::{
    domain::{
        ids::{CameraId, TrackId},
        time::BootTime,
    },
    logic::quota::Quota,
    store::TrackRow,
};

/// Tracks written in one transaction.
const BATCH: usize = 100;
/// The most tracks that wait.
const WAITING_MAX: usize = 5000;
/// The most of them whose pictures are held in memory.
const PICTURES_MAX: usize = 512;
/// New tracks of one camera at once, and then one in so many microseconds: what no street reaches, and a child gone wrong
/// must not pass.
const NEW_BURST: u32 = 600;
const NEW_EVERY_US: i64 = 200_000;

/// A track to be written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    pub row: TrackRow,
    /// Of its largest and its sharpest sighting, when new.
    pub pictures: [Option<Bytes>; 2],
}

impl Waiting {
    fn key(&self) -> Key {
        (self.row.camera, self.row.best.track)
    }
    fn crops(&self) -> u64 {
        self.pictures.iter().flatten().count() as u64
    }
}

/// Pictures of a track that is in the store.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Crops {
    pub id: i64,
    pub start_us: i64,
    pub pictures: [Option<Bytes>; 2],
}

type Key = (CameraId, TrackId);

/// What had to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Lost {
    pub tracks: u64,
    pub crops: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct TrackQueue {
    waiting: VecDeque<Waiting>,
    /// In the hands of the store.
    out: Vec<Key>,
    /// Numbers of those in the store that go on.
    ids: BTreeMap<Key, i64>,
    crops: VecDeque<Crops>,
    new: BTreeMap<CameraId, Quota>,
    /// Whether the store failed: one by one then, so that a row it cannot take holds up no other.
    singly: bool,
}

impl TrackQueue {
    /// Adds a track's newest state.
    pub fn put(&mut self, mut next: Waiting, now: BootTime) -> Lost {
        let (key, mut lost) = (next.key(), Lost::default());
        let known = if next.row.open { self.ids.get(&key).copied() } else { self.ids.remove(&key) };
        next.row.id = known;
        let pictured = self.waiting.iter().filter(|w| w.crops() > 0).count();
        let held = self.waiting.iter_mut().find(|w| w.key() == key);
        if held.is_none() && known.is_none() && !self.out.contains(&key) {
            let quota = self.new.entry(key.0).or_insert(Quota::new(NEW_BURST, NEW_EVERY_US));
            if !quota.take(now) {
                return Lost { tracks: 1, crops: next.crops() };
            }
        }
        match held {
            Some(held) => renew(held, next),
            None => {
                if pictured >= PICTURES_MAX {
                    lost.crops += next.crops();
                    next.pictures = [None, None];
                }
                self.waiting.push_back(next);
            }
        }
        lost.add(self.shorten())
    }
    fn shorten(&mut self) -> Lost {
        let too_many = self.waiting.len().saturating_sub(WAITING_MAX);
        let crops = self.waiting.drain(..too_many).map(|w| w.crops()).sum();
        Lost { tracks: too_many as u64, crops }
    }
    /// Takes what is to be written next; empty when nothing waits.
    pub fn take(&mut self) -> Vec<Waiting> {
        let batch = if self.singly { 1 } else { BATCH };
        let batch: Vec<_> = self.waiting.drain(..self.waiting.len().min(batch)).collect();
        self.out = batch.iter().map(Waiting::key).collect();
        batch
    }
    /// They were written under these numbers.
    pub fn stored(&mut self, batch: Vec<Waiting>, ids: &[i64]) {
        self.out.clear();
        self.singly = false;
        for (done, id) in batch.into_iter().zip(ids) {
            let key = done.key();
            match self.waiting.iter_mut().find(|w| w.key() == key) {
                Some(newer) => newer.row.id = Some(*id),
                None if done.row.open => drop(self.ids.insert(key, *id)),
                None => {}
            }
            if let Some(newer) = self.waiting.iter().find(|w| w.key() == key && w.row.open) {
                self.ids.insert(newer.key(), *id);
            }
            if done.crops() > 0 {
                self.crops.push_back(Crops { id: *id, start_us: done.row.span.start_us, pictures: done.pictures });
            }
        }
    }
    /// They could not be written; they wait again, unless something newer does.
    pub fn failed(&mut self, batch: Vec<Waiting>) -> Lost {
        self.out.clear();
        self.singly = true;
        for older in batch.into_iter().rev() {
            match self.waiting.iter_mut().find(|w| w.key() == older.key()) {
                Some(newer) => {
                    let newest = std::mem::replace(newer, older);
                    renew(newer, newest);
                }
                None => self.waiting.push_front(older),
            }
        }
        self.shorten()
    }
    /// They never can be written.
    pub fn refused(&mut self, batch: &[Waiting]) -> Lost {
        self.out.clear();
        self.singly = false;
        Lost { tracks: batch.len() as u64, crops: batch.iter().map(Waiting::crops).sum() }
    }
    /// Pictures to be written next.
    pub fn next_crops(&mut self) -> Option<Crops> {
        self.crops.pop_front()
    }
    /// Tracks not in the store yet.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.out.len()
    }
}

impl Lost {
    fn add(self, more: Self) -> Self {
        Self { tracks: self.tracks + more.tracks, crops: self.crops + more.crops }
    }
}

/// Puts the newer state in an older one's place; pictures that it does not have stay.
fn renew(held: &mut Waiting, newer: Waiting) {
    let id = held.row.id.or(newer.row.id);
    held.row = TrackRow { id, ..newer.row };
    for (held, newer) in held.pictures.iter_mut().zip(newer.pictures) {
        if newer.is_some() {
            *held = newer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{detection::Class, geometry::NormBox, time::Span, track::TrackPoint};

    fn waiting(track: i64, points: u32, open: bool, pictures: [Option<&'static str>; 2]) -> Waiting {
        let best = TrackPoint {
            track: TrackId(track),
            class: Class::Car,
            score: 0.5,
            rect: NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap(),
            confirmed: true,
            held: false,
            identity: 1.0,
        };
        let row = TrackRow {
            id: None,
            camera: CameraId(1),
            span: Span { start_us: track, end_us: track + 5 },
            best,
            points,
            open,
            votes: BTreeMap::new(),
            colours: vec![],
            size_px: None,
            path: vec![],
        };
        Waiting { row, pictures: pictures.map(|p| p.map(Bytes::from)) }
    }
    const NOW: BootTime = BootTime(7);

    #[test]
    fn of_a_track_only_the_newest_state_waits_and_it_learns_its_number() {
        let mut queue = TrackQueue::default();
        assert_eq!(queue.put(waiting(5, 2, true, [Some("a"), None]), NOW), Lost::default());
        let first = queue.take();
        assert_eq!((first.len(), first[0].row.id), (1, None));
        // While the store has it.
        queue.put(waiting(5, 3, true, [None, None]), NOW);
        queue.put(waiting(5, 4, true, [Some("b"), Some("c")]), NOW);
        queue.stored(first, &[77]);
        let crops = |queue: &mut TrackQueue| queue.next_crops().map(|c| (c.id, c.start_us, c.pictures));
        assert_eq!(crops(&mut queue), Some((77, 5, [Some("a".into()), None])));
        let second = queue.take();
        assert_eq!((second.len(), second[0].row.id, second[0].row.points), (1, Some(77), 4));
        queue.stored(second, &[77]);
        assert_eq!(crops(&mut queue), Some((77, 5, [Some("b".into()), Some("c".into())])));
        // After it, and when it is over.
        queue.put(waiting(5, 9, false, [None, None]), NOW);
        let third = queue.take();
        assert_eq!((third[0].row.id, third[0].row.open), (Some(77), false));
        queue.stored(third, &[77]);
        assert!(queue.ids.is_empty() && queue.take().is_empty() && queue.next_crops().is_none());
    }

    #[test]
    fn one_that_ends_while_the_store_has_it_is_brought_up_to_date_and_not_entered_twice() {
        let mut queue = TrackQueue::default();
        queue.put(waiting(5, 2, true, [None, None]), NOW);
        let first = queue.take();
        queue.put(waiting(5, 8, false, [None, None]), NOW);
        queue.stored(first, &[3]);
        let last = queue.take();
        assert_eq!((last[0].row.id, last[0].row.points), (Some(3), 8));
        queue.stored(last, &[3]);
        assert!(queue.ids.is_empty());
    }

    #[test]
    fn what_failed_waits_again_singly_but_for_what_is_newer() {
        let mut queue = TrackQueue::default();
        for track in 0..3 {
            queue.put(waiting(track, 1, true, [Some("old"), None]), NOW);
        }
        let all = queue.take();
        queue.put(waiting(1, 2, false, [None, Some("new")]), NOW);
        assert_eq!(queue.failed(all), Lost::default());
        assert_eq!(queue.len(), 3);
        let mut points = Vec::new();
        while let [one] = &queue.take()[..] {
            let pictures = one.pictures.iter().flatten().count();
            points.push((one.row.best.track.0, one.row.points, pictures));
            queue.out.clear();
        }
        assert_eq!(points, [(0, 1, 1), (2, 1, 1), (1, 2, 2)]);
    }

    #[test]
    fn more_than_the_limits_are_dropped_and_counted() {
        let mut queue = TrackQueue::default();
        let mut lost = Lost::default();
        for track in 0..6000 {
            let now = BootTime(track * NEW_EVERY_US);
            lost = lost.add(queue.put(waiting(track, 1, false, [Some("p"), None]), now));
        }
        assert_eq!((lost.tracks, queue.len()), (1000, WAITING_MAX));
        assert!(lost.crops >= 6000 - PICTURES_MAX as u64 * 2, "{lost:?}");
        // A flood of new ones at one moment.
        let mut queue = TrackQueue::default();
        let refused: u64 = (0..1000).map(|t| queue.put(waiting(t, 1, true, [None, None]), NOW).tracks).sum();
        assert_eq!(refused, 1000 - u64::from(NEW_BURST));
    }
}
