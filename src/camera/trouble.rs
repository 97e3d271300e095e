//! What went wrong with a camera, as a cause with a remedy and one clear line without secrets.

use crate::domain::camera::{Trouble, TroubleCause};

/// The longest detail, in characters; a camera's own words may be part of it.
const DETAIL_CHARS_MAX: usize = 240;

/// The phases of a session; each has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// TCP connection and DESCRIBE, which retina does in one call.
    Describe,
    Setup,
    Play,
    Frames,
}

impl Phase {
    const fn name(self) -> &'static str {
        match self {
            Self::Describe => "DESCRIBE",
            Self::Setup => "SETUP",
            Self::Play => "PLAY",
            Self::Frames => "streaming",
        }
    }
}

pub(super) fn trouble(cause: TroubleCause, detail: impl AsRef<str>) -> Trouble {
    let line = detail.as_ref().lines().next().unwrap_or_default().trim();
    let detail = line.chars().filter(|c| !c.is_control()).take(DETAIL_CHARS_MAX).collect();
    Trouble { cause, detail }
}

/// What is said when a session panicked.
pub(super) fn panicked() -> Trouble {
    trouble(
        TroubleCause::Camera,
        "an error inside the program, over what the camera said, ended this session; it is tried again; if it stays so, \
         restart the camera or update its firmware",
    )
}

/// An error of retina. Its text is the only place that tells a refused connection from a broken one; it starts with a
/// fixed phrase for each kind (retina's `error.rs`) and holds neither our credentials nor headers in its first line.
pub(super) fn from_retina(phase: Phase, has_login: bool, error: &retina::Error) -> Trouble {
    let text = error.to_string();
    match error.status_code() {
        Some(401) if has_login => {
            return trouble(TroubleCause::Login, "the camera refused the user name or password (401)");
        }
        Some(401) => return trouble(TroubleCause::Login, "the camera asks for a user name and password (401)"),
        Some(403) => return trouble(TroubleCause::Login, "the camera refused this user (403); it may be locked out"),
        Some(404) => {
            return trouble(TroubleCause::Camera, "the camera has no stream at that path (404); check the address");
        }
        Some(code @ 300..) => {
            return trouble(TroubleCause::Camera, format!("the camera answered {} with status {code}", phase.name()));
        }
        _ => {}
    }
    if let Some((_, why)) = text.split_once("Unable to parse SDP: ") {
        // Retina reads it more strictly than cameras write it; what it holds of the camera stands below the first line.
        let why = why.lines().next().unwrap_or_default();
        let detail = format!(
            "the camera's description of its stream cannot be read ({why}); update its firmware, \
             or enter the address of this camera at its recorder (NVR)"
        );
        return trouble(TroubleCause::Camera, detail);
    }
    if let Some(why) = text.strip_prefix("Unable to connect to RTSP server: ") {
        return trouble(TroubleCause::Network, format!("cannot connect: {why}"));
    }
    if text.starts_with("Error reading from RTSP peer") && !text.contains("EOF") {
        return trouble(TroubleCause::Network, format!("the connection broke during {}: {text}", phase.name()));
    }
    if text.starts_with("Error writing to RTSP peer") {
        return trouble(TroubleCause::Network, format!("the connection broke during {}: {text}", phase.name()));
    }
    trouble(TroubleCause::Camera, format!("{}: {text}", phase.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_one_short_line() {
        let trouble = trouble(TroubleCause::Camera, format!("first\u{7} line{}\nsecond", "x".repeat(1000)));
        assert!(trouble.detail.starts_with("first line"));
        assert_eq!(trouble.detail.chars().count(), DETAIL_CHARS_MAX);
    }
}
