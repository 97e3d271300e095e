//! What `vonglau sim` is asked for, and what of it cannot be had.

use std::path::{Path, PathBuf};

use super::{
    clip::{Settings, Source},
    scene::{LOOP_S, SCENES, Scene},
};
use crate::domain::{
    camera::{Secret, StreamKind},
    packet::Codec,
    refusal::Refusal,
};

/// The most cameras one simulator plays.
pub const CAMERAS_MAX: u32 = 200;

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many cameras, 1 to [`CAMERAS_MAX`].
    pub cameras: u32,
    /// TCP port on loopback; 0: any free one.
    pub port: u16,
    /// Each camera listens on a port of its own, the first on `port`, the next on the one after it.
    pub port_per_camera: bool,
    /// Video files, taken in turn; none: drawn streets.
    pub videos: Vec<PathBuf>,
    /// Width and height of the main stream, even.
    pub size: (u32, u32),
    /// Frames a second of the main stream.
    pub fps: u32,
    /// Kilobits a second of the main stream; the sub stream takes a quarter, at least 128.
    pub bitrate_kbps: u32,
    /// Main-stream frames from one key frame to the next; 0: two seconds. The sub stream keeps the same seconds.
    pub gop: u32,
    /// Width and height of the sub stream, even.
    pub sub_size: (u32, u32),
    /// Frames a second of the sub stream.
    pub sub_fps: u32,
    /// H.264 or H.265.
    pub codec: Codec,
    /// The same for the sub stream; `None`: as the main stream.
    pub sub_codec: Option<Codec>,
    /// User and password that clients must give.
    pub auth: Option<(String, Secret)>,
    /// Decides the drawn scenes and every number a session starts with.
    pub seed: u64,
    /// Where to list every access unit sent.
    pub ledger: Option<PathBuf>,
    /// Where to say what was drawn.
    pub truth: Option<PathBuf>,
    /// Length of a drawn scene in seconds.
    pub loop_s: u32,
    /// B-frames between two others.
    pub b_frames: u32,
    /// What goes wrong and when (TOML; the key names stand in the README).
    pub faults: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cameras: 4,
            port: 0,
            port_per_camera: false,
            videos: Vec::new(),
            size: (1280, 720),
            fps: 15,
            bitrate_kbps: 2000,
            gop: 0,
            sub_size: (640, 360),
            sub_fps: 10,
            codec: Codec::H264,
            sub_codec: None,
            auth: None,
            seed: 1,
            ledger: None,
            truth: None,
            loop_s: LOOP_S,
            b_frames: 0,
            faults: None,
        }
    }
}

/// What one stream plays; equal ones share a clip.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    scene_or_video: Result<u32, PathBuf>,
    pub(crate) settings: Settings,
}

impl Options {
    /// Looks at every value.
    ///
    /// # Errors
    /// A [`Refusal`] for the first that cannot be used.
    pub fn check(&self) -> Result<(), Refusal> {
        number("--cameras", self.cameras, 1, CAMERAS_MAX)?;
        if self.port_per_camera {
            number("--port", self.port.into(), 0, 65_536 - self.cameras)?;
        }
        size("--size", self.size)?;
        size("--sub-size", self.sub_size)?;
        number("--fps", self.fps, 1, 60)?;
        number("--sub-fps", self.sub_fps, 1, 60)?;
        number("--bitrate", self.bitrate_kbps, 32, 50_000)?;
        number("--gop", self.gop, 0, 600)?;
        number("--loop", self.loop_s, 2, 120)?;
        number("--b-frames", self.b_frames, 0, 4)?;
        number("--video", self.videos.len() as u32, 0, CAMERAS_MAX)?;
        self.videos.iter().try_for_each(|path| readable(path))?;
        if let Some((user, password)) = &self.auth
            && (user.is_empty() || user.contains([':', '"']) || password.is_empty())
        {
            return Err(Refusal::new(
                "--auth",
                "cần dạng TÊN:MẬT_KHẨU, tên không có dấu : hoặc \"",
                "takes USER:PASS, the user without a colon or a quotation mark, both not empty",
            ));
        }
        if self.truth.is_some() && !self.videos.is_empty() {
            return Err(Refusal::new(
                "--truth",
                "chỉ có với cảnh vẽ; bỏ --truth hoặc bỏ --video",
                "exists for drawn scenes only; leave out --truth or --video",
            ));
        }
        Ok(())
    }
    /// What a stream of a camera (from 1) plays.
    pub(crate) fn wanted(&self, camera: u32, kind: StreamKind) -> Wanted {
        let scene_or_video = match self.videos.len() {
            0 => Ok((camera - 1) % SCENES + 1),
            n => Err(self.videos[(camera - 1) as usize % n].clone()),
        };
        let gop = if self.gop == 0 { 2 * self.fps } else { self.gop };
        let b_frames = self.b_frames;
        let settings = match kind {
            StreamKind::Main => {
                let ((width, height), fps, bitrate_kbps) = (self.size, self.fps, self.bitrate_kbps);
                Settings { width, height, fps, bitrate_kbps, gop, codec: self.codec, b_frames }
            }
            StreamKind::Sub => {
                let ((width, height), fps) = (self.sub_size, self.sub_fps);
                let gop = (gop * fps / self.fps).max(1);
                let codec = self.sub_codec.unwrap_or(self.codec);
                Settings { width, height, fps, bitrate_kbps: (self.bitrate_kbps / 4).max(128), gop, codec, b_frames }
            }
        };
        Wanted { scene_or_video, settings }
    }
    /// What it plays after a reboot that changed its parameter sets: the same in pictures of another size.
    pub(crate) fn wanted_other(&self, camera: u32, kind: StreamKind) -> Wanted {
        let mut wanted = self.wanted(camera, kind);
        for side in [&mut wanted.settings.width, &mut wanted.settings.height] {
            *side = if *side >= 128 { *side / 4 * 2 } else { *side * 2 };
        }
        wanted
    }
    /// The drawn scene of a camera (from 1).
    #[must_use]
    pub fn scene(&self, camera: u32) -> Scene {
        Scene::lasting(self.seed, camera, self.loop_s)
    }
    pub(crate) fn source(&self, wanted: &Wanted) -> Source {
        match &wanted.scene_or_video {
            Ok(scene) => Source::Drawn(self.scene(*scene)),
            Err(path) => Source::File(path.clone()),
        }
    }
}

fn number(place: &str, value: u32, low: u32, high: u32) -> Result<(), Refusal> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Refusal::new(
        place,
        format!("{value} không dùng được; cho một số từ {low} đến {high}"),
        format!("{value} cannot be used; give a number from {low} to {high}"),
    ))
}

fn size(place: &str, (width, height): (u32, u32)) -> Result<(), Refusal> {
    let fits = |v: u32, high: u32| v.is_multiple_of(2) && (64..=high).contains(&v);
    if fits(width, 3840) && fits(height, 2160) {
        return Ok(());
    }
    Err(Refusal::new(
        place,
        format!("{width}x{height} không dùng được; hai số phải chẵn, từ 64x64 đến 3840x2160"),
        format!("{width}x{height} cannot be used; both numbers must be even, from 64x64 to 3840x2160"),
    ))
}

fn readable(path: &Path) -> Result<(), Refusal> {
    let why = match std::fs::File::open(path).and_then(|f| f.metadata()) {
        Ok(file) if file.is_file() => return Ok(()),
        Ok(_) => "not a file".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Refusal::new(
        format!("--video {}", path.display()),
        format!("không mở được ({why}); kiểm tra lại đường dẫn"),
        format!("cannot be opened ({why}); check the path"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_simulated_is_refused_by_name() {
        let base = Options::default;
        for (place, options) in [
            ("--cameras", Options { cameras: 0, ..base() }),
            ("--cameras", Options { cameras: 201, ..base() }),
            ("--port", Options { port: 65_533, port_per_camera: true, ..base() }),
            ("--size", Options { size: (1281, 720), ..base() }),
            ("--sub-size", Options { sub_size: (640, 0), ..base() }),
            ("--fps", Options { fps: 0, ..base() }),
            ("--sub-fps", Options { sub_fps: 61, ..base() }),
            ("--bitrate", Options { bitrate_kbps: 0, ..base() }),
            ("--gop", Options { gop: u32::MAX, ..base() }),
            ("--loop", Options { loop_s: 0, ..base() }),
            ("--b-frames", Options { b_frames: 9, ..base() }),
            ("--auth", Options { auth: Some((String::new(), Secret::new("x"))), ..base() }),
            ("--video /nowhere.mp4", Options { videos: vec!["/nowhere.mp4".into()], ..base() }),
            ("--video /", Options { videos: vec!["/".into()], ..base() }),
        ] {
            assert_eq!(options.check().unwrap_err().place, place);
        }
        base().check().unwrap();
    }

    #[test]
    fn cameras_share_eight_scenes_or_one_file() {
        let drawn = Options { cameras: 40, ..Options::default() };
        assert_eq!(drawn.wanted(1, StreamKind::Main), drawn.wanted(9, StreamKind::Main));
        assert_ne!(drawn.wanted(1, StreamKind::Main), drawn.wanted(2, StreamKind::Main));
        assert_ne!(drawn.wanted(1, StreamKind::Main), drawn.wanted(1, StreamKind::Sub));
        let file = Options { videos: vec!["a.mp4".into()], ..drawn };
        assert_eq!(file.wanted(1, StreamKind::Sub), file.wanted(40, StreamKind::Sub));
        assert_eq!(file.wanted(1, StreamKind::Sub).settings.gop, 20, "two seconds of 10 a second");
    }

    #[test]
    fn the_sub_stream_is_coded_as_the_main_stream_unless_said_otherwise() {
        let codecs =
            |options: &Options| [StreamKind::Main, StreamKind::Sub].map(|kind| options.wanted(1, kind).settings.codec);
        let options = Options { codec: Codec::H265, ..Options::default() };
        assert_eq!(codecs(&options), [Codec::H265, Codec::H265]);
        assert_eq!(codecs(&Options { sub_codec: Some(Codec::H264), ..options }), [Codec::H265, Codec::H264]);
    }
}
