use proptest::prelude::*;

use super::*;
use crate::domain::{ids::CameraId, time::MediaTime};

const W: usize = 160;
const H: usize = 96;

/// sRGB under `light` times the light (clipped as a sensor does), as BT.601.
fn yuv(rgb: [u8; 3], light: f32) -> [u8; 3] {
    let [r, g, b] = rgb.map(|c| {
        let c = f32::from(c) / 255.0;
        let linear = if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
        let lit = (linear * light).min(1.0);
        if lit <= 0.003_130_8 { lit * 12.92 * 255.0 } else { (1.055 * lit.powf(1.0 / 2.4) - 0.055) * 255.0 }
    });
    [
        16.0 + 0.256_79 * r + 0.504_13 * g + 0.097_91 * b,
        128.0 - 0.148_22 * r - 0.290_99 * g + 0.439_22 * b,
        128.0 + 0.439_22 * r - 0.367_79 * g - 0.071_43 * b,
    ]
    .map(|v| v.round().clamp(0.0, 255.0) as u8)
}

struct Picture {
    data: Vec<u8>,
}

impl Picture {
    /// A grey street with a white wall above and a little grass, so that there is a white and a colour in it.
    fn street(light: f32) -> Self {
        let mut picture = Self { data: vec![0; Frame::size_bytes(W as u32, H as u32)] };
        picture.fill([0, 0, W, H], yuv([112, 112, 114], light));
        picture.fill([0, 0, W, 12], yuv([248, 248, 246], light));
        picture.fill([0, 80, 30, H], yuv([70, 110, 60], light));
        picture
    }
    fn fill(&mut self, [x0, y0, x1, y1]: [usize; 4], [y, u, v]: [u8; 3]) {
        for row in y0..y1 {
            self.data[row * W + x0..row * W + x1].fill(y);
            let at = W * H + row / 2 * (W / 2);
            self.data[at + x0 / 2..at + x1 / 2].fill(u);
            let at = at + W * H / 4;
            self.data[at + x0 / 2..at + x1 / 2].fill(v);
        }
    }
    fn frame(&self) -> Frame {
        let (width, height) = (W as u32, H as u32);
        Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: self.data.clone().into() }
    }
}

/// Colours that everybody calls the same.
const SWATCHES: &[([u8; 3], Colour)] = &[
    ([206, 30, 34], Colour::Red),
    ([180, 20, 40], Colour::Red),
    ([110, 20, 25], Colour::Red),
    ([240, 120, 24], Colour::Orange),
    ([250, 140, 0], Colour::Orange),
    ([250, 196, 20], Colour::Yellow),
    ([240, 225, 70], Colour::Yellow),
    ([16, 110, 50], Colour::Green),
    ([60, 160, 70], Colour::Green),
    ([120, 210, 70], Colour::Green),
    ([24, 62, 160], Colour::Blue),
    ([40, 80, 220], Colour::Blue),
    ([100, 170, 230], Colour::Blue),
    ([128, 30, 140], Colour::Purple),
    ([130, 70, 190], Colour::Purple),
    ([255, 105, 180], Colour::Pink),
    ([250, 180, 200], Colour::Pink),
    ([115, 70, 36], Colour::Brown),
    ([85, 52, 28], Colour::Brown),
    ([246, 246, 244], Colour::White),
    ([130, 130, 132], Colour::Grey),
    ([105, 107, 110], Colour::Grey),
    ([24, 24, 26], Colour::Black),
    ([12, 12, 14], Colour::Black),
];

#[test]
fn what_everybody_calls_the_same_keeps_its_name_over_two_stops_of_light() {
    let mut wrong = Vec::new();
    for light in [0.3, 0.5, 0.7, 1.0] {
        for (rgb, right) in SWATCHES {
            let mut picture = Picture::street(light);
            picture.fill([60, 20, 100, 80], yuv(*rgb, light));
            let frame = picture.frame();
            let mut votes = Votes::default();
            let rect = NormBox::new(60.0 / W as f32, 20.0 / H as f32, 100.0 / W as f32, 80.0 / H as f32).unwrap();
            votes.see(&frame, Light::of(&frame).expect("a coloured picture"), Class::Car, rect);
            let found = votes.result(Class::Car);
            let [body] = found.as_slice() else { panic!("{found:?}") };
            let (best, part) = (body.shares[0], body.part);
            if part != Part::Body || best.colour != *right || best.share < 0.99 {
                wrong.push(format!("{rgb:?} at {light}: {:?}, not {right:?}", body.shares));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn strong_colours_survive_half_a_stop_of_overexposure() {
    let light = 1.4;
    let frame = Picture::street(light).frame();
    let lit = Light::of(&frame).expect("a coloured picture");
    for (rgb, right) in SWATCHES.iter().filter(|(rgb, _)| rgb.iter().all(|c| *c < 215)) {
        if matches!(right, Colour::Grey | Colour::Brown) {
            // Lighter than it should be, a grey is white and a brown is orange to anybody.
            continue;
        }
        assert_eq!(lit.name(yuv(*rgb, light)), *right, "{rgb:?}");
    }
}

#[test]
fn infrared_grey_tinted_and_dark_pictures_name_nothing() {
    let shades = |u: u8, v: u8, light: f32| {
        let mut picture = Picture::street(light);
        picture.fill([60, 20, 100, 80], yuv([206, 30, 34], light));
        for (i, chroma) in picture.data[W * H..].iter_mut().enumerate() {
            *chroma = if i < W * H / 4 { u } else { v } + (i % 3) as u8;
        }
        picture.frame()
    };
    assert_eq!(Light::of(&shades(127, 127, 1.0)), None, "infrared");
    assert_eq!(Light::of(&shades(140, 150, 1.0)), None, "infrared through a filter that does not close");
    let mut night = Picture::street(0.003);
    night.fill([60, 20, 100, 80], yuv([206, 30, 34], 0.02));
    assert_eq!(Light::of(&night.frame()), None, "night");
    assert!(Light::of(&Picture::street(1.0).frame()).is_some(), "the street itself has colours");
}

#[test]
fn a_person_has_an_upper_and_a_lower_part_without_head_ground_and_background() {
    let mut picture = Picture::street(1.0);
    let (x, y) = (70, 20);
    // Head, shirt and trousers narrower than the box; the street at its sides and below the feet.
    picture.fill([x + 8, y, x + 16, y + 10], yuv([214, 164, 128], 1.0));
    picture.fill([x + 6, y + 10, x + 18, y + 32], yuv([206, 30, 34], 1.0));
    picture.fill([x + 6, y + 32, x + 18, y + 56], yuv([24, 62, 160], 1.0));
    let frame = picture.frame();
    let rect = NormBox::new(x as f32 / W as f32, y as f32 / H as f32, 94.0 / W as f32, 80.0 / H as f32).unwrap();
    let mut votes = Votes::default();
    votes.see(&frame, Light::of(&frame).unwrap(), Class::Person, rect);
    let colour = |part, colour| PartColours { part, shares: vec![ColourShare { colour, share: 1.0 }] };
    assert_eq!(votes.result(Class::Person), [colour(Part::Upper, Colour::Red), colour(Part::Lower, Colour::Blue)]);
    assert_eq!(votes.result(Class::Car), [], "a person has no bodywork");
}

#[test]
fn one_sighting_in_front_of_something_else_is_outvoted_and_a_cut_person_does_not_count() {
    let mut picture = Picture::street(1.0);
    picture.fill([40, 20, 80, 80], yuv([250, 196, 20], 1.0));
    picture.fill([100, 20, 140, 96], yuv([24, 62, 160], 1.0));
    let frame = picture.frame();
    let light = Light::of(&frame).unwrap();
    let at = |x0: f32, y1: f32| NormBox::new(x0 / W as f32, 20.0 / H as f32, (x0 + 40.0) / W as f32, y1).unwrap();
    let mut votes = Votes::default();
    votes.see(&frame, light, Class::Person, at(100.0, 1.0));
    assert_eq!(votes.result(Class::Person), [], "cut below: legs may be hips");
    for _ in 0..6 {
        votes.see(&frame, light, Class::Person, at(40.0, 80.0 / H as f32));
    }
    votes.see(&frame, light, Class::Person, at(100.0, 80.0 / H as f32));
    let found = votes.result(Class::Person);
    assert_eq!((found.len(), found[0].shares.len()), (2, 1), "{found:?}");
    assert!(found.iter().all(|p| p.shares[0].colour == Colour::Yellow && p.shares[0].share > 0.8), "{found:?}");
}

proptest! {
    #[test]
    fn whatever_the_pixels_and_the_box_shares_are_shares(
        seed in any::<u64>(), x0 in 0.0f32..0.99, y0 in 0.0f32..0.99, w in 0.0f32..1.0, h in 0.0f32..1.0,
        width in 1..40u32, height in 1..40u32, class in 0..6usize,
    ) {
        let mut state = seed | 1;
        let data: Vec<u8> = (0..Frame::size_bytes(width, height)).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        }).collect();
        let frame = Frame { camera: CameraId(1), time: MediaTime(0), width, height, data: data.into() };
        let class = Class::ALL[class];
        let mut votes = Votes::default();
        if let (Some(light), Some(rect)) = (Light::of(&frame), NormBox::new(x0, y0, x0 + w, y0 + h)) {
            votes.see(&frame, light, class, rect);
        }
        for part in votes.result(class) {
            let all: f32 = part.shares.iter().map(|s| s.share).sum();
            prop_assert!(part.shares.len() <= COLOURS_MAX && (SHARE_MIN..=1.001).contains(&all), "{:?}", part);
            prop_assert!(part.bits() != 0);
        }
    }
}
