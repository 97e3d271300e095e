//! RTP ticks of one connection to media time, pure.
//!
//! A camera's ticks run evenly but from nowhere in particular; receive times are true but uneven. Media time is an
//! anchor (the receive time of a session's first packet) plus ticks, so that it is as even as the camera's clock. The
//! anchor follows the receive times so slowly that nobody sees it ([`SLEW`]); that takes up the drift of every clock
//! that is worth its name, without new files. A packet may come late (a stalled network) but never early: being early is
//! judged at once, being late only when everything has been late for [`LATE_US`].
//!
//! A camera that is late beyond [`DRIFT_US`] all the same gets a new session with a new anchor at the next key frame,
//! where a file can start. One that is early by more is held there, packet by packet, because a new anchor would lay a
//! recording over the one before: the pictures of a camera whose clock runs at twice the speed follow their arrival.
//! Time goes on between sessions, it never goes back.

use crate::domain::{packet::ticks_to_us, time::MediaTime};

/// How far media time may part from receive time, microseconds; never further ahead than this, whatever the ticks say.
const DRIFT_US: i64 = 2_000_000;
/// How long everything must have been late before the camera's clock is blamed, microseconds.
const LATE_US: i64 = 10_000_000;
/// The anchor moves by at most one part of so many of the time that passes: 1000 ppm.
const SLEW: i64 = 1000;
/// The same for a camera that is early by more than half of [`DRIFT_US`].
const SLEW_HARD: i64 = 50;
/// What is left between two sessions that would else touch, microseconds.
const FRAME_US: i64 = 40_000;

/// Where a packet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Whether a new session begins with this packet.
    pub begins: bool,
    /// Ticks since the session's first packet.
    pub pts_90k: i64,
    /// The same as media time.
    pub time: MediaTime,
}

/// The times of one connection.
#[derive(Debug, Default)]
pub struct Timeline {
    now: Option<State>,
    /// The latest time of the connection before.
    floor: Option<MediaTime>,
}

#[derive(Debug)]
struct State {
    anchor: MediaTime,
    /// Ticks of the connection at the session's zero.
    zero: i64,
    last: i64,
    last_received: MediaTime,
    /// The latest time given.
    latest: MediaTime,
    /// Since when every packet has been late.
    late_since: Option<MediaTime>,
    /// The least lateness since `least_since`, and that of the period before, as far as it is not made up for.
    least_us: i64,
    least_since: MediaTime,
    behind_us: i64,
    /// The ticks stepped: times are bridged until the next key frame.
    stepped: bool,
}

impl Timeline {
    /// The times of a connection after one whose latest time is known.
    #[must_use]
    pub const fn after(latest: Option<MediaTime>) -> Self {
        Self { now: None, floor: latest }
    }

    /// The latest time given, for the next connection.
    #[must_use]
    pub fn latest(&self) -> Option<MediaTime> {
        self.now.as_ref().map(|state| state.latest).or(self.floor)
    }

    /// Places a packet with `ticks` (90 kHz, unwrapped, from any zero) received at `received`.
    pub fn place(&mut self, ticks: i64, received: MediaTime, key: bool) -> Placed {
        let Some(state) = &mut self.now else {
            // Further ahead than any camera can be: our own clock was set right in between.
            let floor = self.floor.map(|f| f.plus_us(FRAME_US)).filter(|f| f.since(received) <= DRIFT_US + FRAME_US);
            return self.begin(ticks, floor.map_or(received, |f| f.max(received)), received);
        };
        let moved_us = ticks_to_us(ticks.saturating_sub(state.last).clamp(-MAX_TICKS, MAX_TICKS));
        let waited_us = received.since(state.last_received);
        let before = state.last.saturating_sub(state.zero);
        if moved_us - waited_us > DRIFT_US || moved_us < -DRIFT_US {
            // The camera set its clock. Bridge the step by what our clock says has passed.
            let passed = before.saturating_add(us_to_ticks(waited_us.max(0)));
            state.zero = ticks.saturating_sub(passed);
            state.stepped = true;
        }
        let held = state.hold(ticks, received);
        (state.last, state.last_received) = (ticks, received);
        let pts_90k = ticks.saturating_sub(state.zero);
        if !held {
            let advanced_us = ticks_to_us(pts_90k.saturating_sub(before).clamp(0, 90_000));
            state.slew(advanced_us, received.since(state.time(ticks)), received);
        }
        let time = state.time(ticks);
        let late_us = received.since(time);
        state.late_since = if late_us > DRIFT_US { state.late_since.or(Some(received)) } else { None };
        let too_late = state.late_since.is_some_and(|since| received.since(since) >= LATE_US);
        if key && (state.stepped || too_late) {
            let floor = if time > state.latest { time } else { state.latest.plus_us(FRAME_US) };
            return self.begin(ticks, received.max(floor), received);
        }
        state.latest = state.latest.max(time);
        Placed { begins: false, pts_90k, time }
    }

    fn begin(&mut self, ticks: i64, anchor: MediaTime, received: MediaTime) -> Placed {
        self.now = Some(State {
            anchor,
            zero: ticks,
            last: ticks,
            last_received: received,
            latest: anchor,
            late_since: None,
            least_us: i64::MAX,
            least_since: received,
            behind_us: 0,
            stepped: false,
        });
        Placed { begins: true, pts_90k: 0, time: anchor }
    }
}

impl State {
    fn time(&self, ticks: i64) -> MediaTime {
        let pts_90k = ticks.saturating_sub(self.zero);
        self.anchor.plus_us(ticks_to_us(pts_90k.clamp(-MAX_TICKS, MAX_TICKS)))
    }

    /// Keeps a picture that is shown after the one before from being further ahead than [`DRIFT_US`]; whether it had to.
    fn hold(&mut self, ticks: i64, received: MediaTime) -> bool {
        let ahead_us = self.time(ticks).since(received) - DRIFT_US;
        if ahead_us <= 0 || ticks <= self.last {
            return false;
        }
        let by = us_to_ticks(ahead_us).saturating_add(1).min(ticks.saturating_sub(self.last).saturating_sub(1));
        self.zero = self.zero.saturating_add(by);
        true
    }

    /// Moves the anchor a little towards what the receive times say, `advanced_us` having passed.
    fn slew(&mut self, advanced_us: i64, late_us: i64, received: MediaTime) {
        self.least_us = self.least_us.min(late_us);
        if received.since(self.least_since) >= LATE_US {
            (self.behind_us, self.least_us, self.least_since) = (self.least_us.max(0), i64::MAX, received);
        }
        let slew = if late_us < -DRIFT_US / 2 { SLEW_HARD } else { SLEW };
        let by_us = if late_us < 0 {
            late_us.max(-advanced_us / slew)
        } else {
            self.behind_us.min(late_us).min(advanced_us / slew)
        };
        self.behind_us = (self.behind_us - by_us).max(0);
        self.anchor = self.anchor.plus_us(by_us);
    }
}

/// More ticks than any session lasts (a thousand years); keeps the arithmetic inside 64 bits.
const MAX_TICKS: i64 = 90_000 * 86_400 * 365_000;

const fn us_to_ticks(us: i64) -> i64 {
    us / 100 * 9 + us % 100 * 9 / 100
}

/// Ticks of any clock rate as 90 kHz ticks.
#[must_use]
pub fn to_90k(elapsed: i64, clock_rate: u32) -> i64 {
    if clock_rate == 90_000 || clock_rate == 0 {
        return elapsed;
    }
    let scaled = i128::from(elapsed) * 90_000 / i128::from(clock_rate);
    i64::try_from(scaled).unwrap_or(if scaled < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: i64 = 1_700_000_000_000_000;

    fn at(us: i64) -> MediaTime {
        MediaTime(START + us)
    }

    #[test]
    fn times_follow_the_cameras_ticks_not_the_uneven_arrival() {
        let mut line = Timeline::default();
        assert_eq!(line.place(777, at(0), true), Placed { begins: true, pts_90k: 0, time: at(0) });
        let placed = line.place(777 + 3600, at(95_000), false);
        assert_eq!(placed, Placed { begins: false, pts_90k: 3600, time: at(40_000) });
    }

    #[test]
    fn a_stalled_network_is_no_reason_for_a_new_session() {
        let mut line = Timeline::default();
        line.place(0, at(0), true);
        // Five seconds of silence, then everything that was sent meanwhile at once.
        for n in 1..=125 {
            let placed = line.place(n * 3600, at(5_000_000), n % 25 == 0);
            assert!(!placed.begins);
            assert_eq!(placed.time, at(n * 40_000));
        }
    }

    #[test]
    fn a_drifting_camera_is_anchored_again_at_a_key_frame() {
        let mut line = Timeline::default();
        line.place(0, at(0), true);
        let mut began = 0;
        // The camera's clock is 1 % slow.
        for n in 1..=10_000i64 {
            let key = n % 50 == 0;
            let placed = line.place(n * 3564, at(n * 40_000), key);
            assert!(!placed.begins || key);
            began += i32::from(placed.begins);
            assert!(at(n * 40_000).since(placed.time).abs() < DRIFT_US + LATE_US / 50);
        }
        assert_eq!(began, 1);
    }

    #[test]
    fn an_hour_of_a_clock_that_is_off_by_200_ppm_is_one_session_and_stays_true() {
        for ticks_a_frame in [3600.0 * 1.0002, 3600.0 * 0.9998] {
            let mut line = Timeline::default();
            let mut last = at(-1);
            for n in 0..90_000i64 {
                let ticks = (n as f64 * ticks_a_frame) as i64;
                // The network takes up to 60 ms.
                let received = at(n * 40_000 + n * 7919 % 60_000);
                let placed = line.place(ticks, received, n % 50 == 0);
                assert_eq!(placed.begins, n == 0);
                assert!(placed.time > last, "{n}");
                last = placed.time;
                assert!(received.since(placed.time).abs() < 100_000, "{n}: {}", received.since(placed.time));
            }
        }
    }

    #[test]
    fn a_camera_whose_clock_is_fast_never_lays_a_recording_over_the_one_before() {
        let mut line = Timeline::default();
        let mut last = at(-1);
        // 3 % fast, for an hour.
        for n in 0..90_000i64 {
            let placed = line.place(n * 3708, at(n * 40_000), n % 50 == 0);
            assert!(placed.time > last && placed.time.since(at(n * 40_000)) <= DRIFT_US, "{n}");
            last = placed.time;
        }
    }

    #[test]
    fn a_camera_whose_clock_runs_at_twice_the_speed_is_one_session_at_the_speed_of_arrival() {
        let mut line = Timeline::default();
        let mut last = line.place(0, at(0), true);
        for n in 1..20_000i64 {
            let received = at(n * 40_000);
            let placed = line.place(n * 7200, received, n % 50 == 0);
            assert!(!placed.begins && placed.time > last.time && placed.time.since(received) <= DRIFT_US, "{n}");
            // A file says when its pictures are by their ticks alone.
            let by_ticks = at(ticks_to_us(placed.pts_90k));
            assert!(by_ticks.since(placed.time).abs() < DRIFT_US / 10, "{n}: {}", by_ticks.since(placed.time));
            last = placed;
        }
    }

    #[test]
    fn a_group_of_pictures_sent_at_once_keeps_its_times_up_to_two_seconds_ahead() {
        let mut line = Timeline::default();
        line.place(0, at(0), true);
        for n in 1..=100i64 {
            let placed = line.place(n * 3600, at(n * 100), false);
            if n <= 50 {
                assert_eq!(placed.pts_90k, n * 3600);
            }
            assert!(!placed.begins && placed.time.since(at(n * 100)) <= DRIFT_US);
        }
    }

    #[test]
    fn the_wrap_of_32_bits_is_nothing_when_ticks_are_unwrapped() {
        let mut line = Timeline::default();
        let wrap = i64::from(u32::MAX);
        assert!(line.place(wrap - 3600, at(0), true).begins);
        for n in 0..4 {
            let placed = line.place(wrap + n * 3600, at((n + 1) * 40_000), true);
            assert_eq!((placed.begins, placed.time), (false, at((n + 1) * 40_000)));
        }
    }

    #[test]
    fn a_new_connection_begins_behind_the_one_before() {
        let begin = |latest| Timeline::after(Some(latest)).place(5, at(0), true).time;
        assert_eq!(begin(at(-FRAME_US)), at(0));
        assert_eq!(begin(at(1_000_000)), at(1_000_000 + FRAME_US));
        assert_eq!(begin(at(3_600_000_000)), at(0), "our clock was set back");
    }

    #[test]
    fn a_step_of_the_cameras_clock_is_bridged_until_the_next_key_frame() {
        for step in [90_000 * 3600, -90_000 * 3600] {
            let mut line = Timeline::default();
            line.place(0, at(0), true);
            assert_eq!(line.place(3600, at(40_000), false).time, at(40_000));
            let bridged = line.place(7200 + step, at(80_000), false);
            assert_eq!(bridged, Placed { begins: false, pts_90k: 7200, time: at(80_000) });
            assert_eq!(line.place(10_800 + step, at(120_000), false).time, at(120_000));
            assert!(line.place(14_400 + step, at(160_000), true).begins);
        }
    }

    #[test]
    fn other_clock_rates_become_90_khz() {
        assert_eq!(to_90k(44_100, 44_100), 90_000);
        assert_eq!(to_90k(-1_000, 1_000), -90_000);
        assert_eq!(to_90k(5, 90_000), 5);
    }

    proptest! {
        /// Any speed of the camera's clock, any reordering within it, any line: never more than two seconds ahead of the
        /// arrival, never back behind a picture that was shown before.
        #[test]
        fn no_clock_leads_by_more_than_two_seconds(
            speed in 0.05f64..20.0, gop in 1i64..200, late in proptest::collection::vec(0i64..300_000, 1..50)
        ) {
            let mut line = Timeline::default();
            let (mut received, mut latest) = (0, at(-1));
            for n in 0..2_000i64 {
                received = received.max(n * 40_000 + late[usize::try_from(n).unwrap() % late.len()]);
                let placed = line.place((n as f64 * 3600.0 * speed) as i64, at(received), n % gop == 0);
                prop_assert!(placed.time > latest, "{n}");
                prop_assert!(placed.time.since(at(received)) <= DRIFT_US + FRAME_US, "{n}: {}", placed.time.since(at(received)));
                latest = placed.time;
            }
        }

        #[test]
        fn no_ticks_break_the_arithmetic(steps in proptest::collection::vec((any::<i64>(), 0i64..10_000_000, any::<bool>()), 1..40)) {
            let mut line = Timeline::default();
            let (mut received, mut latest) = (0, at(-1));
            for (ticks, wait, key) in steps {
                received += wait;
                let placed = line.place(ticks, at(received), key);
                prop_assert!(!placed.begins || (placed.pts_90k == 0 && placed.time >= at(received) && placed.time > latest));
                // Sessions that begin in the same instant follow each other by a frame.
                let most = DRIFT_US + 40 * FRAME_US;
                prop_assert!(placed.time.since(at(received)) <= most, "{}", placed.time.since(at(received)));
                latest = latest.max(placed.time);
            }
        }
    }
}
