//! One camera's lane to the child: which packets may go, and what is still under way. Pure.
//!
//! Bytes are counted from handing a packet over until the child says that it has gone into the decoder. Beyond the
//! limit packets are dropped up to the next key frame, for nothing after a hole can be decoded.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use crate::domain::{
    ids::TrackId,
    packet::{Packet, StreamParams},
    time::{BootTime, MediaTime},
    track::FrameSeen,
};

/// Bytes of one camera that may be under way.
pub const LANE_BYTES_MAX: usize = 8 << 20;
/// What a packet costs beside its bytes, so that a flood of tiny ones has a limit too.
const OVERHEAD: usize = 64;
/// Tracks of one camera remembered as alive, so that they can be ended when the child does not do it any more.
const ALIVE_MAX: usize = 4096;
/// Nothing acknowledged for so long with packets under way: this camera's decoder is stuck, microseconds.
const STUCK_US: i64 = 10_000_000;
/// So much later than the newest packet a frame may claim to be: parsers may smooth times, microseconds.
const SLACK_US: i64 = 1_000_000;

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Send it, after saying first what changed.
    Send {
        /// The child does not know of the camera yet.
        camera: bool,
        /// Parameters are new.
        params: bool,
    },
    /// Waiting for a key frame, of a camera that has just come.
    Early,
    /// Dropped: there is no room.
    Full,
    /// Dropped: nothing after a hole can be decoded before the next key frame.
    Broken,
}

/// The lane.
#[derive(Debug, Default)]
pub struct Lane {
    /// Told in `Camera`; the parent gives a new one each time.
    pub generation: u32,
    announced: bool,
    params: Option<Arc<StreamParams>>,
    flowing: bool,
    lost: bool,
    under_way: VecDeque<usize>,
    bytes: usize,
    acked: u64,
    progress: Option<BootTime>,
    newest: Option<MediaTime>,
    seen: Option<MediaTime>,
    alive: BTreeSet<TrackId>,
}

impl Lane {
    /// Bytes under way.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
    /// Decides on a packet; `room` is what all lanes together may still take. One that is to be sent is counted.
    pub fn offer(&mut self, packet: &Packet, room: usize, now: BootTime) -> Offer {
        let size = packet.data.len() + OVERHEAD;
        if size > room || self.bytes + size > LANE_BYTES_MAX || size > super::link::MESSAGE_MAX - 1024 {
            self.flowing = false;
            self.lost = true;
            return Offer::Full;
        }
        if !self.flowing && !packet.key {
            return if self.lost { Offer::Broken } else { Offer::Early };
        }
        let params = self.params.as_ref() != Some(&packet.params);
        if params && !packet.key {
            // New parameters need a new decoder, and that a key frame.
            self.flowing = false;
            self.lost = true;
            return Offer::Broken;
        }
        if params {
            self.params = Some(packet.params.clone());
        }
        let camera = !std::mem::replace(&mut self.announced, true);
        self.flowing = true;
        self.lost = false;
        if self.under_way.is_empty() {
            self.progress = Some(now);
        }
        self.under_way.push_back(size);
        self.bytes += size;
        self.newest = Some(self.newest.map_or(packet.time, |t| t.max(packet.time)));
        Offer::Send { camera, params }
    }
    /// The child has consumed so many packets since `Camera`; of another generation it means nothing.
    pub fn ack(&mut self, generation: u32, packets: u64, now: BootTime) {
        if generation != self.generation {
            return;
        }
        while self.acked < packets
            && let Some(size) = self.under_way.pop_front()
        {
            self.acked += 1;
            self.bytes -= size;
            self.progress = Some(now);
        }
    }
    /// Whether the child knows of the camera.
    #[must_use]
    pub const fn is_announced(&self) -> bool {
        self.announced
    }
    /// Whether the child has something of this camera that it has not dealt with.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.under_way.is_empty()
    }
    /// The time of the newest frame analysed, if packets were sent after it.
    #[must_use]
    pub fn newest_seen(&self) -> Option<MediaTime> {
        self.seen.filter(|seen| self.announced && self.newest.is_some_and(|newest| newest > *seen))
    }
    /// The parent itself did not listen: begins to wait anew.
    pub fn forgive(&mut self, now: BootTime) {
        self.progress = self.progress.map(|_| now);
    }
    /// Whether this camera's decoder has been stuck for long.
    #[must_use]
    pub fn is_stuck(&self, now: BootTime) -> bool {
        !self.under_way.is_empty() && self.progress.is_some_and(|t| now.since(t) > STUCK_US)
    }
    /// Whether the child may say this: nothing from the future of what it was sent, nothing twice. `None` for a frame
    /// to be left out, an error for one that no sound child says.
    ///
    /// # Errors
    /// What is wrong.
    pub fn admit(&mut self, seen: &FrameSeen) -> Result<bool, &'static str> {
        if !self.announced {
            // Said before the child heard that the camera begins anew.
            return Ok(false);
        }
        if self.newest.is_none_or(|newest| seen.time.since(newest) > SLACK_US) {
            return Err("a frame nobody sent");
        }
        if self.seen.is_some_and(|last| seen.time < last && last.since(seen.time) < 10_000_000) {
            return Ok(false);
        }
        self.seen = Some(seen.time);
        self.alive.extend(seen.tracks.iter().map(|t| t.track));
        for id in &seen.ended {
            self.alive.remove(id);
        }
        if self.alive.len() > ALIVE_MAX { Err("thousands of tracks that never end") } else { Ok(true) }
    }
    /// Whether a picture of that time was sent.
    #[must_use]
    pub fn has_sent(&self, time: MediaTime) -> bool {
        self.announced && self.newest.is_some_and(|newest| time.since(newest) <= SLACK_US)
    }
    /// Starts over with a new decoder: what was under way is lost. The tracks that nobody will end any more, with
    /// their last time.
    pub fn restart(&mut self) -> Option<(MediaTime, Vec<TrackId>)> {
        let ended: Vec<_> = std::mem::take(&mut self.alive).into_iter().collect();
        let time = self.seen;
        *self = Self { lost: true, generation: self.generation, newest: self.newest, seen: time, ..Self::default() };
        time.filter(|_| !ended.is_empty()).map(|t| (t, ended))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        camera::StreamKind,
        ids::{CameraId, StreamId},
        packet::Codec,
    };

    fn packet(time: i64, key: bool, size: usize, width: u32) -> Packet {
        let params = StreamParams {
            codec: Codec::H264,
            rfc6381: String::new(),
            width,
            height: 2,
            sample_entry: Bytes::new(),
            decoder_config: Bytes::new(),
        };
        Packet {
            camera: CameraId(1),
            stream: StreamId(1),
            kind: StreamKind::Sub,
            session: 1,
            pts_90k: 0,
            time: MediaTime(time),
            received: BootTime(0),
            key,
            loss: 0,
            params: Arc::new(params),
            data: Bytes::from(vec![0; size]),
        }
    }

    const NOW: BootTime = BootTime(1);

    #[test]
    fn a_camera_begins_at_a_key_frame_and_goes_on_at_one_after_a_hole() {
        let mut lane = Lane::default();
        let mut offer = |p: &Packet, room| lane.offer(p, room, NOW);
        assert_eq!(offer(&packet(1, false, 10, 2), 100), Offer::Early);
        assert_eq!(offer(&packet(2, true, 10, 2), 100), Offer::Send { camera: true, params: true });
        assert_eq!(offer(&packet(3, false, 10, 2), 100), Offer::Send { camera: false, params: false });
        assert_eq!(offer(&packet(4, false, 10, 2), 5), Offer::Full);
        assert_eq!(offer(&packet(5, false, 10, 2), 100), Offer::Broken);
        assert_eq!(offer(&packet(6, true, 10, 4), 100), Offer::Send { camera: false, params: true });
    }

    #[test]
    fn a_restart_ends_the_tracks_and_waits_for_a_key_frame() {
        let mut lane = Lane::default();
        lane.offer(&packet(5, true, 10, 2), 100, NOW);
        let rect = crate::domain::geometry::NormBox::new(0.0, 0.0, 0.5, 0.5).unwrap();
        let point = crate::domain::track::TrackPoint {
            track: TrackId(9),
            class: crate::domain::detection::Class::Car,
            score: 0.5,
            rect,
            confirmed: true,
            held: false,
            identity: 1.0,
        };
        let seen = |time| FrameSeen {
            camera: CameraId(1),
            time: MediaTime(time),
            motion: vec![],
            tracks: vec![point],
            ended: vec![],
            still: None,
            labels: Vec::new(),
        };
        assert!(lane.admit(&seen(5 + SLACK_US + 1)).is_err(), "from the future");
        assert_eq!(lane.admit(&seen(4)), Ok(true));
        assert_eq!(lane.admit(&seen(3)), Ok(false));
        assert_eq!(lane.restart(), Some((MediaTime(4), vec![TrackId(9)])));
        assert_eq!(lane.restart(), None);
        assert_eq!(lane.admit(&seen(4)), Ok(false), "said before it heard");
        assert_eq!(lane.offer(&packet(7, false, 10, 2), 100, NOW), Offer::Broken);
        assert_eq!(lane.offer(&packet(8, true, 10, 2), 100, NOW), Offer::Send { camera: true, params: true });
    }

    #[test]
    fn a_decoder_that_takes_nothing_is_noticed() {
        let mut lane = Lane::default();
        lane.offer(&packet(5, true, 10, 2), 100, NOW);
        assert!(!lane.is_stuck(NOW.plus_us(STUCK_US)));
        assert!(lane.is_stuck(NOW.plus_us(STUCK_US + 1)));
        lane.ack(7, 1, NOW);
        assert!(lane.is_stuck(NOW.plus_us(STUCK_US * 2)), "an answer of an earlier life");
        lane.forgive(NOW.plus_us(STUCK_US));
        assert!(!lane.is_stuck(NOW.plus_us(STUCK_US * 2)), "nobody listened");
        lane.ack(0, 1, NOW);
        assert!(!lane.is_stuck(NOW.plus_us(STUCK_US * 3)) && !lane.is_open());
    }

    proptest! {
        #[test]
        fn never_more_than_the_limit_is_under_way_whatever_is_acknowledged(
            steps in prop::collection::vec((any::<bool>(), 0..3_000_000usize, 0..40u64, 0..3u32), 1..60)
        ) {
            let mut lane = Lane::default();
            for (i, (key, size, acked, generation)) in steps.into_iter().enumerate() {
                lane.offer(&packet(i as i64, key, size, 2), usize::MAX, NOW);
                prop_assert!(lane.bytes() <= LANE_BYTES_MAX);
                lane.ack(generation, acked, NOW);
                prop_assert_eq!(lane.bytes(), lane.under_way.iter().sum::<usize>());
            }
        }
    }
}
