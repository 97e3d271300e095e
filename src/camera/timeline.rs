//! RTP ticks of one connection to media time, pure.
//!
//! A camera's ticks run evenly but from nowhere in particular; receive times are true but uneven. Media time is an
//! anchor (the receive time of a session's first packet) plus ticks, so that it is as even as the camera's clock. When
//! the two part by more than [`DRIFT_US`], a new session with a new anchor begins at the next key frame, where a file
//! can start. A packet may come late (a stalled network) but never early: being early is judged at once, being late
//! only when everything has been late for [`LATE_US`].

use crate::domain::{packet::ticks_to_us, time::MediaTime};

/// How far media time may part from receive time, microseconds.
const DRIFT_US: i64 = 2_000_000;
/// How long everything must have been late before the camera's clock is blamed, microseconds.
const LATE_US: i64 = 10_000_000;

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
}

#[derive(Debug)]
struct State {
    anchor: MediaTime,
    /// Ticks of the connection at the session's zero.
    zero: i64,
    last: i64,
    last_received: MediaTime,
    /// Since when every packet has been late.
    late_since: Option<MediaTime>,
    /// The ticks stepped: times are bridged until the next key frame.
    stepped: bool,
}

impl Timeline {
    /// Places a packet with `ticks` (90 kHz, unwrapped, from any zero) received at `received`.
    pub fn place(&mut self, ticks: i64, received: MediaTime, key: bool) -> Placed {
        let Some(state) = &mut self.now else { return self.begin(ticks, received) };
        let moved_us = ticks_to_us(ticks.saturating_sub(state.last).clamp(-MAX_TICKS, MAX_TICKS));
        let waited_us = received.since(state.last_received);
        if moved_us - waited_us > DRIFT_US || moved_us < -DRIFT_US {
            // The camera set its clock. Bridge the step by what our clock says has passed.
            let stepped = ticks.saturating_sub(state.last);
            state.zero = state.zero.saturating_add(stepped).saturating_sub(us_to_ticks(waited_us.max(0)));
            state.stepped = true;
        }
        (state.last, state.last_received) = (ticks, received);
        let pts_90k = ticks.saturating_sub(state.zero);
        let time = state.anchor.plus_us(ticks_to_us(pts_90k.clamp(-MAX_TICKS, MAX_TICKS)));
        let late_us = received.since(time);
        state.late_since = if late_us > DRIFT_US { state.late_since.or(Some(received)) } else { None };
        let too_late = state.late_since.is_some_and(|since| received.since(since) >= LATE_US);
        if key && (state.stepped || late_us < -DRIFT_US || too_late) {
            return self.begin(ticks, received);
        }
        Placed { begins: false, pts_90k, time }
    }

    fn begin(&mut self, ticks: i64, received: MediaTime) -> Placed {
        self.now = Some(State {
            anchor: received,
            zero: ticks,
            last: ticks,
            last_received: received,
            late_since: None,
            stepped: false,
        });
        Placed { begins: true, pts_90k: 0, time: received }
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
        #[test]
        fn no_ticks_break_the_arithmetic(steps in proptest::collection::vec((any::<i64>(), 0i64..10_000_000, any::<bool>()), 1..40)) {
            let mut line = Timeline::default();
            let mut received = 0;
            for (ticks, wait, key) in steps {
                received += wait;
                let placed = line.place(ticks, at(received), key);
                prop_assert!(!placed.begins || (placed.pts_90k, placed.time) == (0, at(received)));
            }
        }
    }
}
