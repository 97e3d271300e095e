//! Which camera kills the analysis. Pure.
//!
//! When the process dies, every camera with packets it had not dealt with may have done it: a suspect, kept away and let
//! in again, one suspect at a time. One that is on trial when the process dies again is convicted. After [`CONVICTIONS_MAX`] convictions it gives key frames only, which use the least of a
//! decoder; if it kills with those too, nothing, until its settings are saved again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::domain::{ids::CameraId, time::BootTime};

/// A camera convicted so often gives key frames only.
pub const CONVICTIONS_MAX: u32 = 3;
/// A suspect that did no harm for so long is none any more, microseconds; longer than a hang takes to be found.
pub const TRIAL_US: i64 = 1_500_000;
/// A suspect that sends nothing is not waited for any longer, microseconds.
const ABSENT_US: i64 = 4_000_000;
/// Convictions before the last one are forgotten after so long without another, microseconds: a day.
const FORGOTTEN_US: i64 = 86_400_000_000;

/// What of a camera may be analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Admission {
    /// Everything.
    Full,
    /// Key frames.
    KeyFrames,
    /// Nothing now: a suspect that waits for its trial.
    Waiting,
    /// Nothing, until its settings are saved.
    Off,
}

/// What a death said about one camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conviction {
    /// Which.
    pub camera: CameraId,
    /// How often by now.
    pub times: u32,
    /// What it may give from now on, once it has been tried again.
    pub sentence: Admission,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    convictions: u32,
    last: BootTime,
    sentence: Admission,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    camera: CameraId,
    since: BootTime,
    fed: Option<BootTime>,
}

/// All that is held against cameras.
#[derive(Debug, Default)]
pub struct Suspects {
    records: BTreeMap<CameraId, Record>,
    waiting: VecDeque<CameraId>,
    trial: Option<Trial>,
}

impl Suspects {
    /// What of that camera may be analysed now.
    #[must_use]
    pub fn admission(&self, camera: CameraId) -> Admission {
        let sentence = self.sentence(camera);
        if sentence < Admission::Off && self.waiting.contains(&camera) { Admission::Waiting } else { sentence }
    }
    /// Cameras that wait for their trial or are on it.
    #[must_use]
    pub fn count(&self) -> usize {
        self.waiting.len() + usize::from(self.trial.is_some())
    }
    /// The process takes packets: goes on with the trials.
    pub fn step(&mut self, now: BootTime) {
        if let Some(trial) = self.trial {
            let harmless = trial.fed.is_some_and(|t| now.since(t) >= TRIAL_US);
            let absent = trial.fed.is_none() && now.since(trial.since) >= ABSENT_US;
            if !harmless && !absent {
                return;
            }
            self.trial = None;
            if absent {
                self.waiting.push_back(trial.camera);
            }
        }
        self.trial = self.waiting.pop_front().map(|camera| Trial { camera, since: now, fed: None });
    }
    /// A packet of that camera was handed to the process.
    pub fn fed(&mut self, camera: CameraId, now: BootTime) {
        if let Some(trial) = self.trial.as_mut().filter(|t| t.camera == camera) {
            trial.fed.get_or_insert(now);
        }
    }
    /// The process died, or had to be killed, with packets of these cameras not dealt with. Who is convicted, if anybody.
    pub fn death(&mut self, open: &BTreeSet<CameraId>, now: BootTime) -> Option<Conviction> {
        if let Some(trial) = self.trial.take() {
            if trial.fed.is_some() && open.contains(&trial.camera) {
                return Some(self.convict(trial.camera, now));
            }
            // It had no part in this one, and its own trial is still to come.
            self.waiting.push_front(trial.camera);
        }
        let fresh = open.iter().copied().filter(|c| !self.waiting.contains(c) && self.sentence(*c) < Admission::Off);
        let mut fresh: Vec<_> = fresh.collect();
        // Those with a record last, so that the others are back soon.
        fresh.sort_by_key(|c| (self.records.get(c).map_or(0, |r| r.convictions), *c));
        self.waiting.extend(fresh);
        None
    }
    /// Its settings were saved: nothing is held against it any more.
    pub fn pardon(&mut self, camera: CameraId) {
        self.records.remove(&camera);
        self.waiting.retain(|c| *c != camera);
        self.trial = self.trial.filter(|t| t.camera != camera);
    }
    /// Cameras that are not there any more need no trial; their record stays.
    pub fn keep(&mut self, there: impl Fn(CameraId) -> bool) {
        self.waiting.retain(|c| there(*c));
        self.trial = self.trial.filter(|t| there(t.camera));
    }
    fn sentence(&self, camera: CameraId) -> Admission {
        self.records.get(&camera).map_or(Admission::Full, |r| r.sentence)
    }
    /// It was this camera: nothing else can have been.
    pub fn convict(&mut self, camera: CameraId, now: BootTime) -> Conviction {
        if let Some(trial) = self.trial.take_if(|t| t.camera != camera) {
            self.waiting.push_front(trial.camera);
        }
        self.trial = None;
        self.waiting.retain(|c| *c != camera);
        let record =
            self.records.entry(camera).or_insert(Record { convictions: 0, last: now, sentence: Admission::Full });
        if record.sentence == Admission::Full && now.since(record.last) > FORGOTTEN_US {
            record.convictions = 0;
        }
        record.convictions += 1;
        record.last = now;
        record.sentence = match record.sentence {
            Admission::Full if record.convictions < CONVICTIONS_MAX => Admission::Full,
            Admission::Full => Admission::KeyFrames,
            _ => Admission::Off,
        };
        let (times, sentence) = (record.convictions, record.sentence);
        if sentence < Admission::Off {
            self.waiting.push_back(camera);
        }
        Conviction { camera, times, sentence }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(cameras: &[i64]) -> BTreeSet<CameraId> {
        cameras.iter().map(|c| CameraId(*c)).collect()
    }

    /// A process whose decoder is killed by every packet of `killer`, at key frames only if `also_key`: how often it
    /// died until it lived for a minute, and the time that took.
    fn live(suspects: &mut Suspects, cameras: i64, killer: CameraId, also_key: bool) -> (u32, i64) {
        let (mut deaths, mut now, mut died) = (0, 0, 0);
        while now - died < 600_000_000 {
            now += 100_000;
            suspects.step(BootTime(now));
            let fed: BTreeSet<_> =
                (1..=cameras).map(CameraId).filter(|c| suspects.admission(*c) < Admission::Waiting).collect();
            fed.iter().for_each(|c| suspects.fed(*c, BootTime(now)));
            let kills = suspects.admission(killer) == Admission::Full || also_key;
            if fed.contains(&killer) && kills {
                suspects.death(&fed, BootTime(now));
                deaths += 1;
                died = now;
            }
        }
        (deaths, died)
    }

    #[test]
    fn a_killer_among_many_is_found_gives_key_frames_then_nothing_and_all_others_everything() {
        for (also_key, deaths, sentence) in [(false, 4, Admission::KeyFrames), (true, 5, Admission::Off)] {
            let mut suspects = Suspects::default();
            let found = live(&mut suspects, 37, CameraId(5), also_key);
            assert_eq!(found.0, deaths, "the first death says nothing of whom, and each trial one thing");
            for camera in (1..=37).map(CameraId) {
                let expected = if camera == CameraId(5) { sentence } else { Admission::Full };
                assert_eq!(suspects.admission(camera), expected);
            }
            suspects.pardon(CameraId(5));
            assert_eq!(suspects.admission(CameraId(5)), Admission::Full);
        }
    }

    #[test]
    fn one_death_convicts_nobody_and_old_convictions_are_forgotten() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.death(&set(&[1]), BootTime(0)), None, "somebody may have killed it from outside");
        let mut at = |s: i64| {
            let now = BootTime(s * 1_000_000);
            suspects.step(now);
            suspects.fed(CameraId(1), now);
            suspects.death(&set(&[1]), now).map(|c| (c.times, c.sentence))
        };
        assert_eq!(at(1), Some((1, Admission::Full)));
        assert_eq!(at(2), Some((2, Admission::Full)));
        assert_eq!(at(100_000), Some((1, Admission::Full)));
        assert_eq!(at(100_001), Some((2, Admission::Full)));
        assert_eq!(at(100_002), Some((3, Admission::KeyFrames)));
        assert_eq!(at(300_000), Some((4, Admission::Off)), "a sentence is not forgotten");
    }

    #[test]
    fn a_camera_known_to_be_the_one_is_convicted_and_another_on_trial_is_tried_again() {
        let mut suspects = Suspects::default();
        suspects.death(&set(&[1, 2]), BootTime(0));
        suspects.step(BootTime(1));
        assert_eq!(suspects.convict(CameraId(3), BootTime(2)).times, 1);
        suspects.step(BootTime(3));
        assert_eq!(
            [1, 2, 3].map(|c| suspects.admission(CameraId(c))),
            [Admission::Full, Admission::Waiting, Admission::Waiting]
        );
        assert_eq!(suspects.convict(CameraId(1), BootTime(4)).times, 1);
        assert_eq!(suspects.count(), 3);
    }

    #[test]
    fn a_suspect_that_sends_nothing_holds_up_nobody_for_long() {
        let mut suspects = Suspects::default();
        assert_eq!(suspects.death(&set(&[1, 2]), BootTime(0)), None);
        suspects.step(BootTime(1));
        assert_eq!([1, 2].map(|c| suspects.admission(CameraId(c))), [Admission::Full, Admission::Waiting]);
        suspects.step(BootTime(ABSENT_US + 1));
        assert_eq!([1, 2].map(|c| suspects.admission(CameraId(c))), [Admission::Waiting, Admission::Full]);
        suspects.keep(|c| c == CameraId(2));
        assert_eq!([1, 2].map(|c| suspects.admission(CameraId(c))), [Admission::Full; 2]);
    }

    #[derive(Debug, Clone)]
    enum Happening {
        Pass(i64),
        Feed,
        Die(Vec<i64>),
        Pardon(i64),
    }

    fn happening() -> impl Strategy<Value = Happening> {
        prop_oneof![
            (0..5_000_000i64).prop_map(Happening::Pass),
            Just(Happening::Feed),
            prop::collection::vec(1..7i64, 0..6).prop_map(Happening::Die),
            (1..7i64).prop_map(Happening::Pardon),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_at_most_one_suspect_is_in_and_nobody_is_condemned_without_three_convictions(
            happenings in prop::collection::vec(happening(), 1..80)
        ) {
            let (mut suspects, mut now) = (Suspects::default(), BootTime(0));
            let mut convicted: BTreeMap<CameraId, u32> = BTreeMap::new();
            let mut suspected: BTreeSet<CameraId> = BTreeSet::new();
            for happening in happenings {
                match happening {
                    Happening::Pass(us) => {
                        now = now.plus_us(us);
                        suspects.step(now);
                    }
                    Happening::Feed => {
                        for c in (1..7).map(CameraId).filter(|c| suspects.admission(*c) < Admission::Waiting).collect::<Vec<_>>() {
                            suspects.fed(c, now);
                        }
                    }
                    Happening::Die(open) => {
                        let open = set(&open);
                        let fed: BTreeSet<_> = open.iter().copied().filter(|c| suspects.admission(*c) < Admission::Waiting).collect();
                        let verdict = suspects.death(&fed, now);
                        match verdict {
                            Some(c) => {
                                prop_assert!(fed.contains(&c.camera), "convicted of what it was not there for");
                                *convicted.entry(c.camera).or_default() += 1;
                                prop_assert!(c.sentence == Admission::Full || convicted[&c.camera] >= CONVICTIONS_MAX);
                            }
                            None => suspected.extend(&fed),
                        }
                    }
                    Happening::Pardon(c) => {
                        suspects.pardon(CameraId(c));
                        convicted.remove(&CameraId(c));
                    }
                }
                prop_assert!(suspects.waiting.iter().collect::<BTreeSet<_>>().len() == suspects.waiting.len());
                prop_assert!(suspects.trial.is_none_or(|t| !suspects.waiting.contains(&t.camera)));
                for c in (1..7).map(CameraId) {
                    if suspects.admission(c) != Admission::Full {
                        prop_assert!(suspected.contains(&c) || convicted.contains_key(&c));
                    }
                }
            }
            // When nobody dies any more, every suspect is back in a while.
            for _ in 0..40 {
                suspects.step(now);
                (1..7).for_each(|c| suspects.fed(CameraId(c), now));
                now = now.plus_us(TRIAL_US);
            }
            prop_assert_eq!(suspects.count(), 0);
        }
    }
}
