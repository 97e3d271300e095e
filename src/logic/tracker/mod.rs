//! Follows objects from frame to frame.
//!
//! In: one frame's time, what the detector saw in it and where it looked, where something moved. Out: the objects seen
//! in this frame under lasting identities, those that are over, those now believed. Frames come 2 to 10 times a second
//! and unevenly, so everything is counted in seconds, and a motorbike that moved its own length since the last frame
//! (no overlap at all) is still found: pairs are judged by buffered overlap and by the distance from where the object
//! should be, measured in its own size, within what its class can do.
//!
//! Sightings of high score are assigned first, those of low score may only continue what was left over (Zhang et al.,
//! "ByteTrack", 2022). Direction and the way over a gap are taken between observations, not from the filter (Cao et al.,
//! "Observation-Centric SORT", 2023). What stands keeps its identity without being seen each time: while nothing moves
//! there it is *held*, and said so. What was lost for some seconds is taken up again by place, look and time when
//! there is no doubt who it is; how sure an identity is stands in each point.
//!
//! Limits: [`DETECTIONS_MAX`] sightings a frame, [`TRACKS_MAX`] objects at a time. Refuses to look at pixels: two
//! objects of one class and look that merge into one box and part again may have changed their names.

use crate::{
    domain::{
        detection::{Class, Detection},
        geometry::NormBox,
        ids::TrackId,
        time::MediaTime,
        track::TrackPoint,
    },
    logic::colour::Appearance,
};

use rounds::Rounds;
use track::Track;

mod filter;
mod matching;
mod rounds;
#[cfg(test)]
mod tests;
mod track;

/// The most sightings looked at in one frame; of more, those of highest score.
pub const DETECTIONS_MAX: usize = 200;
/// The most objects followed at a time; further ones are not begun.
pub const TRACKS_MAX: usize = 200;
/// A step back in time by more than this is a new beginning, not a frame out of order.
const BACK_MAX_US: i64 = 1_000_000;
/// A place was looked at when this share of it was.
const COVERED: f32 = 0.7;
/// Something moved at a place when a region covers this share of it.
const MOVED: f32 = 0.1;
/// Looks at a quiet place that do not find what stood there, until it is given up, when something moved there before.
const MISSES_DISTURBED_MAX: u32 = 4;
/// When nothing did it must still be there, unless it never was: so many looks …
const MISSES_MAX: u32 = 8;
/// … over so long, seconds.
const MISSES_WITHIN_S: f64 = 15.0;

/// What may be tuned. Times in seconds, lengths in the object's own size (the root of its box's area).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerConfig {
    /// Width of the picture over its height; boxes are normalised and would distort distances otherwise.
    pub aspect: f32,
    /// Sightings of at least this score are assigned first.
    pub high_score: f32,
    /// Sightings of less than this score are not looked at.
    pub low_score: f32,
    /// Only a sighting of at least this score begins a track.
    pub new_score: f32,
    /// Sightings that make a track believed …
    pub confirm_sightings: usize,
    /// … when they lie within this time.
    pub confirm_within_s: f32,
    /// A track not yet confirmed is over when unseen for longer than this.
    pub lose_new_s: f32,
    /// A confirmed one is lost when unseen for longer than this …
    pub lose_confirmed_s: f32,
    /// … one that stands when neither seen nor held for longer than this …
    pub lose_standing_s: f32,
    /// … and what is lost is over when absent for longer than this, or at once when it left the picture.
    pub reattach_s: f32,
    /// What has not moved for so long stands.
    pub still_s: f32,
    /// What stands is held at most so long without being seen; then it has to be looked at.
    pub hold_max_s: f32,
    /// A sighting that overlaps a better one of a kindred class by this much is the same object twice.
    pub duplicate_iou: f32,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            aspect: 16.0 / 9.0,
            high_score: 0.5,
            low_score: 0.1,
            new_score: 0.4,
            confirm_sightings: 3,
            confirm_within_s: 1.5,
            lose_new_s: 1.5,
            lose_confirmed_s: 2.0,
            lose_standing_s: 20.0,
            reattach_s: 8.0,
            still_s: 2.0,
            hold_max_s: 120.0,
            duplicate_iou: 0.7,
        }
    }
}

/// What is known about one frame.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glance<'a> {
    /// What the detector saw; `None` when it did not look.
    pub detections: Option<&'a [Detection]>,
    /// The look of each detection, in their order; may be shorter.
    pub appearances: &'a [Option<Appearance>],
    /// Where the detector looked; `None`: at the whole frame.
    pub looked_at: Option<&'a [NormBox]>,
    /// Where something moved; `None` when nobody can tell.
    pub motion: Option<&'a [NormBox]>,
}

/// What one frame said.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TrackStep {
    /// Objects seen in this very frame or held, by track.
    pub points: Vec<TrackPoint>,
    /// Tracks that are over; said once each.
    pub ended: Vec<TrackId>,
    /// Tracks believed since this frame, with the class they have now; said once each.
    pub newly_confirmed: Vec<(TrackId, Class)>,
}

/// Where a followed object should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Which.
    pub track: TrackId,
    /// What.
    pub class: Class,
    /// Where, grown by how unsure that is.
    pub rect: NormBox,
    /// Where, most probably.
    pub object: NormBox,
    /// How fast it moves, its own sizes a second.
    pub speed: f32,
    /// Whether it is believed.
    pub confirmed: bool,
    /// Whether it stands.
    pub standing: bool,
    /// Whether looking there now would tell something: false for what is held and seen not long ago.
    pub wants_look: bool,
    /// Seconds since it was last seen.
    pub unseen_s: f32,
}

/// Follows the objects of one camera.
#[derive(Debug, Clone)]
pub struct Tracker {
    config: TrackerConfig,
    next_id: i64,
    now: Option<MediaTime>,
    tracks: Vec<Track>,
}

fn seconds(us: i64) -> f64 {
    us as f64 / 1e6
}

/// The greatest share of `place` that one of the regions covers.
fn share_covered(place: NormBox, regions: &[NormBox]) -> f32 {
    let [x0, y0, x1, y1] = place.corners();
    let shared = |r: &NormBox| {
        let [a0, b0, a1, b1] = r.corners();
        (x1.min(a1) - x0.max(a0)).max(0.0) * (y1.min(b1) - y0.max(b0)).max(0.0)
    };
    regions.iter().map(shared).fold(0.0, f32::max) / place.area()
}

impl Tracker {
    /// Follows nothing yet; the first track gets `first_id`, each further one the next number.
    #[must_use]
    pub fn new(config: TrackerConfig, first_id: i64) -> Self {
        Self { config, next_id: first_id, now: None, tracks: Vec::new() }
    }

    /// Takes one frame. `None`: the detector did not look, so nothing is seen, but time passes and unseen tracks end.
    ///
    /// A time before the last one is taken as the last one; more than a second before, every track ends and the
    /// tracker begins anew there.
    pub fn step(&mut self, time: MediaTime, detections: Option<&[Detection]>) -> TrackStep {
        self.glance(time, &Glance { detections, ..Glance::default() })
    }

    /// As [`step`](Self::step), with everything that is known about the frame.
    pub fn glance(&mut self, time: MediaTime, glance: &Glance<'_>) -> TrackStep {
        let mut out = TrackStep::default();
        let time = self.advance(time, &mut out);
        for track in &mut self.tracks {
            if glance.motion.is_none_or(|regions| share_covered(track.rect, regions) > MOVED) {
                track.quiet_since = time;
            }
        }
        if let Some(detections) = glance.detections {
            self.look(time, detections, glance, &mut out);
        }
        self.hold(time, glance, &mut out);
        out
    }

    /// Ends every track.
    pub fn finish(&mut self) -> Vec<TrackId> {
        self.now = None;
        self.tracks.drain(..).map(|t| t.id).collect()
    }

    /// The number the next track will get.
    #[must_use]
    pub const fn next_id(&self) -> i64 {
        self.next_id
    }

    /// How many objects are followed now.
    #[must_use]
    pub fn following(&self) -> usize {
        self.tracks.len()
    }

    /// Where the objects should be at `time`, not before the last frame's. Those lost are not among them.
    #[must_use]
    pub fn predictions(&self, time: MediaTime) -> Vec<Prediction> {
        let (config, aspect) = (&self.config, f64::from(self.config.aspect));
        let dt_s = self.now.map_or(0.0, |now| seconds(time.since(now).max(0)));
        let predict = |track: &Track| {
            let (there, spread) = track.expected_in(dt_s);
            let object = there.rect(aspect)?;
            let rect = there.grown(spread / there.size()).rect(aspect)?;
            let (vx, vy) = track.speed();
            let unseen_s = track.unseen_s(time);
            let wants_look = match track.stand {
                Some(stand) => stand.disturbed || unseen_s > f64::from(config.hold_max_s) / 2.0,
                None => true,
            };
            Some(Prediction {
                track: track.id,
                class: track.class,
                rect,
                object,
                speed: (vx.hypot(vy) / there.size()) as f32,
                confirmed: track.confirmed,
                standing: track.stand.is_some(),
                wants_look,
                unseen_s: unseen_s as f32,
            })
        };
        self.tracks.iter().filter(|t| !t.is_lost(time, config)).filter_map(predict).collect()
    }

    fn advance(&mut self, time: MediaTime, out: &mut TrackStep) -> MediaTime {
        let last = self.now.unwrap_or(time);
        if last.since(time) > BACK_MAX_US {
            out.ended = self.finish();
        }
        let time = self.now.map_or(time, |last| last.max(time));
        self.now = Some(time);
        let config = self.config;
        for track in &mut self.tracks {
            track.pass(seconds(time.since(last).max(0)));
        }
        self.tracks.retain(|track| {
            let over = track.is_over(time, &config);
            if over {
                out.ended.push(track.id);
            }
            !over
        });
        time
    }

    fn look(&mut self, time: MediaTime, detections: &[Detection], glance: &Glance<'_>, out: &mut TrackStep) {
        let mut rounds = Rounds::new(self, time, detections, glance);
        rounds.hand_out(self);
        let config = self.config;
        let mut seen: Vec<usize> = Vec::new();
        for (index, given) in rounds.given.iter().enumerate() {
            let Some((sighting, risk)) = *given else { continue };
            let track = &mut self.tracks[index];
            track.doubt(time, risk);
            track.see(time, rounds.sighting(sighting), &config);
            seen.push(index);
        }
        for sighting in rounds.new_ones(self) {
            seen.extend(self.begin(time, rounds.sighting(sighting)));
        }
        for index in seen {
            let track = &mut self.tracks[index];
            if !track.confirmed && track.is_proven(&config) {
                track.confirmed = true;
                out.newly_confirmed.push((track.id, track.class));
            }
            out.points.push(track.point(false));
        }
    }

    /// What stands and was not seen: held while nothing moves there, given up when looks at a quiet place do not find
    /// it.
    fn hold(&mut self, time: MediaTime, glance: &Glance<'_>, out: &mut TrackStep) {
        let config = self.config;
        for track in &mut self.tracks {
            let Some(stand) = &mut track.stand else { continue };
            let unseen_s = seconds(time.since(track.seen));
            if unseen_s <= 0.0 {
                continue;
            }
            let place = stand.at.rect(f64::from(config.aspect)).unwrap_or(track.rect);
            let looked = glance.detections.is_some()
                && glance.looked_at.is_none_or(|regions| share_covered(place, regions) >= COVERED);
            let moved = glance.motion.map(|regions| share_covered(place, regions) > MOVED);
            stand.disturbed |= moved == Some(true);
            if moved != Some(false) {
                continue;
            }
            stand.misses += u32::from(looked);
            let given_up = match stand.disturbed {
                true => stand.misses >= MISSES_DISTURBED_MAX,
                false => stand.misses >= MISSES_MAX && unseen_s > MISSES_WITHIN_S,
            };
            if given_up {
                // From here on it is absent like anything else.
                track.stand = None;
            } else if unseen_s <= f64::from(config.hold_max_s) && !stand.disturbed {
                track.present = time;
                out.points.push(track.point(true));
            }
        }
    }
}
