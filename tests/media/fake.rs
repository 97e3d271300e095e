//! A camera made by hand: a TCP listener that answers RTSP as a test wants it, good or bad.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use vonglau::domain::packet::Codec;

use crate::media::{Clip, Unit};

/// What is sent after PLAY.
#[derive(Debug, Clone)]
pub enum Step {
    /// An access unit: its NAL units and RTP time.
    Unit(Vec<Vec<u8>>, u32),
    Wait(Duration),
    /// Nothing more, the connection stays.
    Silence,
    /// The connection is closed.
    Close,
}

/// How it answers.
#[derive(Debug, Clone)]
pub enum Manner {
    /// 401 to everything.
    RefuseLogins,
    /// These bytes to everything.
    Answer(Vec<u8>),
    /// Nothing to a request of that method; up to it as a camera would.
    MuteAt(&'static str),
    /// Describes and plays.
    Play(Codec, Vec<Step>),
    /// The same for who gives this login (base64 of user and password).
    Basic(&'static str, Codec, Vec<Step>),
}

pub struct Fake {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    /// The `n`-th connection that asks anything is treated in the `n`-th manner, later ones in the last.
    pub async fn start(manners: Vec<Manner>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = requests.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let (manners, asked): (Arc<[Manner]>, Arc<AtomicUsize>) = (manners.into(), Arc::default());
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (manners, asked, log) = (manners.clone(), asked.clone(), log.clone());
                connections.spawn(async move {
                    // Whoever only looks whether somebody is there closes again.
                    if socket.peek(&mut [0]).await.is_ok_and(|n| n > 0) {
                        let n = asked.fetch_add(1, Ordering::Relaxed).min(manners.len() - 1);
                        serve(socket, manners[n].clone(), log, port).await;
                    }
                });
            }
        });
        Self { port, requests, task }
    }
    /// How many requests of that method came.
    pub fn count(&self, method: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|r| r.as_str() == method).count()
    }
}

async fn serve(socket: TcpStream, manner: Manner, log: Arc<Mutex<Vec<String>>>, port: u16) {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut playing: Option<JoinHandle<()>> = None;
    let (mut method, mut cseq, mut login) = (String::new(), String::new(), String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        if method.is_empty() {
            method = line.split(' ').next().unwrap_or_default().to_owned();
        } else if let Some(value) = line.strip_prefix("CSeq: ") {
            cseq = value.to_owned();
        } else if let Some(value) = line.strip_prefix("Authorization: ") {
            login = value.to_owned();
        }
        if !line.is_empty() {
            continue;
        }
        log.lock().unwrap().push(method.clone());
        let refusal = match &manner {
            Manner::RefuseLogins => Some("Digest realm=\"camera\", nonce=\"0123456789abcdef\""),
            Manner::Basic(right, ..) if login != format!("Basic {right}") => Some("Basic realm=\"camera\""),
            _ => None,
        };
        let codec = match &manner {
            Manner::Play(codec, _) | Manner::Basic(_, codec, _) => *codec,
            _ => Codec::H264,
        };
        let answer = match (&manner, method.as_str()) {
            (Manner::MuteAt(mute), method) if *mute == method => None,
            (Manner::Answer(bytes), _) => Some(bytes.clone()),
            _ if refusal.is_some() => {
                let realm = format!("WWW-Authenticate: {}\r\n", refusal.unwrap_or_default());
                Some(format!("RTSP/1.0 401 Unauthorized\r\nCSeq: {cseq}\r\n{realm}\r\n").into_bytes())
            }
            (_, "DESCRIBE") => Some(describe(codec, &cseq, port)),
            (_, "SETUP") => Some(ok(&cseq, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n")),
            _ => Some(ok(&cseq, "")),
        };
        if let Some(answer) = answer {
            write.write_all(&answer).await.ok();
        }
        if let (Manner::Play(codec, steps) | Manner::Basic(_, codec, steps), "PLAY") = (&manner, method.as_str()) {
            // Keepalives are not answered while playing; tests are shorter than that.
            let (codec, steps) = (*codec, steps.clone());
            playing = Some(tokio::spawn(async move { play(write, codec, steps).await }));
            break;
        }
        (method, cseq, login) = (String::new(), String::new(), String::new());
    }
    while let Ok(Some(line)) = lines.next_line().await {
        let method = line.split(' ').next().unwrap_or_default();
        if line.ends_with("RTSP/1.0") {
            log.lock().unwrap().push(method.to_owned());
        }
    }
    if let Some(playing) = playing {
        playing.abort();
    }
}

fn ok(cseq: &str, more: &str) -> Vec<u8> {
    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 12345678;timeout=60\r\n{more}\r\n").into_bytes()
}

fn describe(codec: Codec, cseq: &str, port: u16) -> Vec<u8> {
    let name = codec.name().to_uppercase();
    let sdp = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
         a=rtpmap:96 {name}/90000\r\na=control:track1\r\n"
    );
    let base = format!("Content-Base: rtsp://127.0.0.1:{port}/\r\nContent-Type: application/sdp\r\n");
    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\n{base}Content-Length: {}\r\n\r\n{sdp}", sdp.len()).into_bytes()
}

async fn play(mut write: tokio::net::tcp::OwnedWriteHalf, codec: Codec, steps: Vec<Step>) {
    let mut sequence = 0u16;
    for step in steps {
        match step {
            Step::Unit(nals, time) => {
                let mut out = Vec::new();
                let last = nals.len() - 1;
                for (n, nal) in nals.iter().enumerate() {
                    for (payload, end) in payloads(codec, nal) {
                        rtp(&mut out, &payload, n == last && end, sequence, time);
                        sequence = sequence.wrapping_add(1);
                    }
                }
                if write.write_all(&out).await.is_err() {
                    return;
                }
            }
            Step::Wait(time) => tokio::time::sleep(time).await,
            Step::Silence => std::future::pending().await,
            Step::Close => return,
        }
    }
    std::future::pending().await
}

fn rtp(out: &mut Vec<u8>, payload: &[u8], mark: bool, sequence: u16, time: u32) {
    out.extend_from_slice(b"$\0");
    out.extend_from_slice(&u16::try_from(12 + payload.len()).unwrap().to_be_bytes());
    out.extend_from_slice(&[0x80, 96 | u8::from(mark) << 7]);
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&time.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 42]);
    out.extend_from_slice(payload);
}

/// A NAL unit as RTP payloads (RFC 6184 FU-A, RFC 7798 FU), and whether each is the last.
pub fn payloads(codec: Codec, nal: &[u8]) -> Vec<(Vec<u8>, bool)> {
    const MOST: usize = 1400;
    if nal.len() <= MOST {
        return vec![(nal.to_vec(), true)];
    }
    let (head, kind) = match codec {
        Codec::H264 => (vec![nal[0] & 0xe0 | 28], nal[0] & 0x1f),
        Codec::H265 => (vec![nal[0] & 0x81 | 49 << 1, nal[1]], nal[0] >> 1 & 0x3f),
    };
    let chunks: Vec<_> = nal[head.len()..].chunks(MOST - 3).collect();
    let (count, part) = (chunks.len(), |(n, chunk): (usize, &&[u8])| {
        let flags = u8::from(n == 0) << 7 | u8::from(n == chunks.len() - 1) << 6;
        ([&head[..], &[flags | kind], chunk].concat(), n == chunks.len() - 1)
    });
    let all: Vec<_> = chunks.iter().enumerate().map(part).collect();
    assert_eq!(all.len(), count);
    all
}

/// The parameter sets in a decoder configuration record.
fn parameter_sets(clip: &Clip) -> Vec<Vec<u8>> {
    let record = &clip.params.decoder_config;
    let mut out = Vec::new();
    let mut at;
    let mut take = |at: &mut usize| {
        let size = usize::from(u16::from_be_bytes([record[*at], record[*at + 1]]));
        out.push(record[*at + 2..*at + 2 + size].to_vec());
        *at += 2 + size;
    };
    match clip.params.codec {
        Codec::H264 => {
            at = 6;
            (0..record[5] & 0x1f).for_each(|_| take(&mut at));
            let pps = record[at];
            at += 1;
            (0..pps).for_each(|_| take(&mut at));
        }
        Codec::H265 => {
            at = 23;
            for _ in 0..record[22] {
                let count = u16::from_be_bytes([record[at + 1], record[at + 2]]);
                at += 3;
                (0..count).for_each(|_| take(&mut at));
            }
        }
    }
    out
}

/// The units of a clip as steps, parameter sets before each key frame as cameras send them; `time` is the RTP time of
/// presentation time 0, `every` the wait behind each.
pub fn steps(clip: &Clip, units: std::ops::Range<usize>, time: u32, every: Duration) -> Vec<Step> {
    let sets = parameter_sets(clip);
    let step = |unit: &Unit| {
        let mut nals = if unit.key { sets.clone() } else { Vec::new() };
        let mut rest = &unit.data[..];
        while let Some((size, tail)) = rest.split_first_chunk::<4>() {
            let (nal, next) = tail.split_at(usize::try_from(u32::from_be_bytes(*size)).unwrap());
            nals.push(nal.to_vec());
            rest = next;
        }
        let time = time.wrapping_add_signed(i32::try_from(unit.pts_90k).unwrap());
        [Step::Unit(nals, time), Step::Wait(every)]
    };
    clip.units[units].iter().flat_map(step).collect()
}
