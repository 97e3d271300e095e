//! RTSP messages (RFC 2326): requests out of bytes, answers into bytes, the session description.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::{Buf, Bytes, BytesMut};

use super::{clip::Settings, rtp::PAYLOAD_TYPE};
use crate::domain::{camera::StreamKind, packet::Codec};

/// The longest request line and headers together.
const HEAD_MAX: usize = 16 * 1024;
/// The longest body of a request.
const BODY_MAX: usize = 64 * 1024;

/// Something a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A request.
    Request(Request),
    /// An interleaved packet (receiver reports); not looked at.
    Interleaved,
}

/// A request; its body is not needed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The first header of that name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Takes the next message out of what has arrived; `None` while it is incomplete.
///
/// # Errors
/// What is wrong with it; the connection cannot go on.
pub(crate) fn take(inbox: &mut BytesMut) -> Result<Option<Incoming>, &'static str> {
    while inbox.first().is_some_and(|b| matches!(b, b'\r' | b'\n')) {
        inbox.advance(1);
    }
    if inbox.first() == Some(&b'$') {
        let Some(length) = inbox.get(2..4).map(|l| usize::from(u16::from_be_bytes([l[0], l[1]]))) else {
            return Ok(None);
        };
        if inbox.len() < 4 + length {
            return Ok(None);
        }
        inbox.advance(4 + length);
        return Ok(Some(Incoming::Interleaved));
    }
    let Some(head_len) = inbox.windows(4).take(HEAD_MAX).position(|w| w == b"\r\n\r\n") else {
        return if inbox.len() > HEAD_MAX { Err("the request's head is too long") } else { Ok(None) };
    };
    let head = std::str::from_utf8(&inbox[..head_len]).map_err(|_| "the request is no text")?;
    let request = parse_head(head).ok_or("this is no RTSP/1.0 request")?;
    let body_len = request.header("Content-Length").map_or(Ok(0), |l| l.trim().parse::<usize>());
    let body_len = body_len.ok().filter(|&l| l <= BODY_MAX).ok_or("the request's body is too long")?;
    if inbox.len() < head_len + 4 + body_len {
        return Ok(None);
    }
    inbox.advance(head_len + 4 + body_len);
    Ok(Some(Incoming::Request(request)))
}

fn parse_head(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, uri, version) = (first.next()?, first.next()?, first.next()?);
    if first.next().is_some() || !version.starts_with("RTSP/") || method.is_empty() {
        return None;
    }
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
    Some(Request { method: method.to_owned(), uri: uri.to_owned(), headers })
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    /// An answer of that status (RFC 2326 §7.1.1).
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }
    /// With one more header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
    /// With a session description.
    pub(crate) fn describing(self, sdp: String) -> Self {
        let mut answer = self.with("Content-Type", "application/sdp");
        answer.body = sdp;
        answer
    }
    /// As bytes, for the request with that sequence number.
    pub(crate) fn bytes(&self, cseq: &str) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            454 => "Session Not Found",
            455 => "Method Not Valid in This State",
            461 => "Unsupported Transport",
            _ => "Not Implemented",
        };
        let mut text = format!("RTSP/1.0 {} {reason}\r\nCSeq: {cseq}\r\nServer: vonglau sim\r\n", self.status);
        let mut header = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        };
        self.headers.iter().for_each(|(name, value)| header(name, value));
        if !self.body.is_empty() {
            header("Content-Length", &self.body.len().to_string());
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }
}

/// Camera and stream of an address: `rtsp://…/cam01/main`, with or without a zero, with or without a track behind.
pub(crate) fn stream_of(uri: &str) -> Option<(u32, StreamKind)> {
    let path = match uri.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => uri.trim_start_matches('/'),
    };
    let path = path.split(['?', '#']).next()?;
    let mut parts = path.split('/');
    let camera = parts.next()?.strip_prefix("cam")?;
    let camera = camera.bytes().all(|b| b.is_ascii_digit()).then(|| camera.parse().ok())??;
    let kind = StreamKind::from_name(parts.next()?)?;
    let rest: Vec<_> = parts.filter(|p| !p.is_empty()).collect();
    matches!(rest[..], [] | [TRACK]).then_some((camera, kind))
}

/// The name of the only track.
const TRACK: &str = "trackID=1";

/// The address of the track in a `SETUP`, as `RTP-Info` repeats it.
pub(crate) fn track_url(uri: &str) -> String {
    let uri = uri.trim_end_matches('/');
    if uri.ends_with(TRACK) { uri.to_owned() } else { format!("{uri}/{TRACK}") }
}

/// The interleaved channel a `Transport` header asks for; `None` when it wants something else than TCP.
pub(crate) fn tcp_channel(transport: &str) -> Option<u8> {
    let wanted = transport.split(',').map(str::trim).find(|t| t.to_ascii_uppercase().starts_with("RTP/AVP/TCP"))?;
    let mut options = wanted.split(';').map(str::trim);
    if wanted.to_ascii_lowercase().contains("multicast") {
        return None;
    }
    match options.find_map(|o| o.strip_prefix("interleaved=")) {
        Some(pair) => pair.split('-').next()?.parse().ok().filter(|&c: &u8| c < u8::MAX),
        None => Some(0),
    }
}

/// The session description (RFC 8866) of one stream.
pub(crate) fn describe(name: &str, settings: &Settings, parameter_sets: &[Bytes]) -> String {
    let sets: Vec<String> = parameter_sets.iter().map(|set| BASE64_STANDARD.encode(set)).collect();
    let (encoding, parameters) = match settings.codec {
        Codec::H264 => {
            let profile = parameter_sets.iter().find(|s| s[0] & 0x1f == 7).and_then(|s| s.get(1..4));
            let profile = hex::encode(profile.unwrap_or(&[0x42, 0, 0x1f]));
            ("H264", format!("packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={}", sets.join(",")))
        }
        Codec::H265 => {
            let named = ["vps", "sps", "pps"].iter().zip(&sets).map(|(name, set)| format!("sprop-{name}={set}"));
            ("H265", named.collect::<Vec<_>>().join(";"))
        }
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns={name}\r\nt=0 0\r\na=control:*\r\n\
         m=video 0 RTP/AVP {PAYLOAD_TYPE}\r\nc=IN IP4 0.0.0.0\r\nb=AS:{}\r\n\
         a=rtpmap:{PAYLOAD_TYPE} {encoding}/90000\r\na=fmtp:{PAYLOAD_TYPE} {parameters}\r\n\
         a=framerate:{}\r\na=control:{TRACK}\r\n",
        settings.bitrate_kbps, settings.fps
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<Incoming>, usize) {
        let mut inbox = BytesMut::from(bytes);
        let mut out = Vec::new();
        while let Some(incoming) = take(&mut inbox).unwrap() {
            out.push(incoming);
        }
        (out, inbox.len())
    }

    #[test]
    fn requests_and_packets_are_told_apart_and_half_a_message_waits() {
        let bytes =
            b"$\x01\0\x02ab\r\nOPTIONS rtsp://h/cam01/main RTSP/1.0\r\nCSeq: 7\r\nContent-Length: 3\r\n\r\nxyz$\0\0";
        let (messages, left) = all(bytes);
        assert_eq!(messages[0], Incoming::Interleaved);
        let Incoming::Request(request) = &messages[1] else { panic!("{messages:?}") };
        assert_eq!((request.method.as_str(), request.header("cseq")), ("OPTIONS", Some("7")));
        assert_eq!((messages.len(), left), (2, 3));
        for cut in 0..bytes.len() {
            all(&bytes[..cut]);
        }
    }

    #[test]
    fn what_is_no_request_is_refused_and_never_grows_without_end() {
        for bad in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xfe\r\n\r\n", b"A B RTSP/1.0\r\nno colon\r\n\r\n", b" \r\n\r\n"]
        {
            assert!(take(&mut BytesMut::from(bad)).is_err(), "{bad:?}");
        }
        assert!(take(&mut BytesMut::from(&vec![b'a'; HEAD_MAX + 10][..])).is_err());
        assert!(take(&mut BytesMut::from(&b"A B RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n"[..])).is_err());
    }

    #[test]
    fn addresses_with_and_without_a_zero_and_a_track_name_the_same_stream() {
        for uri in
            ["rtsp://127.0.0.1:8554/cam01/main", "rtsp://h/cam1/main/", "/cam001/main/trackID=1", "cam1/main?a=b"]
        {
            assert_eq!(stream_of(uri), Some((1, StreamKind::Main)), "{uri}");
        }
        for uri in
            ["*", "rtsp://h", "rtsp://h/", "rtsp://h/cam/main", "rtsp://h/cam1", "rtsp://h/cam+1/main", "/cam1/x"]
        {
            assert_eq!(stream_of(uri), None, "{uri}");
        }
        assert_eq!(stream_of("/cam1/main/trackID=2"), None);
    }

    #[test]
    fn udp_and_multicast_are_not_served() {
        assert_eq!(tcp_channel("RTP/AVP/TCP;unicast;interleaved=4-5"), Some(4));
        assert_eq!(tcp_channel("RTP/AVP;unicast;client_port=1-2, RTP/AVP/TCP;unicast"), Some(0));
        assert_eq!(tcp_channel("RTP/AVP;unicast;client_port=5000-5001"), None);
        assert_eq!(tcp_channel("RTP/AVP/TCP;multicast"), None);
        assert_eq!(tcp_channel("RTP/AVP/TCP;interleaved=255-256"), None);
    }
}
