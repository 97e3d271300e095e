//! Between a camera's packets and its decoder: the packet gate, and how it hears what the pictures showed.
//!
//! The thread that reads packets asks the [`Sluice`]; the thread that looks at pictures tells the [`Told`]. Both are
//! bounded: what the gate holds by [`HELD_BYTES_MAX`](crate::logic::packet_gate::HELD_BYTES_MAX) a camera, what was told
//! and not yet heard by [`LOOKS_MAX`].

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;

use super::child::CAMERAS_MAX;
use crate::{
    domain::{ids::CameraId, packet::Codec, time::MediaTime},
    logic::packet_gate::{Offered, PacketGate, PacketGateState, Why},
};

/// Looks of one camera that wait to be heard; older ones go, for the newest decide.
const LOOKS_MAX: usize = 64;

/// What one picture showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Of when.
    pub time: MediaTime,
    /// Something moves.
    pub moves: bool,
    /// Of a key frame: whether it stirs, compared with those before it.
    pub key_stirs: Option<bool>,
}

/// What the pictures showed since it was heard last, by camera.
#[derive(Debug, Default)]
pub struct Told(Mutex<BTreeMap<CameraId, VecDeque<Look>>>);

impl Told {
    fn all(&self) -> MutexGuard<'_, BTreeMap<CameraId, VecDeque<Look>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A picture was looked at.
    pub fn tell(&self, camera: CameraId, look: Look) {
        let mut all = self.all();
        let looks = all.entry(camera).or_default();
        if looks.len() >= LOOKS_MAX {
            looks.pop_front();
        }
        looks.push_back(look);
    }
    /// What was told of a camera and not heard yet, in order. Forgets it.
    #[must_use]
    pub fn hear(&self, camera: CameraId) -> VecDeque<Look> {
        self.all().remove(&camera).unwrap_or_default()
    }
}

/// A packet that is to be decoded now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// Presentation time.
    pub time: MediaTime,
    /// Whether decoding can start here.
    pub key: bool,
    /// NAL units behind 4-byte lengths.
    pub data: Bytes,
    /// Why now.
    pub why: Why,
}

/// The packet gate of one camera.
#[derive(Debug, Default)]
pub struct Sluice {
    gate: PacketGate<Bytes>,
    /// How its stream is coded, and its size.
    of: Option<(Codec, u32, u32)>,
}

/// Cameras that are not looked at now: what was learned of their packets is not learned again when they come back.
#[derive(Debug, Default)]
pub struct Resting(BTreeMap<CameraId, Sluice>);

impl Resting {
    /// A camera goes.
    pub fn rest(&mut self, camera: CameraId, mut sluice: Sluice) {
        sluice.broke();
        sluice.gate.unsettled();
        if self.0.len() < CAMERAS_MAX {
            self.0.insert(camera, sluice);
        }
    }
    /// A camera comes.
    pub fn wake(&mut self, camera: CameraId) -> Sluice {
        self.0.remove(&camera).unwrap_or_default()
    }
}

impl Sluice {
    /// The stream begins, or goes on with other parameters: what was learned of one that was coded otherwise or had another
    /// size means nothing.
    pub fn stream(&mut self, codec: Codec, width: u32, height: u32) {
        let new = (codec, width, height);
        if self.of.is_some_and(|old| old != new) {
            *self = Self::default();
        }
        self.of = Some(new);
    }
    /// Takes a packet, after what the pictures before it showed; gives those that are to be decoded now, in order.
    pub fn pass(&mut self, time: MediaTime, key: bool, data: Bytes, looks: &VecDeque<Look>) -> Vec<Passed> {
        for look in looks {
            self.gate.tell(look.time, look.moves, look.key_stirs);
        }
        let mut out = Vec::with_capacity(1);
        self.gate.offer(Offered { time, key, size: data.len(), packet: data }, &mut out);
        out.into_iter().map(|(p, why)| Passed { time: p.time, key: p.key, data: p.packet, why }).collect()
    }
    /// The decoder was taken down.
    pub fn broke(&mut self) {
        self.gate.broke();
    }
    /// How the gate does.
    #[must_use]
    pub fn state(&self) -> PacketGateState {
        self.gate.state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard_once_in_order_and_no_more_than_fits() {
        let (told, camera) = (Told::default(), CameraId(3));
        for i in 0..LOOKS_MAX as i64 + 10 {
            told.tell(camera, Look { time: MediaTime(i), moves: i % 2 == 0, key_stirs: None });
        }
        assert!(told.hear(CameraId(4)).is_empty());
        let times: Vec<i64> = told.hear(camera).iter().map(|l| l.time.0).collect();
        assert_eq!(times, (10..LOOKS_MAX as i64 + 10).collect::<Vec<_>>());
        assert!(told.hear(camera).is_empty());
    }

    #[test]
    fn what_was_learned_of_a_camera_outlives_its_absence_but_not_another_size() {
        let (mut resting, camera) = (Resting::default(), CameraId(3));
        let mut sluice = resting.wake(camera);
        sluice.stream(Codec::H264, 640, 360);
        for i in 0..400i64 {
            sluice.pass(MediaTime(i * 100_000), i % 20 == 0, Bytes::from(vec![0; 100]), &VecDeque::new());
        }
        let look = Look { time: MediaTime(40_000_000), moves: true, key_stirs: Some(true) };
        sluice.pass(MediaTime(40_000_000), true, Bytes::from(vec![0; 100]), &VecDeque::from([look]));
        sluice.pass(MediaTime(40_100_000), false, Bytes::from(vec![0; 100]), &VecDeque::new());
        let learned = sluice.state().open_share;
        assert!(learned > 0.0);
        resting.rest(camera, sluice);
        let mut sluice = resting.wake(camera);
        sluice.stream(Codec::H264, 640, 360);
        assert_eq!(sluice.state().open_share.to_bits(), learned.to_bits());
        sluice.stream(Codec::H264, 704, 576);
        assert_eq!(sluice.state().open_share.to_bits(), 0);
    }

    #[test]
    fn a_camera_nothing_is_known_of_passes_everything_from_a_key_frame_on() {
        let mut sluice = Sluice::default();
        let mut pass = |i: i64, key: bool| {
            let passed = sluice.pass(MediaTime(i * 100_000), key, Bytes::from(vec![i as u8; 100]), &VecDeque::new());
            passed.into_iter().map(|p| (p.data[0], p.key, p.why)).collect::<Vec<_>>()
        };
        assert!(pass(1, false).is_empty());
        assert_eq!(pass(2, true), [(2, true, Why::Now)]);
        assert_eq!(pass(3, false), [(3, false, Why::Now)]);
        sluice.broke();
        let after = sluice.pass(MediaTime(400_000), false, Bytes::from_static(b"x"), &VecDeque::new());
        assert!(after.is_empty(), "behind a hole");
        assert!(!sluice.state().on);
    }
}
