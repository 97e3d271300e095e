//! Clips: a drawn scene or a video file, encoded once by GStreamer into access units in memory.
//!
//! Every clip starts with a key frame and has closed groups of pictures only, which is checked, so that a session may
//! start at any key frame and jump from the end to the beginning.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    encode::{self, Coded},
    nal::{self, Kind},
    scene::Scene,
};
use crate::domain::{packet::Codec, refusal::Refusal};

/// The longest part of a video file that is played, in seconds; the clip lies in memory.
pub const VIDEO_S_MAX: u32 = 300;

/// Where pictures come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A drawn street, one loop of it.
    Drawn(Scene),
    /// A video file, at most its first [`VIDEO_S_MAX`] seconds.
    File(PathBuf),
}

/// How they are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Settings {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Kilobits a second.
    pub bitrate_kbps: u32,
    /// Frames from one key frame to the next.
    pub gop: u32,
    /// H.264 or H.265.
    pub codec: Codec,
    /// B-frames between two others.
    pub b_frames: u32,
}

/// One access unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Whether decoding can start here.
    pub key: bool,
    /// Which frame of the clip it shows, in the order of presentation.
    pub frame: u32,
    /// Its NAL units without parameter sets and delimiters.
    pub nals: Vec<Bytes>,
}

impl Unit {
    /// The unit as a recorder keeps it (retina's `FrameFormat::MP4`): NAL units each behind 4 bytes of length.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        nal::length_prefixed(&self.nals)
    }
    /// SHA-256 of [`Unit::data`], hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.data()))
    }
}

/// An encoded clip; the units stand in decoding order.
#[derive(Debug, Clone)]
pub struct Clip {
    /// How it was encoded.
    pub settings: Settings,
    /// SPS and PPS, or VPS, SPS and PPS.
    pub parameter_sets: Vec<Bytes>,
    /// As many as the clip has frames.
    pub units: Vec<Unit>,
}

/// The time of a frame, microseconds from the first.
#[must_use]
pub const fn frame_us(frame: u64, fps: u32) -> u64 {
    frame * 1_000_000 / fps as u64
}

/// How many frames a loop of that length has.
#[must_use]
pub(crate) fn frames_in(loop_us: u64, fps: u32) -> u64 {
    (loop_us * u64::from(fps)).div_ceil(1_000_000)
}

/// Encodes a clip; blocks for seconds, so call it from a thread. `cancelled` is asked now and then.
///
/// # Errors
/// A [`Refusal`] when an element is missing, the file cannot be read, or `cancelled` said so.
pub fn encode(source: &Source, settings: &Settings, cancelled: &dyn Fn() -> bool) -> Result<Clip, Refusal> {
    let coded = encode::access_units(source, settings, cancelled)?;
    assemble(settings, coded).map_err(|why| {
        let place = match source {
            Source::Drawn(_) => "sim".to_owned(),
            Source::File(path) => format!("--video {}", path.display()),
        };
        Refusal::new(
            place,
            format!("không tạo được đoạn hình để phát ({why}); thử tệp hoặc tham số mã hóa khác"),
            format!("no clip can be made of it ({why}); try another file or other encoding options"),
        )
    })
}

/// Writes `seconds` of a drawn scene (it repeats) as an MP4 file, H.264 with a key frame every two seconds, and blocks
/// until it is done. The truth is `scene.objects_at(frame_us(i, fps))` for frame `i`.
///
/// # Errors
/// A [`Refusal`] when an element is missing or the file cannot be written.
pub fn write_mp4(
    scene: &Scene,
    (width, height): (u32, u32),
    fps: u32,
    seconds: u32,
    path: &Path,
) -> Result<(), Refusal> {
    let settings =
        Settings { width, height, fps, bitrate_kbps: 2000, gop: (2 * fps).max(1), codec: Codec::H264, b_frames: 0 };
    encode::mp4(scene, &settings, u64::from(fps) * u64::from(seconds), path)
}

/// Sorts NAL units and checks what sessions rely on.
fn assemble(settings: &Settings, coded: Vec<Coded>) -> Result<Clip, String> {
    let codec = settings.codec;
    let mut parameter_sets: Vec<Bytes> = Vec::new();
    let mut units = Vec::with_capacity(coded.len());
    let first_ns = coded.iter().map(|c| c.pts_ns).min().ok_or("no picture in it")?;
    for Coded { pts_ns, bytes } in coded {
        let mut unit = Unit { key: false, frame: nearest_frame(pts_ns - first_ns, settings.fps), nals: Vec::new() };
        let mut sets: Vec<Bytes> = Vec::new();
        for part in one_set_only(codec, nal::split_annex_b(&bytes)) {
            match nal::kind(codec, &part) {
                Kind::ParameterSet => sets.push(part),
                Kind::Empty => {}
                kind => {
                    unit.key |= kind == Kind::Key;
                    unit.nals.push(part);
                }
            }
        }
        if units.is_empty() {
            parameter_sets = sets;
        } else if sets.iter().any(|set| !parameter_sets.contains(set)) {
            return Err("the encoder changed its parameter sets on the way".to_owned());
        }
        units.push(unit);
    }
    let expected = if codec == Codec::H265 { 3 } else { 2 };
    if parameter_sets.len() != expected {
        return Err(format!("the encoder gave {} parameter sets instead of {expected}", parameter_sets.len()));
    }
    if units.iter().any(|u| u.nals.is_empty()) || !units[0].key {
        return Err("the encoder gave no key frame first or an empty unit".to_owned());
    }
    if !closed(&units) {
        return Err("the encoder gave open groups of pictures or left out a frame".to_owned());
    }
    Ok(Clip { settings: *settings, parameter_sets, units })
}

/// x265enc 1.22 puts a copy of the parameter sets before the first unit's own, with whatever lay in memory at its end:
/// what stands before the last copy is not looked at.
fn one_set_only(codec: Codec, mut parts: Vec<Bytes>) -> Vec<Bytes> {
    let Some(first) = parts.first().filter(|first| nal::kind(codec, first) == Kind::ParameterSet) else { return parts };
    let last = parts.iter().rposition(|part| part[0] == first[0]).unwrap_or(0);
    parts.split_off(last)
}

fn nearest_frame(offset_ns: u64, fps: u32) -> u32 {
    ((u128::from(offset_ns) * u128::from(fps) + 500_000_000) / 1_000_000_000) as u32
}

/// Whether every group of pictures shows exactly the frames of its own places, its key frame first.
fn closed(units: &[Unit]) -> bool {
    let keys: Vec<usize> = (0..units.len()).filter(|&i| units[i].key).collect();
    let ends = keys.iter().skip(1).copied().chain([units.len()]);
    keys.iter().zip(ends).all(|(&start, end)| {
        let mut frames: Vec<u32> = units[start..end].iter().map(|u| u.frame).collect();
        let key_first = frames[0] as usize == start;
        frames.sort_unstable();
        key_first && frames.iter().enumerate().all(|(i, &frame)| frame as usize == start + i)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(codec: Codec, b_frames: u32) -> Clip {
        let settings = Settings { width: 160, height: 96, fps: 10, bitrate_kbps: 200, gop: 7, codec, b_frames };
        encode(&Source::Drawn(Scene::lasting(1, 1, 3)), &settings, &|| false).unwrap()
    }

    #[test]
    fn a_clip_has_a_unit_for_every_frame_and_a_key_frame_at_every_seventh() {
        for (codec, b_frames) in [(Codec::H264, 0), (Codec::H264, 2), (Codec::H265, 0), (Codec::H265, 2)] {
            let clip = clip(codec, b_frames);
            assert_eq!(clip.units.len(), 30);
            let keys: Vec<_> = clip.units.iter().filter(|u| u.key).map(|u| u.frame).collect();
            assert_eq!(keys, [0, 7, 14, 21, 28], "{codec:?} b-frames {b_frames}");
            let reordered = clip.units.windows(2).any(|w| w[1].frame < w[0].frame);
            assert_eq!(reordered, b_frames > 0, "{codec:?} b-frames {b_frames}");
        }
    }

    #[test]
    fn the_same_scene_encodes_to_the_same_bytes() {
        let hashes = |clip: Clip| clip.units.iter().map(Unit::sha256).collect::<Vec<_>>();
        for codec in [Codec::H264, Codec::H265] {
            let (one, other) = (clip(codec, 0), clip(codec, 0));
            assert_eq!(one.parameter_sets, other.parameter_sets, "{codec:?}");
            assert_eq!(hashes(one), hashes(other), "{codec:?}");
        }
    }

    #[test]
    fn an_open_group_is_noticed() {
        let unit = |key, frame| Unit { key, frame, nals: Vec::new() };
        assert!(closed(&[unit(true, 0), unit(false, 2), unit(false, 1), unit(true, 3)]));
        assert!(!closed(&[unit(true, 0), unit(false, 1), unit(true, 3), unit(false, 2)]), "shown before its key");
        assert!(!closed(&[unit(true, 0), unit(false, 2)]), "a frame is missing");
    }
}
