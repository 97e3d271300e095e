//! Brute force, the judge of what the gate and the looks keep: every frame whole and in overlapping tiles at its own
//! resolution, through the same detector and the same tracker. Far too slow for the service.

use super::{
    detect::{Detector, Outcome, Shown, whole},
    picture::Scaler,
};
use crate::{
    domain::{detection::Detection, frame::Frame},
    logic::{
        attention::starts,
        pack::{Area, Patch},
        seams::{bring_back, merge},
    },
};

/// The looks at one frame: the whole of it, and tiles as large as the detector's input.
#[must_use]
pub fn looks(frame: &Frame, input: [u32; 2]) -> Vec<Patch> {
    let (width, height) = (input[0].min(frame.width), input[1].min(frame.height));
    let target = Area { x: 0, y: 0, width, height };
    let tile = |x, y| Patch { source: Area { x, y, ..target }, target };
    let down = starts(frame.height, height);
    let tiles = starts(frame.width, width).into_iter().flat_map(|x| down.iter().map(move |y| tile(x, *y)));
    let first = whole(frame, input);
    std::iter::once(first).chain(tiles.filter(|t| t.source != first.source)).collect()
}

/// What is seen in one frame, with or without its tiles, and how many runs of the detector that took. `None` for the
/// frame when an answer held a number that is none.
///
/// # Errors
/// What ONNX Runtime said.
pub fn detect(
    detector: &mut Detector,
    frame: &Frame,
    tiles: bool,
    scaler: &mut Scaler,
) -> Result<(Option<Vec<Detection>>, u64), String> {
    let (mut all, mut runs) = (Vec::new(), 0);
    let looks = looks(frame, detector.input());
    let looks = if tiles { &looks[..] } else { &looks[..1] };
    for (index, patch) in looks.iter().enumerate() {
        runs += 1;
        let Outcome::Found(found) = detector.look(&[Shown { frame, patch: *patch }], scaler)? else {
            return Ok((None, runs));
        };
        let mut brought = bring_back(&found, detector.input(), &[*patch], &[(frame.width, frame.height)]);
        brought.iter_mut().for_each(|b| b.patch = index);
        all.extend(brought);
    }
    Ok((Some(merge(all).whole), runs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, time::MediaTime};

    #[test]
    fn tiles_cover_the_picture_and_overlap() {
        for (width, height, count) in
            [(1920u32, 1080u32, 1 + 6 * 4), (768, 432, 1 + 3 * 2), (640, 360, 1 + 2), (320, 180, 1)]
        {
            let data = vec![0; Frame::size_bytes(width, height)].into();
            let frame = Frame { camera: CameraId(1), time: MediaTime(0), width, height, data };
            let looks = looks(&frame, [416, 416]);
            assert_eq!(looks.len(), count, "{width}×{height}");
            for patch in &looks[1..] {
                let source = patch.source;
                assert!(source.x + source.width <= width && source.y + source.height <= height);
                assert_eq!((source.width, source.height), (patch.target.width, patch.target.height));
            }
            let seen = |x: u32, y: u32| looks.iter().any(|p| p.source.holds(Area { x, y, width: 1, height: 1 }));
            assert!((0..width).step_by(7).all(|x| (0..height).step_by(7).all(|y| seen(x, y))));
        }
        let across = starts(1920, 416);
        assert!(across.windows(2).all(|w| w[1] - w[0] <= 312), "{across:?}");
    }
}
