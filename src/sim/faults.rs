//! Faults by a script: what a camera does wrong, and when.
//!
//! ```toml
//! [[fault]]
//! at = 20             # seconds from the moment the cameras are ready
//! camera = 3          # absent: every camera
//! fault = "reboot"
//! seconds = 8
//! params = true       # with "reboot" only: it comes back with pictures of another size
//! ```
//!
//! Cameras that share one port: one that is away accepts a connection, and resets it at the first request that names it;
//! only when all are away is the port itself closed. A camera with a port of its own closes it.

use std::path::Path;

use serde::Deserialize;

use crate::domain::refusal::Refusal;

/// The most faults of one script.
const FAULTS_MAX: usize = 1000;
/// The latest end of a fault: a week.
const SECONDS_MAX: f64 = 604_800.0;
/// The largest script, bytes.
const BYTES_MAX: u64 = 1 << 20;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Connections stay, nothing is sent and nothing answered; what was due is lost.
    Silence,
    /// Connections are reset, new ones too.
    Close,
    /// The same, and other parameter sets afterwards if `params`.
    Reboot,
    /// Bytes that are no RTSP, instead of pictures and of answers.
    Garbage,
    /// One byte a second; what was due meanwhile is lost.
    Slow,
    /// 401 to every request; who plays is thrown out.
    Unauthorized,
    /// Key frames are left out, as if the group of pictures were that long; what follows decodes badly.
    NoKey,
}

const KINDS: &str = "silence, close, reboot, garbage, slow, unauthorized, no_key";

/// One fault; times in microseconds from the moment the cameras are ready.
#[derive(Debug, Clone, PartialEq)]
struct Fault {
    from_us: i64,
    until_us: i64,
    camera: Option<u32>,
    kind: Kind,
    params: bool,
}

impl Fault {
    fn is_of(&self, camera: u32) -> bool {
        self.camera.is_none_or(|c| c == camera)
    }
    fn lasts_at(&self, at_us: i64) -> bool {
        (self.from_us..self.until_us).contains(&at_us)
    }
    fn is_away(&self) -> bool {
        matches!(self.kind, Kind::Close | Kind::Reboot)
    }
}

/// A script; at any moment each camera has at most one fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Faults(Vec<Fault>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    at: f64,
    camera: Option<u32>,
    fault: Kind,
    seconds: f64,
    #[serde(default)]
    params: bool,
}

impl Faults {
    /// Reads a script for so many cameras.
    ///
    /// # Errors
    /// A [`Refusal`] with the file, the fault and the key that cannot be used.
    pub(crate) fn read(path: &Path, cameras: u32) -> Result<Self, Refusal> {
        let place = format!("--faults {}", path.display());
        let read = match std::fs::metadata(path) {
            Ok(file) if file.len() > BYTES_MAX => Err(std::io::Error::other("more than 1 MiB")),
            Ok(_) => std::fs::read_to_string(path),
            Err(error) => Err(error),
        };
        let text = read.map_err(|e| {
            Refusal::new(
                &place,
                format!("không đọc được ({e}); kiểm tra lại đường dẫn"),
                format!("cannot be read ({e}); check the path"),
            )
        })?;
        Self::parse(&text, cameras).map_err(|refusal| refusal.within(&place))
    }

    fn parse(text: &str, cameras: u32) -> Result<Self, Refusal> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: toml::Table = text.parse().map_err(|e: toml::de::Error| {
            let line = text.get(..e.span().map_or(0, |s| s.start)).unwrap_or_default().matches('\n').count() + 1;
            let why = e.message();
            Refusal::new(
                format!("line {line}"),
                format!("không đúng cú pháp TOML ({why}); sửa lại dòng này"),
                format!("is no TOML ({why}); mend this line"),
            )
        })?;
        let tables = match file.get("fault") {
            Some(toml::Value::Array(tables)) if file.len() == 1 && tables.len() <= FAULTS_MAX => tables,
            _ => {
                return Err(Refusal::new(
                    "fault",
                    format!("tệp chỉ gồm các bảng [[fault]], từ 1 đến {FAULTS_MAX}"),
                    format!("the file holds [[fault]] tables and nothing else, 1 to {FAULTS_MAX} of them"),
                ));
            }
        };
        let mut all: Vec<Fault> = Vec::new();
        for (i, table) in tables.iter().enumerate() {
            let fault = read_one(table, cameras).map_err(|r| r.within(&format!("fault[{i}]")))?;
            let both = |f: &Fault| f.camera.is_none() || fault.camera.is_none() || f.camera == fault.camera;
            let clash = |f: &Fault| both(f) && f.from_us < fault.until_us && fault.from_us < f.until_us;
            if let Some(other) = all.iter().position(clash) {
                return Err(Refusal::new(
                    format!("fault[{i}].at"),
                    format!("trùng thời gian với fault[{other}] trên cùng camera; dời một trong hai"),
                    format!("overlaps fault[{other}] on the same camera; move one of them"),
                ));
            }
            all.push(fault);
        }
        Ok(Self(all))
    }

    /// What is wrong with a camera (from 1) at that moment.
    pub(crate) fn on(&self, camera: u32, at_us: i64) -> Option<Kind> {
        self.0.iter().find(|f| f.is_of(camera) && f.lasts_at(at_us)).map(|f| f.kind)
    }

    /// The next moment at which a fault begins or ends, of one camera or of any.
    pub(crate) fn next_change_us(&self, camera: Option<u32>, at_us: i64) -> Option<i64> {
        let of = self.0.iter().filter(|f| camera.is_none_or(|c| f.is_of(c)));
        of.flat_map(|f| [f.from_us, f.until_us]).filter(|&us| us > at_us).min()
    }

    /// Whether that camera, or every camera, is away, so that nobody can even connect.
    pub(crate) fn away(&self, camera: Option<u32>, at_us: i64) -> bool {
        let is_of = |f: &Fault| f.camera.is_none() || camera.is_some() && f.camera == camera;
        self.0.iter().any(|f| is_of(f) && f.is_away() && f.lasts_at(at_us))
    }

    /// Whether a camera has come back with other parameter sets than it began with; each such reboot changes them.
    pub(crate) fn has_other_params(&self, camera: u32, at_us: i64) -> bool {
        self.0.iter().filter(|f| f.params && f.is_of(camera) && f.until_us <= at_us).count() % 2 == 1
    }

    /// Whether a camera will ever have them.
    pub(crate) fn changes_params(&self, camera: u32) -> bool {
        self.0.iter().any(|f| f.params && f.is_of(camera))
    }
}

fn read_one(table: &toml::Value, cameras: u32) -> Result<Fault, Refusal> {
    // A whole number of seconds is as good as a broken one.
    let mut table = table.clone();
    for key in ["at", "seconds"] {
        if let Some(value @ toml::Value::Integer(_)) = table.get_mut(key) {
            *value = toml::Value::Float(value.as_integer().unwrap_or_default() as f64);
        }
    }
    let written: Written = table.try_into().map_err(|e: toml::de::Error| {
        let why = e.message();
        Refusal::new(
            "",
            format!("không dùng được ({why}); cần at, fault ({KINDS}), seconds, và tùy ý camera, params"),
            format!("cannot be used ({why}); it takes at, fault ({KINDS}), seconds, and optionally camera, params"),
        )
    })?;
    let Written { at, camera, fault: kind, seconds, params } = written;
    if !(0.0..=SECONDS_MAX).contains(&at) {
        return Err(seconds_refused("at", at, "0"));
    }
    if !(seconds > 0.0 && seconds <= SECONDS_MAX) {
        return Err(seconds_refused("seconds", seconds, "0.001"));
    }
    if camera.is_some_and(|c| !(1..=cameras).contains(&c)) {
        return Err(Refusal::new(
            "camera",
            format!("chỉ có các camera từ 1 đến {cameras}; bỏ trống là tất cả"),
            format!("there are cameras 1 to {cameras}; leave it out for all of them"),
        ));
    }
    if params && kind != Kind::Reboot {
        return Err(Refusal::new(
            "params",
            "chỉ dùng với fault = \"reboot\"; hãy bỏ đi",
            "goes with fault = \"reboot\" only; leave it out",
        ));
    }
    let us = |s: f64| (s * 1e6).round() as i64;
    Ok(Fault { from_us: us(at), until_us: us(at) + us(seconds).max(1), camera, kind, params })
}

fn seconds_refused(key: &str, value: f64, least: &str) -> Refusal {
    Refusal::new(
        key,
        format!("{value} không dùng được; cho số giây từ {least} đến {SECONDS_MAX}"),
        format!("{value} cannot be used; give seconds from {least} to {SECONDS_MAX}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Result<Faults, Refusal> {
        Faults::parse(&format!("[[fault]]\n{body}"), 4)
    }

    #[test]
    fn a_fault_holds_for_its_camera_and_its_time() {
        let text = "[[fault]]\nat = 2\ncamera = 3\nfault = \"silence\"\nseconds = 1.5\n\
                    [[fault]]\nat = 10.5\nfault = \"reboot\"\nseconds = 2\nparams = true\n\
                    [[fault]]\nat = 20\ncamera = 1\nfault = \"reboot\"\nseconds = 2\nparams = true\n";
        let faults = Faults::parse(text, 4).unwrap();
        assert_eq!(faults.on(3, 1_999_999), None);
        assert_eq!(faults.on(3, 2_000_000), Some(Kind::Silence));
        assert_eq!(faults.on(2, 2_000_000), None);
        assert_eq!(faults.on(3, 3_500_000), None);
        assert_eq!(faults.next_change_us(Some(3), 2_000_000), Some(3_500_000));
        assert_eq!(faults.next_change_us(Some(2), 0), Some(10_500_000));
        assert_eq!(faults.next_change_us(None, 22_000_000), None);
        assert!(faults.away(None, 11_000_000) && !faults.away(None, 21_000_000), "only one is away then");
        assert!(faults.away(Some(1), 11_000_000) && faults.away(Some(1), 21_000_000));
        assert!(!faults.away(Some(2), 21_000_000) && !faults.away(Some(3), 2_000_000), "silent, not away");
        let other = |camera, s: i64| faults.has_other_params(camera, s * 1_000_000);
        assert!(!other(1, 12) && other(1, 13) && other(1, 21) && !other(1, 22), "back to its own after the second");
        assert!(other(2, 30) && faults.changes_params(2));
    }

    #[test]
    fn a_bad_script_is_refused_with_its_place() {
        for (place, body) in [
            ("line 3", "at = 1\nfault = "),
            ("fault[0]", "at = 1\nfault = \"explode\"\nseconds = 1"),
            ("fault[0]", "at = 1\nfault = \"close\""),
            ("fault[0]", "at = 1\nfault = \"close\"\nseconds = 1\nwhy = 1"),
            ("fault[0].at", "at = -1\nfault = \"close\"\nseconds = 1"),
            ("fault[0].at", "at = nan\nfault = \"close\"\nseconds = 1"),
            ("fault[0].seconds", "at = 1\nfault = \"close\"\nseconds = 0"),
            ("fault[0].seconds", "at = 1\nfault = \"close\"\nseconds = inf"),
            ("fault[0].camera", "at = 1\ncamera = 5\nfault = \"close\"\nseconds = 1"),
            ("fault[0].params", "at = 1\nfault = \"close\"\nseconds = 1\nparams = true"),
            (
                "fault[1].at",
                "at = 1\nfault = \"close\"\nseconds = 2\n[[fault]]\nat=2.5\ncamera=1\nfault=\"slow\"\nseconds=1",
            ),
        ] {
            let refusal = one(body).unwrap_err();
            assert!(refusal.place == place && !refusal.vi.is_empty(), "{body}: {refusal}");
        }
        assert_eq!(Faults::parse("", 4).unwrap_err().place, "fault");
        assert_eq!(Faults::parse("fault = 3", 4).unwrap_err().place, "fault");
        let refusal = Faults::read(Path::new("/nowhere.toml"), 4).unwrap_err();
        assert_eq!(refusal.place, "--faults /nowhere.toml");
    }
}
