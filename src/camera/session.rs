//! One RTSP session: connect, DESCRIBE, SETUP, PLAY, then access units until it breaks or is told to stop.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use retina::{
    client::{Demuxed, Session},
    codec::{CodecItem, ParametersRef, VideoFrame, VideoParameters},
};
use tokio::{sync::mpsc::error::TrySendError, time::timeout};
use url::Url;

use super::{
    Outputs, knock,
    login::Login,
    params, quirks,
    timeline::{Timeline, to_90k},
    trouble::{Phase, from_retina, trouble},
};
use crate::{
    domain::{
        camera::{RtspUrl, Secret, Stream, StreamClock, StreamStatus, Trouble, TroubleCause},
        packet::{Codec, Packet, StreamParams, ticks_to_us},
        time::{BootTime, MediaTime},
    },
    runtime::{
        clock::{Anchor, Clock},
        counters::Counters,
        stop::Stop,
    },
};

/// The deadline of each phase up to the first frame.
pub(super) const PHASE: Duration = Duration::from_secs(10);
/// The shortest deadline of the next frame.
const FRAME_MIN: Duration = Duration::from_secs(3);
/// The longest one: a stream with a frame in 20 s is still a stream.
const FRAME_MAX: Duration = Duration::from_secs(60);
/// How long frames may come without a key frame.
const KEY_MAX: Duration = Duration::from_secs(30);
/// How many sender reports the camera's clock is judged by: half a minute at the usual five seconds.
const OFFSETS: usize = 6;
/// The largest access unit: a key frame of 8K has less. Retina puts a unit together without a limit of its own; what a
/// camera can send before this one is looked at is bounded by the deadline of the next frame.
const UNIT_BYTES_MAX: usize = 8 << 20;
/// A lead that differs by less than this from the one told is not told, microseconds.
const LEAD_STEP_US: i64 = 100_000;
/// How long TEARDOWN may take at a stop.
const TEARDOWN_MAX: Duration = Duration::from_secs(1);

/// Numbers for sessions. One counter for the process, so that a stream whose task is started anew never reuses one.
static SESSIONS: AtomicU32 = AtomicU32::new(1);

/// What the sessions of one stream share.
pub(super) struct Shared {
    pub stream: Stream,
    pub out: Outputs,
    pub clock: Clock,
    pub counters: Arc<Counters>,
    pub stop: Stop,
    /// The camera's login, and whether it was refused to this stream the last time.
    pub login: Arc<Login>,
    pub refused: AtomicBool,
    /// Kept over sessions, so that the same parameters stay the same `Arc`.
    pub params: Mutex<Option<Arc<StreamParams>>>,
    /// The latest time of the session before: the next one begins behind it.
    pub latest: Mutex<Option<MediaTime>>,
}

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    Stopped,
    Broken { trouble: Trouble, streamed_us: i64 },
}

/// A session that plays.
pub(super) struct Opened {
    pub demuxed: Demuxed,
    pub index: usize,
    pub codec: Codec,
    pub clock_rate: u32,
    pub framerate: Option<f32>,
    /// The camera's clock in the last sender report, UTC microseconds, until it is taken.
    sent_us: Option<i64>,
    peer: Arc<quirks::Host>,
    has_login: bool,
}

impl Opened {
    /// The next video frame.
    pub async fn frame(&mut self) -> Result<VideoFrame, Trouble> {
        loop {
            match self.demuxed.next().await {
                Some(Ok(CodecItem::VideoFrame(frame))) if frame.stream_id() == self.index => return Ok(frame),
                Some(Ok(CodecItem::Rtcp(reports))) => {
                    let report = reports.pkts().find_map(|p| p.as_sender_report().ok().flatten());
                    self.sent_us = report.map(|r| ntp_us(r.ntp_timestamp().0)).or(self.sent_us);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(from_retina(Phase::Frames, self.has_login, &error)),
                None => return Err(trouble(TroubleCause::Camera, "the camera closed the connection")),
            }
        }
    }
    fn video(&self) -> Option<&VideoParameters> {
        match self.demuxed.streams().get(self.index)?.parameters()? {
            ParametersRef::Video(video) => Some(video),
            _ => None,
        }
    }
    /// Looks at the parameters in force.
    pub fn renew(&self, params: &mut Option<Arc<StreamParams>>) {
        if let Some(video) = self.video() {
            params::renew(params, video);
        }
    }
    /// Frames a second as the parameter sets declare it; retina gives seconds a frame.
    pub fn declared_fps(&self) -> Option<f64> {
        let (seconds, of) = self.video()?.frame_rate()?;
        (seconds > 0).then(|| f64::from(of) / f64::from(seconds))
    }
}

/// Where a camera listens.
pub(super) struct Address {
    /// As a connection takes it: without the brackets of IPv6.
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn of(url: &RtspUrl) -> Self {
        let parsed = Url::parse(url.as_str()).ok();
        let host = parsed.as_ref().and_then(Url::host_str).unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Self { host, port: parsed.and_then(|u| u.port()).unwrap_or(554) }
    }
    /// What is known of that host.
    pub fn peer(&self) -> Arc<quirks::Host> {
        quirks::host(&format!("{}:{}", self.host, self.port))
    }
    /// Finds out whether anybody is there; retina connects and asks in one call.
    async fn reach(&self) -> Result<(), Trouble> {
        let Self { host, port } = self;
        match timeout(PHASE, knock::answered(host, *port)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(trouble(TroubleCause::Network, format!("cannot connect: {why}"))),
            Err(_) => {
                let seconds = PHASE.as_secs();
                Err(trouble(TroubleCause::Network, format!("nothing answers at {host}:{port} within {seconds} s")))
            }
        }
    }
}

/// Opens a session and starts it playing: the first H.264 or H.265 stream, interleaved in TCP.
pub(super) async fn open(url: &RtspUrl, username: &str, password: &Secret) -> Result<Opened, Trouble> {
    let parsed = Url::parse(url.as_str())
        .map_err(|e| trouble(TroubleCause::Camera, format!("the address cannot be used: {e}; check it")))?;
    let address = Address::of(url);
    let peer = address.peer();
    peer.await_stale().await;
    address.reach().await?;
    let has_login = !username.is_empty() || !password.is_empty();
    let failed = |phase| move |error: retina::Error| from_retina(phase, has_login, &error);
    let late = |phase: &str| {
        trouble(TroubleCause::Camera, format!("the camera did not answer {phase} within {} s", PHASE.as_secs()))
    };

    let options = quirks::session(username, password, peer.group.clone());
    let described = timeout(PHASE, Session::describe(parsed, options)).await.map_err(|_| late("DESCRIBE"))?;
    let mut session = described.map_err(failed(Phase::Describe))?;
    peer.note_tool(session.tool());
    let (index, codec) = session
        .streams()
        .iter()
        .enumerate()
        .filter(|(_, s)| s.media() == "video")
        .find_map(|(i, s)| Some((i, Codec::from_name(s.encoding_name())?)))
        .ok_or_else(|| no_video(session.streams()))?;
    let clock_rate = session.streams()[index].clock_rate_hz();
    let framerate = session.streams()[index].framerate();
    let setup = timeout(PHASE, session.setup(index, quirks::setup())).await.map_err(|_| late("SETUP"))?;
    setup.map_err(failed(Phase::Setup))?;
    let playing = timeout(PHASE, session.play(quirks::play())).await.map_err(|_| late("PLAY"))?;
    let demuxed = playing.and_then(Session::demuxed).map_err(failed(Phase::Play))?;
    Ok(Opened { demuxed, index, codec, clock_rate, framerate, sent_us: None, peer, has_login })
}

fn no_video(streams: &[retina::client::Stream]) -> Trouble {
    let offered: Vec<_> = streams.iter().map(|s| format!("{}/{}", s.media(), s.encoding_name())).collect();
    let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    trouble(
        TroubleCause::Camera,
        format!("the camera offers no H.264 or H.265 video at this address but {offered}; set its encoding to H.264"),
    )
}

/// Runs one session to its end.
pub(super) async fn run(shared: Arc<Shared>) -> End {
    let Stream { url, username, password, .. } = &shared.stream;
    let refused = shared.refused.load(Ordering::Relaxed);
    let attempt = shared.login.attempt(refused, &shared.clock, open(url, username, password));
    let opened = tokio::select! {
        biased;
        () = shared.stop.asked() => return End::Stopped,
        opened = attempt => opened,
    };
    match opened {
        Ok(opened) => {
            let peer = opened.peer.clone();
            let end = Pump::new(&shared, opened).run().await;
            if matches!(end, End::Stopped) {
                // The session was dropped with the pump, which made retina send TEARDOWN.
                let _ = timeout(TEARDOWN_MAX, peer.group.await_teardown()).await;
            }
            end
        }
        Err(trouble) => End::Broken { trouble, streamed_us: 0 },
    }
}

/// Moves access units from a session to the recorder and to vision.
struct Pump<'a> {
    shared: &'a Shared,
    opened: Opened,
    timeline: Timeline,
    /// The anchor of this session's times and its number.
    anchor: Anchor,
    anchored: u64,
    session: u32,
    params: Option<Arc<StreamParams>>,
    /// When the first frame and the first key frame came.
    first: Option<BootTime>,
    first_key: Option<BootTime>,
    key_seen: bool,
    last_pts_90k: i64,
    /// Smoothed time between frames, microseconds.
    interval_us: i64,
    vision_skips: bool,
    /// How far the camera's clock was ahead by its last sender reports, microseconds.
    offsets: [Option<i64>; OFFSETS],
}

impl Drop for Pump<'_> {
    fn drop(&mut self) {
        // Also when the session ended by a panic.
        *self.shared.latest.lock().unwrap_or_else(PoisonError::into_inner) = self.timeline.latest();
    }
}

impl<'a> Pump<'a> {
    fn new(shared: &'a Shared, opened: Opened) -> Self {
        let params = shared.params.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let params = params.filter(|p| p.codec == opened.codec);
        Self {
            shared,
            opened,
            timeline: Timeline::after(*shared.latest.lock().unwrap_or_else(PoisonError::into_inner)),
            anchored: shared.clock.anchorings(),
            anchor: shared.clock.anchor(),
            session: 0,
            params,
            first: None,
            first_key: None,
            key_seen: false,
            last_pts_90k: 0,
            interval_us: 0,
            vision_skips: false,
            offsets: [None; OFFSETS],
        }
    }

    async fn run(mut self) -> End {
        // Parameters of an earlier session count only if this one has the same.
        self.opened.renew(&mut self.params);
        loop {
            let patience = if self.first.is_none() { PHASE } else { self.patience() };
            let next = tokio::select! {
                biased;
                () = self.shared.stop.asked() => return End::Stopped,
                next = timeout(patience, self.opened.frame()) => next,
            };
            let frame = match next {
                Ok(Ok(frame)) => frame,
                Ok(Err(trouble)) => return self.broken(trouble),
                Err(_) => {
                    let seconds = patience.as_secs();
                    let detail = match self.first {
                        None => format!("the camera sent no picture within {seconds} s of PLAY"),
                        Some(_) => format!("the camera sent no picture for {seconds} s"),
                    };
                    return self.broken(trouble(TroubleCause::Camera, detail));
                }
            };
            match self.take(frame).await {
                Ok(true) => {}
                Ok(false) => return End::Stopped,
                Err(trouble) => return self.broken(trouble),
            }
        }
    }

    fn patience(&self) -> Duration {
        let three = Duration::from_micros(u64::try_from(self.interval_us.saturating_mul(3)).unwrap_or(0));
        three.clamp(FRAME_MIN, FRAME_MAX)
    }

    fn broken(&self, trouble: Trouble) -> End {
        let streamed_us = self.first_key.map_or(0, |first| self.shared.clock.boot().since(first).max(1));
        End::Broken { trouble, streamed_us }
    }

    /// Takes a frame; `false` when nobody records any more.
    async fn take(&mut self, frame: VideoFrame) -> Result<bool, Trouble> {
        let received = self.shared.clock.boot();
        if let Some(sent_us) = self.opened.sent_us.take() {
            self.note_offset(sent_us.saturating_sub(self.anchor.media_at(received).us()));
        }
        if frame.has_new_parameters() || self.params.is_none() {
            self.opened.renew(&mut self.params);
        }
        let loss = frame.loss();
        self.shared.counters.rtp_lost.add(u64::from(loss));
        let ticks = to_90k(frame.timestamp().elapsed(), self.opened.clock_rate);
        let data = Bytes::from(frame.into_data());
        if data.len() > UNIT_BYTES_MAX {
            return Err(too_large(data.len()));
        }
        if data.is_empty() {
            // Only parameter sets, which stand in `params` now.
            return Ok(true);
        }
        let key = params::is_key(self.opened.codec, &data);
        if key && self.shared.clock.anchorings() != self.anchored {
            // The clock was set right. A key frame begins a file, so times may jump here and nothing is lost.
            self.anchored = self.shared.clock.anchorings();
            self.anchor = self.shared.clock.anchor();
            self.timeline = Timeline::default();
        }
        let arrived = self.anchor.media_at(received);
        let placed = self.timeline.place(ticks, arrived, key);
        self.note_lead(placed.time.since(arrived));
        if placed.begins {
            self.session = SESSIONS.fetch_add(1, Ordering::Relaxed);
            self.key_seen = false;
        }
        let first = *self.first.get_or_insert(received);
        self.note_interval(placed.pts_90k, placed.begins);
        self.key_seen |= key;
        let Some(params) = self.params.clone().filter(|_| self.key_seen) else {
            self.shared.counters.packets_before_key.add(1);
            if received.since(first) > i64::try_from(KEY_MAX.as_micros()).unwrap_or(i64::MAX) {
                return Err(no_key());
            }
            return Ok(true);
        };
        if self.first_key.is_none() {
            self.first_key = Some(received);
            *self.shared.params.lock().unwrap_or_else(PoisonError::into_inner) = Some(params.clone());
            self.shared.out.status.send_replace(StreamStatus::Streaming);
        }
        let stream = &self.shared.stream;
        let packet = Packet {
            camera: stream.camera,
            stream: stream.id,
            kind: stream.kind,
            session: self.session,
            pts_90k: placed.pts_90k,
            time: placed.time,
            received,
            key,
            loss: u32::from(loss),
            params,
            data,
        };
        self.offer_vision(&packet);
        Ok(self.record(packet).await)
    }

    /// Sender reports come late by what the network takes and, here, by up to a frame: the largest offset of the last
    /// few is nearest to the truth.
    fn note_offset(&mut self, offset_us: i64) {
        self.offsets.rotate_left(1);
        self.offsets[OFFSETS - 1] = Some(offset_us);
        let offset_us = self.offsets.iter().flatten().copied().max();
        self.shared.out.clock.send_modify(|clock| clock.offset_us = offset_us);
    }

    fn note_lead(&self, lead_us: i64) {
        self.shared.out.clock.send_if_modified(|clock| {
            let differs = clock.lead_us.is_none_or(|told| (told - lead_us).abs() >= LEAD_STEP_US);
            if differs {
                *clock = StreamClock { lead_us: Some(lead_us), ..*clock };
            }
            differs
        });
    }

    fn note_interval(&mut self, pts_90k: i64, begins: bool) {
        let step_us = ticks_to_us(pts_90k.saturating_sub(self.last_pts_90k).clamp(0, 90_000 * 60));
        self.last_pts_90k = pts_90k;
        if !begins && step_us > 0 {
            self.interval_us =
                if self.interval_us == 0 { step_us } else { self.interval_us + (step_us - self.interval_us) / 8 };
        }
    }

    /// Vision may skip: when its queue is full, everything up to the next key frame is useless to it.
    fn offer_vision(&mut self, packet: &Packet) {
        let Some(vision) = &self.shared.out.vision else { return };
        if packet.key {
            self.vision_skips = false;
        }
        let sent = !self.vision_skips && !matches!(vision.try_send(packet.clone()), Err(TrySendError::Full(_)));
        if !sent {
            self.vision_skips = true;
            self.shared.counters.vision_skipped.add(1);
        }
    }

    /// Recording may not skip: waits. A soft stop does not interrupt it; what was received is recorded.
    async fn record(&self, packet: Packet) -> bool {
        let sent = tokio::select! {
            biased;
            sent = self.shared.out.record.send(packet) => sent.is_ok(),
            () = self.shared.stop.forced() => false,
        };
        if sent {
            self.shared.counters.packets_received.add(1);
        } else {
            self.shared.counters.packets_lost.add(1);
        }
        sent
    }
}

/// An NTP time (RFC 3550 §4: seconds since 1900 and a fraction of 32 bits) as UTC microseconds. Its first era ends in
/// 2036; what would lie before 1968 belongs to the second (RFC 5905 §6).
fn ntp_us(ntp: u64) -> i64 {
    let seconds = i64::try_from(ntp >> 32).unwrap_or(0);
    let seconds = if seconds < 1 << 31 { seconds + (1 << 32) } else { seconds };
    let fraction_us = i64::try_from(((ntp & 0xffff_ffff) * 1_000_000) >> 32).unwrap_or(0);
    (seconds - 2_208_988_800) * 1_000_000 + fraction_us
}

fn too_large(bytes: usize) -> Trouble {
    trouble(
        TroubleCause::Camera,
        format!(
            "the camera sent a picture of {} MiB, and at most {} are taken; lower its bit rate or its resolution",
            bytes >> 20,
            UNIT_BYTES_MAX >> 20
        ),
    )
}

/// What is said of a stream without key frames.
pub(super) fn no_key() -> Trouble {
    trouble(
        TroubleCause::Camera,
        format!("no key frame for {} s; set the camera's I-frame interval to 2 s or less", KEY_MAX.as_secs()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_times_of_both_eras_become_utc() {
        assert_eq!(ntp_us(2_208_988_800 << 32), 0);
        assert_eq!(ntp_us((3_913_056_000 << 32) | (1 << 31)), 1_704_067_200_500_000);
        // 2036-02-07T06:28:16Z
        assert_eq!(ntp_us(0), 2_085_978_496_000_000);
    }
}
