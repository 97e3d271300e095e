//! Average precision where labels leave something open, and the held-out lists of a source.

use std::path::{Path, PathBuf};

use vonglau::domain::{
    detection::{Class, Detection},
    geometry::NormBox,
};

/// Overlaps asked for: 0.5, 0.55 … 0.95.
const STEPS: usize = 10;
/// Finds of a class that are looked at in one picture.
const FINDS: usize = 100;

fn step(i: usize) -> f32 {
    0.5 + 0.05 * i as f32
}

/// What is known about one picture. Sets of classes are a bit each.
#[derive(Debug, Default)]
pub struct Truth {
    /// Boxes and what they may be.
    pub boxes: Vec<(u8, NormBox)>,
    /// Where finds of these classes do not count.
    pub areas: Vec<(u8, NormBox)>,
    /// Classes that are labelled.
    pub labelled: u8,
}

/// Which share of `a` lies in `b`.
fn inside(a: NormBox, b: NormBox) -> f32 {
    let ([ax0, ay0, ax1, ay1], [bx0, by0, bx1, by1]) = (a.corners(), b.corners());
    let shared = (ax1.min(bx1) - ax0.max(bx0)).max(0.0) * (ay1.min(by1) - ay0.max(by0)).max(0.0);
    shared / a.area().max(1e-9)
}

/// One find: its score, and at each overlap whether it hits and whether it does not count.
#[derive(Debug, Clone, Copy)]
struct Find {
    score: f32,
    hit: [bool; STEPS],
    free: [bool; STEPS],
}

/// Finds and truth of many pictures.
#[derive(Debug, Default)]
pub struct Tally {
    finds: [Vec<Find>; 6],
    counts: [usize; 6],
}

impl Tally {
    /// One more picture.
    pub fn add(&mut self, truth: &Truth, found: &[Detection]) {
        for class in Class::ALL {
            let bit = 1u8 << class as u8;
            if truth.labelled & bit == 0 {
                continue;
            }
            let of = |known: &[(u8, NormBox)], takes: &dyn Fn(u8) -> bool| -> Vec<NormBox> {
                known.iter().filter(|(set, _)| takes(*set)).map(|(_, rect)| *rect).collect()
            };
            let sure = of(&truth.boxes, &|set| set == bit);
            let open = of(&truth.boxes, &|set| set != bit && set & bit != 0);
            let areas = of(&truth.areas, &|set| set & bit != 0);
            self.counts[class as usize] += sure.len();
            let mut mine: Vec<&Detection> = found.iter().filter(|d| d.class == class).collect();
            mine.sort_by(|a, b| b.score.total_cmp(&a.score));
            mine.truncate(FINDS);
            self.finds[class as usize].extend(matched(&mine, &sure, &open, &areas));
        }
    }
    /// How many there are to be found.
    pub fn count(&self, class: Class) -> usize {
        self.counts[class as usize]
    }
    /// AP50 and AP50-95; `None` where there is nothing to find.
    pub fn ap(&self, class: Class) -> Option<[f64; 2]> {
        let count = self.counts[class as usize];
        if count == 0 {
            return None;
        }
        let mut finds = self.finds[class as usize].clone();
        finds.sort_by(|a, b| b.score.total_cmp(&a.score));
        let each: Vec<f64> =
            (0..STEPS).map(|i| area(finds.iter().filter(|f| !f.free[i]).map(|f| f.hit[i]), count)).collect();
        Some([each[0], each.iter().sum::<f64>() / STEPS as f64])
    }
}

fn matched(mine: &[&Detection], sure: &[NormBox], open: &[NormBox], areas: &[NormBox]) -> Vec<Find> {
    let mut taken = vec![vec![false; sure.len()]; STEPS];
    let mut finds = Vec::new();
    for found in mine {
        let near = open.iter().map(|o| found.rect.iou(*o)).fold(0.0, f32::max);
        let hidden = areas.iter().any(|a| inside(found.rect, *a) > 0.5);
        let mut find = Find { score: found.score, hit: [false; STEPS], free: [false; STEPS] };
        for (i, taken) in taken.iter_mut().enumerate() {
            let best = (0..sure.len())
                .filter(|n| !taken[*n])
                .map(|n| (n, found.rect.iou(sure[n])))
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .filter(|(_, overlap)| *overlap >= step(i));
            if let Some((n, _)) = best {
                taken[n] = true;
                find.hit[i] = true;
            } else {
                find.free[i] = hidden || near >= step(i);
            }
        }
        finds.push(find);
    }
    finds
}

/// Area under precision over recall, at 101 points as COCO takes them.
fn area(hits: impl Iterator<Item = bool>, count: usize) -> f64 {
    let mut right = 0usize;
    let mut curve: Vec<(f64, f64)> = Vec::new();
    for (i, hit) in hits.enumerate() {
        right += usize::from(hit);
        curve.push((right as f64 / count as f64, right as f64 / (i + 1) as f64));
    }
    for i in (1..curve.len()).rev() {
        curve[i - 1].1 = curve[i - 1].1.max(curve[i].1);
    }
    let at = |recall: f64| {
        let first = curve.partition_point(|(r, _)| *r < recall - 1e-12);
        curve.get(first).map_or(0.0, |(_, precision)| *precision)
    };
    (0..=100).map(|i| at(f64::from(i) / 100.0)).sum::<f64>() / 101.0
}

/// The held-out pictures of a source that labels those classes; none where there is no list. Where bikes are drawn without
/// their riders (`apart`), they are put together first.
pub fn held_out(folder: &Path, labelled: u8, apart: bool) -> Vec<(PathBuf, Truth)> {
    let list = std::fs::read_to_string(folder.join("val.txt")).unwrap_or_default();
    let truth = |name: &str| {
        let stem = Path::new(name).file_stem().expect("a name").to_string_lossy().into_owned();
        let mut truth = Truth { labelled, ..Truth::default() };
        for (words, rect) in lines(&folder.join("labels").join(format!("{stem}.txt"))) {
            truth.boxes.push((1 << words.parse::<u8>().expect("a class"), rect));
        }
        if apart {
            let known = truth.boxes.drain(..).map(|(set, rect)| Detection {
                class: Class::ALL[set.trailing_zeros() as usize],
                score: 1.0,
                rect,
            });
            truth.boxes = with_riders(known.collect()).into_iter().map(|d| (1 << d.class as u8, d.rect)).collect();
        }
        for (words, rect) in lines(&folder.join("ambig").join(format!("{stem}.txt"))) {
            if words == "x" {
                truth.areas.push((63, rect));
            } else {
                truth.boxes.push((words.split(',').map(|n| 1u8 << n.parse::<u8>().expect("a class")).sum(), rect));
            }
        }
        hide_riders(&mut truth);
        (folder.join(name), truth)
    };
    list.split_whitespace().map(truth).collect()
}

/// A person on a bike is neither right nor wrong.
fn hide_riders(truth: &mut Truth) {
    let bikes: Vec<NormBox> = truth.boxes.iter().filter(|(set, _)| set & 0b110 != 0).map(|(_, rect)| *rect).collect();
    truth.boxes.retain(|(set, rect)| *set != 1 || !bikes.iter().any(|bike| inside(*rect, *bike) > 0.6));
    truth.areas.extend(bikes.into_iter().map(|bike| (1, bike)));
}

/// `class cx cy w h` a line.
fn lines(path: &Path) -> Vec<(String, NormBox)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let class = words.next()?.to_owned();
        let numbers: Vec<f32> = words.filter_map(|w| w.parse().ok()).collect();
        let [x, y, w, h] = *numbers.first_chunk()?;
        Some((class, NormBox::new(x - w / 2.0, y - h / 2.0, x + w / 2.0, y + h / 2.0)?))
    };
    text.lines().filter_map(parse).collect()
}

/// Bikes grown by who rides them, without the riders: the rule by which the labels were drawn.
pub fn with_riders(found: Vec<Detection>) -> Vec<Detection> {
    const SURE: f32 = 0.25;
    let is_bike = |d: &Detection| matches!(d.class, Class::Bicycle | Class::Motorcycle) && d.score > SURE;
    let mut grown = found.clone();
    let mut rides = vec![false; found.len()];
    for (i, bike) in found.iter().enumerate().filter(|(_, d)| is_bike(d)) {
        for (j, person) in found.iter().enumerate() {
            if person.class == Class::Person && person.score > SURE && is_ridden(bike.rect, person.rect) {
                rides[j] = true;
                grown[i].rect = grown[i].rect.union(person.rect);
            }
        }
    }
    grown.into_iter().zip(rides).filter(|(_, rides)| !rides).map(|(d, _)| d).collect()
}

fn is_ridden(bike: NormBox, person: NormBox) -> bool {
    let ([x0, y0, x1, y1], [px0, py0, px1, py1]) = (bike.corners(), person.corners());
    let (middle, height) = ((px0 + px1) / 2.0, y1 - y0);
    (x0..=x1).contains(&middle)
        && py0 < y1
        && y0 + 0.15 * height < py1
        && py1 <= y1 + 0.25 * height
        && py1 - py0 < 3.5 * height
        && inside(person, bike) > 0.2
}
