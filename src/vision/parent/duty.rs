//! How much is done, what is given up for a slow machine, and who is kept out.

use std::collections::{BTreeSet, VecDeque};

use super::{Parent, WireError};
use crate::{
    domain::{ids::CameraId, time::BootTime},
    logic::{load::Reading, suspects::Admission},
    runtime::capacity::{Admitted, Capacity, Skip},
    vision::link::{Down, Effort},
};

/// The share of time worked is that of so many seconds.
const SPAN: usize = 5;
/// Whether the machine is fast enough is looked at so often, microseconds.
const JUDGED_EVERY_US: i64 = 1_000_000;
/// Memory is looked at so often, microseconds.
const MEMORY_EVERY_US: i64 = 500_000;

/// What the child's own figures say of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Duty {
    worked: VecDeque<(BootTime, u64)>,
    inference_us: u64,
    looked: Option<BootTime>,
    judged: Option<BootTime>,
    /// What the child holds and what it may hold, bytes.
    pub memory: (u64, u64),
}

impl Duty {
    /// A new child.
    pub fn begins(&mut self) {
        self.worked.clear();
        self.inference_us = 0;
    }
    pub fn effort(&mut self, effort: &Effort, now: BootTime) {
        self.worked.push_back((now, effort.busy_us));
        if self.worked.len() > SPAN + 1 {
            self.worked.pop_front();
        }
        self.inference_us = effort.inference_us;
    }
    /// Whether it is time to look at memory again.
    pub fn looks_at_memory(&mut self, now: BootTime) -> bool {
        is_due(&mut self.looked, MEMORY_EVERY_US, now)
    }
    /// Whether it is time to judge the load again.
    pub fn judges(&mut self, now: BootTime) -> bool {
        is_due(&mut self.judged, JUDGED_EVERY_US, now)
    }
    /// Share of the last seconds in which the analysis thread worked.
    fn busy(&self) -> f32 {
        let (Some((begin, before)), Some((end, after))) = (self.worked.front(), self.worked.back()) else { return 0.0 };
        let passed = end.since(*begin);
        if passed <= 0 { 0.0 } else { (after.saturating_sub(*before) as f32 / passed as f32).min(1.0) }
    }
}

fn is_due(last: &mut Option<BootTime>, every_us: i64, now: BootTime) -> bool {
    let due = last.is_none_or(|t| now.since(t) >= every_us);
    if due {
        *last = Some(now);
    }
    due
}

impl Parent {
    /// Why a packet of that camera is kept from the child, if it is.
    pub(super) fn kept_out(&self, camera: CameraId, key: bool, now: BootTime) -> Option<Skip> {
        // While the detector is loaded no camera is there, so that a death tells a deadly model from a deadly camera.
        if self.wire.as_ref().is_some_and(|wire| !wire.loading.is_empty()) {
            return Some(Skip::NoProcess);
        }
        match self.suspects.admission(camera) {
            Admission::Off | Admission::Waiting => return Some(Skip::Suspect),
            Admission::KeyFrames if !key => return Some(Skip::KeyFramesOnly),
            Admission::KeyFrames | Admission::Full => {}
        }
        let index = self.lanes.keys().position(|c| *c == camera).unwrap_or(0);
        (!self.load.has_turn(index, now)).then_some(Skip::Load)
    }
    /// Looks once a second whether the machine is fast enough.
    pub(super) fn judge(&mut self, now: BootTime) -> Result<(), WireError> {
        let reading = Reading { busy: self.duty.busy(), lag_us: self.lag_us(), cameras: self.lanes.len() };
        let changed = self.load.step(reading, now);
        if changed {
            let (level, every_us) = (self.load.level(), self.load.every_us());
            tracing::warn!(level, every_us, groups = self.load.groups(), ?reading, "analysis follows the load");
        }
        if let Some(wire) = self.wire.as_mut().filter(|_| changed || !self.paced) {
            wire.say(&Down::Pace { every_us: self.load.every_us() }, now)?;
            self.paced = true;
        }
        self.post();
        Ok(())
    }
    /// How old the newest analysed frame of the middle camera is, of those that are analysed in full and where
    /// something happens: elsewhere it is as old as the key frame before the next.
    fn lag_us(&self) -> i64 {
        let media = self.given.clock.media();
        let is_full = |c: CameraId| self.suspects.admission(c) == Admission::Full && !self.flows.is_quiet(c);
        let full = self.lanes.iter().filter(|(c, _)| is_full(**c));
        let mut ages: Vec<_> = full.filter_map(|(_, lane)| Some(media.since(lane.newest_seen()?).max(0))).collect();
        ages.sort_unstable();
        ages.get(ages.len() / 2).copied().unwrap_or(0)
    }
    /// Finds out which camera may have killed the child.
    pub(super) fn find_guilty(&mut self, why: &WireError, now: BootTime) {
        if !self.greeted {
            return;
        }
        let open: BTreeSet<CameraId> = self.lanes.iter().filter(|(_, lane)| lane.is_open()).map(|(c, _)| *c).collect();
        // That it got stuck at one says something only when it got on with another meanwhile: a machine whose disk or
        // memory fails for seconds holds up all of them.
        let others_went_on = |camera: CameraId| self.lanes.iter().any(|(c, l)| *c != camera && !l.is_stuck(now));
        let convicted = match why {
            WireError::Stuck(camera) if others_went_on(*camera) => Some(self.suspects.convict(*camera, now)),
            _ => self.suspects.death(&open, now),
        };
        if let Some(c) = convicted {
            tracing::warn!(camera = %c.camera, times = c.times, sentence = ?c.sentence, "this camera killed vision");
        }
    }
    /// Puts it all on the board.
    pub(super) fn post(&self) {
        let mut notes: Vec<_> = self.load.says().map(|(vi, en)| format!("{vi} / {en}")).into_iter().collect();
        let mut cameras = self.flows.all(|c| self.lanes.contains_key(&c));
        for (camera, flow) in &mut cameras {
            let (admitted, note) = admitted(self.suspects.admission(*camera));
            flow.admitted = admitted;
            notes.extend(note.map(|(vi, en)| format!("camera {camera}: {vi} / {en}")));
        }
        let counters = &self.given.counters;
        let (busy, cost) = (self.duty.busy(), self.duty.inference_us);
        let capacity = Capacity {
            inferences_asked: counters.inferences_asked.get(),
            inferences_done: counters.inferences.get(),
            inference_us: (cost > 0).then_some(cost),
            busy,
            spare_per_second: (cost > 0).then(|| (1.0 - busy) * 1e6 / cost as f32),
            lag_us: self.lag_us(),
            load_level: self.load.level(),
            frames_per_second: [5.0, 2.5, 1.25][self.load.level().min(2) as usize],
            groups: self.load.groups(),
            memory_bytes: self.duty.memory.0,
            memory_max_bytes: self.duty.memory.1,
            cameras,
        };
        self.given.board.capacity.send_replace(capacity);
        self.given.board.vision.send_if_modified(|state| {
            let differs = state.notes != notes;
            state.notes = notes;
            differs
        });
    }
}

/// What is let in, and what a person has to know and do about it.
const fn admitted(admission: Admission) -> (Admitted, Option<(&'static str, &'static str)>) {
    match admission {
        Admission::Full => (Admitted::Full, None),
        Admission::Waiting => (Admitted::Waiting, None),
        Admission::KeyFrames => (
            Admitted::KeyFrames,
            Some((
                "đã ba lần làm tiến trình phân tích dừng, chỉ còn phân tích khung hình chính; xem lại luồng phụ rồi lưu lại cài đặt camera",
                "it stopped the analysis three times, only its key frames are analysed; look at its sub stream, then save its settings again",
            )),
        ),
        Admission::Off => (
            Admitted::Off,
            Some((
                "liên tục làm tiến trình phân tích dừng, không phân tích nữa; vẫn ghi hình; xem lại luồng phụ rồi lưu lại cài đặt camera",
                "it stopped the analysis again and again and is not analysed any more; it is recorded; look at its sub stream, then save its settings again",
            )),
        ),
    }
}
