//! Which sighting is the next one of something that left a camera: by the time it took, what it is, its colours and which
//! way it went. Sums of logarithms of how much likelier each is for the same thing than for any other ("naive Bayes").
//!
//! Times between two cameras are log-normal, as times on roads nearly are: their mean and spread come from what a person
//! drew and from the follows that were confirmed, the drawing counting as much as [`DRAWN_COUNTS`] of them. Looks are the
//! shares of named colours that tracks keep, compared by the coefficient of Bhattacharyya. Not an identity: two like things
//! look the same, and a person decides.

use std::collections::BTreeMap;

use crate::domain::{
    colour::{Colour, PartColours},
    detection::Class,
    follow::{Sighting, Way},
    ids::CameraId,
    search::Heading,
    time::Span,
};

/// As many confirmed times a drawn one counts.
const DRAWN_COUNTS: f64 = 3.0;
/// Spread of the logarithm of a drawn time, and of one that nobody told.
const DRAWN_SPREAD: f64 = 0.35;
const UNTOLD_SPREAD: f64 = 1.1;
/// Seconds between neighbours of which nobody told.
const UNTOLD_S: f64 = 120.0;
/// The least spread that is believed.
const SPREAD_LEAST: f64 = 0.12;
/// Times within so many spreads are looked at.
const SPREADS: f64 = 3.0;
/// The longest time looked at, seconds.
const LONGEST_S: f64 = 7200.0;
/// How likely a camera in between missed it.
const MISSED: f64 = 0.08;
/// How likely the way that the picture tells is the right one, among four.
const HEADING_RIGHT: f64 = 0.8;
/// How likely what has come goes back at once.
const TURNS_BACK: f64 = 0.08;
/// The least that the time says, as a logarithm.
const TIME_LEAST: f64 = -6.0;
/// How alike the classes and the colours of two things that have nothing to do with each other are on average; and what is
/// added to both sides, so that no single look rules a sighting out. Chosen on the drawn towns of `tests/follow_town.rs`.
const CLASS_ELSE: f64 = 0.4;
const CLASS_DOUBT: f64 = 0.03;
const COLOURS_ELSE: f64 = 0.45;
const COLOURS_DOUBT: f64 = 0.12;
/// How much more the colours count than they would by themselves: also chosen there.
const COLOURS_WEIGHT: f64 = 1.3;

/// Where it may come to and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reach {
    /// Where.
    pub camera: CameraId,
    /// Mean of the logarithm of the seconds.
    pub mean_ln: f64,
    /// Spread of it.
    pub spread_ln: f64,
    /// Which way of the first picture leads there.
    pub exit: Option<Heading>,
    /// Which way of the picture there leads back: what comes from there goes another way.
    pub back: Option<Heading>,
    /// How likely it comes this way at all, as a logarithm.
    pub prior_ln: f64,
}

impl Reach {
    /// When it may begin to be seen there, having last been seen at `left_us`.
    #[must_use]
    pub fn window(&self, left_us: i64) -> Span {
        let at = |spreads: f64| (self.mean_ln + spreads * self.spread_ln).exp().clamp(0.0, LONGEST_S);
        let us = |s: f64| left_us.saturating_add((s * 1e6) as i64);
        // Pictures of two cameras may overlap, and the last box of a track be old.
        let early = (at(-SPREADS) - 5.0).max(-2.0);
        Span { start_us: us(early), end_us: us(at(SPREADS) + 5.0) }
    }
    /// Seconds it usually takes.
    #[must_use]
    pub fn usual_s(&self) -> f64 {
        self.mean_ln.exp()
    }
}

/// Why a sighting stands where it does, for the person who decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Why {
    /// Seconds it took.
    pub took_s: f64,
    /// Seconds it usually takes.
    pub usual_s: f64,
    /// How alike the colours are, 0..=1; `None` when those of one are not known.
    pub colours: Option<f64>,
    /// How alike what they were taken for, 0..=1.
    pub class: f64,
    /// Whether it left by the way that leads there; `None` when not known.
    pub exit: Option<bool>,
}

/// A sighting that may be the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Which.
    pub sighting: Sighting,
    /// How much likelier than any other, as a logarithm: for the order, no probability.
    pub score: f64,
    /// Why.
    pub why: Why,
}

/// Mean and spread of the logarithm of the seconds a way takes.
#[must_use]
pub fn usual(way: &Way) -> (f64, f64) {
    let (mean, spread, counts) = match way.drawn_s {
        Some(s) => (f64::from(s.max(1)).ln(), DRAWN_SPREAD, DRAWN_COUNTS),
        None => (UNTOLD_S.ln(), UNTOLD_SPREAD, 1.0),
    };
    let n = f64::from(way.times);
    let learned = if way.times > 0 { way.sum_ln / n } else { mean };
    let scatter = (way.sum_ln2 - n * learned * learned).max(0.0);
    let weight = counts + n;
    let centre = (counts * mean + n * learned) / weight;
    // What was drawn wrongly widens the spread only until enough was learned.
    let shift = counts * n / weight * (learned - mean).powi(2) / weight;
    let variance = (counts * spread * spread + scatter) / weight + shift / weight;
    (centre, variance.sqrt().max(SPREAD_LEAST))
}

/// Where something may come to that leaves `from`: its neighbours, and theirs when one in between missed it. Without any way
/// drawn or learned from there, every other camera.
#[must_use]
pub fn reaches(from: CameraId, ways: &[Way], cameras: &[CameraId]) -> Vec<Reach> {
    let way = |a: CameraId, b: CameraId| ways.iter().find(|way| way.from == a && way.to == b);
    let out = |camera: CameraId| ways.iter().filter(move |way| way.from == camera && way.to != camera);
    let total: f64 = out(from).map(|way| f64::from(way.times) + 2.0).sum();
    let mut reaches: Vec<Reach> = Vec::new();
    for one in out(from) {
        let (mean_ln, spread_ln) = usual(one);
        let prior_ln = ((f64::from(one.times) + 2.0) / total).ln();
        let back = way(one.to, from).and_then(|back| back.heading);
        reaches.push(Reach { camera: one.to, mean_ln, spread_ln, exit: one.heading, back, prior_ln });
    }
    for near in reaches.clone() {
        for one in out(near.camera).filter(|one| one.to != from) {
            if reaches.iter().any(|reach| reach.camera == one.to) {
                continue;
            }
            let (mean, spread) = usual(one);
            let (first_s, second_s) = (near.usual_s(), mean.exp());
            let spread_s = ((first_s * near.spread_ln).powi(2) + (second_s * spread).powi(2)).sqrt();
            let usual_s = first_s + second_s;
            reaches.push(Reach {
                camera: one.to,
                mean_ln: usual_s.ln(),
                spread_ln: (spread_s / usual_s).max(SPREAD_LEAST),
                exit: near.exit,
                back: way(one.to, near.camera).and_then(|back| back.heading),
                prior_ln: near.prior_ln + MISSED.ln(),
            });
        }
    }
    if reaches.is_empty() {
        let others = cameras.iter().filter(|camera| **camera != from);
        let prior_ln = -(others.clone().count().max(1) as f64).ln();
        let (mean_ln, spread_ln) = (UNTOLD_S.ln(), UNTOLD_SPREAD);
        reaches.extend(others.map(|camera| Reach {
            camera: *camera,
            mean_ln,
            spread_ln,
            exit: None,
            back: None,
            prior_ln,
        }));
    }
    reaches
}

/// Classes that something of that class may also be taken for.
#[must_use]
pub fn may_be(class: Class) -> Vec<Class> {
    match class {
        Class::Person => vec![Class::Person],
        Class::Bicycle | Class::Motorcycle => vec![Class::Bicycle, Class::Motorcycle],
        Class::Car => vec![Class::Car, Class::Truck],
        Class::Bus | Class::Truck => vec![Class::Bus, Class::Truck, Class::Car],
    }
}

/// How well a sighting fits as the next one; `None` when it cannot be: it is the same, or seen too early.
#[must_use]
pub fn fit(subject: &Sighting, reach: &Reach, seen: &Sighting) -> Option<Candidate> {
    let took_s = seen.span.start_us.saturating_sub(subject.span.end_us) as f64 / 1e6;
    let window = reach.window(subject.span.end_us);
    if seen.track == subject.track
        || seen.camera != reach.camera
        || seen.span.start_us < window.start_us
        || seen.span.start_us >= window.end_us
    {
        return None;
    }
    let ln = took_s.max(1.0).ln();
    let z = (ln - reach.mean_ln) / reach.spread_ln;
    // Against something that may come at any time of the window.
    let width_s = window.len_us() as f64 / 1e6;
    let density = -0.5 * z * z - (reach.spread_ln * (2.0 * std::f64::consts::PI).sqrt()).ln() - ln;
    let time = (density + width_s.max(1.0).ln()).max(TIME_LEAST);
    let class = alike(&votes(subject), &votes(seen));
    let colours = colours_alike(&subject.colours, &seen.colours);
    let exit = reach.exit.zip(subject.heading).map(|(leads, went)| leads == went);
    let towards = |right: Option<bool>, p: f64| match right {
        // Of four ways each is as likely for anything else.
        Some(true) => (p / 0.25).ln(),
        Some(false) => ((1.0 - p) / 0.75).ln(),
        None => 0.0,
    };
    let comes_back = reach.back.zip(seen.heading).map(|(back, goes)| back == goes);
    let score = reach.prior_ln
        + time
        + ((class + CLASS_DOUBT) / CLASS_ELSE).ln()
        + colours.map_or(0.0, |alike| COLOURS_WEIGHT * ((alike + COLOURS_DOUBT) / COLOURS_ELSE).ln())
        + towards(exit, HEADING_RIGHT)
        + towards(comes_back, TURNS_BACK);
    let why = Why { took_s, usual_s: reach.usual_s(), colours, class, exit };
    Some(Candidate { sighting: seen.clone(), score, why })
}

/// The best first; of equals the earlier.
pub fn rank(candidates: &mut [Candidate]) {
    let by = |a: &Candidate, b: &Candidate| {
        b.score.total_cmp(&a.score).then_with(|| {
            (a.sighting.span.start_us, a.sighting.track).cmp(&(b.sighting.span.start_us, b.sighting.track))
        })
    };
    candidates.sort_by(by);
}

/// Shares of sightings by class.
fn votes(of: &Sighting) -> BTreeMap<Class, f64> {
    let total: f64 = of.votes.values().map(|n| f64::from(*n)).sum();
    if total > 0.0 {
        of.votes.iter().map(|(class, n)| (*class, f64::from(*n) / total)).collect()
    } else {
        BTreeMap::from([(of.class, 1.0)])
    }
}

/// Coefficient of Bhattacharyya: 1 for the same, 0 for nothing in common.
fn alike<K: Ord>(a: &BTreeMap<K, f64>, b: &BTreeMap<K, f64>) -> f64 {
    a.iter().filter_map(|(key, share)| Some((share * b.get(key)?).sqrt())).sum::<f64>().clamp(0.0, 1.0)
}

/// Of a colour so much is taken for each of its neighbours in other light.
const STRAYS: f64 = 0.12;

/// What a colour is taken for in other light.
const fn neighbours(colour: Colour) -> &'static [Colour] {
    match colour {
        Colour::Red => &[Colour::Brown, Colour::Orange, Colour::Pink],
        Colour::Orange => &[Colour::Red, Colour::Yellow, Colour::Brown],
        Colour::Yellow => &[Colour::Orange, Colour::White],
        Colour::Green => &[Colour::Blue, Colour::Black],
        Colour::Blue => &[Colour::Black, Colour::Green, Colour::Purple],
        Colour::Purple => &[Colour::Blue, Colour::Pink],
        Colour::Pink => &[Colour::Red, Colour::White, Colour::Purple],
        Colour::Brown => &[Colour::Red, Colour::Black, Colour::Orange],
        Colour::White => &[Colour::Grey, Colour::Yellow],
        Colour::Grey => &[Colour::White, Colour::Black],
        Colour::Black => &[Colour::Grey, Colour::Brown, Colour::Blue],
    }
}

/// The histogram of a part, as it may look in other light; small shares that were left out count for nothing.
fn histogram(part: &PartColours) -> BTreeMap<Colour, f64> {
    let total: f64 = part.shares.iter().map(|s| f64::from(s.share)).sum();
    let mut bins = BTreeMap::new();
    for one in &part.shares {
        let (share, others) = (f64::from(one.share) / total.max(1e-6), neighbours(one.colour));
        *bins.entry(one.colour).or_insert(0.0) += share * (1.0 - STRAYS * others.len() as f64);
        for other in others {
            *bins.entry(*other).or_insert(0.0) += share * STRAYS;
        }
    }
    bins
}

/// The same of colours, over the parts that both show.
fn colours_alike(a: &[PartColours], b: &[PartColours]) -> Option<f64> {
    let both: Vec<f64> = a
        .iter()
        .filter(|part| !part.shares.is_empty())
        .filter_map(|part| {
            let other = b.iter().find(|other| other.part == part.part && !other.shares.is_empty())?;
            Some(alike(&histogram(part), &histogram(other)))
        })
        .collect();
    (!both.is_empty()).then(|| both.iter().sum::<f64>() / both.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::colour::{ColourShare, Part};

    const SECOND_US: i64 = 1_000_000;

    fn way(from: i64, to: i64, drawn_s: Option<u32>, took_s: &[f64]) -> Way {
        let lns: Vec<f64> = took_s.iter().map(|s| s.ln()).collect();
        Way {
            from: CameraId(from),
            to: CameraId(to),
            heading: Some(Heading::Right),
            drawn_s,
            times: took_s.len() as u32,
            sum_ln: lns.iter().sum(),
            sum_ln2: lns.iter().map(|ln| ln * ln).sum(),
        }
    }

    fn seen(track: i64, camera: i64, start_s: i64, class: Class, colour: Colour) -> Sighting {
        Sighting {
            track,
            camera: CameraId(camera),
            span: Span { start_us: start_s * SECOND_US, end_us: (start_s + 4) * SECOND_US },
            class,
            votes: BTreeMap::from([(class, 9)]),
            colours: vec![PartColours { part: Part::Body, shares: vec![ColourShare { colour, share: 0.8 }] }],
            heading: Some(Heading::Right),
            area: 0.02,
        }
    }

    #[test]
    fn a_drawn_time_is_believed_until_follows_tell_better() {
        let (drawn, wide) = usual(&way(1, 2, Some(60), &[]));
        assert!((drawn.exp() - 60.0).abs() < 0.1 && (wide - DRAWN_SPREAD).abs() < 1e-9);
        let few = usual(&way(1, 2, Some(60), &[120.0]));
        assert!(few.0.exp() > 65.0 && few.0.exp() < 90.0, "{}", few.0.exp());
        let many = usual(&way(1, 2, Some(60), &[118.0, 122.0].repeat(50)));
        assert!((many.0.exp() - 120.0).abs() < 6.0 && many.1 < 0.2, "{} {}", many.0.exp(), many.1);
        let untold = usual(&way(1, 2, None, &[]));
        assert!(untold.1 > 1.0);
    }

    #[test]
    fn neighbours_come_first_then_theirs_and_without_any_way_all() {
        let ways = [way(1, 2, Some(60), &[]), way(2, 3, Some(30), &[]), way(2, 1, Some(60), &[])];
        let cameras = [1, 2, 3, 4].map(CameraId);
        let from = |camera| reaches(CameraId(camera), &ways, &cameras);
        assert_eq!(from(1).iter().map(|r| r.camera.0).collect::<Vec<_>>(), [2, 3]);
        assert!((from(1)[1].usual_s() - 90.0).abs() < 0.1 && from(1)[1].prior_ln < from(1)[0].prior_ln - 2.0);
        assert_eq!(from(4).len(), 3);
        assert!(from(4)[0].window(0).start_us < 0, "pictures may overlap");
    }

    #[test]
    fn the_one_at_its_time_of_its_kind_and_colour_stands_first() {
        let subject = seen(1, 1, 0, Class::Motorcycle, Colour::Red);
        let reach = reaches(CameraId(1), &[way(1, 2, Some(60), &[])], &[])[0];
        let mut found: Vec<Candidate> = [
            seen(2, 2, 66, Class::Motorcycle, Colour::Blue),
            seen(3, 2, 66, Class::Motorcycle, Colour::Red),
            seen(4, 2, 150, Class::Motorcycle, Colour::Red),
            seen(5, 2, 66, Class::Bicycle, Colour::Red),
            seen(6, 2, 3, Class::Motorcycle, Colour::Red),
            seen(7, 3, 66, Class::Motorcycle, Colour::Red),
            seen(1, 2, 66, Class::Motorcycle, Colour::Red),
        ]
        .iter()
        .filter_map(|other| fit(&subject, &reach, other))
        .collect();
        rank(&mut found);
        let order: Vec<i64> = found.iter().map(|c| c.sighting.track).collect();
        assert_eq!(order[0], 3, "{order:?}");
        assert!(!order.iter().any(|t| [1, 6, 7].contains(t)), "{order:?}");
        assert!((found[0].why.took_s - 62.0).abs() < 1e-6 && found[0].why.colours.is_some_and(|alike| alike > 0.999));
        assert_eq!(found[0].why.exit, Some(true));
    }

    #[test]
    fn unknown_colours_speak_neither_for_nor_against() {
        let reach = reaches(CameraId(1), &[way(1, 2, Some(60), &[])], &[])[0];
        let subject = seen(1, 1, 0, Class::Car, Colour::White);
        let dark = Sighting { colours: vec![], ..seen(2, 2, 64, Class::Car, Colour::White) };
        let other = fit(&subject, &reach, &seen(3, 2, 64, Class::Car, Colour::Black)).unwrap();
        let same = fit(&subject, &reach, &seen(4, 2, 64, Class::Car, Colour::White)).unwrap();
        let dark = fit(&subject, &reach, &dark).unwrap();
        assert!(other.score < dark.score && dark.score < same.score);
        assert_eq!(dark.why.colours, None);
    }

    #[test]
    fn shifting_all_times_shifts_nothing_in_the_order() {
        let reach = reaches(CameraId(1), &[way(1, 2, Some(60), &[])], &[])[0];
        let score = |by: i64| {
            let move_by = |mut s: Sighting| {
                s.span.start_us += by;
                s.span.end_us += by;
                s
            };
            let subject = move_by(seen(1, 1, 0, Class::Car, Colour::White));
            fit(&subject, &reach, &move_by(seen(2, 2, 70, Class::Car, Colour::Grey))).map(|c| c.score)
        };
        assert_eq!(score(0), score(123_456_789_000_000));
        assert!(score(0).is_some());
    }
}
