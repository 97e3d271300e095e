//! What is kept of each live track of one camera, in the child: votes for classes, colours, the best pictures.
//!
//! In: each analysed frame with its tracks. Out: a [`TrackLook`] when a track is first believed, so that it can be found
//! while it is still there, and one when it is over. Limits: [`TRACKS_MAX`] tracks with two pictures of at most
//! [`CROP_BYTES_MAX`] bytes; a picture is made anew only when it gets clearly better. Refuses to keep frames.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::picture::{Planes, Scaler};
use crate::{
    domain::{
        detection::{Class, Detection},
        frame::Frame,
        geometry::NormBox,
        ids::{CameraId, TrackId},
        look::{CROP_BYTES_MAX, TrackLook},
        time::MediaTime,
        track::TrackPoint,
    },
    logic::colour::named::{self, Light, Votes},
};

/// Tracks of one camera at a time; of more, those not yet believed and unseen for longest are forgotten.
const TRACKS_MAX: usize = 64;
/// Longer side of a picture at most, pixels.
const SIDE_MAX: u32 = 192;
/// So much of its own size a picture shows around the box.
const MARGIN: f32 = 0.08;
/// A picture is made anew when it gets better by this factor.
const BETTER: f32 = 1.15;
/// The sharpest picture is looked for among sightings at least so large, of the largest one's width and height.
const SHARP_SIZE: f32 = 0.6;
/// A sighting of which others hide more than this tells no colours.
const HIDDEN_MAX: f32 = 0.35;
/// The most pixels whose sharpness is measured.
const SHARP_PIXELS: usize = 10_000;

/// A picture, and why it is kept.
#[derive(Debug, Clone)]
struct Crop {
    whole: bool,
    rank: f32,
    /// Square pixels.
    area: f32,
    time: MediaTime,
    jpeg: Bytes,
    /// Whether it was said already.
    told: bool,
}

impl Crop {
    /// Whether another one is so much better that it is worth a new picture.
    fn yields_to(held: Option<&Self>, whole: bool, rank: f32) -> bool {
        held.is_none_or(|h| (whole && !h.whole) || (whole == h.whole && rank > h.rank * BETTER))
    }
    fn tell(crop: Option<&mut Self>) -> Option<Bytes> {
        let crop = crop.filter(|c| !c.told)?;
        crop.told = true;
        Some(crop.jpeg.clone())
    }
}

#[derive(Debug)]
struct Kept {
    class: Class,
    confirmed: bool,
    seen: MediaTime,
    votes: [u32; Class::ALL.len()],
    colours: Votes,
    /// Width and height of the largest sighting, pixels, and whether it was whole.
    size: (bool, [f32; 2]),
    largest: Option<Crop>,
    sharpest: Option<Crop>,
}

impl Kept {
    fn new(point: &TrackPoint, time: MediaTime) -> Self {
        Self {
            class: point.class,
            confirmed: false,
            seen: time,
            votes: Default::default(),
            colours: Votes::default(),
            size: (false, [0.0; 2]),
            largest: None,
            sharpest: None,
        }
    }
    fn look(&mut self, camera: CameraId, track: TrackId) -> TrackLook {
        let votes = Class::ALL.into_iter().zip(self.votes).filter(|(_, n)| *n > 0).collect();
        let same = self.largest.as_ref().zip(self.sharpest.as_ref()).is_some_and(|(l, s)| l.time == s.time);
        TrackLook {
            camera,
            track,
            votes,
            colours: self.colours.result(self.class),
            size_px: self.size.1.map(|px| px.round().clamp(0.0, 16_384.0) as u16),
            largest: Crop::tell(self.largest.as_mut()),
            sharpest: Crop::tell(self.sharpest.as_mut().filter(|_| !same)),
        }
    }
}

/// The live tracks of one camera.
#[derive(Debug, Default)]
pub struct Keeper {
    tracks: BTreeMap<TrackId, Kept>,
    /// Said since they were last taken.
    said: Vec<TrackLook>,
}

impl Keeper {
    /// Takes one frame with what was found in it. Looks of the frame before that nobody took are forgotten.
    pub fn frame(
        &mut self,
        frame: &Frame,
        points: &[TrackPoint],
        ended: &[TrackId],
        found: &[Detection],
        scaler: &mut Scaler,
    ) {
        self.said.clear();
        self.end(frame.camera, ended);
        let mut light = None;
        for point in points.iter().filter(|p| !p.held) {
            if !self.tracks.contains_key(&point.track) && !self.has_room() {
                continue;
            }
            let kept = self.tracks.entry(point.track).or_insert_with(|| Kept::new(point, frame.time));
            (kept.class, kept.seen) = (point.class, frame.time);
            let detected = found.iter().find(|d| d.rect == point.rect).map_or(point.class, |d| d.class);
            kept.votes[detected as usize] = kept.votes[detected as usize].saturating_add(1);
            let hidden = hidden(point, points);
            if hidden <= HIDDEN_MAX
                && let Some(light) = *light.get_or_insert_with(|| Light::of(frame))
            {
                kept.colours.see(frame, light, point.class, point.rect);
            }
            picture(kept, frame, point.rect, 1.0 - hidden, scaler);
            if point.confirmed && !kept.confirmed {
                kept.confirmed = true;
                self.said.push(kept.look(frame.camera, point.track));
            }
        }
    }
    /// These tracks are over.
    pub fn end(&mut self, camera: CameraId, ended: &[TrackId]) {
        for id in ended {
            if let Some(mut kept) = self.tracks.remove(id).filter(|k| k.confirmed) {
                self.said.push(kept.look(camera, *id));
            }
        }
    }
    /// What is to be said.
    pub fn take(&mut self) -> Vec<TrackLook> {
        std::mem::take(&mut self.said)
    }
    /// Whether one more can be kept; an unbelieved one unseen for longest makes room.
    fn has_room(&mut self) -> bool {
        if self.tracks.len() >= TRACKS_MAX {
            let doubtful = self.tracks.iter().filter(|(_, k)| !k.confirmed);
            let Some(oldest) = doubtful.min_by_key(|(_, k)| k.seen).map(|(id, _)| *id) else { return false };
            self.tracks.remove(&oldest);
        }
        true
    }
}

/// The greatest share of a box that something before it, standing lower in the picture, may hide.
pub(super) fn hidden(point: &TrackPoint, points: &[TrackPoint]) -> f32 {
    let [x0, y0, x1, y1] = point.rect.corners();
    let share = |other: &TrackPoint| {
        let [a0, b0, a1, b1] = other.rect.corners();
        let shared = (x1.min(a1) - x0.max(a0)).max(0.0) * (y1.min(b1) - y0.max(b0)).max(0.0);
        if other.track != point.track && b1 > y1 { shared / point.rect.area() } else { 0.0 }
    };
    points.iter().map(share).fold(0.0, f32::max).min(1.0)
}

/// Makes a picture of the sighting when it is a better one. `view`: how much of it nobody hides.
fn picture(kept: &mut Kept, frame: &Frame, rect: NormBox, view: f32, scaler: &mut Scaler) {
    let size = [rect.width() * frame.width as f32, rect.height() * frame.height as f32];
    let (sides, ends) = named::cut(rect);
    let whole = !sides && !ends;
    let area = size[0] * size[1];
    if (whole, area) > (kept.size.0, kept.size.1[0] * kept.size.1[1]) {
        kept.size = (whole, size);
    }
    let rank = area * view * view;
    if Crop::yields_to(kept.largest.as_ref(), whole, rank)
        && let Some(jpeg) = jpeg(frame, rect, scaler)
    {
        kept.largest = Some(Crop { whole, rank, area, time: frame.time, jpeg, told: false });
    }
    let least = kept.size.1[0] * kept.size.1[1] * SHARP_SIZE * SHARP_SIZE;
    if area < least {
        return;
    }
    let rank = sharpness(frame, rect) * area.sqrt() * view * view;
    if Crop::yields_to(kept.sharpest.as_ref().filter(|held| held.area >= least), whole, rank)
        && let Some(jpeg) = jpeg(frame, rect, scaler)
    {
        kept.sharpest = Some(Crop { whole, rank, area, time: frame.time, jpeg, told: false });
    }
}

/// Left, top, right, bottom of a box in pixels, even ones, so that chroma lies on luma; at least 2 × 2.
fn pixels(frame: &Frame, rect: NormBox) -> [usize; 4] {
    let even = |v: f32, of: u32| ((v * of as f32 / 2.0).round() * 2.0).clamp(0.0, (of & !1) as f32) as usize;
    let [x0, y0, x1, y1] = rect.corners();
    let [left, top] = [even(x0, frame.width), even(y0, frame.height)];
    [left, top, even(x1, frame.width).max(left + 2), even(y1, frame.height).max(top + 2)]
}

/// The box and a little around it as JPEG; `None` when there is no picture of so few bytes.
fn jpeg(frame: &Frame, rect: NormBox, scaler: &mut Scaler) -> Option<Bytes> {
    let [left, top, right, bottom] = pixels(frame, rect.grown(MARGIN));
    let (width, height) = (frame.width as usize, frame.height as usize);
    if right > width || bottom > height {
        return None;
    }
    let (u, v) = frame.chroma();
    let mut data = Vec::with_capacity(Frame::size_bytes((right - left) as u32, (bottom - top) as u32));
    let mut copy = |plane: &[u8], across: usize, [l, t, r, b]: [usize; 4]| {
        (t..b).for_each(|row| data.extend_from_slice(&plane[row * across + l..row * across + r]));
    };
    copy(frame.luma(), width, [left, top, right, bottom]);
    for plane in [u, v] {
        copy(plane, width.div_ceil(2), [left, top, right, bottom].map(|edge| edge / 2));
    }
    let (wide, high) = ((right - left) as u32, (bottom - top) as u32);
    let cut = Frame { width: wide, height: high, data: data.into(), ..frame.clone() };
    let mut side = SIDE_MAX;
    while side >= 24 {
        let width_max = (side * wide / wide.max(high)).max(2);
        let jpeg = Planes::of(&cut, width_max, scaler).jpeg();
        if (1..=CROP_BYTES_MAX).contains(&jpeg.len()) {
            return Some(jpeg);
        }
        side = side * 2 / 3;
    }
    None
}

/// How sharp: the mean energy of the luma's gradient (Tenengrad: Krotkov, "Focusing", 1988), in squared levels a pixel.
/// Of sharp pictures of one thing it falls with the size, as edges stay as thin as before.
fn sharpness(frame: &Frame, rect: NormBox) -> f32 {
    let [left, top, right, bottom] = pixels(frame, rect);
    let (width, luma) = (frame.width as usize, frame.luma());
    let (right, bottom) = (right.min(width), bottom.min(frame.height as usize));
    let step = ((right - left) * (bottom - top)).div_ceil(SHARP_PIXELS).max(1);
    let (mut energy, mut count) = (0.0f32, 1.0f32);
    for y in (top + 1..bottom.saturating_sub(1)).step_by(step) {
        for x in left + 1..right.saturating_sub(1) {
            let at = |dx: usize, dy: usize| f32::from(luma[(y + dy - 1) * width + x + dx - 1]);
            let gx = at(2, 0) + 2.0 * at(2, 1) + at(2, 2) - at(0, 0) - 2.0 * at(0, 1) - at(0, 2);
            let gy = at(0, 2) + 2.0 * at(1, 2) + at(2, 2) - at(0, 0) - 2.0 * at(1, 0) - at(2, 0);
            energy += gx * gx + gy * gy;
            count += 1.0;
        }
    }
    energy / count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::colour::{Colour, Part};

    const W: u32 = 320;
    const H: u32 = 180;
    const RED: [u8; 3] = [90, 90, 230];
    const BLUE: [u8; 3] = [60, 200, 105];

    /// Grey with a white strip above, and a striped object of two halves in a box; the softer, the fainter its stripes.
    fn frame(second: i64, [x0, y0, x1, y1]: [usize; 4], soft: usize) -> Frame {
        let (w, h) = (W as usize, H as usize);
        let mut data = vec![128u8; Frame::size_bytes(W, H)];
        data[..w * 8].fill(235);
        for y in y0..y1 {
            let colour = if y < (y0 + y1) / 2 { RED } else { BLUE };
            for x in x0..x1 {
                data[y * w + x] = colour[0] + if x % 6 < 3 { 24 / (soft as u8 + 1) } else { 0 };
                let at = w * h + y / 2 * (w / 2) + x / 2;
                (data[at], data[at + w * h / 4]) = (colour[1], colour[2]);
            }
        }
        Frame { camera: CameraId(3), time: MediaTime(second * 1_000_000), width: W, height: H, data: data.into() }
    }
    fn point(track: i64, [x0, y0, x1, y1]: [usize; 4], confirmed: bool) -> TrackPoint {
        let (w, h) = (W as f32, H as f32);
        let rect = NormBox::new(x0 as f32 / w, y0 as f32 / h, x1 as f32 / w, y1 as f32 / h).unwrap();
        TrackPoint {
            track: TrackId(track),
            class: Class::Person,
            score: 0.8,
            rect,
            confirmed,
            held: false,
            identity: 1.0,
        }
    }
    fn size(jpeg: &[u8]) -> (u32, u32) {
        image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().to_rgb8().dimensions()
    }

    #[test]
    fn a_track_is_told_when_it_is_believed_and_when_it_is_over_with_what_got_better_since() {
        let (mut keeper, mut scaler) = (Keeper::default(), Scaler::default());
        let (small, large, cut) = ([40, 60, 60, 100], [60, 50, 100, 130], [280, 20, 320, 180]);
        keeper.frame(&frame(0, small, 0), &[point(7, small, false)], &[], &[], &mut scaler);
        assert_eq!(keeper.take(), [], "not believed yet");
        let car = Detection { class: Class::Car, score: 0.5, rect: point(7, small, true).rect };
        keeper.frame(&frame(1, small, 0), &[point(7, small, true)], &[], &[car], &mut scaler);
        let [early] = &keeper.take()[..] else { panic!("nothing was told") };
        assert_eq!(early.votes, [(Class::Person, 1), (Class::Car, 1)]);
        assert_eq!((early.size_px, early.sharpest.as_ref()), ([20, 40], None), "one picture is both");
        let told = size(early.largest.as_ref().unwrap());
        assert!(told.0 >= 20 && told.1 >= 40 && told.1 < 60, "{told:?}");
        // Sharp and large, then larger but soft, then cut at the picture's edge.
        keeper.frame(&frame(2, large, 0), &[point(7, large, true)], &[], &[], &mut scaler);
        let soft = [60, 50, 104, 140];
        keeper.frame(&frame(3, soft, 12), &[point(7, soft, true)], &[], &[], &mut scaler);
        keeper.frame(&frame(4, cut, 0), &[point(7, cut, true)], &[], &[], &mut scaler);
        assert_eq!(keeper.take(), []);
        keeper.frame(&frame(5, cut, 0), &[], &[TrackId(7)], &[], &mut scaler);
        let [late] = &keeper.take()[..] else { panic!("its end was not told") };
        assert_eq!((late.camera, late.track, late.size_px), (CameraId(3), TrackId(7), [44, 90]));
        let (largest, sharpest) = (size(late.largest.as_ref().unwrap()), size(late.sharpest.as_ref().unwrap()));
        assert!(largest.1 > sharpest.1 && sharpest.1 >= 80, "{largest:?} {sharpest:?}");
        let colours: Vec<_> = late.colours.iter().map(|p| (p.part, p.shares[0].colour)).collect();
        assert_eq!(colours, [(Part::Upper, Colour::Red), (Part::Lower, Colour::Blue)]);
        assert_eq!(late.check(), Ok(()));
        keeper.frame(&frame(6, cut, 0), &[], &[TrackId(7)], &[], &mut scaler);
        assert_eq!(keeper.take(), [], "told twice");
    }

    #[test]
    fn what_was_never_believed_is_not_told_and_makes_room() {
        let (mut keeper, mut scaler) = (Keeper::default(), Scaler::default());
        let at = [40, 60, 60, 100];
        let picture = frame(0, at, 0);
        for track in 0..1000 {
            keeper.frame(&picture, &[point(track, at, track < 10)], &[], &[], &mut scaler);
            assert_eq!(keeper.take().len(), usize::from(track < 10));
        }
        assert!(keeper.tracks.len() <= TRACKS_MAX);
        let all: Vec<_> = (0..1000).map(TrackId).collect();
        keeper.frame(&picture, &[], &all, &[], &mut scaler);
        assert_eq!(keeper.take().len(), 10, "those believed are still there");
    }

    #[test]
    fn what_others_hide_lends_no_colours_and_no_picture_is_too_large() {
        let (mut keeper, mut scaler) = (Keeper::default(), Scaler::default());
        let (behind, before) = ([40, 40, 80, 120], [50, 50, 80, 150]);
        let mut noise = frame(0, before, 0);
        let mut state = 9u32;
        let data: Vec<u8> = noise
            .data
            .iter()
            .map(|level| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                level.wrapping_add((state >> 24) as u8)
            })
            .collect();
        noise.data = data.into();
        let points = [point(1, behind, true), point(2, [0, 0, 320, 180], true), point(3, before, true)];
        keeper.frame(&noise, &points, &[], &[], &mut scaler);
        let told = keeper.take();
        assert_eq!(told.len(), 3);
        assert_eq!(told[0].colours, [], "hidden by the one before it");
        for look in &told {
            assert!(look.largest.as_ref().is_some_and(|jpeg| jpeg.len() <= CROP_BYTES_MAX));
            assert_eq!(look.check(), Ok(()));
        }
    }
}
