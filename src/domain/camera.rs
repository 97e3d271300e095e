//! A camera, its two streams, where they are reached, and how they are doing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ids::{CameraId, ClusterId, StreamId},
    refusal::Refusal,
};

/// Which of a camera's two streams: `main` is recorded for people, `sub` is recorded and analysed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// The large picture.
    Main,
    /// The small picture.
    Sub,
}

impl StreamKind {
    /// `main` or `sub`, as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Sub => "sub",
        }
    }
    /// The kind with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Sub].into_iter().find(|k| k.name() == name)
    }
}

/// A secret that is never printed: `Debug` and `Display` show `•••`.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The password itself; only for the camera session and the store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether there is no password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "•••" })
    }
}

/// An `rtsp://host[:port]/path` address without user and password.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RtspUrl(String);

impl RtspUrl {
    /// Splits what a person typed into an address and the user and password that stood in it, if any.
    ///
    /// # Errors
    /// A [`Refusal`] when it is no `rtsp://` address with a host; it never repeats a password.
    pub fn parse(text: &str) -> Result<(Self, Option<(String, Secret)>), Refusal> {
        let text = text.trim();
        let refuse = |vi: &str, en: &str| Err(Refusal::new("url", vi, en));
        let scheme = text.get(..7).filter(|s| s.eq_ignore_ascii_case("rtsp://"));
        if scheme.is_none() {
            return refuse(
                "địa chỉ luồng phải bắt đầu bằng rtsp://, ví dụ rtsp://192.168.1.20:554/stream1",
                "a stream address starts with rtsp://, for example rtsp://192.168.1.20:554/stream1",
            );
        }
        if text.len() > 2000 || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse(
                "địa chỉ luồng có dấu cách hoặc quá dài; sao chép lại từ trang của camera",
                "the address has blanks in it or is too long; copy it again from the camera's page",
            );
        }
        let rest = &text[7..];
        let host_end = rest.find(['/', '?']).unwrap_or(rest.len());
        // A password may hold '@' unescaped: the last one before the path is the border.
        let (user_info, at) = match rest[..host_end].rfind('@') {
            Some(i) => (Some(&rest[..i]), i + 1),
            None => (None, 0),
        };
        if user_info.is_none() && rest[host_end..].contains('@') {
            return refuse(
                "mật khẩu trong địa chỉ có dấu / hoặc ?; hãy nhập tên và mật khẩu vào ô riêng (hoặc viết %2F, %3F, %40)",
                "the password in the address holds / or ?; give name and password in their own fields (or write %2F, %3F, %40)",
            );
        }
        let host = &rest[at..host_end];
        let (name, port) = host.rsplit_once(':').filter(|(n, _)| !n.ends_with(':')).unwrap_or((host, "554"));
        if name.is_empty() || name.contains(['@', '#']) || port.parse::<u16>().map_or(true, |p| p == 0) {
            return refuse(
                "địa chỉ luồng thiếu tên máy hoặc sai cổng, ví dụ rtsp://192.168.1.20:554/stream1",
                "the address lacks a host or has a wrong port, for example rtsp://192.168.1.20:554/stream1",
            );
        }
        let login = user_info.map(|u| {
            let (user, password) = u.split_once(':').unwrap_or((u, ""));
            (percent_decoded(user), Secret::new(percent_decoded(password)))
        });
        Ok((Self(format!("rtsp://{}", &rest[at..])), login))
    }
    /// The address as shown and logged: the value of `password=`, `passwd=`, `pwd=` and `pass=`, which some makers want
    /// in the path, is `•••` up to the next separator.
    #[must_use]
    pub fn masked(&self) -> String {
        let (url, lower) = (self.0.as_str(), self.0.to_ascii_lowercase());
        let (mut out, mut at) = (String::with_capacity(url.len()), 0);
        while let Some((start, key)) =
            ["password=", "passwd=", "pwd=", "pass="].iter().filter_map(|k| Some((lower[at..].find(k)?, k))).min()
        {
            let value = at + start + key.len();
            let end = url[value..].find(['&', '?', '#', '/']).map_or(url.len(), |i| value + i);
            out.push_str(&url[at..value]);
            out.push_str(if end > value { "•••" } else { "" });
            at = end;
        }
        out + &url[at..]
    }
    /// The address as it really is, for the session and the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = text.get(i + 1..i + 3).filter(|_| bytes[i] == b'%');
        if let Some(b) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            out.push(b);
            i += 3;
        } else {
            out.push(bytes[i]);
            i += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// One stream of a camera and how to log in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its identity.
    pub id: StreamId,
    /// The camera it belongs to.
    pub camera: CameraId,
    /// Main or sub.
    pub kind: StreamKind,
    /// Where it is.
    pub url: RtspUrl,
    /// The login name; empty when none is needed.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// A camera as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Camera {
    /// Its identity.
    pub id: CameraId,
    /// Short code on papers and screens, such as `C07`; unique.
    pub code: String,
    /// Its name, such as `Chợ – cổng Bắc`; unique among cameras that are not retired.
    pub name: String,
    /// The cluster it belongs to.
    pub cluster: Option<ClusterId>,
    /// That cluster's name; empty when none.
    pub cluster_name: String,
    /// The hamlet (thôn) it stands in; may be empty.
    pub hamlet: String,
    /// Since when it takes part, UTC microseconds.
    pub enabled_us: i64,
    /// Since when it no longer does.
    pub retired_us: Option<i64>,
    /// Since when only its sub stream is recorded (a thin line), UTC microseconds; `None`: both are.
    pub main_off_us: Option<i64>,
    /// Its streams: main first; the sub stream may be missing.
    pub streams: Vec<Stream>,
}

impl Camera {
    /// The stream of that kind.
    #[must_use]
    pub fn stream(&self, kind: StreamKind) -> Option<&Stream> {
        self.streams.iter().find(|s| s.kind == kind)
    }
}

/// What a person gives to add or change a camera; checked by [`CameraDraft::checked`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CameraDraft {
    /// Its name.
    pub name: String,
    /// Its short code; empty: the next free `C01`, `C02`, …
    pub code: String,
    /// Address of the large picture.
    pub main_url: String,
    /// Address of the small picture; empty when the camera has only one.
    pub sub_url: String,
    /// Login name; empty: the one in the address, if any.
    pub username: String,
    /// Password; `None` on a change keeps the old one.
    pub password: Option<Secret>,
    /// Name of its cluster; empty for none; made when it is new.
    pub cluster: String,
    /// Its hamlet.
    pub hamlet: String,
    /// Whether the large picture is recorded, not only the small one; `None`: as it was, and for a new camera yes.
    pub record_main: Option<bool>,
}

/// The longest name, code, hamlet or user name, in characters.
pub const NAME_CHARS_MAX: usize = 100;

/// A draft whose every field is usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCamera {
    /// Name, trimmed and not empty.
    pub name: String,
    /// Code, or empty for the next free one.
    pub code: String,
    /// Address of the main stream.
    pub main_url: RtspUrl,
    /// Address of the sub stream.
    pub sub_url: Option<RtspUrl>,
    /// Login name; empty when none.
    pub username: String,
    /// Password; `None` means unchanged (or none for a new camera).
    pub password: Option<Secret>,
    /// Cluster name; empty for none.
    pub cluster: String,
    /// Hamlet.
    pub hamlet: String,
    /// Whether the main stream is recorded; `None` means unchanged (or yes for a new camera).
    pub record_main: Option<bool>,
}

impl CameraDraft {
    /// Checks every field and reports all problems together.
    ///
    /// # Errors
    /// One [`Refusal`] a wrong field, its place being the field's name.
    pub fn checked(&self) -> Result<CheckedCamera, Vec<Refusal>> {
        let mut wrong = Vec::new();
        let mut text = |place: &str, value: &str, required: bool| {
            let value = value.trim().to_owned();
            if required && value.is_empty() {
                wrong.push(Refusal::new(place, "chưa nhập; hãy nhập tên camera", "is empty; give the camera a name"));
            } else if value.chars().count() > NAME_CHARS_MAX || value.chars().any(char::is_control) {
                wrong.push(Refusal::new(
                    place,
                    format!("quá dài hoặc có ký tự lạ; tối đa {NAME_CHARS_MAX} ký tự"),
                    format!("is too long or has control characters; at most {NAME_CHARS_MAX} characters"),
                ));
            }
            value
        };
        let name = text("name", &self.name, true);
        let code = text("code", &self.code, false);
        let cluster = text("cluster", &self.cluster, false);
        let hamlet = text("hamlet", &self.hamlet, false);
        let username = text("username", &self.username, false);
        let mut login = None;
        let mut url = |place: &str, value: &str| match RtspUrl::parse(value) {
            Ok((url, in_url)) => {
                login = login.take().or(in_url);
                Some(url)
            }
            Err(mut refusal) => {
                place.clone_into(&mut refusal.place);
                wrong.push(refusal);
                None
            }
        };
        let main_url = url("main_url", &self.main_url);
        let sub_url = if self.sub_url.trim().is_empty() { None } else { url("sub_url", &self.sub_url) };
        if self.record_main == Some(false) && self.sub_url.trim().is_empty() {
            wrong.push(no_sub_to_record());
        }
        let Some(main_url) = main_url.filter(|_| wrong.is_empty()) else { return Err(wrong) };
        let (url_user, url_password) = login.map_or((String::new(), None), |(u, p)| (u, Some(p)));
        let username = if username.is_empty() { url_user } else { username };
        let password = self.password.clone().or(url_password);
        let record_main = self.record_main;
        Ok(CheckedCamera { name, code, main_url, sub_url, username, password, cluster, hamlet, record_main })
    }
}

/// What is said when nothing of a camera would be recorded.
#[must_use]
pub fn no_sub_to_record() -> Refusal {
    Refusal::new(
        "record_main",
        "camera không có luồng phụ nên phải ghi luồng chính; hãy nhập luồng phụ hoặc bật ghi luồng chính",
        "the camera has no sub stream, so its main stream must be recorded; give a sub stream or record the main one",
    )
}

/// How a stream's session is doing; sent on a watch at every change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StreamStatus {
    /// A session is being set up.
    Connecting,
    /// Frames arrive.
    Streaming,
    /// The session failed for the `n`-th time in a row; the next try is under way or waiting.
    Retrying {
        /// Failed tries in a row.
        n: u32,
        /// Why the last one failed, for a person.
        why: Trouble,
    },
    /// Told to stop.
    Stopped,
}

/// A stream's clock against ours, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StreamClock {
    /// How far the camera's own clock is ahead of ours, by its last sender reports (RFC 3550 §6.4.1), microseconds.
    pub offset_us: Option<i64>,
    /// How far the times given to its pictures are ahead of their arrival (negative: behind), microseconds.
    pub lead_us: Option<i64>,
}

/// Why a session failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What kind, in the words of the gap ledger.
    pub cause: TroubleCause,
    /// What happened, in English, without secrets; for the log and the details line.
    pub detail: String,
}

/// The kinds of trouble that lead to different remedies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleCause {
    /// Nothing answers at that address.
    Network,
    /// Something answers, but not as a camera should, or frames stopped.
    Camera,
    /// The login was refused.
    Login,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_the_address_is_taken_out_and_never_shown() {
        let (url, login) = RtspUrl::parse("rtsp://admin:p%40ss@w@10.0.0.5:8554/Streaming/Channels/101?x=1").unwrap();
        assert_eq!(url.as_str(), "rtsp://10.0.0.5:8554/Streaming/Channels/101?x=1");
        let (user, password) = login.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("admin", "p@ss@w"));
        assert!(!format!("{password:?}").contains("p@ss"));
    }

    #[test]
    fn addresses_that_are_not_rtsp_are_refused_without_repeating_them() {
        for bad in [
            "http://10.0.0.5/x",
            "rtsp://",
            "rtsp:///x",
            "rtsp://h:99999/",
            "rtsp://a:secret@/x",
            "",
            "rtsp://h h/",
            "rtsp://a:12/secret@h/x",
            "rtsp://a:1?secret@h/x",
        ] {
            let refusal = RtspUrl::parse(bad).unwrap_err();
            assert!(!refusal.to_string().contains("secret"), "{bad}: {refusal}");
        }
    }

    #[test]
    fn a_password_in_the_path_is_masked_where_the_address_is_shown() {
        for (url, masked) in [
            ("rtsp://h/user=admin&password=tl9&channel=1", "rtsp://h/user=admin&password=•••&channel=1"),
            ("rtsp://h/x?PWD=a&pass=b#c", "rtsp://h/x?PWD=•••&pass=•••#c"),
            // A password may hold '_', so what follows it is hidden with it.
            ("rtsp://h/user=admin_password=tl9_channel=1_stream=0.sdp?real", "rtsp://h/user=admin_password=•••?real"),
            ("rtsp://h/password=&x=1", "rtsp://h/password=&x=1"),
            ("rtsp://h/Streaming/Channels/101", "rtsp://h/Streaming/Channels/101"),
        ] {
            assert_eq!(RtspUrl::parse(url).unwrap().0.masked(), masked);
        }
    }

    #[test]
    fn a_camera_whose_main_stream_is_not_recorded_needs_a_sub_stream() {
        let url = "rtsp://10.0.0.1/1".to_owned();
        let draft =
            CameraDraft { name: "a".into(), main_url: url.clone(), record_main: Some(false), ..CameraDraft::default() };
        assert_eq!(draft.checked().unwrap_err()[0].place, "record_main");
        assert!(CameraDraft { sub_url: url, ..draft }.checked().is_ok());
    }

    #[test]
    fn a_draft_reports_every_wrong_field_at_once() {
        let wrong =
            CameraDraft { main_url: "x".into(), sub_url: "y".into(), ..Default::default() }.checked().unwrap_err();
        let places: Vec<_> = wrong.iter().map(|r| r.place.as_str()).collect();
        assert_eq!(places, ["name", "main_url", "sub_url"]);
    }
}
