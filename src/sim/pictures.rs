//! Drawn pictures with their truth, as the training of a detector reads them: a source among others (`images/`,
//! `labels/`, `ambig/`, `train.txt`, `val.txt`), and `sources.json` beside it.
//!
//! A line of a label is `class cx cy w h`, shares of the picture; what is hidden behind something nearer or is only a
//! sliver at the edge stands in `ambig/` with `x`: neither to be found nor to be missed.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{
    draw::Painter,
    random::Random,
    scene::{SCENES, Scene},
};
use crate::domain::{detection::Class, geometry::NormBox};

/// Size of the pictures.
const SIZE: (u32, u32) = (640, 360);
/// Of a box, the share that something nearer may cover.
const HIDDEN: f32 = 0.65;
/// The least width and height of a box, pixels.
const SLIVER: (f32, f32) = (4.0, 6.0);

/// One picture.
#[derive(Debug)]
pub struct Drawn {
    /// Differs from every other's.
    pub name: String,
    /// What it shows, I420.
    pub data: Vec<u8>,
    /// What must be found.
    pub objects: Vec<(Class, NormBox)>,
    /// What is hidden or cut.
    pub left_out: Vec<(Class, NormBox)>,
}

/// `frames` pictures of each of the scenes of a seed, mostly with something in them; width and height are
/// [`Drawn::size`].
pub fn of_seed(seed: u64, frames: usize) -> impl Iterator<Item = Drawn> {
    (1..=SCENES).flat_map(move |camera| of_scene(seed, camera, frames))
}

fn of_scene(seed: u64, camera: u32, frames: usize) -> Vec<Drawn> {
    let scene = Scene::new(seed, camera);
    let mut random = Random::of(&[seed, u64::from(camera), 99]);
    let mut painter = Painter::new(&scene, SIZE.0, SIZE.1);
    let mut all = Vec::new();
    // A loop is empty for a fifth of its time, so this ends.
    while all.len() < frames {
        let t_us = random.below(scene.loop_us());
        let there = scene.objects_at(t_us);
        if there.len() < 2 && random.below(8) > 0 {
            continue;
        }
        let boxes: Vec<_> = there.iter().map(|(_, class, rect)| (*class, *rect)).collect();
        // The nearer ones come later.
        let seen = |i: usize| {
            let (own, [x0, y0, x1, y1]) = (boxes[i].1, boxes[i].1.corners());
            let covered: f32 = boxes[i + 1..].iter().map(|(_, near)| shared(own, *near)).sum();
            covered <= HIDDEN * own.area()
                && (x1 - x0) * SIZE.0 as f32 >= SLIVER.0
                && (y1 - y0) * SIZE.1 as f32 >= SLIVER.1
        };
        let (objects, left_out): (Vec<usize>, Vec<usize>) = (0..boxes.len()).partition(|i| seen(*i));
        let name = format!("{seed}_{camera}_{}", all.len());
        let chosen = |numbers: Vec<usize>| numbers.into_iter().map(|i| boxes[i]).collect();
        let data = painter.frame(t_us).to_vec();
        all.push(Drawn { name, data, objects: chosen(objects), left_out: chosen(left_out) });
    }
    all
}

/// Area that two boxes share.
fn shared(a: NormBox, b: NormBox) -> f32 {
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (a.corners(), b.corners());
    (ax1.min(bx1) - ax0.max(bx0)).max(0.0) * (ay1.min(by1) - ay0.max(by0)).max(0.0)
}

impl Drawn {
    /// Width and height of every picture, pixels.
    #[must_use]
    pub const fn size() -> (u32, u32) {
        SIZE
    }
    /// As a binary pixmap (`P6`), red, green and blue.
    fn pixmap(&self) -> Vec<u8> {
        let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
        let mut out = format!("P6\n{width} {height}\n255\n").into_bytes();
        let (luma, chroma) = self.data.split_at(width * height);
        let (us, vs) = chroma.split_at(width * height / 4);
        for y in 0..height {
            for x in 0..width {
                let at = (y / 2) * (width / 2) + x / 2;
                let l = 1.164 * (f32::from(luma[y * width + x]) - 16.0);
                let (u, v) = (f32::from(us[at]) - 128.0, f32::from(vs[at]) - 128.0);
                // ITU-R BT.601, limited range.
                let rgb = [l + 1.596 * v, l - 0.392 * u - 0.813 * v, l + 2.017 * u];
                out.extend(rgb.map(|part| part.round().clamp(0.0, 255.0) as u8));
            }
        }
        out
    }
    fn lines(of: &[(Class, NormBox)], word: impl Fn(Class) -> String) -> String {
        let mut text = String::new();
        for (class, rect) in of {
            let [x0, y0, x1, y1] = rect.corners();
            let (x, y, w, h) = ((x0 + x1) / 2.0, (y0 + y1) / 2.0, x1 - x0, y1 - y0);
            let _ = writeln!(text, "{} {x:.5} {y:.5} {w:.5} {h:.5}", word(*class));
        }
        text
    }
}

/// Writes `seeds` scenes to train with, from `seed` on, and a quarter as many, of other seeds, to be held out.
///
/// # Errors
/// The file's error.
pub fn write(folder: &Path, seed: u64, seeds: u64) -> std::io::Result<usize> {
    let source = folder.join("drawn");
    for part in ["images", "labels", "ambig"] {
        std::fs::create_dir_all(source.join(part))?;
    }
    let mut written = 0;
    let held_out = seed + 1_000_000;
    for (list, seeds, frames) in
        [("train.txt", seed..seed + seeds, 3), ("val.txt", held_out..held_out + seeds.div_ceil(4), 2)]
    {
        let mut names = String::new();
        for drawn in seeds.flat_map(|s| of_seed(s, frames)) {
            let at = |part: &str, end: &str| -> PathBuf { source.join(part).join(&drawn.name).with_extension(end) };
            std::fs::write(at("images", "ppm"), drawn.pixmap())?;
            let number = |class: Class| Class::ALL.iter().position(|c| *c == class).unwrap_or(0).to_string();
            std::fs::write(at("labels", "txt"), Drawn::lines(&drawn.objects, number))?;
            std::fs::write(at("ambig", "txt"), Drawn::lines(&drawn.left_out, |_| "x".to_owned()))?;
            let _ = writeln!(names, "images/{}.ppm", drawn.name);
            written += 1;
        }
        std::fs::write(source.join(list), names)?;
    }
    let told = r#"{"drawn": {"labelled": [0, 1, 2, 3, 4, 5], "rider_in_box": true, "licence": "Apache-2.0"}}"#;
    std::fs::write(folder.join("sources.json"), told)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::frame::Frame;

    #[test]
    fn a_set_is_the_same_for_the_same_seed_and_says_what_is_on_its_pictures() {
        let folder = tempfile::tempdir().unwrap();
        let written = write(folder.path(), 5, 1).unwrap();
        assert_eq!(written, (3 + 2) * SCENES as usize);
        let names = std::fs::read_to_string(folder.path().join("drawn/train.txt")).unwrap();
        let first = names.lines().next().unwrap();
        let picture = std::fs::read(folder.path().join("drawn").join(first)).unwrap();
        assert_eq!(picture.len(), b"P6\n640 360\n255\n".len() + Frame::size_bytes(640, 360) * 2);
        let label = first.replace("images", "labels").replace("ppm", "txt");
        let text = std::fs::read_to_string(folder.path().join("drawn").join(label)).unwrap();
        let drawn = of_seed(5, 3).next().unwrap();
        assert_eq!(text.lines().count(), drawn.objects.len());
        let again = of_seed(5, 3).next().unwrap();
        assert!(drawn.data == again.data && drawn.objects == again.objects);
    }
}
