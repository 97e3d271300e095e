use std::sync::LazyLock;

use proptest::prelude::*;

use super::{
    trust::{EPISODES_MIN, KEPT_PERCENT},
    *,
};

const FRAME_US: i64 = 100_000;
const GOP: u64 = 20;

/// A camera of 10 pictures a second and a gate; the numbers are those of the packets.
struct Camera {
    gate: PacketGate<u64>,
    next: u64,
    from: i64,
    dice: u64,
    fed: Vec<(u64, bool)>,
    /// Whether key frames show what moves.
    keys_tell: bool,
}

impl Camera {
    fn new(from: i64) -> Self {
        Self { gate: PacketGate::default(), next: 0, from, dice: 1, fed: Vec::new(), keys_tell: false }
    }
    /// About -1..1.
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 40) as f64 / f64::from(1 << 23) - 1.0
    }
    fn time(&self, n: u64) -> MediaTime {
        MediaTime(self.from + n as i64 * FRAME_US)
    }
    /// One packet, `larger` times the usual size; what the pictures decoded by it show.
    fn packet(&mut self, larger: f64, moves: bool) -> usize {
        let n = self.next;
        self.next += 1;
        let key = n.is_multiple_of(GOP);
        let usual = if key { 20_000.0 } else { 800.0 };
        let size = (usual * larger * (1.0 + 0.15 * self.roll())) as usize;
        let mut out = Vec::new();
        self.gate.offer(Offered { time: self.time(n), key, size, packet: n }, &mut out);
        let fed = out.len();
        for (packet, why) in out {
            self.fed.push((packet.packet, packet.key));
            let key_stirs = (packet.key && why != Why::Later).then_some(moves && self.keys_tell);
            // One that is asked about and shows something comes again.
            let again = why == Why::Asked && key_stirs == Some(true);
            if packet.packet % 2 == 0 {
                self.gate.tell(packet.time, moves && !again, key_stirs);
            }
        }
        fed
    }
    /// So many seconds; how many packets were fed.
    fn run(&mut self, seconds: u64, larger: f64, moves: bool) -> usize {
        (0..seconds * 10).map(|_| self.packet(larger, moves)).sum()
    }
    /// Rest and motion in turn, until so many minutes are over.
    fn minutes(&mut self, minutes: u64, larger: f64) {
        for _ in 0..minutes {
            // Not always at the same place of a group.
            for _ in 0..493 {
                self.packet(1.0, false);
            }
            self.run(10, larger, true);
        }
    }
}

/// In order, each once but for key frames, every run from a key frame on and without a hole.
fn is_decodable(fed: &[(u64, bool)]) -> bool {
    let (mut last, mut began, mut seen) = (None, None, std::collections::BTreeSet::new());
    fed.iter().all(|&(n, key)| {
        let follows = last.is_some_and(|l| n == l + 1);
        let later = began.is_none_or(|b| n > b) || key;
        began = if key { Some(n) } else { began };
        last = Some(n);
        began.is_some() && later && (key || follows && seen.insert(n))
    })
}

#[test]
fn a_camera_whose_packets_tell_is_gated_and_loses_no_episode() {
    let mut camera = Camera::new(0);
    camera.minutes(3, 3.0);
    assert!(!camera.gate.state().on, "too early: {:?}", camera.gate.state());
    camera.minutes(25, 3.0);
    let state = camera.gate.state();
    assert!(state.on && state.episodes >= EPISODES_MIN && state.kept == state.episodes, "{state:?}");
    camera.run(60, 1.0, false);
    let quiet = camera.run(600, 1.0, false);
    assert!(quiet < 6000 * 3 / 10, "{quiet} packets of 6000 are decoded in ten quiet minutes");
    // What happens between two key frames is decoded from its first packet on.
    while camera.gate.state().way != Way::KeyOnly || !camera.next.is_multiple_of(GOP) {
        camera.packet(1.0, false);
    }
    camera.run(1, 1.0, false);
    let begins = camera.next;
    camera.run(10, 3.0, true);
    let fed: Vec<_> = camera.fed.iter().map(|(n, _)| *n).filter(|n| (begins..begins + 80).contains(n)).collect();
    assert_eq!(fed, (begins..begins + 80).collect::<Vec<_>>());
    assert!(is_decodable(&camera.fed));
}

#[test]
fn a_camera_whose_packets_tell_nothing_is_never_gated() {
    let mut camera = Camera::new(0);
    camera.minutes(70, 1.0);
    let state = camera.gate.state();
    assert!(!state.on && state.episodes >= 60, "{state:?}");
    assert!(state.kept * 100 < state.episodes * KEPT_PERCENT, "{state:?}");
    assert_eq!((camera.fed.len() as u64, state.skipped), (camera.next, 0), "everything is decoded");
}

#[test]
fn a_camera_on_which_it_does_not_hold_any_more_is_decoded_whole_again() {
    let mut camera = Camera::new(0);
    camera.minutes(28, 3.0);
    assert!(camera.gate.state().on);
    // Audits are a tenth of the time; what is missed in one of them is enough.
    let off = (0..200).position(|_| {
        camera.run(14, 1.0, false);
        camera.run(7, 1.0, true);
        !camera.gate.state().on
    });
    assert!(off.is_some(), "{:?}", camera.gate.state());
    assert_eq!(camera.gate.state().episodes, 0, "trust has to be earned again");
}

#[test]
fn what_a_key_frame_shows_brings_back_what_was_held_since_the_one_before() {
    let mut camera = Camera::new(0);
    camera.keys_tell = true;
    camera.minutes(70, 1.0);
    let state = camera.gate.state();
    assert!(state.on && state.kept == state.episodes, "key frames alone are enough: {state:?}");
    camera.run(20, 1.0, false);
    while camera.gate.state().way != Way::KeyOnly || camera.next % GOP != 3 {
        camera.packet(1.0, false);
    }
    // It comes in the middle of a group; that it is there is seen at the next key frame.
    let (begins, before) = (camera.next, camera.fed.len());
    camera.run(6, 1.0, true);
    let fed = &camera.fed[before..];
    assert_eq!(fed[0], (begins - 3 + GOP, true), "it is asked about");
    let rest: Vec<u64> = fed[1..].iter().map(|(n, _)| *n).collect();
    assert_eq!(rest, (begins - 3..camera.next).collect::<Vec<_>>());
    assert_eq!(camera.gate.state().way, Way::Full, "and it has caught up");
    assert!(is_decodable(&camera.fed));
}

#[test]
fn pictures_in_another_order_are_never_gated() {
    let mut gate = PacketGate::default();
    for n in 0..3000i64 {
        let swapped = if n % 2 == 0 { n + 1 } else { n - 1 };
        let (time, key) = (MediaTime(swapped * FRAME_US), n % 20 == 0);
        let mut out = Vec::new();
        gate.offer(Offered { time, key, size: if n / 100 % 3 == 2 { 3000 } else { 800 }, packet: n }, &mut out);
        gate.tell(time, n / 100 % 3 == 2, None);
        assert_eq!(out.len(), 1);
    }
    let state = gate.state();
    assert!(state.reordered && !state.on, "{state:?}");
}

/// What may come: a packet, a look that sees something or not, a decoder that breaks.
#[derive(Debug, Clone)]
enum Happens {
    Packet { key: bool, size: usize, step_us: i64 },
    Look { moves: bool, key_stirs: Option<bool> },
    Breaks,
}

fn happens() -> impl Strategy<Value = Happens> {
    let size = prop_oneof![6 => 100usize..2000, 1 => 20_000usize..600_000];
    let step_us = prop_oneof![40 => 20_000i64..200_000, 1 => -50_000_000i64..50_000_000];
    prop_oneof![
        40 => (prop::bool::weighted(0.06), size, step_us)
            .prop_map(|(key, size, step_us)| Happens::Packet { key, size, step_us }),
        10 => (prop::bool::weighted(0.2), any::<Option<bool>>())
            .prop_map(|(moves, key_stirs)| Happens::Look { moves, key_stirs }),
        1 => Just(Happens::Breaks),
    ]
}

static TRUSTED: LazyLock<(PacketGate<u64>, MediaTime)> = LazyLock::new(|| trusted(0));

/// A gate that is on: what it does on a bad day is the matter, not how it came there.
fn trusted(from: i64) -> (PacketGate<u64>, MediaTime) {
    let mut camera = Camera::new(from);
    camera.minutes(24, 3.0);
    camera.run(90, 1.0, false);
    assert!(camera.gate.state().on);
    // Nothing of the warm-up is held.
    camera.gate.broke();
    let now = camera.time(camera.next);
    (camera.gate, now)
}

fn play(gate: &mut PacketGate<u64>, mut time: MediaTime, all: &[Happens]) -> Vec<(u64, bool)> {
    let mut fed = Vec::new();
    for (n, what) in all.iter().enumerate() {
        match what {
            Happens::Packet { key, size, step_us } => {
                time = time.plus_us(*step_us);
                let mut out = Vec::new();
                gate.offer(Offered { time, key: *key, size: *size, packet: n as u64 }, &mut out);
                fed.extend(out.iter().map(|(p, _)| (p.packet, p.key)));
            }
            Happens::Look { moves, key_stirs } => gate.tell(time, *moves, *key_stirs),
            Happens::Breaks => gate.broke(),
        }
        assert!(gate.held_bytes <= HELD_BYTES_MAX && gate.held.len() <= HELD_MAX);
        assert_eq!(gate.held_bytes, gate.held.iter().map(|(p, _)| p.size).sum::<usize>());
    }
    fed
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_comes_is_fed_in_order_from_a_key_frame_and_without_a_hole_and_nothing_but_key_frames_twice(
        all in prop::collection::vec(happens(), 1..1500),
    ) {
        let (mut gate, now) = TRUSTED.clone();
        let before = gate.state().skipped;
        let fed = play(&mut gate, now, &all);
        // Counted without the looks between the packets.
        let packets: Vec<u64> =
            (0..all.len() as u64).filter(|n| matches!(all[*n as usize], Happens::Packet { .. })).collect();
        let number = |n: u64| packets.binary_search(&n).expect("only packets are fed") as u64;
        let numbered: Vec<_> = fed.iter().map(|(n, key)| (number(*n), *key)).collect();
        // After a break a run begins anew too, so holes are only allowed before a key frame.
        prop_assert!(is_decodable(&numbered));
        let fed: std::collections::BTreeSet<u64> = fed.iter().map(|(n, _)| *n).collect();
        let held = gate.held.iter().filter(|(p, _)| !fed.contains(&p.packet)).count() as u64;
        let lost = gate.state().skipped - before + held;
        prop_assert_eq!(fed.len() as u64 + lost, packets.len() as u64);
    }

    #[test]
    fn a_full_buffer_waits_for_the_next_key_frame_and_is_counted(large in 300_000usize..900_000) {
        let (mut gate, now) = TRUSTED.clone();
        let offer = |gate: &mut PacketGate<u64>, n: i64, key: bool, size: usize| {
            let mut out = Vec::new();
            gate.offer(Offered { time: now.plus_us(n * FRAME_US), key, size, packet: 0 }, &mut out);
            out.len()
        };
        // Sizes that are not known yet are no sign.
        prop_assert_eq!(offer(&mut gate, 0, true, 10), 1);
        prop_assert_eq!(gate.state().way, Way::KeyOnly);
        gate.sizes = Sizes::default();
        let fed: usize = (1..7).map(|n| offer(&mut gate, n, false, large)).sum();
        prop_assert_eq!((fed, gate.state().overflows), (0, 1));
        prop_assert!(!gate.state().on, "it could not have caught up");
        gate.tell(now, true, Some(true));
        prop_assert_eq!(offer(&mut gate, 7, false, 10), 0, "behind a hole");
        prop_assert_eq!(offer(&mut gate, 8, true, 10), 1);
        prop_assert_eq!(offer(&mut gate, 9, false, 10), 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn moving_all_times_feeds_the_same_packets(
        all in prop::collection::vec(happens(), 1..600), by in 0..1_000_000_000_000i64,
    ) {
        let ((mut one, now), (mut other, then)) = (TRUSTED.clone(), trusted(by));
        prop_assert_eq!(play(&mut one, now, &all), play(&mut other, then, &all));
        prop_assert_eq!(one.state(), other.state());
    }
}

#[test]
fn what_moves_while_the_picture_gate_learns_is_no_test() {
    let mut camera = Camera::new(0);
    camera.run(20, 1.0, false);
    camera.run(10, 1.0, true);
    camera.run(60, 1.0, false);
    assert_eq!(camera.gate.state().episodes, 0);
    camera.run(10, 1.0, true);
    camera.run(20, 1.0, false);
    let state = camera.gate.state();
    assert_eq!((state.episodes, state.kept), (1, 0), "nothing told of it");
    camera.gate.unsettled();
    camera.run(10, 1.0, true);
    camera.run(20, 1.0, false);
    assert_eq!(camera.gate.state().episodes, 1);
}
