//! Colours as a witness names them, from the pixels of a box.
//!
//! A pixel goes from BT.601 (limited range) over linear sRGB to OKLab (B. Ottosson, "A perceptual color space for image
//! processing", 2020), where all three numbers grow with the cube root of the light: divided by the lightness of what is
//! brightest in the picture they hardly depend on the exposure. Hue, chroma and lightness then fall into the regions of
//! the eleven basic terms. The regions' borders are ours, set on swatches; between neighbours (red and pink, yellow and
//! brown) there is no truth, only a habit.
//!
//! What it refuses to do: name colours in a picture without colour ([`Light::of`] gives `None` for infrared, for grey and
//! for darkness), see through a coloured lamp (a street under sodium light stays yellow), look at a head, a window, a
//! wheel or the ground beside something: only the middle of each part counts ([`regions`]).

use crate::domain::{
    colour::{Colour, ColourShare, Part, PartColours},
    detection::Class,
    frame::Frame,
    geometry::NormBox,
};

/// Every so many pixels, in both directions, the picture's light is measured.
const LIGHT_STEP: usize = 8;
/// The brightest share of the picture is what is called white in it.
const WHITE_SHARE: f32 = 0.02;
/// A picture whose brightest part is darker than this luma is night: its colours are the sensor's noise.
const NIGHT_LUMA: usize = 56;
/// Two stops of underexposure are made up for; darker than that a scene is dark, not underexposed.
const WHITE_LEAST: f32 = 0.6;
/// A pixel so many levels from the picture's mean chroma has a colour …
const COLOURED_LEVELS: f32 = 6.0;
/// … and when fewer than this share have one, the picture is grey, whatever tint lies over it.
const COLOURED_SHARE: f32 = 0.002;
/// The most pixels of a part that are looked at.
const PIXELS_MAX: usize = 256;
/// A part of fewer pixels says nothing.
const PIXELS_MIN: usize = 16;
/// What is cut at the picture's edge counts so much: as good as nothing once it was seen whole.
const CUT_WEIGHT: f32 = 0.02;
/// So near to the picture's edge a box is taken to be cut.
const EDGE: f32 = 0.004;
/// Colours of a smaller share of a part are not told.
const SHARE_MIN: f32 = 0.15;
/// The most colours of one part.
const COLOURS_MAX: usize = 3;

/// A pixel in OKLab.
#[derive(Debug, Clone, Copy)]
struct Lab {
    light: f32,
    a: f32,
    b: f32,
}

/// From BT.601 luma and chroma, limited range.
fn lab([y, u, v]: [u8; 3]) -> Lab {
    let (y, u, v) = (1.164_38 * (f32::from(y) - 16.0), f32::from(u) - 128.0, f32::from(v) - 128.0);
    let linear = |level: f32| {
        let c = (level / 255.0).clamp(0.0, 1.0);
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    let r = linear(y + 1.596_03 * v);
    let g = linear(y - 0.391_76 * u - 0.812_97 * v);
    let b = linear(y + 2.017_23 * u);
    let l = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let s = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    Lab {
        light: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
        a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
        b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
    }
}

/// The name of a colour of that lightness and chroma (white: 1 and 0) and hue (degrees).
fn name(light: f32, chroma: f32, hue: f32) -> Colour {
    use Colour::{Black, Blue, Brown, Green, Grey, Orange, Pink, Purple, Red, White, Yellow};
    let saturation = chroma / light.max(1e-3);
    if light < 0.2 || light < 0.3 && chroma < 0.06 || light < 0.42 && saturation < 0.115 {
        return Black;
    }
    if saturation < 0.075 || chroma < 0.036 {
        let cream = (60.0..115.0).contains(&hue) && saturation > 0.03;
        return if light >= 0.87 || cream && light >= 0.82 { White } else { Grey };
    }
    match hue {
        0.0..10.0 => {
            if light >= 0.6 {
                Pink
            } else {
                Red
            }
        }
        10.0..38.0 if light >= 0.68 && saturation < 0.24 => Pink,
        10.0..38.0 => {
            if chroma < 0.1 && light < 0.6 {
                Brown
            } else {
                Red
            }
        }
        38.0..72.0 => {
            if saturation >= 0.19 && light >= 0.58 {
                Orange
            } else {
                Brown
            }
        }
        72.0..102.0 => {
            if saturation >= 0.125 && light >= 0.6 {
                Yellow
            } else {
                Brown
            }
        }
        102.0..116.0 => {
            if light >= 0.68 {
                Yellow
            } else {
                Green
            }
        }
        116.0..192.0 => Green,
        192.0..289.0 => Blue,
        289.0..318.0 => Purple,
        318.0..345.0 => {
            if light >= 0.66 {
                Pink
            } else {
                Purple
            }
        }
        _ if light < 0.52 && hue < 352.0 => Purple,
        _ => {
            if light >= 0.58 {
                Pink
            } else {
                Red
            }
        }
    }
}

/// The light a picture was taken in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// OKLab lightness of its brightest part.
    white: f32,
}

impl Light {
    /// That of a frame; `None` when its colours mean nothing: infrared, grey, night.
    #[must_use]
    pub fn of(frame: &Frame) -> Option<Self> {
        let (width, height) = (frame.width as usize, frame.height as usize);
        let (luma, (us, vs)) = (frame.luma(), frame.chroma());
        let across = width.div_ceil(2);
        let mut histogram = [0u32; 256];
        let (mut chroma, mut sum) = (Vec::new(), [0.0f32; 2]);
        for row in (0..height).step_by(LIGHT_STEP) {
            for column in (0..width).step_by(LIGHT_STEP) {
                histogram[usize::from(luma[row * width + column])] += 1;
                let at = row / 2 * across + column / 2;
                let (u, v) = (f32::from(us[at]), f32::from(vs[at]));
                chroma.push((u, v));
                sum = [sum[0] + u, sum[1] + v];
            }
        }
        let count = chroma.len() as f32;
        let [mean_u, mean_v] = sum.map(|s| s / count.max(1.0));
        let coloured = |(u, v): &&(f32, f32)| (u - mean_u).hypot(v - mean_v) >= COLOURED_LEVELS;
        if (chroma.iter().filter(coloured).count() as f32) < count * COLOURED_SHARE {
            return None;
        }
        let (mut brighter, mut level) = (0u32, 255usize);
        while level > 0 && (brighter + histogram[level]) as f32 <= count * WHITE_SHARE {
            brighter += histogram[level];
            level -= 1;
        }
        if level < NIGHT_LUMA {
            return None;
        }
        let white = lab([level as u8, 128, 128]).light.clamp(WHITE_LEAST, 1.0);
        Some(Self { white })
    }
    /// The name of a pixel (Y, U, V).
    #[must_use]
    pub fn name(self, pixel: [u8; 3]) -> Colour {
        let Lab { light, a, b } = lab(pixel);
        let hue = b.atan2(a).to_degrees().rem_euclid(360.0);
        name(light / self.white, a.hypot(b) / self.white, hue)
    }
}

/// Wider than this, of its height, a two-wheeler is seen from the side: the rider's leg hides its middle.
const SIDE_VIEW: f32 = 0.8;

/// The parts that objects of a class have.
#[must_use]
pub const fn parts(class: Class) -> &'static [Part] {
    match class {
        Class::Person => &[Part::Upper, Part::Lower],
        _ => &[Part::Body],
    }
}

/// What is looked at of an object of a class whose box is `aspect` times as wide as high: parts with corners, 0..=1 of the
/// box. Of a person the middle of the chest and of the thighs; of a vehicle the band below the windows and above the road,
/// between the wheels; of a two-wheeler from the side what stands out before and behind the rider.
#[must_use]
pub fn regions(class: Class, aspect: f32) -> &'static [(Part, [f32; 4])] {
    match class {
        Class::Person => &[(Part::Upper, [0.34, 0.22, 0.66, 0.48]), (Part::Lower, [0.36, 0.56, 0.64, 0.76])],
        // Some detectors draw the box around the rider too, some do not: both have the machine here.
        Class::Bicycle | Class::Motorcycle if aspect >= SIDE_VIEW => {
            &[(Part::Body, [0.2, 0.6, 0.4, 0.76]), (Part::Body, [0.6, 0.6, 0.8, 0.76])]
        }
        Class::Bicycle | Class::Motorcycle => &[(Part::Body, [0.36, 0.56, 0.64, 0.76])],
        Class::Car => &[(Part::Body, [0.26, 0.5, 0.74, 0.78])],
        Class::Bus | Class::Truck => &[(Part::Body, [0.24, 0.54, 0.76, 0.82])],
    }
}

/// Whether a box is cut at the picture's sides, and whether above or below.
#[must_use]
pub fn cut(rect: NormBox) -> (bool, bool) {
    let [x0, y0, x1, y1] = rect.corners();
    (x0 < EDGE || x1 > 1.0 - EDGE, y0 < EDGE || y1 > 1.0 - EDGE)
}

/// The colours of one object, voted over its sightings.
#[derive(Debug, Clone, Default)]
pub struct Votes([[f32; Colour::ALL.len()]; Part::ALL.len()]);

impl Votes {
    /// Counts a sighting in. A larger one counts more, one that is cut at the picture's edge hardly at all; of a person
    /// cut above or below it is not known which part is where.
    pub fn see(&mut self, frame: &Frame, light: Light, class: Class, rect: NormBox) {
        let weight = match (class, cut(rect)) {
            (_, (false, false)) => 1.0,
            (Class::Person, (_, true)) => return,
            _ => CUT_WEIGHT,
        };
        let aspect = rect.width() * frame.width as f32 / (rect.height() * frame.height as f32);
        for (part, region) in regions(class, aspect) {
            let Some(shares) = shares(frame, light, rect, *region) else { continue };
            for (mine, share) in self.0[*part as usize].iter_mut().zip(shares) {
                *mine += weight * share;
            }
        }
    }
    /// The parts of `class` of which something was seen, with their colours.
    #[must_use]
    pub fn result(&self, class: Class) -> Vec<PartColours> {
        let part = |part: Part| {
            let votes = &self.0[part as usize];
            let all: f32 = votes.iter().sum();
            let share = |(colour, votes): (Colour, &f32)| ColourShare { colour, share: (votes / all).clamp(0.0, 1.0) };
            let mut shares: Vec<_> = Colour::ALL.into_iter().zip(votes).map(share).collect();
            shares.sort_by(|a, b| b.share.total_cmp(&a.share));
            shares.retain(|s| s.share >= SHARE_MIN);
            shares.truncate(COLOURS_MAX);
            (all > 0.0 && !shares.is_empty()).then_some(PartColours { part, shares })
        };
        parts(class).iter().filter_map(|p| part(*p)).collect()
    }
}

/// How many pixels of a region of a box have which colour; `None` for one that is too small. At most [`PIXELS_MAX`] are
/// looked at, but all count.
fn shares(frame: &Frame, light: Light, rect: NormBox, [x0, y0, x1, y1]: [f32; 4]) -> Option<[f32; 11]> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let [left, top, ..] = rect.corners();
    let edge = |from: f32, size: f32, part: f32, pixels: usize| {
        ((from + size * part) * pixels as f32).round().clamp(0.0, pixels as f32) as usize
    };
    let (from_x, to_x) = (edge(left, rect.width(), x0, width), edge(left, rect.width(), x1, width));
    let (from_y, to_y) = (edge(top, rect.height(), y0, height), edge(top, rect.height(), y1, height));
    let pixels = (to_x - from_x) * (to_y - from_y);
    if pixels < PIXELS_MIN {
        return None;
    }
    let step = (pixels as f32 / PIXELS_MAX as f32).sqrt().ceil().max(1.0) as usize;
    let (luma, (us, vs)) = (frame.luma(), frame.chroma());
    let across = width.div_ceil(2);
    let (mut shares, mut looked) = ([0.0f32; 11], 0.0f32);
    for y in (from_y..to_y).step_by(step) {
        for x in (from_x..to_x).step_by(step) {
            let at = y / 2 * across + x / 2;
            shares[light.name([luma[y * width + x], us[at], vs[at]]) as usize] += 1.0;
            looked += 1.0;
        }
    }
    let weight = pixels as f32 / looked.max(1.0);
    Some(shares.map(|s| s * weight))
}

#[cfg(test)]
mod tests;
