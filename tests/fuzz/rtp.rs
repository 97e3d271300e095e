//! What a camera sends after PLAY, straight through the depacketiser and what the camera room makes of it, into files.
//!
//! The same in a whole session over a socket is [`super::rtsp`]; this is a thousand times as quick.

use std::{
    num::NonZeroU32,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;
use retina::{
    PacketContext, Timestamp,
    codec::{CodecItem, Depacketizer, FrameFormat, ParametersRef, VideoFrame},
    rtp::{PacketHeader, PacketMeta},
    testutil::DepacketizeBuf,
};
use vonglau::{
    camera::{params, timeline::Timeline},
    domain::{
        packet::{Codec, Packet, StreamParams},
        time::{BootTime, MediaTime},
    },
};

use super::packets;

const START_US: i64 = 1_700_000_000_000_000;
const CLOCK: NonZeroU32 = NonZeroU32::new(90_000).unwrap();

/// One session's worth of bytes, interleaved as in TCP. A panic of the library ends a session and no more.
pub fn run(codec: Codec, bytes: &[u8]) {
    let mut camera = Camera::new(codec);
    let _ = catch_unwind(AssertUnwindSafe(|| camera.take(bytes)));
    packets::check(camera.packets);
}

struct Camera {
    codec: Codec,
    depacketizer: Depacketizer,
    timeline: Timeline,
    params: Option<Arc<StreamParams>>,
    session: u32,
    key_seen: bool,
    packets: Vec<Packet>,
}

impl Camera {
    fn new(codec: Codec) -> Self {
        let mut depacketizer =
            Depacketizer::new("video", codec.name(), CLOCK.get(), None, None).expect("it knows both");
        depacketizer.set_frame_format(FrameFormat::MP4);
        let timeline = Timeline::default();
        Self { codec, depacketizer, timeline, params: None, session: 0, key_seen: false, packets: Vec::new() }
    }

    /// Takes what a session would take, up to the first error.
    fn take(&mut self, mut bytes: &[u8]) {
        let (mut buffer, mut next, mut ticks) = (DepacketizeBuf::new(64 << 10), None, None);
        while let [b'$', channel, high, low, rest @ ..] = bytes {
            let size = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
            let (packet, behind) = rest.split_at(size);
            bytes = behind;
            if *channel != 0 {
                continue;
            }
            let Ok((header, payload)) = PacketHeader::validate(packet) else { return };
            let loss = header.sequence_number().wrapping_sub(next.unwrap_or(header.sequence_number()));
            let start = ticks.map_or(i64::from(header.timestamp()), |(start, _)| start);
            let before = ticks.map_or(start, |(_, now)| now);
            let step = header.timestamp().wrapping_sub(before as u32).cast_signed();
            let now = before + i64::from(step);
            let Some(timestamp) = Timestamp::new(now, CLOCK, start as u32) else { return };
            if loss > 0x8000 {
                return;
            }
            (next, ticks) = (Some(header.sequence_number().wrapping_add(1)), Some((start, now)));
            let meta = PacketMeta {
                ctx: PacketContext::dummy(),
                stream_id: 0,
                timestamp,
                sequence_number: header.sequence_number(),
                ssrc: header.ssrc(),
                mark: header.mark(),
                loss,
            };
            let payload = &packet[usize::from(payload.start)..usize::from(payload.end)];
            if buffer.push(&mut self.depacketizer, meta, payload).is_err() {
                return;
            }
            self.depacketizer.check_invariants();
            while let Some(item) = self.depacketizer.pull() {
                let Ok(CodecItem::VideoFrame(frame)) = item else { return };
                self.frame(frame);
            }
        }
    }

    /// What the camera room makes of a frame.
    fn frame(&mut self, frame: VideoFrame) {
        if (frame.has_new_parameters() || self.params.is_none())
            && let Some(ParametersRef::Video(video)) = self.depacketizer.parameters()
        {
            params::renew(&mut self.params, video);
        }
        let (elapsed, loss) = (frame.timestamp().elapsed(), u32::from(frame.loss()));
        let data = Bytes::from(frame.into_data());
        if data.is_empty() {
            return;
        }
        let key = params::is_key(self.codec, &data);
        // A frame arrives forty milliseconds after the one before.
        let received_us = self.packets.len() as i64 * 40_000;
        let placed = self.timeline.place(elapsed, MediaTime(START_US + received_us), key);
        if placed.begins {
            self.session += 1;
            self.key_seen = false;
        }
        self.key_seen |= key;
        let Some(params) = self.params.clone().filter(|_| self.key_seen) else { return };
        let stream = packets::stream();
        self.packets.push(Packet {
            camera: stream.camera,
            stream: stream.stream,
            kind: stream.kind,
            session: self.session,
            pts_90k: placed.pts_90k,
            time: placed.time,
            received: BootTime(received_us),
            key,
            loss,
            params,
            data,
        });
    }
}
