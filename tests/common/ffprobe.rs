//! What another program makes of a film of ours.

use std::{path::Path, process::Command};

use super::wait;

/// Frames that ffprobe decodes and the duration in seconds that it reports; it must find nothing to complain about.
#[track_caller]
pub fn probe(file: &Path) -> (usize, f64) {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0", "-of", "default=nw=1:nk=1"])
        .args(["-show_entries", "stream=nb_read_frames:format=duration"])
        .arg(file);
    let out = wait::output(&mut command);
    let (text, said) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.is_empty(), "{}: {said}", file.display());
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let frames = next().parse().unwrap_or_else(|_| panic!("{}: {text}", file.display()));
    // A file that is still growing does not say.
    (frames, next().parse().unwrap_or(f64::NAN))
}
