//! The edges of a small picture, part by part, held against those of a reference.
//!
//! The picture is cut into 8 × 5 parts, and each has one vote: a lorry close by takes some of them, another view takes
//! nearly all. Edges are compared as gradients, so that neither more light nor a slow change of it matters.

/// Parts across and down.
pub const PARTS: (usize, usize) = (8, 5);
/// A gradient counts for no more than this, grey levels: one bright lamp must not outvote a wall.
const GRADIENT_MAX: f32 = 60.0;
/// A part has edges when its mean squared gradient in the reference is this at least, grey levels squared: about twice
/// what the noise of a cheap sensor leaves in a cell.
const EDGES_MIN: f32 = 6.0;
/// Edges match when they correlate so well (cosine of the two gradient fields).
const MATCH_MIN: f32 = 0.4;
/// Edges are gone when of their energy, for the same light, less than this is left: three tenths of their height.
const VANISHED: f32 = 0.09;
/// Edges are faint when of their energy, for the same light, less than this is left: half of their height. Where they are
/// blurred so much they need not match any more.
const FAINT: f32 = 0.25;
/// Sharpness is gone when of the fineness, for the same light, less than this is left: a step of one pixel spread over
/// three …
const FINE_LEFT: f32 = 0.35;
/// … and when fineness over edges has fallen below this share: haze lowers both alike and is no blur.
const FINE_OF_EDGES: f32 = 0.7;
/// Luma of black (BT.601 limited range).
const BLACK: f32 = 16.0;

/// Gradients of a small picture: right minus left and below minus above, grey levels; 0 where a neighbour is not watched.
#[derive(Debug, Clone)]
pub struct Edges {
    gradients: Vec<[f32; 2]>,
    size: (usize, usize),
    /// Mean luma of what is watched.
    pub mean: f32,
}

impl Edges {
    /// Of a picture of `size` cells, where it is watched.
    #[must_use]
    pub fn of(luma: &[f32], size: (usize, usize), watched: &[bool]) -> Self {
        let (w, h) = size;
        let mut gradients = vec![[0.0; 2]; w * h];
        for y in 1..h.saturating_sub(1) {
            for x in 1..w.saturating_sub(1) {
                let i = y * w + x;
                if [i, i - 1, i + 1, i - w, i + w].iter().all(|n| watched[*n]) {
                    let (gx, gy) = (luma[i + 1] - luma[i - 1], luma[i + w] - luma[i - w]);
                    gradients[i] = [gx.clamp(-GRADIENT_MAX, GRADIENT_MAX), gy.clamp(-GRADIENT_MAX, GRADIENT_MAX)];
                }
            }
        }
        let seen: Vec<f32> = luma.iter().zip(watched).filter(|(_, w)| **w).map(|(l, _)| *l).collect();
        let mean = seen.iter().sum::<f32>() / seen.len().max(1) as f32;
        Self { gradients, size, mean }
    }
    /// Mean gradient, grey levels.
    #[must_use]
    pub fn strength(&self) -> f32 {
        let all: f32 = self.gradients.iter().map(|[x, y]| x.abs() + y.abs()).sum();
        all / (2 * self.gradients.len().max(1)) as f32
    }
    /// How far this picture lies from the reference, in cells to the right and down: the shift, of at most a fifth of
    /// the picture, at which their edges correlate best; `None` where they never do.
    #[must_use]
    pub fn shift(&self, reference: &Self) -> Option<(i32, i32)> {
        let (w, h) = (self.size.0 as i32, self.size.1 as i32);
        let halves = |e: &Self| -> Vec<[f32; 2]> {
            let at = |x: i32, y: i32| e.gradients[(y * w + x) as usize];
            let cell = |i: i32| {
                let (x, y) = (i % (w / 2) * 2, i / (w / 2) * 2);
                let four = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
                [four.iter().map(|g| g[0]).sum::<f32>(), four.iter().map(|g| g[1]).sum()]
            };
            (0..(w / 2) * (h / 2)).map(cell).collect()
        };
        let (now, before) = (halves(self), halves(reference));
        let (w, h) = (w / 2, h / 2);
        let cosine = |dx: i32, dy: i32| {
            let (mut dot, mut a, mut b) = (0.0, 0.0, 0.0);
            for y in dy.max(0)..h + dy.min(0) {
                for x in dx.max(0)..w + dx.min(0) {
                    let (n, r) = (now[(y * w + x) as usize], before[((y - dy) * w + x - dx) as usize]);
                    dot += n[0] * r[0] + n[1] * r[1];
                    a += n[0] * n[0] + n[1] * n[1];
                    b += r[0] * r[0] + r[1] * r[1];
                }
            }
            if a * b > 0.0 { dot / (a * b).sqrt() } else { 0.0 }
        };
        let shifts = (-h / 5..=h / 5).flat_map(|dy| (-w / 5..=w / 5).map(move |dx| (dx, dy)));
        let best = shifts.map(|(dx, dy)| (cosine(dx, dy), dx, dy)).max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 >= MATCH_MIN).then_some((best.1 * 2, best.2 * 2))
    }
}

/// What the parts of a picture say; shares of those that have edges in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Votes {
    /// Parts that have edges in the reference.
    pub parts: u32,
    /// Whose edges are where they were.
    pub matching: f32,
    /// Whose edges are gone.
    pub vanished: f32,
    /// That are less sharp, and match or are faint.
    pub blurred: f32,
}

/// The part a cell lies in.
fn part(i: usize, size: (usize, usize)) -> usize {
    let (x, y) = (i % size.0, i / size.0);
    x * PARTS.0 / size.0 + PARTS.0 * (y * PARTS.1 / size.1)
}

/// Mean fineness of each part over what is watched.
#[must_use]
pub fn fineness(fine: &[f32], size: (usize, usize), watched: &[bool]) -> Vec<f32> {
    let (mut sum, mut count) = (vec![0.0f32; PARTS.0 * PARTS.1], vec![0u32; PARTS.0 * PARTS.1]);
    for (i, f) in fine.iter().enumerate().filter(|(i, _)| watched[*i]) {
        let part = part(i, size);
        sum[part] += f;
        count[part] += 1;
    }
    sum.iter().zip(count).map(|(s, n)| s / n.max(1) as f32).collect()
}

/// Lets the parts vote on a picture; edges and fineness of both.
#[must_use]
pub fn votes(now: (&Edges, &[f32]), reference: (&Edges, &[f32])) -> Votes {
    let n = PARTS.0 * PARTS.1;
    let (mut dot, mut energy, mut usual, mut cells) =
        (vec![0.0f32; n], vec![0.0f32; n], vec![0.0f32; n], vec![0u32; n]);
    for (i, (g, r)) in now.0.gradients.iter().zip(&reference.0.gradients).enumerate() {
        let part = part(i, now.0.size);
        dot[part] += g[0] * r[0] + g[1] * r[1];
        energy[part] += g[0] * g[0] + g[1] * g[1];
        usual[part] += r[0] * r[0] + r[1] * r[1];
        cells[part] += 1;
    }
    // Less light lowers edges by themselves; more of it never makes gone ones of those that are there.
    let light = ((now.0.mean - BLACK).max(1.0) / (reference.0.mean - BLACK).max(1.0)).min(1.0);
    let (mut parts, mut matching, mut vanished, mut blurred) = (0u32, 0u32, 0u32, 0u32);
    for i in (0..n).filter(|i| usual[*i] >= EDGES_MIN * cells[*i] as f32 && cells[*i] > 0) {
        parts += 1;
        vanished += u32::from(energy[i] < VANISHED * light * light * usual[i]);
        let matches = dot[i] >= MATCH_MIN * (energy[i] * usual[i]).sqrt() && energy[i] > 0.0;
        matching += u32::from(matches);
        let sharp = now.1[i] * usual[i] / (reference.1[i] * energy[i].max(1.0)).max(f32::MIN_POSITIVE);
        let fine = now.1[i] < FINE_LEFT * light * light * reference.1[i];
        let faint = energy[i] < FAINT * light * light * usual[i];
        blurred += u32::from((matches || faint) && fine && sharp < FINE_OF_EDGES);
    }
    let share = |votes: u32| votes as f32 / parts.max(1) as f32;
    Votes { parts, matching: share(matching), vanished: share(vanished), blurred: share(blurred) }
}
