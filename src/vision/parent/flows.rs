//! What became of every camera's packets and frames, over all children.

use std::collections::BTreeMap;

use crate::{
    domain::ids::CameraId,
    runtime::capacity::{Flow, Skip},
    vision::link::Frames,
};

#[derive(Debug, Default)]
struct One {
    flow: Flow,
    /// Of the lives before this one: decoded, due, replaced, quiet.
    before: [u64; 4],
    now: [u64; 4],
}

/// The counts by camera.
#[derive(Debug, Default)]
pub(super) struct Flows(BTreeMap<CameraId, One>);

impl Flows {
    pub fn received(&mut self, camera: CameraId) {
        self.0.entry(camera).or_default().flow.received += 1;
    }
    pub fn sent(&mut self, camera: CameraId) {
        self.0.entry(camera).or_default().flow.sent += 1;
    }
    pub fn skipped(&mut self, camera: CameraId, why: Skip) {
        *self.0.entry(camera).or_default().flow.skipped.entry(why).or_default() += 1;
    }
    pub fn analysed(&mut self, camera: CameraId, lag_us: i64) {
        let flow = &mut self.0.entry(camera).or_default().flow;
        flow.analysed += 1;
        flow.lag_us = Some(lag_us.max(0));
    }
    /// What the child says of the camera's life at hand. Never less than before: it is not trusted to count.
    pub fn told(&mut self, frames: &Frames) {
        let Some(one) = self.0.get_mut(&frames.camera) else { return };
        for (now, told) in one.now.iter_mut().zip([frames.decoded, frames.due, frames.replaced, frames.quiet]) {
            *now = told.max(*now);
        }
        one.flow.packet_gate = frames.gate;
        one.sum();
    }
    /// Whether only key frames of it are decoded, for nothing happens there.
    pub fn is_quiet(&self, camera: CameraId) -> bool {
        self.0.get(&camera).is_some_and(|one| one.flow.packet_gate.key_frames)
    }
    /// The camera begins anew in the child.
    pub fn begins(&mut self, camera: CameraId) {
        if let Some(one) = self.0.get_mut(&camera) {
            for (before, now) in one.before.iter_mut().zip(std::mem::take(&mut one.now)) {
                *before = before.saturating_add(now);
            }
        }
    }
    /// Of the cameras that are there.
    pub fn all(&self, there: impl Fn(CameraId) -> bool) -> BTreeMap<CameraId, Flow> {
        self.0.iter().filter(|(c, _)| there(**c)).map(|(c, one)| (*c, one.flow.clone())).collect()
    }
}

impl One {
    fn sum(&mut self) {
        let [decoded, due, replaced, quiet] = [0, 1, 2, 3].map(|i| self.before[i].saturating_add(self.now[i]));
        self.flow.decoded = decoded;
        self.flow.skipped.insert(Skip::Rate, decoded.saturating_sub(due));
        self.flow.skipped.insert(Skip::Replaced, replaced);
        self.flow.skipped.insert(Skip::Quiet, quiet);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::capacity::PacketGate;

    #[test]
    fn counts_go_on_over_the_lives_of_a_camera_and_never_back() {
        let (mut flows, camera) = (Flows::default(), CameraId(3));
        let gate = PacketGate { on: true, key_frames: true, episodes: 20, kept: 20 };
        let told = |decoded, due, replaced| Frames { camera, generation: 1, decoded, due, replaced, quiet: 7, gate };
        flows.told(&told(9, 9, 9));
        assert!(flows.all(|_| true).is_empty(), "of a camera nobody knows");
        flows.received(camera);
        flows.told(&told(30, 10, 2));
        flows.told(&told(20, 10, 2));
        flows.begins(camera);
        flows.told(&told(5, 1, 1));
        flows.skipped(camera, Skip::Load);
        flows.analysed(camera, -5);
        let flow = &flows.all(|c| c == camera)[&camera];
        assert_eq!((flow.received, flow.decoded, flow.analysed, flow.lag_us), (1, 35, 1, Some(0)));
        let skipped = [(Skip::Load, 1), (Skip::Quiet, 14), (Skip::Rate, 24), (Skip::Replaced, 3)];
        assert_eq!(flow.skipped, BTreeMap::from(skipped));
        assert!(flow.packet_gate == gate && flows.is_quiet(camera));
        assert!(flows.all(|_| false).is_empty());
    }
}
