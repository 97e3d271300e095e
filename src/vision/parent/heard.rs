//! What the child says, believed as far as it can be.

use super::{Loading, Parent, WireError};
use crate::{
    domain::time::BootTime,
    runtime::{ask::Snapshot, board::Picture},
    vision::link::{Effort, LinkError, Totals, Up},
};

impl Parent {
    pub(super) fn hear(&mut self) -> Result<(), WireError> {
        while let Some(wire) = &mut self.wire
            && let Some(message) = wire.hear()?
        {
            self.believe(message)?;
        }
        self.hand_on();
        Ok(())
    }
    fn believe(&mut self, message: Up) -> Result<(), WireError> {
        let now = self.now();
        match message {
            Up::Hello => self.greeted = true,
            Up::Sandbox { lacks } => {
                for (_, en) in lacks.iter().map(|l| l.says()) {
                    tracing::warn!("{en}");
                }
                let lacks = lacks.iter().map(|l| l.says()).map(|(vi, en)| format!("{vi} / {en}")).collect();
                self.given.board.vision.send_modify(|state| state.lacks = lacks);
            }
            Up::Ack { camera, generation, packets } => {
                if let Some(lane) = self.lanes.get_mut(&camera) {
                    lane.ack(generation, packets, now);
                }
            }
            Up::Seen(seen) => {
                // A camera taken away while its frame was on its way is no longer listed.
                if let Some(lane) = self.lanes.get_mut(&seen.camera)
                    && lane.admit(&seen).map_err(LinkError::Impossible)?
                {
                    self.flows.analysed(seen.camera, self.given.clock.media().since(seen.time));
                    self.pending.push_back(seen);
                }
            }
            Up::Look(look) => {
                if self.lanes.contains_key(&look.camera) {
                    self.given.looks.take(look, now);
                }
            }
            Up::Picture { camera, time, jpeg } => {
                if self.lanes.contains_key(&camera) {
                    self.given.board.set_picture(camera, Picture { time, jpeg });
                }
            }
            Up::Health(health) if self.lanes.get(&health.camera).is_some_and(|l| l.has_sent(health.time)) => {
                self.given.board.set_health(health, self.given.clock.media());
            }
            Up::Reference { camera, reference } if self.lanes.contains_key(&camera) => {
                self.given.board.put_reference(camera, reference.clone());
                self.sight.learn(camera, reference);
            }
            // Of a camera that was taken away meanwhile.
            Up::Health(_) | Up::Reference { .. } => {}
            Up::SnapshotDone { id, time, plain, boxed } => {
                self.asked.snapshot(id, Some(Snapshot { time, plain, boxed }));
            }
            Up::SnapshotGone { id } => self.asked.snapshot(id, None),
            Up::StillDone { id, jpeg } => self.asked.still(id, jpeg),
            Up::Totals(totals) => self.count(totals),
            Up::Effort(effort) => self.effort(&effort, now),
            Up::Detector { name, why } => self.detector(name, why),
            Up::Classifier { file, why } => self.classifier(file, why),
            Up::Failure { text } => {
                if let Some(times) = self.failed.say(1, self.now()) {
                    tracing::warn!(text, times, "vision");
                }
                self.given.board.vision.send_modify(|state| state.why = Some(text));
            }
            Up::Done if self.closing.as_ref().is_some_and(|c| c.told.is_some()) => self.over = true,
            // The end of this task ends the service: the child may not bring it about unasked.
            Up::Done => return Err(LinkError::Impossible("an end nobody asked for").into()),
        }
        Ok(())
    }
    fn effort(&mut self, effort: &Effort, now: BootTime) {
        for frames in &effort.cameras {
            if self.lanes.get(&frames.camera).is_some_and(|l| l.generation == frames.generation) {
                self.flows.told(frames);
            }
        }
        self.duty.effort(effort, now);
    }
    fn detector(&mut self, name: Option<String>, why: Option<String>) {
        if let Some(wire) = &mut self.wire {
            wire.loading.retain(|what| *what != Loading::Detector);
        }
        self.model_deaths = 0;
        match (&name, &why) {
            (Some(name), _) => tracing::info!(detector = name, "detector loaded"),
            (None, why) => tracing::warn!(why = why.as_deref(), "no detector: only motion is seen"),
        }
        self.given.board.vision.send_modify(|state| (state.detector, state.why) = (name, why));
    }
    fn count(&mut self, totals: Totals) {
        self.totals = totals;
        let (base, now, counters) = (self.base, self.totals, &self.given.counters);
        counters.inferences_asked.raise_to(base.inferences_asked.saturating_add(now.inferences_asked));
        counters.frames_decoded.raise_to(base.frames_decoded.saturating_add(now.frames_decoded));
        counters.frames_analysed.raise_to(base.frames_analysed.saturating_add(now.frames_analysed));
        counters.inferences.raise_to(base.inferences.saturating_add(now.inferences));
        counters.frames_not_a_number.raise_to(base.frames_not_a_number.saturating_add(now.frames_not_a_number));
    }
}
