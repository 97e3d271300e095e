//! One client's connection: answers its requests and sends it one stream in real time.
//!
//! A session starts at a key frame as soon as it plays and is paced by absolute deadlines, so that it never drifts.
//! What a camera does wrong (`faults`) is done here: to answers in [`Connection::answer_all`], to pictures in
//! [`Connection::send_due`], to the connection in [`Connection::run`].

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    time::{sleep, timeout},
};

use super::{
    auth,
    clip::frame_us,
    faults::Kind,
    ledger::Entry,
    random::{Random, spread},
    rtp::{Counting, sender_report},
    rtsp::{self, Answer, Incoming, Request},
    server::{Shared, Track},
};
use crate::{
    domain::{camera::StreamKind, time::BootTime},
    runtime::stop::Stop,
};

/// A client that takes nothing for so long is disconnected.
const SOCKET_FULL: Duration = Duration::from_secs(5);
/// What a session is told about keeping alive, in seconds.
const TIMEOUT_S: u32 = 60;
/// After how long a silence the connection is really closed.
const SILENCE_US: i64 = (TIMEOUT_S as i64 + 15) * 1_000_000;
/// Time between two sender reports.
const REPORT_US: i64 = 5_000_000;
/// Cameras send their first key frame up to so much later than asked, each its own part of it: all cameras of a house
/// started in the same instant would otherwise send every key frame in the same instant.
const START_SPREAD_US: f64 = 500_000.0;
const METHODS: &str = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// Why a connection ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client left or took its leave.
    Left,
    /// The client sent something that cannot be understood.
    Garbage(&'static str),
    /// The client took no data.
    Slow,
    /// The client said nothing for too long.
    Silent,
    /// The simulator stops.
    Stopped,
    /// A fault throws the client out.
    Fault,
}

/// Set up, and playing or not.
#[derive(Debug)]
struct Session {
    id: String,
    camera: u32,
    kind: StreamKind,
    number: u32,
    track: Arc<Track>,
    url: String,
    counting: Counting,
    /// Timestamp of the first frame.
    time_zero: u32,
    play: Option<Play>,
}

#[derive(Debug)]
struct Play {
    /// When the first unit is due.
    start: BootTime,
    /// The first unit's place in the clip.
    first: usize,
    /// Units sent, or lost by a fault.
    sent: u64,
    report_due: BootTime,
}

/// A unit of the endless stream that a session plays.
struct Next {
    index: usize,
    due: BootTime,
    /// Presentation time since the session's first frame, 90 kHz.
    ticks: u64,
}

impl Session {
    fn next(&self, play: &Play) -> Next {
        let (units, fps) = (&self.track.units, u64::from(self.track.settings.fps));
        let place = play.first as u64 + play.sent;
        let index = (place % units.len() as u64) as usize;
        let round = place / units.len() as u64;
        let frame = round * units.len() as u64 + u64::from(units[index].frame) - play.first as u64;
        let due_us = frame_us(play.sent, self.track.settings.fps);
        Next { index, due: play.start.plus_us(due_us as i64), ticks: frame * 90_000 / fps }
    }
}

pub(crate) struct Connection<'a> {
    shared: Arc<Shared>,
    nonce: String,
    /// The camera that a request named.
    camera: Option<u32>,
    session: Option<Session>,
    heard: BootTime,
    pipe: Pipe<'a>,
    out: Vec<u8>,
}

/// Serves one client until it leaves.
pub(crate) async fn serve(shared: Arc<Shared>, mut socket: TcpStream, stop: Stop) -> End {
    // Without it a small last packet of a unit waits for the client's acknowledgement.
    let _ = socket.set_nodelay(true);
    let (mut reader, writer) = socket.split();
    let nonce = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
    let heard = shared.clock.boot();
    let pipe = Pipe { writer, stop };
    let mut connection = Connection { shared, nonce, camera: None, session: None, heard, pipe, out: Vec::new() };
    let end = connection.run(&mut reader).await;
    if end == End::Fault {
        // A camera without power does not say goodbye: the client gets a reset.
        let _ = socket.set_zero_linger();
    }
    end
}

/// The way to the client.
struct Pipe<'a> {
    writer: WriteHalf<'a>,
    stop: Stop,
}

impl Pipe<'_> {
    /// Hands everything to the socket; once it is through, nothing comes between it and the ledger.
    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), End> {
        while !bytes.is_empty() {
            let written = tokio::select! {
                biased;
                () = self.stop.asked() => return Err(End::Stopped),
                written = timeout(SOCKET_FULL, self.writer.write(bytes)) => written,
            };
            match written {
                Ok(Ok(taken @ 1..)) => bytes = &bytes[taken..],
                Ok(_) => return Err(End::Left),
                Err(_) => return Err(End::Slow),
            }
        }
        Ok(())
    }
}

impl Connection<'_> {
    async fn run(&mut self, reader: &mut ReadHalf<'_>) -> End {
        let mut inbox = BytesMut::with_capacity(4096);
        let stop = self.pipe.stop.clone();
        loop {
            if let Err(end) = self.suffer().await {
                return end;
            }
            let wait = self.until_due();
            tokio::select! {
                () = stop.asked() => return End::Stopped,
                read = reader.read_buf(&mut inbox) => {
                    if !matches!(read, Ok(1..)) {
                        return End::Left;
                    }
                    self.heard = self.shared.clock.boot();
                    if let Err(end) = self.answer_all(&mut inbox).await {
                        return end;
                    }
                }
                () = sleep(wait) => {
                    if self.shared.clock.boot().since(self.heard) > SILENCE_US {
                        return End::Silent;
                    }
                    if let Err(end) = self.send_due().await {
                        return end;
                    }
                }
            }
        }
    }
    /// What is wrong with this connection's camera now.
    fn fault(&self) -> Option<Kind> {
        self.shared.fault(self.camera?, self.shared.clock.boot())
    }
    /// When the fault in force ends, or the next one begins.
    fn fault_changes(&self) -> Option<BootTime> {
        self.shared.fault_changes(Some(self.camera?), self.shared.clock.boot())
    }
    /// Faults that concern the connection as a whole.
    async fn suffer(&mut self) -> Result<(), End> {
        match self.fault() {
            Some(Kind::Close | Kind::Reboot) => Err(End::Fault),
            Some(Kind::Unauthorized) if self.session.is_some() => Err(End::Fault),
            Some(Kind::Silence) => {
                while self.fault() == Some(Kind::Silence)
                    && let Some(end) = self.fault_changes()
                {
                    let us = end.since(self.shared.clock.boot()).max(0) as u64 + 1;
                    tokio::select! {
                        () = self.pipe.stop.asked() => return Err(End::Stopped),
                        () = sleep(Duration::from_micros(us)) => {}
                    }
                }
                // What the client said meanwhile has not been looked at yet.
                self.heard = self.shared.clock.boot();
                Ok(())
            }
            _ => Ok(()),
        }
    }
    /// Sends `bytes`, one a second while the camera is slow.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        let mut bytes = bytes;
        while self.fault() == Some(Kind::Slow)
            && let Some((first, rest)) = bytes.split_first()
        {
            self.pipe.write(&[*first]).await?;
            bytes = rest;
            let end_us = self.fault_changes().map_or(0, |end| end.since(self.shared.clock.boot()));
            tokio::select! {
                () = self.pipe.stop.asked() => return Err(End::Stopped),
                () = sleep(Duration::from_micros(end_us.clamp(0, 1_000_000) as u64 + 1)) => {}
            }
        }
        self.pipe.write(bytes).await
    }
    fn until_due(&self) -> Duration {
        let now = self.shared.clock.boot();
        let quiet_us = self.heard.plus_us(SILENCE_US + 1000).since(now);
        let quiet_us = self.fault_changes().map_or(quiet_us, |at| quiet_us.min(at.since(now) + 1));
        let playing = self.session.as_ref().and_then(|s| s.play.as_ref().map(|play| s.next(play).due.since(now)));
        Duration::from_micros(playing.map_or(quiet_us, |due_us| due_us.min(quiet_us)).max(0) as u64)
    }
    /// Sends every unit whose time has come, as well as the camera can.
    async fn send_due(&mut self) -> Result<(), End> {
        loop {
            let now = self.shared.clock.boot();
            let Some(session) = &mut self.session else { return Ok(()) };
            let Some(play) = &session.play else { return Ok(()) };
            let next = session.next(play);
            if next.due > now {
                return Ok(());
            }
            let unit = &session.track.units[next.index];
            let when_due = self.shared.fault(session.camera, next.due);
            match (self.shared.fault(session.camera, now), when_due) {
                (Some(Kind::Close | Kind::Reboot | Kind::Unauthorized), _) => return Err(End::Fault),
                (Some(Kind::Silence), _) => return Ok(()),
                (Some(Kind::Garbage), _) => {
                    let bytes = garbage(play.sent);
                    self.pipe.write(&bytes).await?;
                }
                (_, Some(Kind::NoKey)) if unit.key => {}
                (None | Some(Kind::NoKey), Some(Kind::Silence | Kind::Slow)) => unit.cut.lose(&mut session.counting),
                _ => self.send(next, now).await?,
            }
            if let Some(play) = self.session.as_mut().and_then(|s| s.play.as_mut()) {
                play.sent += 1;
            }
        }
    }
    /// Sends one unit and enters it in the ledger.
    async fn send(&mut self, next: Next, now: BootTime) -> Result<(), End> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let Some(play) = &mut session.play else { return Ok(()) };
        let track = Arc::clone(&session.track);
        let unit = &track.units[next.index];
        let rtp_time = session.time_zero.wrapping_add(next.ticks as u32);
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        // Never first: some clients (retina) take the first timestamp they see for the start of the stream. Before the
        // unit, so that nothing is left to write once the unit's last byte is through.
        if session.counting.packets > 0 && play.report_due <= now {
            let now_ticks = session.time_zero.wrapping_add((now.since(play.start) * 9 / 100) as u32);
            let utc_us = self.shared.clock.media_at(now).us();
            sender_report(&session.counting, utc_us, now_ticks, &mut out);
            play.report_due = now.plus_us(REPORT_US);
        }
        unit.cut.stamp(&mut session.counting, rtp_time, &mut out);
        let (camera, stream, number) = (session.camera, session.kind, session.number);
        self.write(&out).await?;
        self.out = out;
        let sent_us = self.shared.clock.media().us();
        self.shared.counters.units_sent.add(1);
        let entry = || Entry {
            camera,
            stream,
            session: number,
            rtp_time,
            sent_us,
            key: unit.key,
            size: unit.size,
            sha256: unit.sha256.clone(),
            clip_us: frame_us(u64::from(unit.frame), track.settings.fps),
        };
        self.shared.ledger.enter(entry).await;
        Ok(())
    }
    async fn answer_all(&mut self, inbox: &mut BytesMut) -> Result<(), End> {
        loop {
            match rtsp::take(inbox) {
                Ok(None) => return Ok(()),
                Ok(Some(Incoming::Interleaved)) => {}
                Ok(Some(Incoming::Request(request))) => {
                    if let Some((camera, _)) = rtsp::stream_of(&request.uri) {
                        self.camera = Some(camera);
                    }
                    self.suffer().await?;
                    if self.fault() == Some(Kind::Garbage) {
                        self.pipe.write(&garbage(0)).await?;
                        continue;
                    }
                    let answer = self.answer(&request);
                    let cseq = request.header("CSeq").unwrap_or("0").to_owned();
                    self.write(&answer.bytes(&cseq)).await?;
                    if request.method == "TEARDOWN" && self.session.is_none() {
                        return Err(End::Left);
                    }
                }
                Err(why) => {
                    self.pipe.write(&Answer::new(400).bytes("0")).await?;
                    return Err(End::Garbage(why));
                }
            }
        }
    }
    fn answer(&mut self, request: &Request) -> Answer {
        if request.header("CSeq").is_none() {
            return Answer::new(400);
        }
        if self.fault() == Some(Kind::Unauthorized) {
            return self.refuse_login();
        }
        if request.method == "OPTIONS" {
            return Answer::new(200).with("Public", METHODS);
        }
        if !METHODS.split(", ").any(|m| m == request.method) {
            return Answer::new(501).with("Public", METHODS);
        }
        if let Some((user, password)) = &self.shared.auth {
            let given = request.header("Authorization").unwrap_or_default();
            if !auth::allows(given, &request.method, &self.nonce, user, password) {
                return self.refuse_login();
            }
        }
        match request.method.as_str() {
            "DESCRIBE" => self.describe(request),
            "SETUP" => self.set_up(request),
            _ => self.in_session(request),
        }
    }
    fn refuse_login(&self) -> Answer {
        let offers = auth::offers(&self.nonce).into_iter();
        offers.fold(Answer::new(401), |answer, (name, value)| answer.with(name, value))
    }
    fn describe(&self, request: &Request) -> Answer {
        let Some((camera, kind)) = rtsp::stream_of(&request.uri) else { return Answer::new(404) };
        let Some(track) = self.shared.track(camera, kind) else { return Answer::new(404) };
        let sdp = rtsp::describe(&format!("cam{camera:02} {}", kind.name()), &track.settings, &track.parameter_sets);
        let base = format!("{}/", request.uri.trim_end_matches('/'));
        Answer::new(200).with("Content-Base", base).describing(sdp)
    }
    fn set_up(&mut self, request: &Request) -> Answer {
        let Some((camera, kind)) = rtsp::stream_of(&request.uri) else { return Answer::new(404) };
        let Some(track) = self.shared.track(camera, kind) else { return Answer::new(404) };
        if self.session.as_ref().is_some_and(|s| s.play.is_some()) {
            return Answer::new(455);
        }
        let Some(channel) = request.header("Transport").and_then(rtsp::tcp_channel) else { return Answer::new(461) };
        let number = self.shared.sessions_of(camera, kind).fetch_add(1, Ordering::Relaxed) + 1;
        let seed = [self.shared.seed, u64::from(camera), kind as u64, u64::from(number)];
        let mut random = Random::of(&seed);
        let (ssrc, time_zero) = (random.next_u64() as u32, random.next_u64() as u32);
        let counting = Counting { channel, ssrc, sequence: random.next_u64() as u16, packets: 0, octets: 0 };
        let id = format!("{:016x}", random.next_u64());
        let transport = format!("RTP/AVP/TCP;unicast;interleaved={channel}-{};ssrc={ssrc:08X}", channel + 1);
        let url = rtsp::track_url(&request.uri);
        let answer = Answer::new(200).with("Session", format!("{id};timeout={TIMEOUT_S}")).with("Transport", transport);
        self.session = Some(Session { id, camera, kind, number, track, url, counting, time_zero, play: None });
        answer
    }
    fn in_session(&mut self, request: &Request) -> Answer {
        let now = self.shared.clock.boot();
        let given = request.header("Session").map(|s| s.split(';').next().unwrap_or_default().trim().to_owned());
        let Some(session) = &mut self.session else {
            // Keeping alive before SETUP harms nobody.
            return Answer::new(if request.method.ends_with("_PARAMETER") { 200 } else { 455 });
        };
        if given.is_some_and(|id| id != session.id) {
            return Answer::new(454);
        }
        let id = session.id.clone();
        match request.method.as_str() {
            "PLAY" => {
                if session.play.is_none() {
                    session.play = Some(self.shared.begin(session.camera, &session.track, now));
                    self.shared.counters.sessions.add(1);
                }
                let (sequence, time) = (session.counting.sequence, session.time_zero);
                let info = format!("url={};seq={sequence};rtptime={time}", session.url);
                Answer::new(200).with("Session", id).with("Range", "npt=0.000-").with("RTP-Info", info)
            }
            "TEARDOWN" => {
                self.session = None;
                Answer::new(200).with("Session", id)
            }
            _ => Answer::new(200).with("Session", id),
        }
    }
}

/// Bytes that no client can take for RTSP: they never hold a `$`, a letter or an end of line.
fn garbage(number: u64) -> Vec<u8> {
    let mut random = Random::of(&[number]);
    (0..1000).map(|_| 0x80 | random.next_u64() as u8).collect()
}

impl Shared {
    /// Starts at the last key frame before the moment the camera shows now, so that its streams roughly agree.
    fn begin(&self, camera: u32, track: &Track, now: BootTime) -> Play {
        let units = &track.units;
        let length_us = frame_us(units.len() as u64, track.settings.fps).max(1);
        let part = spread(camera - 1);
        let offset_us = (part * length_us as f64) as u64;
        let moment_us = (now.since(self.started).max(0) as u64 + offset_us) % length_us;
        let shown = |i: &usize| units[*i].key && frame_us(u64::from(units[*i].frame), track.settings.fps) <= moment_us;
        let first = (0..units.len()).rev().find(shown).unwrap_or(0);
        let start = now.plus_us((part * START_SPREAD_US) as i64);
        Play { start, first, sent: 0, report_due: start }
    }
}
