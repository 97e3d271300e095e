//! The child's life: started, watched, given up, started anew.

use std::{sync::atomic::Ordering, time::Duration};

use super::{DEADLY_MODEL, Loading, NO_DETECTOR, Parent, VisionState, Wire, WireError};
use crate::{
    domain::{refusal::Refusal, time::BootTime},
    vision::{lane::Lane, link::Down},
};

/// A child that says nothing for so long though packets wait in it is given up, microseconds; it shows four times a
/// second that it lives.
const SILENCE_US: i64 = 1_000_000;
/// The same until it has greeted, and while nothing of a camera waits, microseconds.
const START_US: i64 = 5_000_000;
/// Waiting times before the first restarts and before all later ones, milliseconds.
const BACKOFF_MS: [i64; 8] = [100, 300, 700, 1000, 1000, 1000, 1000, 1000];
const BACKOFF_LATER_MS: i64 = 15_000;
/// After running so long a child has proven itself.
const PROVEN_US: i64 = 60_000_000;
/// A model that killed so many children while loading is not loaded again.
pub(super) const MODEL_DEATHS_MAX: u32 = 3;
/// How long the sources get to end, and the child to finish, microseconds.
const SOURCES_US: i64 = 1_000_000;
const FINISH_US: i64 = 4_000_000;
/// Memory a child may hold: itself, a camera (a 4K decoder takes less), and each byte of a model several times; bytes.
const MEMORY: u64 = 768 << 20;
const MEMORY_A_CAMERA: u64 = 96 << 20;
const MEMORY_A_MODEL: u64 = 6;
/// Bytes of a page in `/proc/*/statm`.
const PAGE: u64 = 4096;

/// Resident memory of a process in bytes; 0 when it is gone.
fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    // proc(5): size, resident, ... in pages.
    statm.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * PAGE
}

impl Parent {
    pub(super) fn tick(&mut self) -> Result<(), WireError> {
        let now = self.now();
        self.asked.expire(now);
        self.step_closing(now)?;
        let Some(wire) = &mut self.wire else {
            if now >= self.retry && self.closing.is_none() && self.registry.is_ready(&self.given.program.path, now) {
                self.start(now)?;
            }
            return Ok(());
        };
        wire.feed_model(now)?;
        wire.flush();
        if !self.pending.is_empty() {
            wire.forgive();
            self.lanes.values_mut().for_each(|lane| lane.forgive(now));
        }
        let loading = !wire.loading.is_empty();
        let patience_us = if self.greeted && self.lanes.values().any(Lane::is_open) { SILENCE_US } else { START_US };
        if wire.silent_us(now) > patience_us && wire.is_listened_to() {
            return Err(WireError::Silent(patience_us / 1_000_000));
        }
        wire.listening();
        if let Some(camera) = self.lanes.iter().find(|(_, l)| l.is_stuck(now)).map(|(c, _)| *c) {
            // Its decoder cannot be taken down either; the child would wait for it.
            return Err(WireError::Stuck(camera));
        }
        self.watch_memory(now)?;
        if self.greeted && !loading {
            self.suspects.step(now);
        }
        if self.duty.judges(now) {
            self.judge(now)?;
        }
        Ok(())
    }
    /// First the sources get a moment to end, then the child gets one to finish.
    fn step_closing(&mut self, now: BootTime) -> Result<(), WireError> {
        let Some(closing) = &mut self.closing else { return Ok(()) };
        let Some(wire) = &mut self.wire else {
            self.over = true;
            return Ok(());
        };
        match closing.told {
            None if self.inlets.is_empty() || now.since(closing.since) > SOURCES_US => {
                closing.told = Some(now);
                wire.say(&Down::Finish, now)?;
            }
            Some(told) if now.since(told) > FINISH_US => {
                tracing::warn!("vision does not finish in time");
                self.over = true;
            }
            _ => {}
        }
        Ok(())
    }
    fn start(&mut self, now: BootTime) -> Result<(), WireError> {
        let model = self.given.model.as_ref().filter(|_| self.model_deaths < MODEL_DEATHS_MAX);
        let why = match (&self.given.model, model) {
            (None, _) => Some(self.given.refused.as_ref().map_or_else(|| NO_DETECTOR.to_owned(), Refusal::to_string)),
            (Some(_), None) => Some(DEADLY_MODEL.to_owned()),
            (Some(_), Some(_)) => None,
        };
        let (program, media) = (&self.given.program.path, self.given.clock.media());
        let classifiers = self.classifiers(model.is_some());
        let wire = Wire::start(program, self.registry.file(), model, &classifiers, media, now)?;
        let pid = wire.pid().unwrap_or_default();
        self.given.pid.store(pid, Ordering::Relaxed);
        tracing::info!(pid, "vision started");
        let state = VisionState { running: true, why, ..VisionState::default() };
        self.given.board.vision.send_replace(state);
        self.post();
        self.wire = Some(wire);
        (self.greeted, self.paced) = (false, false);
        self.duty.begins();
        Ok(())
    }
    /// Memory that grows without end is a fault like any other, and must not become the whole machine's.
    fn watch_memory(&mut self, now: BootTime) -> Result<(), WireError> {
        let Some(pid) = self.wire.as_ref().and_then(Wire::pid).filter(|_| self.duty.looks_at_memory(now)) else {
            return Ok(());
        };
        let model = self.given.model.as_ref().map_or(0, |m| m.bytes.len() as u64) + self.classifier_bytes();
        let enough = MEMORY + MEMORY_A_CAMERA * self.lanes.len() as u64 + MEMORY_A_MODEL * model;
        let most = self.given.program.memory_max.unwrap_or(enough);
        let held = resident_bytes(pid);
        self.duty.memory = (held, most);
        if held > most { Err(WireError::Memory(held >> 20)) } else { Ok(()) }
    }
    /// The child is gone or must go.
    pub(super) async fn down(&mut self, why: &WireError) {
        let now = self.now();
        self.given.pid.store(0, Ordering::Relaxed);
        if let Some(wire) = self.wire.take() {
            match wire.loading.front() {
                Some(Loading::Detector) => self.model_deaths += 1,
                Some(Loading::Classifier(file)) => {
                    *self.classifier_deaths.entry(file.clone()).or_default() += 1;
                }
                None => {}
            }
            if now.since(wire.started) > PROVEN_US {
                self.failures = 0;
            }
            let grace = if matches!(why, WireError::Ended) { Duration::from_millis(300) } else { Duration::ZERO };
            let how = wire.end(grace).await;
            tracing::warn!(why = %why, how, "vision failed");
        } else {
            tracing::warn!(why = %why, program = %self.given.program.path.display(), "vision cannot be started");
        }
        self.given.counters.vision_restarts.add(1);
        let (base, now_totals) = (&mut self.base, std::mem::take(&mut self.totals));
        base.frames_decoded = base.frames_decoded.saturating_add(now_totals.frames_decoded);
        base.frames_analysed = base.frames_analysed.saturating_add(now_totals.frames_analysed);
        base.inferences_asked = base.inferences_asked.saturating_add(now_totals.inferences_asked);
        base.inferences = base.inferences.saturating_add(now_totals.inferences);
        base.frames_not_a_number = base.frames_not_a_number.saturating_add(now_totals.frames_not_a_number);
        self.asked.clear();
        self.find_guilty(why, now);
        let ended: Vec<_> = self.lanes.iter_mut().map(|(c, lane)| (*c, lane.restart())).collect();
        ended.iter().for_each(|(camera, _)| self.flows.begins(*camera));
        for (camera, ended) in ended {
            self.end_tracks(camera, ended);
        }
        let wait_ms = BACKOFF_MS.get(self.failures).copied().unwrap_or(BACKOFF_LATER_MS);
        self.failures += 1;
        self.retry = now.plus_us(wait_ms * 1000);
        let state = VisionState { why: Some(why.to_string()), ..VisionState::default() };
        self.given.board.vision.send_replace(state);
        self.post();
    }
}
