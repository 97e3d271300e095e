//! How much of what one way of looking finds another way finds too.
//!
//! In: the tracks of a judge (brute force) and of the way that is judged, over the same pictures. A track of the judge
//! counts when it was believed and seen [`SEEN_MIN`] times or more with a score of [`SCORE_MIN`]. It is *found* when at half of its sightings or more a
//! believed track of kindred class overlaps it by [`IOU_MIN`](super::IOU_MIN), between whose sightings the straight way is
//! taken; it is *followed* when one track alone does that.

use std::collections::BTreeMap;

use crate::domain::{detection::Class, geometry::NormBox, ids::TrackId, time::MediaTime, track::FrameSeen};

/// Sightings that make a track of the judge count.
pub const SEEN_MIN: usize = 5;

/// What a sighting of the judge must score to count: a detector's usual threshold. Fainter ones go on with a track, but
/// nobody would call them an observation.
pub const SCORE_MIN: f32 = 0.3;

/// A believed track.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// What it was last taken for.
    pub class: Class,
    /// Where it was, in time order; sightings and, where it stood, its place.
    pub places: Vec<(MediaTime, NormBox)>,
    /// How many of the places were seen with a score that counts.
    pub seen: usize,
    confirmed: bool,
}

impl Course {
    /// Where it was at a time between its first and its last place.
    #[must_use]
    pub fn at(&self, time: MediaTime) -> Option<NormBox> {
        let after = self.places.partition_point(|(then, _)| *then < time);
        let (then, there) = *self.places.get(after)?;
        if then == time {
            return Some(there);
        }
        let (before, here) = *self.places.get(after.checked_sub(1)?)?;
        let share = time.since(before) as f32 / then.since(before).max(1) as f32;
        let [a, b] = [here.corners(), there.corners()];
        let [x0, y0, x1, y1] = std::array::from_fn(|i| a[i] + share * (b[i] - a[i]));
        NormBox::new(x0, y0, x1, y1)
    }
}

/// The tracks of a run, gathered frame by frame.
#[derive(Debug, Clone, Default)]
pub struct Courses(BTreeMap<TrackId, Course>);

impl Courses {
    /// Counts one frame in.
    pub fn add(&mut self, frame: &FrameSeen) {
        for p in &frame.tracks {
            let new = || Course { class: p.class, places: Vec::new(), seen: 0, confirmed: false };
            let course = self.0.entry(p.track).or_insert_with(new);
            course.class = p.class;
            course.confirmed |= p.confirmed;
            course.seen += usize::from(!p.held && p.score >= SCORE_MIN);
            course.places.push((frame.time, p.rect));
        }
    }
    /// The believed ones.
    pub fn believed(&self) -> impl Iterator<Item = &Course> {
        self.0.values().filter(|c| c.confirmed)
    }
    /// Those of a judge that count.
    pub fn counting(&self) -> impl Iterator<Item = &Course> {
        self.believed().filter(|c| c.seen >= SEEN_MIN)
    }
}

/// The outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recall {
    /// Tracks of the judge that count.
    pub asked: usize,
    /// Of these, found.
    pub found: usize,
    /// Of these, found by one track alone.
    pub followed: usize,
}

fn kindred(a: Class, b: Class) -> bool {
    let kind = |c| match c {
        Class::Person => 0,
        Class::Bicycle | Class::Motorcycle => 1,
        Class::Car | Class::Bus | Class::Truck => 2,
    };
    kind(a) == kind(b)
}

/// Whether one track of the judge was found, and by one alone.
#[must_use]
pub fn found(judge: &Course, ours: &Courses) -> (bool, bool) {
    let kin: Vec<&Course> = ours.believed().filter(|c| kindred(c.class, judge.class)).collect();
    let mut by_track = vec![0usize; kin.len()];
    let mut by_any = 0;
    for (time, place) in &judge.places {
        let mut any = false;
        for (count, course) in by_track.iter_mut().zip(&kin) {
            if course.at(*time).is_some_and(|here| f64::from(here.iou(*place)) >= super::IOU_MIN) {
                *count += 1;
                any = true;
            }
        }
        by_any += usize::from(any);
    }
    let enough = |count: usize| 2 * count >= judge.places.len();
    (enough(by_any), by_track.into_iter().any(enough))
}

/// Compares two runs over the same pictures.
#[must_use]
pub fn recall(judge: &Courses, ours: &Courses) -> Recall {
    judge.counting().fold(Recall::default(), |sum, course| {
        let (any, one) = found(course, ours);
        Recall { asked: sum.asked + 1, found: sum.found + usize::from(any), followed: sum.followed + usize::from(one) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::CameraId, track::TrackPoint};

    type Way<'a> = (i64, Class, &'a [(i64, f32)]);

    fn run(tracks: &[Way<'_>]) -> Courses {
        let mut frames: BTreeMap<i64, Vec<TrackPoint>> = BTreeMap::new();
        for (track, class, places) in tracks {
            for (time, x) in *places {
                let rect = NormBox::new(*x, 0.4, x + 0.1, 0.6).unwrap();
                let point = TrackPoint {
                    track: TrackId(*track),
                    class: *class,
                    score: 0.8,
                    rect,
                    confirmed: true,
                    held: false,
                    identity: 1.0,
                };
                frames.entry(*time).or_default().push(point);
            }
        }
        let mut courses = Courses::default();
        for (time, tracks) in frames {
            let time = MediaTime(time);
            courses.add(&FrameSeen {
                camera: CameraId(1),
                time,
                motion: vec![],
                tracks,
                ended: vec![],
                still: None,
                labels: Vec::new(),
            });
        }
        courses
    }

    #[test]
    fn a_track_seen_less_often_is_found_by_the_straight_way_between_its_sightings() {
        let way: Vec<(i64, f32)> = (0..10).map(|i| (i * 200, 0.05 * i as f32)).collect();
        let judge = run(&[(1, Class::Motorcycle, &way)]);
        let seldom = run(&[(7, Class::Bicycle, &[(0, 0.0), (1800, 0.45)])]);
        assert_eq!(recall(&judge, &seldom), Recall { asked: 1, found: 1, followed: 1 });
        let other_class = run(&[(7, Class::Car, &[(0, 0.0), (1800, 0.45)])]);
        assert_eq!(recall(&judge, &other_class), Recall { asked: 1, found: 0, followed: 0 });
        let standing = run(&[(7, Class::Motorcycle, &[(0, 0.0), (1800, 0.0)])]);
        assert_eq!(recall(&judge, &standing).found, 0);
    }

    #[test]
    fn two_halves_find_what_neither_follows_and_short_tracks_are_not_asked_for() {
        let way: Vec<(i64, f32)> = (0..12).map(|i| (i * 200, 0.05 * i as f32)).collect();
        let judge = run(&[(1, Class::Person, &way), (2, Class::Person, &way[..4])]);
        let halves = run(&[(1, Class::Person, &way[..4]), (2, Class::Person, &way[6..10])]);
        assert_eq!(recall(&judge, &halves), Recall { asked: 1, found: 1, followed: 0 });
        assert_eq!(recall(&judge, &judge), Recall { asked: 1, found: 1, followed: 1 });
    }
}
