//! Answers and session descriptions of real cameras, replayed to our session code: none makes it panic or hang, and what
//! each leads to is what is written down in `tests/fixtures/corpus_outcomes.toml`.
//!
//! One file is one camera: what it holds is answered as it stands (only the sequence number is put right), everything
//! else is answered as a plain camera would, and after PLAY come real pictures with the payload type of the description.

mod common;
#[path = "media/fake.rs"]
#[allow(dead_code, reason = "only its packets are used here")]
mod fake;
#[allow(dead_code, reason = "only its encoder is used here")]
mod media;

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use common::wait;
use fake::{Step, payloads, steps};
use media::encode;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use vonglau::{
    camera,
    domain::{
        camera::{RtspUrl, Secret, Trouble, TroubleCause},
        packet::Codec,
    },
};

/// Every phase of a probe has a deadline of its own; together they are shorter than this.
const HANGS: Duration = Duration::from_secs(90);
/// Probes at the same time.
const TOGETHER: usize = 24;

/// What a plain H.264 camera describes.
const PLAIN_SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n\
                         a=rtpmap:96 H264/90000\r\na=control:track1\r\n";

/// A camera of the corpus.
struct Recorded {
    name: String,
    /// The request that its file answers, and the answer.
    method: &'static str,
    answer: Vec<u8>,
    /// What it describes itself as.
    sdp: String,
}

impl Recorded {
    fn read(path: &Path, kind: &str) -> Self {
        let name = format!("{kind}/{}", path.file_name().expect("a name").to_string_lossy());
        let mut bytes = std::fs::read(path).expect("the file can be read");
        let end = bytes.windows(2).position(|w| w == b"\n\n").filter(|_| bytes.starts_with(b"RTSP/"));
        if let Some(end) = end {
            // Whoever stored it took the line ends of the head for those of a text file.
            let body = bytes.split_off(end + 2);
            bytes = [String::from_utf8_lossy(&bytes).replace('\n', "\r\n").into_bytes(), body].concat();
        }
        let methods = [("_setup", "SETUP"), ("_play", "PLAY"), ("_options", "OPTIONS"), ("_teardown", "TEARDOWN")];
        let method = methods.iter().find(|(part, _)| name.contains(part)).map_or("DESCRIBE", |(_, method)| *method);
        let method = match name.as_str() {
            "real-responses/bad_rtptime.txt" => "PLAY",
            "real-responses/setup_ssrc_4_hex_digits.txt" => "SETUP",
            _ => method,
        };
        let whole = bytes.starts_with(b"RTSP/");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (answer, sdp) = match (whole, method) {
            (true, "DESCRIBE") => (bytes, text),
            (true, _) => (bytes, PLAIN_SDP.to_owned()),
            (false, _) => {
                let head = "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\n";
                let head = format!("{head}Content-Length: {}\r\n\r\n", bytes.len());
                ([head.as_bytes(), &bytes].concat(), text)
            }
        };
        Self { name, method, answer, sdp }
    }

    /// Payload type and codec of the first video that anybody could play.
    fn video(&self) -> Option<(u8, Codec)> {
        self.sdp.lines().filter_map(|l| l.trim().strip_prefix("a=rtpmap:")).find_map(|map| {
            let (number, encoding) = map.split_once(' ')?;
            let name = encoding.trim().split('/').next()?.to_ascii_lowercase();
            Some((number.parse().ok()?, Codec::from_name(&name)?))
        })
    }
}

/// `answer` with the sequence number of the request.
fn with_cseq(answer: &[u8], cseq: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut in_head = true;
    for line in answer.split_inclusive(|b| *b == b'\n') {
        let is_cseq = in_head && line.len() > 5 && line[..5].eq_ignore_ascii_case(b"cseq:");
        in_head &= line != b"\r\n" && line != b"\n";
        if is_cseq {
            out.extend_from_slice(format!("CSeq: {cseq}\r\n").as_bytes());
        } else {
            out.extend_from_slice(line);
        }
    }
    out
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let is = |line: &&str| line.split_once(':').is_some_and(|(n, _)| n.trim().eq_ignore_ascii_case(name));
    Some(text.lines().find(is)?.split_once(':')?.1.trim())
}

/// The sender's number as a `Transport` header declares it, hexadecimal however it is written.
fn declared_ssrc(answer: &str) -> Option<u32> {
    let value = header(answer, "Transport")?.split(';').find_map(|p| p.trim().strip_prefix("ssrc="))?;
    u32::from_str_radix(value.trim().trim_start_matches("0x"), 16).ok()
}

/// Answers one client; plays the pictures of `clips` after PLAY, then closes.
async fn serve(socket: TcpStream, camera: Arc<Recorded>, clips: Arc<[Vec<Step>; 2]>) {
    let (read, mut write) = socket.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut request, mut ssrc, mut channel) = (String::new(), 42, 0);
    while let Ok(Some(line)) = lines.next_line().await {
        request.push_str(&line);
        request.push('\n');
        if !line.is_empty() {
            continue;
        }
        let asked = std::mem::take(&mut request);
        let method = asked.split(' ').next().unwrap_or_default();
        let cseq = header(&asked, "CSeq").unwrap_or("0");
        let answer =
            if method == camera.method { with_cseq(&camera.answer, cseq) } else { plain(method, cseq, &asked) };
        if method == "SETUP" {
            ssrc = declared_ssrc(&String::from_utf8_lossy(&answer)).unwrap_or(42);
            let pair = header(&asked, "Transport").and_then(|t| Some(t.split_once("interleaved=")?.1));
            channel = pair.and_then(|p| p.split('-').next()?.parse().ok()).unwrap_or(0);
        }
        if write.write_all(&answer).await.is_err() {
            return;
        }
        if method == "PLAY" {
            if let Some((number, codec)) = camera.video() {
                let packets = packets(&clips[codec as usize], codec, [channel, number], ssrc);
                // It may have left already.
                let _ = write.write_all(&packets).await;
            }
            let _ = write.shutdown().await;
            // Until the client has closed too, so that it is no reset.
            while let Ok(Some(_)) = lines.next_line().await {}
            return;
        }
    }
}

fn plain(method: &str, cseq: &str, asked: &str) -> Vec<u8> {
    let (more, body) = match method {
        "DESCRIBE" => (format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n", PLAIN_SDP.len()), PLAIN_SDP),
        "SETUP" => (format!("Transport: {}\r\n", header(asked, "Transport").unwrap_or_default()), ""),
        _ => (String::new(), ""),
    };
    format!("RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 12345678;timeout=60\r\n{more}\r\n{body}").into_bytes()
}

fn packets(steps: &[Step], codec: Codec, [channel, number]: [u8; 2], ssrc: u32) -> Vec<u8> {
    let (mut out, mut sequence) = (Vec::new(), 0u16);
    for step in steps {
        let Step::Unit(nals, time) = step else { continue };
        for (n, nal) in nals.iter().enumerate() {
            for (payload, end) in payloads(codec, nal) {
                let mark = u8::from(end && n == nals.len() - 1) << 7;
                let length = u16::try_from(12 + payload.len()).expect("a packet is short");
                out.extend_from_slice(&[b'$', channel]);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&[0x80, number & 0x7f | mark]);
                out.extend_from_slice(&sequence.to_be_bytes());
                out.extend_from_slice(&time.to_be_bytes());
                out.extend_from_slice(&ssrc.to_be_bytes());
                out.extend_from_slice(&payload);
                sequence = sequence.wrapping_add(1);
            }
        }
    }
    out
}

/// What a probe of that camera leads to: a word, and what a person would read.
async fn outcome(camera: Arc<Recorded>, clips: Arc<[Vec<Step>; 2]>) -> (&'static str, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut clients = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            clients.spawn(serve(socket, camera.clone(), clips.clone()));
        }
    });
    let (url, _) = RtspUrl::parse(&format!("rtsp://127.0.0.1:{port}/live")).expect("an address");
    let mut probe = JoinSet::new();
    probe.spawn(async move { camera::probe(&url, "admin", &Secret::new("x")).await });
    match timeout(HANGS, probe.join_next()).await {
        Err(_) => ("hangs", String::new()),
        Ok(Some(Ok(Ok(found)))) => ("plays", format!("{} {}x{}", found.codec.name(), found.width, found.height)),
        Ok(Some(Ok(Err(trouble)))) => (word(&trouble), trouble.detail),
        Ok(other) => ("panics", format!("{other:?}")),
    }
}

fn word(Trouble { cause, detail }: &Trouble) -> &'static str {
    let begins = |text: &str| detail.starts_with(text);
    match cause {
        TroubleCause::Login => "login",
        TroubleCause::Network => "network",
        _ if begins("the camera offers no H.264") => "no video of ours",
        _ if begins("DESCRIBE: ") || begins("the camera's description") => "description refused",
        _ if begins("SETUP: ") => "setup refused",
        _ if begins("PLAY: ") => "play refused",
        _ if begins("streaming: ") => "pictures refused",
        _ if begins("the camera closed") => "nothing to see",
        _ if begins("the camera sent no picture") => "no picture",
        _ => "other",
    }
}

fn files(kind: &str) -> Option<Vec<Recorded>> {
    let folder = common::shared_data(&format!("rtsp/{kind}"))?;
    let entries = std::fs::read_dir(&folder).expect("the folder can be read");
    Some(entries.map(|e| Recorded::read(&e.expect("an entry").path(), kind)).collect())
}

fn pictures() -> Arc<[Vec<Step>; 2]> {
    let h264 = "x264enc key-int-max=5 bframes=0 speed-preset=ultrafast ! h264parse";
    let h265 = "x265enc key-int-max=5 speed-preset=ultrafast ! h265parse";
    let clip = |codec, encoder| steps(&encode(codec, 320, 240, 12, 25, encoder), 0..12, 7, Duration::ZERO);
    Arc::new([clip(Codec::H264, h264), clip(Codec::H265, h265)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_real_cameras_answered_leads_to_what_is_written_down_and_never_to_a_panic() {
    let (Some(mut all), Some(descriptions)) = (files("real-responses"), files("sdp")) else { return };
    all.extend(descriptions);
    assert!(all.len() > 100, "the corpus is larger than that");
    let clips = pictures();
    let (mut probes, mut found) = (JoinSet::new(), BTreeMap::new());
    for camera in all {
        let (camera, clips) = (Arc::new(camera), clips.clone());
        probes.spawn(async move { (camera.name.clone(), outcome(camera, clips).await) });
        if probes.len() >= TOGETHER {
            let (name, outcome) = probes.join_next().await.expect("one is there").expect("it ends");
            found.insert(name, outcome);
        }
    }
    while let Some(ended) = probes.join_next().await {
        let (name, outcome) = ended.expect("it ends");
        found.insert(name, outcome);
    }
    for (name, (word, detail)) in &found {
        println!("{name:<90} {word}: {detail}");
    }
    let expected: BTreeMap<String, String> =
        toml::from_str(include_str!("fixtures/corpus_outcomes.toml")).expect("the table");
    let wrong: Vec<_> = found
        .iter()
        .filter(|(name, (word, _))| expected.get(*name).is_none_or(|e| e != word))
        .map(|(name, (word, detail))| format!("{name:?} = {word:?} # expected {:?}; {detail}", expected.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{} differ from what is written down:\n{}", wrong.len(), wrong.join("\n"));
    let gone: Vec<_> = expected.keys().filter(|name| !found.contains_key(*name)).collect();
    assert!(gone.is_empty(), "written down but not there: {gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_camera_made_here_plays_and_a_broken_answer_is_told_from_it() {
    let clips = pictures();
    let camera = |method, answer: &str| {
        let answer = answer.as_bytes().to_vec();
        Arc::new(Recorded { name: String::new(), method, answer, sdp: PLAIN_SDP.into() })
    };
    for (word, method, answer) in [
        ("plays", "-", ""),
        ("login", "DESCRIBE", "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n"),
        ("description refused", "DESCRIBE", "RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"),
        ("setup refused", "SETUP", "RTSP/1.0 200 OK\r\nCSeq: 1\r\nTransport: nonsense=1\r\n\r\n"),
        ("description refused", "DESCRIBE", "RTSP/1.0 200 OK\r\nCSeq: x\r\n\r\n"),
        // A line that is none makes the library's parser panic.
        (
            "other",
            "DESCRIBE",
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 71\r\n\r\n\
             v=0\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\nbroken\r\na=rtpmap:96 H264/90000\r\n",
        ),
    ] {
        let (found, detail) = outcome(camera(method, answer), clips.clone()).await;
        assert_eq!(found, word, "{answer}: {detail}");
    }
}
