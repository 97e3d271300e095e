//! What still has to be stored, and the pictures that wait for it. Pure: the room does what it says.
//!
//! Of each event only the newest state is kept; a state that a newer one overtook is never written.

use std::collections::{HashMap, VecDeque};

use crate::{
    domain::{
        event::{Event, EventChange},
        geometry::NormBox,
        ids::{CameraId, EventId},
        time::MediaTime,
    },
    runtime::ask::Snapshot,
};

/// The most events that go on or are not yet stored.
pub(super) const EVENTS_MAX: usize = 10_000;
/// The most pictures held while their event is not yet stored.
const HELD_MAX: usize = 64;
/// A better picture is asked for when the score has improved by this much …
const BETTER: f32 = 0.1;
/// … and so many times are asked in all.
const SHOTS_MAX: u8 = 3;
/// An event that fails so often while others are stored is given up.
pub(super) const ATTEMPTS_MAX: u32 = 5;

#[derive(Debug)]
struct Entry {
    event: Event,
    id: Option<EventId>,
    /// Whether its newest state is not yet stored.
    unsaved: bool,
    /// Failures while the store took other things.
    attempts: u32,
    /// What the store had taken at the last failure.
    taken_then: u64,
    shots_asked: u8,
    shots_out: u8,
    /// Whether one that was gone has been asked for again.
    asked_again: bool,
    shot_score: f32,
    /// The newest picture that has come, and whether it is not yet on disk.
    newest_shot: u8,
    picture: Option<Snapshot>,
}

/// A picture to ask for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shot {
    pub key: u64,
    /// 1, 2, 3: a later one replaces an earlier one.
    pub number: u8,
    pub camera: CameraId,
    pub time: MediaTime,
    pub rect: NormBox,
}

/// A picture to write.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub id: EventId,
    pub start_us: i64,
    pub snapshot: Snapshot,
}

/// What became of the answer to a [`Shot`].
#[derive(Debug, PartialEq)]
pub(super) enum Came {
    /// It is kept, or a later one has replaced it.
    Useful,
    /// There is no such picture any more; one of where the object was last is to be asked for.
    Again(Shot),
    /// The picture is lost.
    Useless,
}

/// What became of a change.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Put {
    /// A picture to ask for.
    pub shot: Option<Shot>,
    /// The event cannot be kept: too many wait already.
    pub lost: bool,
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: HashMap<u64, Entry>,
    /// Keys of unsaved entries, each once, the longest waiting first.
    waiting: VecDeque<u64>,
    /// Keys of entries with an id and a picture.
    pictures: VecDeque<u64>,
    held: usize,
    /// The one in the hands of the store.
    saving: Option<u64>,
}

impl Outbox {
    /// Takes a change. One of an event that was lost is not looked at.
    pub fn put(&mut self, change: EventChange) -> Put {
        let (key, event) = match change {
            EventChange::Open { key, event } => {
                if self.entries.len() >= EVENTS_MAX {
                    return Put { shot: None, lost: true };
                }
                self.entries.insert(key, Entry::new(event.clone()));
                (key, event)
            }
            EventChange::Update { key, event } | EventChange::Close { key, event } => (key, event),
        };
        let Some(entry) = self.entries.get_mut(&key) else { return Put::default() };
        entry.event = Event { id: entry.id.unwrap_or(EventId(0)), ..event };
        let shot = entry.shot(key);
        self.wait(key);
        Put { shot, lost: false }
    }

    fn wait(&mut self, key: u64) {
        if let Some(entry) = self.entries.get_mut(&key)
            && !std::mem::replace(&mut entry.unsaved, true)
        {
            self.waiting.push_back(key);
        }
    }

    /// The next event to store, as it now is; without an id it is to be inserted. One at a time.
    pub fn next_save(&mut self) -> Option<(u64, Event)> {
        while let Some(key) = self.waiting.pop_front() {
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.unsaved = false;
                self.saving = Some(key);
                return Some((key, entry.event.clone()));
            }
        }
        None
    }

    /// The store has taken it.
    pub fn saved(&mut self, key: u64, id: EventId) {
        self.saving = None;
        if let Some(entry) = self.entries.get_mut(&key) {
            if entry.picture.is_some() && entry.id.is_none() {
                self.pictures.push_back(key);
                self.held -= 1;
            }
            (entry.id, entry.event.id, entry.attempts) = (Some(id), id, 0);
        }
        self.let_go(key);
    }

    /// The store has not taken it; `lasting`: it never will; `taken`: how much the store has taken so far. Returns the
    /// event when it is given up.
    pub fn failed(&mut self, key: u64, lasting: bool, taken: u64) -> Option<Event> {
        self.saving = None;
        let entry = self.entries.get_mut(&key)?;
        if taken > entry.taken_then {
            entry.attempts += 1;
        }
        entry.taken_then = taken;
        if !lasting && entry.attempts < ATTEMPTS_MAX {
            self.wait(key);
            return None;
        }
        let entry = self.entries.remove(&key)?;
        self.waiting.retain(|k| *k != key);
        self.pictures.retain(|k| *k != key);
        self.held -= usize::from(entry.id.is_none() && entry.picture.is_some());
        Some(entry.event)
    }

    /// The answer to a [`Shot`].
    pub fn shot_came(&mut self, key: u64, number: u8, snapshot: Option<Snapshot>) -> Came {
        let Some(entry) = self.entries.get_mut(&key) else { return Came::Useless };
        entry.shots_out = entry.shots_out.saturating_sub(1);
        let came = match snapshot {
            // The best sighting may be older than what vision keeps; the last one is not.
            None if entry.newest_shot == 0 && entry.shots_out == 0 && !entry.asked_again => {
                (entry.shots_out, entry.asked_again) = (1, true);
                let last = entry.event.path.last().copied();
                let (time_us, rect) = last.map_or((entry.event.end_us, entry.event.rect), |p| (p.time_us, p.rect));
                let (camera, time) = (entry.event.camera, MediaTime(time_us));
                return Came::Again(Shot { key, number, camera, time, rect });
            }
            None => Came::Useless,
            Some(_) if number < entry.newest_shot => Came::Useful,
            Some(_) if entry.id.is_none() && entry.picture.is_none() && self.held >= HELD_MAX => Came::Useless,
            Some(snapshot) => {
                entry.newest_shot = number;
                let first = entry.picture.replace(snapshot).is_none();
                match entry.id {
                    None if first => self.held += 1,
                    Some(_) if first => self.pictures.push_back(key),
                    _ => {}
                }
                Came::Useful
            }
        };
        self.let_go(key);
        came
    }

    /// The next picture to write.
    pub fn next_picture(&mut self) -> Option<Picture> {
        let key = self.pictures.pop_front()?;
        let entry = self.entries.get_mut(&key)?;
        let picture = entry.id.zip(entry.picture.take());
        let start_us = entry.event.start_us;
        self.let_go(key);
        picture.map(|(id, snapshot)| Picture { id, start_us, snapshot })
    }

    /// Forgets an event that is over, stored and has its pictures.
    fn let_go(&mut self, key: u64) {
        let done = |e: &Entry| !e.event.open && !e.unsaved && e.id.is_some() && e.shots_out == 0 && e.picture.is_none();
        if self.entries.get(&key).is_some_and(done) {
            self.entries.remove(&key);
        }
    }

    /// The events whose newest state is not stored.
    pub fn unsaved(&self) -> impl Iterator<Item = &Event> {
        let waits = |(key, entry): &(&u64, &Entry)| entry.unsaved || self.saving == Some(**key);
        self.entries.iter().filter(waits).map(|(_, entry)| &entry.event)
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.waiting.is_empty() && self.pictures.is_empty() && self.held == 0
    }
}

impl Entry {
    fn new(event: Event) -> Self {
        Self {
            event,
            id: None,
            unsaved: false,
            attempts: 0,
            taken_then: 0,
            shots_asked: 0,
            shots_out: 0,
            asked_again: false,
            shot_score: f32::NEG_INFINITY,
            newest_shot: 0,
            picture: None,
        }
    }

    /// The picture to ask for now, if the event is new or has become notably better.
    fn shot(&mut self, key: u64) -> Option<Shot> {
        let first = self.shots_asked == 0;
        let better = self.event.score - self.shot_score >= BETTER && self.event.open;
        if !(first || better && self.shots_asked < SHOTS_MAX) {
            return None;
        }
        (self.shots_asked, self.shots_out) = (self.shots_asked + 1, self.shots_out + 1);
        self.shot_score = self.event.score;
        // The time of the best box; thinning may have taken it out of the path, then the newest will do.
        let best = self.event.path.iter().rev().find(|p| p.rect == self.event.rect);
        let time = MediaTime(best.map_or(self.event.end_us, |p| p.time_us));
        Some(Shot { key, number: self.shots_asked, camera: self.event.camera, time, rect: self.event.rect })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;
    use crate::domain::{event::PathPoint, ids::RuleId, rule::RuleKind};

    fn event(revision: i64, score: f32, open: bool) -> Event {
        let rect = NormBox::new(0.1, 0.1, 0.2, 0.2).unwrap();
        Event {
            id: EventId(0),
            camera: CameraId(1),
            rule: RuleId(1),
            rule_version: 1,
            rule_name: String::new(),
            kind: RuleKind::Motion,
            class: None,
            track: None,
            start_us: 1000,
            end_us: 3000,
            open,
            revision,
            score,
            rect,
            path: vec![PathPoint { time_us: 2000, rect }],
            model_sha256: None,
            numbers: BTreeMap::new(),
        }
    }
    fn open(key: u64) -> EventChange {
        EventChange::Open { key, event: event(1, 0.5, true) }
    }
    fn update(key: u64, revision: i64, score: f32) -> EventChange {
        EventChange::Update { key, event: event(revision, score, true) }
    }
    fn close(key: u64, revision: i64) -> EventChange {
        EventChange::Close { key, event: event(revision, 0.5, false) }
    }
    fn picture(byte: u8) -> Option<Snapshot> {
        let jpeg = Bytes::copy_from_slice(&[byte]);
        Some(Snapshot { time: MediaTime(0), plain: jpeg.clone(), boxed: jpeg })
    }

    #[test]
    fn only_the_newest_state_of_an_event_is_stored_and_nothing_is_left_behind() {
        let mut outbox = Outbox::default();
        let shot = outbox.put(open(1)).shot.unwrap();
        assert_eq!((shot.number, shot.time), (1, MediaTime(2000)));
        outbox.put(update(1, 2, 0.5));
        let (key, saving) = outbox.next_save().unwrap();
        assert_eq!((saving.id, saving.revision), (EventId(0), 2));
        assert!(outbox.next_save().is_none());
        outbox.put(close(1, 3));
        outbox.saved(key, EventId(9));
        let (key, saving) = outbox.next_save().unwrap();
        assert_eq!((saving.id, saving.revision, saving.open), (EventId(9), 3, false));
        outbox.saved(key, EventId(9));
        assert_eq!(outbox.shot_came(1, 1, picture(1)), Came::Useful);
        assert_eq!(outbox.next_picture().unwrap().id, EventId(9));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_picture_waits_for_the_id_of_its_event_and_a_late_worse_one_does_not_replace_it() {
        let mut outbox = Outbox::default();
        outbox.put(open(1));
        assert!(outbox.put(update(1, 2, 0.55)).shot.is_none());
        assert_eq!(outbox.put(update(1, 3, 0.65)).shot.unwrap().number, 2);
        assert_eq!(outbox.shot_came(1, 2, picture(2)), Came::Useful);
        assert_eq!(outbox.shot_came(1, 1, picture(1)), Came::Useful);
        assert!(outbox.next_picture().is_none());
        let (key, _) = outbox.next_save().unwrap();
        outbox.saved(key, EventId(5));
        assert_eq!(outbox.next_picture().unwrap().snapshot.plain[..], [2]);
        assert!(outbox.next_picture().is_none());
        assert_eq!(outbox.put(update(1, 4, 0.8)).shot.unwrap().number, 3);
        assert!(outbox.put(update(1, 5, 1.0)).shot.is_none(), "three in all");
        assert_eq!(outbox.shot_came(1, 3, None), Came::Useless);
    }

    #[test]
    fn a_picture_that_is_gone_is_asked_for_once_more_where_the_object_was_last() {
        let mut outbox = Outbox::default();
        outbox.put(open(1));
        let (late, there) = (event(2, 0.5, true), NormBox::new(0.5, 0.5, 0.75, 0.75).unwrap());
        let path = vec![late.path[0], PathPoint { time_us: 9000, rect: there }];
        outbox.put(EventChange::Update { key: 1, event: Event { path, ..late } });
        let Came::Again(shot) = outbox.shot_came(1, 1, None) else { panic!("not asked again") };
        assert_eq!((shot.number, shot.time, shot.rect), (1, MediaTime(9000), there));
        assert_eq!(outbox.shot_came(1, 1, None), Came::Useless);
    }

    #[test]
    fn a_failing_store_is_asked_again_and_an_event_it_never_takes_is_given_up() {
        let mut outbox = Outbox::default();
        outbox.put(open(1));
        for _ in 0..100 {
            let (key, _) = outbox.next_save().unwrap();
            assert!(outbox.failed(key, false, 0).is_none(), "nothing else was stored either");
        }
        outbox.shot_came(1, 1, picture(1));
        for other in 2..20 {
            outbox.put(open(other));
            assert!(matches!(outbox.shot_came(other, 1, None), Came::Again(_)));
            outbox.shot_came(other, 1, None);
        }
        let (mut given_up, mut taken) = (0, 0);
        while let Some((key, _)) = outbox.next_save() {
            match key {
                1 => given_up += usize::from(outbox.failed(key, false, taken).is_some()),
                // Each goes on, so that there is always something else that is stored.
                _ => {
                    taken += 1;
                    outbox.saved(key, EventId(key as i64));
                    if given_up == 0 {
                        outbox.put(update(key, 2, 0.5));
                    }
                }
            }
        }
        assert_eq!(given_up, 1);
        assert_eq!(outbox.put(close(1, 2)), Put::default());
        for other in 2..20 {
            outbox.put(close(other, 3));
        }
        while let Some((key, event)) = outbox.next_save() {
            outbox.saved(key, event.id);
        }
        assert!(outbox.is_empty());
        outbox.put(open(30));
        assert!(outbox.failed(30, true, taken).is_some(), "refused for good");
        assert_eq!(outbox.unsaved().count(), 0);
    }

    #[test]
    fn a_full_queue_says_that_an_event_is_lost() {
        let mut outbox = Outbox::default();
        assert!((0..EVENTS_MAX as u64).all(|key| !outbox.put(open(key)).lost));
        assert!(outbox.put(open(99_999)).lost);
        assert!(!outbox.put(close(99_999, 2)).lost);
        assert_eq!(outbox.unsaved().count(), EVENTS_MAX);
    }

    #[test]
    fn pictures_held_for_a_store_that_takes_nothing_are_bounded() {
        let mut outbox = Outbox::default();
        let useful = (0..200).filter(|&key| {
            outbox.put(open(key));
            outbox.shot_came(key, 1, picture(0)) == Came::Useful
        });
        assert_eq!(useful.count(), HELD_MAX);
    }
}
