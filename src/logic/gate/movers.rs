//! What becomes of blobs over time: which stay, which travel, which were never there again.
//!
//! A blob counts as motion when it is large, or when it is seen again near where it was. What keeps appearing once and
//! somewhere else (rain, insects before an infrared lamp) never is; what is seen again and again without getting
//! anywhere (leaves) tells its cells that they always do that.

use super::blobs::{Blob, CellBox, grown, meet};

/// Blobs followed at a time at most; the oldest stay.
const MOVERS_MAX: usize = 256;
/// A blob not seen again for so long is forgotten, seconds.
const GONE_S: f32 = 0.7;
/// … and, where pictures come seldom, for so many pictures.
const GONE_PICTURES: f32 = 1.6;
/// Cells that changed for certain in a blob that counts at once.
const LARGE: usize = 8;
/// … and in one that does so by infrared light too.
const HUGE: usize = 64;
/// Pictures a small blob must be seen in, and one that is doubted: in a storm, or by infrared light, whose noise and
/// key frames make blobs of their own.
const SEEN_SMALL: u32 = 2;
const SEEN_DOUBTED: u32 = 3;
/// Of the small blobs seen often enough, the share that gets nowhere from which on all are doubted by day too: each key
/// frame of such a camera leaves blocks behind, and the pictures after it clear them away.
const RESIDUES: f32 = 0.7;
/// How far that share follows one blob.
const RESIDUES_FOLLOW: f32 = 0.03;
/// … and, by infrared light, come so far from where it began, in cells: what the coding of a noisy picture leaves behind
/// stays where it is until the next key frame.
const COME_DOUBTED: f32 = 1.5;
/// In a storm a blob has this many times the cells of a usual drop, and no side thinner than this.
const STORM_CELLS: f32 = 3.0;
const STORM_SIDE: f32 = 2.0;
/// A small blob of which this share lies in known places is one of theirs, unless it has come so far, in cells.
const KNOWN_SHARE: f32 = 0.5;
const KNOWN_CELLS: f32 = 8.0;
/// Fleeting blobs a picture, on average, from which on it is a storm (rain, snow).
const STORM: f32 = 5.0;
/// How far the average follows one picture.
const STORM_FOLLOW: f32 = 0.15;
/// How far the average size of a drop follows one of them.
const DROP_FOLLOW: f32 = 0.02;
/// A blob brighter than its ground by so many grey levels at night may be an insect before the lamp.
const GLARE: f32 = 25.0;
/// Cells a blob may move between two pictures beside its own size; doubted ones less.
const REACH: f32 = 4.0;
const REACH_DOUBTED: f32 = 1.5;
/// Pictures further apart than this, seconds, show nothing twice in the same place.
const SPARSE_S: f32 = 0.7;
/// What has come so far from where it began, in cells and in shares of its smaller side, and of its way, travels.
const TRAVEL_CELLS: f32 = 3.0;
const TRAVEL_SIZES: f32 = 0.7;
const TRAVEL_WAY: f32 = 0.45;

/// One blob over time.
#[derive(Debug, Clone, Copy)]
struct Mover {
    bounds: CellBox,
    middle: (f32, f32),
    began: (f32, f32),
    velocity: (f32, f32),
    way: f32,
    cells: f32,
    seen: u32,
    unseen_s: f32,
    unseen: f32,
    /// It was dealt with in this picture.
    matched: bool,
    counts: bool,
    /// It never had so many cells that it counts at once.
    small: bool,
}

/// What is said of one blob of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judgement {
    /// It is motion.
    pub counts: bool,
    /// It gets somewhere.
    pub travels: bool,
    /// It may be motion: a look at the next pictures would tell.
    pub stirs: bool,
}

/// The blobs of one camera over time.
#[derive(Debug, Clone, Default)]
pub struct Movers {
    movers: Vec<Mover>,
    storm: f32,
    /// Cells of a blob that is seen once, on average.
    drop: f32,
    /// Share of the small blobs that get nowhere.
    residues: f32,
    said: Vec<Judgement>,
    used: Vec<bool>,
}

/// Why a blob may be nothing though it looks like something.
#[derive(Debug, Clone, Copy)]
struct Doubts {
    /// In a storm the cells of a usual drop.
    storm: Option<f32>,
    /// Small blobs are mostly what the coding leaves behind.
    residues: bool,
}

/// How the picture was taken.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Seconds since the one before.
    pub dt_s: f32,
    /// Without colour: an infrared lamp is on.
    pub grey: bool,
    /// Cells across.
    pub width: usize,
    /// Cells down.
    pub height: usize,
}

fn apart(a: (f32, f32), b: (f32, f32)) -> f32 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

impl Mover {
    fn new(blob: &Blob) -> Self {
        let middle = blob.middle();
        Self {
            bounds: blob.bounds,
            middle,
            began: middle,
            velocity: (0.0, 0.0),
            way: 0.0,
            cells: blob.cells as f32,
            seen: 1,
            unseen_s: 0.0,
            unseen: 0.0,
            matched: false,
            counts: false,
            small: true,
        }
    }
    /// How well the blob continues it: smaller is better, `None` not at all.
    fn fits(&self, blob: &Blob, doubted: bool) -> Option<f32> {
        let reach = if doubted { REACH_DOUBTED } else { REACH };
        let steps = self.unseen + 1.0;
        let expected = (self.middle.0 + self.velocity.0 * steps, self.middle.1 + self.velocity.1 * steps);
        let (w, h) = blob.size();
        // What is known to go somewhere is expected there, not where it was.
        let here = if self.seen > 2 { f32::INFINITY } else { apart(self.middle, blob.middle()) };
        let off = apart(expected, blob.middle()).min(here);
        let ratio = blob.cells as f32 / self.cells;
        let alike = if doubted { (0.4..=2.5).contains(&ratio) } else { (0.2..=5.0).contains(&ratio) };
        let near = alike && off <= w.max(h) * if doubted { 0.5 } else { 0.75 } + reach * steps;
        (near || (alike || !doubted) && meet(self.bounds, blob.bounds)).then_some(off)
    }
    fn follow(&mut self, blob: &Blob) {
        let middle = blob.middle();
        let steps = self.unseen + 1.0;
        let moved = ((middle.0 - self.middle.0) / steps, (middle.1 - self.middle.1) / steps);
        self.way += apart(self.middle, middle);
        self.velocity = (0.5 * (self.velocity.0 + moved.0), 0.5 * (self.velocity.1 + moved.1));
        self.cells += 0.5 * (blob.cells as f32 - self.cells);
        (self.bounds, self.middle) = (blob.bounds, middle);
        (self.seen, self.unseen, self.unseen_s) = (self.seen + 1, 0.0, 0.0);
    }
    /// How far it is from where it began, cells.
    fn has_come(&self) -> f32 {
        apart(self.began, self.middle)
    }
    fn travels(&self) -> bool {
        let [x0, y0, x1, y1] = self.bounds;
        let side = (x1 - x0).min(y1 - y0) as f32;
        let come = self.has_come();
        self.seen >= 3 && come >= TRAVEL_CELLS.max(TRAVEL_SIZES * side) && come >= TRAVEL_WAY * self.way
    }
}

impl Movers {
    /// Forgets every blob: the scene is another.
    pub fn clear(&mut self) {
        self.movers.clear();
        self.said.clear();
    }
    /// What is said of each blob of the picture judged last, in their order.
    pub fn said(&self) -> &[Judgement] {
        &self.said
    }
    /// Takes over how many small blobs get nowhere: pictures far apart do not show it.
    pub const fn take_residues(&mut self, other: &Self) {
        self.residues = other.residues;
    }
    /// Takes up the blobs of the next picture.
    pub fn step(&mut self, blobs: &[Blob], taken: Taken) {
        for m in &mut self.movers {
            (m.unseen_s, m.matched) = (m.unseen_s + taken.dt_s, false);
        }
        self.weather(blobs, taken);
        let stormy = self.storm > STORM;
        let stays = |m: &Mover| m.unseen_s <= GONE_S || m.unseen + 1.0 <= GONE_PICTURES;
        if !stormy {
            self.tell_residues(stays);
        }
        // Drops would fill the list.
        self.movers.retain(|m| stays(m) && (!stormy || m.counts || m.unseen < 0.5));
        let residues = taken.grey || self.residues > RESIDUES;
        let doubts = Doubts { storm: stormy.then_some(self.drop), residues };
        self.said.clear();
        self.said.resize(blobs.len(), Judgement::default());
        self.used.clear();
        self.used.resize(blobs.len(), false);
        let old = self.movers.len();
        // Those seen in the picture before first: one that was lost would take the next that comes along.
        for lost in [false, true] {
            for k in 0..old {
                // What was matched in the first round is not lost in the second.
                if (self.movers[k].unseen > 0.5) == lost && !self.movers[k].matched {
                    self.go_on(k, blobs, taken, doubts);
                }
            }
        }
        self.begin(blobs, taken, old, doubts);
    }
    /// The blob that continues a mover best, if any does.
    fn go_on(&mut self, k: usize, blobs: &[Blob], taken: Taken, doubts: Doubts) {
        self.movers[k].matched = true;
        let mover = self.movers[k];
        let fit = |(i, blob): (usize, &Blob)| {
            let doubted = doubts.storm.is_some() || is_glare(blob, taken) || taken.grey && !mover.counts;
            mover.fits(blob, doubted).map(|off| (i, off))
        };
        let free = blobs.iter().enumerate().filter(|(i, _)| !self.used[*i]);
        match free.filter_map(fit).min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((i, _)) => {
                self.used[i] = true;
                self.movers[k].follow(&blobs[i]);
                self.said[i] = self.movers[k].judge(&blobs[i], taken, doubts);
            }
            None => self.movers[k].unseen += 1.0,
        }
    }
    /// Blobs that continue nothing: a part that broke off something known goes on with it, the others begin.
    fn begin(&mut self, blobs: &[Blob], taken: Taken, old: usize, doubts: Doubts) {
        for (i, blob) in blobs.iter().enumerate().filter(|(i, _)| !self.used[*i]) {
            let around = grown(blob.bounds, 1, taken.width, taken.height);
            let mut broken = self.movers[..old].iter().filter(|m| doubts.storm.is_none() && m.counts);
            let whole = broken.find(|m| meet(m.bounds, around)).copied();
            let mut mover = Mover::new(blob);
            if let Some(whole) = whole {
                (mover.seen, mover.counts) = (whole.seen, true);
                (mover.began, mover.way) = (whole.began, whole.way);
            }
            self.said[i] = mover.judge(blob, taken, doubts);
            if self.movers.len() < MOVERS_MAX {
                self.movers.push(mover);
            }
        }
    }
    /// What those that are forgotten now have come to.
    fn tell_residues(&mut self, stays: impl Fn(&Mover) -> bool) {
        for m in self.movers.iter().filter(|m| m.small && m.seen >= SEEN_SMALL && !stays(m)) {
            let stayed = if m.has_come() < COME_DOUBTED { 1.0 } else { 0.0 };
            self.residues += RESIDUES_FOLLOW * (stayed - self.residues);
        }
    }
    /// How many blobs touch nothing of the picture before, on average: people and vehicles do, drops hardly ever.
    fn weather(&mut self, blobs: &[Blob], taken: Taken) {
        let mut fleeting = 0.0;
        for blob in blobs {
            let around = grown(blob.bounds, 1, taken.width, taken.height);
            if !self.movers.iter().any(|m| m.unseen < 0.5 && meet(m.bounds, around)) {
                fleeting += 1.0;
                self.drop += DROP_FOLLOW * (blob.cells as f32 - self.drop);
            }
        }
        self.storm += STORM_FOLLOW * (fleeting - self.storm);
    }
}

/// Whether a blob may be an insect before an infrared lamp.
fn is_glare(blob: &Blob, taken: Taken) -> bool {
    taken.grey && blob.brighter > GLARE
}

impl Mover {
    fn judge(&mut self, blob: &Blob, taken: Taken, doubts: Doubts) -> Judgement {
        let large = blob.strong >= LARGE;
        self.small &= !large;
        let needed = match (taken.grey, large) {
            _ if doubts.storm.is_some() || is_glare(blob, taken) => SEEN_DOUBTED,
            (_, false) if doubts.residues => SEEN_DOUBTED,
            (true, true) if blob.strong >= HUGE => 1,
            (true, true) | (_, false) => SEEN_SMALL,
            (false, true) => 1,
        };
        let (w, h) = blob.size();
        let drop = doubts.storm.is_some_and(|d| (blob.cells as f32) < STORM_CELLS * d || w.min(h) < STORM_SIDE);
        let travels = self.travels();
        let known = blob.known as f32 > KNOWN_SHARE * blob.cells as f32 && !large;
        let residue = doubts.residues && !large && self.has_come() < COME_DOUBTED;
        let nothing = drop || residue || known && !(travels && self.has_come() >= KNOWN_CELLS);
        // Pictures far apart never show a thing twice in one place: only what is large counts, the rest stirs.
        let sparse = taken.dt_s > SPARSE_S;
        let seen = if sparse { large && needed == 1 } else { self.seen >= needed };
        self.counts |= seen && !nothing;
        // Where they are mostly residues, small blobs come and go in every picture.
        let stirs = !nothing && (self.counts || large || !doubts.residues);
        Judgement { counts: self.counts && !nothing, travels, stirs }
    }
}
