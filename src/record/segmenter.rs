//! Packets to fragments and segments, pure.
//!
//! A fragment is a group of pictures or at most about a second of one; a segment is about a minute and starts with a key
//! frame. Nothing is lost, doubled or reordered: the packets of the fragments in order are the packets pushed. A fragment
//! ends only where every picture before is shown before every picture after, so that decode times can be the sorted
//! presentation times (architecture §8); where a stream makes that impossible, decode times are moved forward and the
//! composition offsets keep the presentation times exact.

use std::{collections::VecDeque, sync::Arc};

use crate::domain::{
    packet::{Packet, StreamParams, TICKS_PER_SECOND, ticks_to_us},
    time::MediaTime,
};

/// The longest fragment on disk, ticks.
const FRAGMENT_MAX: i64 = TICKS_PER_SECOND;
/// The shortest fragment that a key frame ends: a stream of key frames only would else be a fragment a frame.
const GROUP_MIN: i64 = TICKS_PER_SECOND * 2 / 5;
/// After this long the next key frame starts a new segment, ticks.
const SEGMENT: i64 = TICKS_PER_SECOND * 60;
/// A camera that sends no more key frames gets a new segment after this long all the same, ticks; the index finds
/// segments of up to an hour.
const SEGMENT_MAX: i64 = TICKS_PER_SECOND * 1800;
/// More packets than this are cut by force.
const PACKETS_MAX: usize = 600;
/// More bytes than this are cut by force.
const BYTES_MAX: usize = 16 << 20;
/// The deepest reordering looked for (H.264 and H.265 allow 16 pictures).
const REORDER_MAX: usize = 16;
/// How many frame durations the median is taken of.
const DURATIONS_KEPT: usize = 33;
/// What a lone frame lasts when nothing is known, ticks.
const LONE: i64 = TICKS_PER_SECOND / 25;

/// One picture of a fragment, in decoding order.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The packet as it came.
    pub packet: Packet,
    /// Decode time, ticks on the session's scale; never decreases.
    pub dts_90k: i64,
    /// Ticks to the next sample's decode time.
    pub duration_90k: u32,
}

/// A piece of a stream to be written as one moof+mdat.
#[derive(Debug, Clone)]
pub struct Fragment {
    /// Whether a new segment begins with it.
    pub opens: bool,
    /// Whether its first sample is a key frame.
    pub key: bool,
    /// Parameters of all its samples.
    pub params: Arc<StreamParams>,
    /// Decode time of its first sample, which is its earliest presentation time; ticks on the session's scale.
    pub start_90k: i64,
    /// Ticks to the start of the next fragment.
    pub duration_90k: u32,
    /// `start_90k` as media time.
    pub start: MediaTime,
    /// Its end as media time; the next fragment's start when there is one in the same session.
    pub end: MediaTime,
    /// Its pictures, at least one.
    pub samples: Vec<Sample>,
}

impl Fragment {
    /// Bytes of its samples.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.samples.iter().map(|s| s.packet.data.len()).sum()
    }
}

/// The state of one stream.
#[derive(Debug)]
pub struct Segmenter {
    /// The longest fragment, ticks, where the order of pictures allows a cut.
    longest_90k: i64,
    /// Session and parameters of what is pending or was last.
    current: Option<(u32, Arc<StreamParams>)>,
    pending: VecDeque<Packet>,
    pending_bytes: usize,
    /// How many packets may come after one that is shown later, as seen in this session.
    reorder: usize,
    /// Where the segment in progress started and its last fragment ended, ticks; `None` when a new one is due.
    segment: Option<(i64, i64)>,
    durations: VecDeque<i64>,
}

/// Where something starts: ticks and media time.
type Start = (i64, MediaTime);

impl Default for Segmenter {
    fn default() -> Self {
        Self::cutting_at(FRAGMENT_MAX)
    }
}

impl Segmenter {
    /// One whose fragments are at most so long, ticks, where the order of pictures allows a cut.
    #[must_use]
    pub fn cutting_at(longest_90k: i64) -> Self {
        Self {
            longest_90k,
            current: None,
            pending: VecDeque::new(),
            pending_bytes: 0,
            reorder: 0,
            segment: None,
            durations: VecDeque::new(),
        }
    }

    /// Takes the next packet; gives the fragments that are complete now.
    pub fn push(&mut self, packet: Packet) -> Vec<Fragment> {
        let mut out = Vec::new();
        if let Some((session, params)) = &self.current
            && (*session != packet.session || *params != packet.params)
        {
            if *session == packet.session {
                self.flush(Some((packet.pts_90k, packet.time)), &mut out);
            } else {
                self.flush(None, &mut out);
                self.reorder = 0;
                self.durations.clear();
            }
            self.segment = None;
            self.current = None;
        }
        self.current.get_or_insert_with(|| (packet.session, packet.params.clone()));
        let late = self.pending.iter().rev().take(REORDER_MAX).filter(|p| p.pts_90k > packet.pts_90k).count();
        self.reorder = self.reorder.max(late);
        self.pending_bytes += packet.data.len();
        self.pending.push_back(packet);
        self.emit_complete(self.reorder, &mut out);
        out
    }

    /// Nothing came for a while: gives what is held back, so that it reaches the disk. The segment goes on.
    pub fn idle(&mut self) -> Vec<Fragment> {
        let mut out = Vec::new();
        self.flush(None, &mut out);
        out
    }

    /// The stream ends: gives what is held back and closes the segment.
    pub fn end(&mut self) -> Vec<Fragment> {
        let out = self.idle();
        self.segment = None;
        out
    }

    fn flush(&mut self, next: Option<Start>, out: &mut Vec<Fragment>) {
        self.emit_complete(0, out);
        out.extend(self.emit(self.pending.len(), next));
    }

    fn emit_complete(&mut self, lookahead: usize, out: &mut Vec<Fragment>) {
        while let Some((count, forced)) = self.cut(lookahead) {
            let behind = if forced { self.pending.range(count..=count) } else { self.pending.range(count..) };
            let next = behind.map(|p| (p.pts_90k, p.time)).min();
            out.extend(self.emit(count, next));
        }
    }

    /// Where to cut: how many packets go out, and whether by force.
    fn cut(&self, lookahead: usize) -> Option<(usize, bool)> {
        let len = self.pending.len();
        let first = self.pending.front()?;
        let mut before = first.pts_90k;
        for at in 1..len {
            let packet = &self.pending[at];
            let so_far = packet.pts_90k.saturating_sub(first.pts_90k);
            let at_key = packet.key && (!first.key || so_far >= GROUP_MIN || self.is_longer(packet, SEGMENT));
            if (at_key || so_far >= self.longest_90k) && self.pending.range(at..).all(|p| p.pts_90k > before) {
                return (len - at > lookahead).then_some((at, false));
            }
            before = before.max(packet.pts_90k);
        }
        let too_much = len > PACKETS_MAX || (len > 1 && self.pending_bytes > BYTES_MAX);
        too_much.then_some((len.saturating_sub(1), true))
    }

    fn is_longer(&self, packet: &Packet, than: i64) -> bool {
        self.segment.is_some_and(|(start, _)| packet.pts_90k.saturating_sub(start) >= than)
    }

    fn emit(&mut self, count: usize, next: Option<Start>) -> Option<Fragment> {
        let packets: Vec<_> = self.pending.drain(..count).collect();
        self.pending_bytes = self.pending.iter().map(|p| p.data.len()).sum();
        let first = packets.first()?;
        let (key, params) = (first.key, first.params.clone());
        if (key && self.is_longer(first, SEGMENT)) || self.is_longer(first, SEGMENT_MAX) {
            self.segment = None;
        }
        let times = self.decode_times(&packets, next.map(|(pts, _)| pts));
        let (start_90k, end_90k) = (times[0], times[packets.len()]);
        let (earliest, earliest_time) = packets.iter().map(|p| (p.pts_90k, p.time)).min()?;
        let start = earliest_time.plus_us(us(start_90k.saturating_sub(earliest)));
        let end = match next {
            Some((pts, time)) if pts == end_90k => time,
            _ => start.plus_us(us(end_90k.saturating_sub(start_90k))),
        };
        let opens = self.segment.is_none();
        self.segment = Some((self.segment.map_or(start_90k, |(s, _)| s), end_90k));
        let samples = packets.into_iter().zip(times.windows(2)).map(|(packet, pair)| Sample {
            packet,
            dts_90k: pair[0],
            duration_90k: saturated(pair[1].saturating_sub(pair[0])),
        });
        let (samples, duration_90k) = (samples.collect(), saturated(end_90k.saturating_sub(start_90k)));
        Some(Fragment { opens, key, params, start_90k, duration_90k, start, end, samples })
    }

    /// The sorted presentation times, each later than the one before, and where the last picture ends.
    fn decode_times(&mut self, packets: &[Packet], next: Option<i64>) -> Vec<i64> {
        let mut times: Vec<_> = packets.iter().map(|p| p.pts_90k).collect();
        times.sort_unstable();
        let mut floor = self.segment.map_or(i64::MIN, |(_, end)| end);
        for time in &mut times {
            *time = (*time).max(floor);
            floor = time.saturating_add(1);
        }
        self.durations.extend(times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])));
        let last = floor.saturating_sub(1);
        let end = next.map_or_else(|| last.saturating_add(self.median()), |pts| pts.max(floor));
        if next.is_some() {
            self.durations.push_back(end.saturating_sub(last));
        }
        let surplus = self.durations.len().saturating_sub(DURATIONS_KEPT);
        self.durations.drain(..surplus);
        times.push(end);
        times
    }

    fn median(&self) -> i64 {
        let mut durations: Vec<_> = self.durations.iter().copied().collect();
        durations.sort_unstable();
        durations.get(durations.len() / 2).copied().unwrap_or(LONE).max(1)
    }
}

fn us(ticks: i64) -> i64 {
    ticks_to_us(ticks.clamp(i64::MIN / 1000, i64::MAX / 1000))
}

fn saturated(ticks: i64) -> u32 {
    u32::try_from(ticks.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::testing::{Picture, packets, stream};

    fn run(packets: &[Packet]) -> Vec<Fragment> {
        let mut segmenter = Segmenter::default();
        let mut out: Vec<_> = packets.iter().flat_map(|p| segmenter.push(p.clone())).collect();
        out.extend(segmenter.end());
        out
    }

    #[test]
    fn fragments_are_groups_of_pictures_or_a_second() {
        // 25 frames a second, a key frame every 30: a second and a fifth.
        let fragments = run(&stream(25, 30, 90));
        let shape: Vec<_> = fragments.iter().map(|f| (f.key, f.samples.len())).collect();
        assert_eq!(shape, [(true, 25), (false, 5), (true, 25), (false, 5), (true, 25), (false, 5)]);
        assert!(fragments.iter().all(|f| f.duration_90k == 3600 * u32::try_from(f.samples.len()).unwrap()));
        let opens: Vec<_> = fragments.iter().map(|f| f.opens).collect();
        assert_eq!(opens, [true, false, false, false, false, false]);
    }

    #[test]
    fn a_stream_of_key_frames_only_is_not_a_fragment_a_frame() {
        let fragments = run(&stream(25, 1, 100));
        assert_eq!(fragments.len(), 10);
        assert!(fragments.iter().all(|f| f.key));
    }

    #[test]
    fn a_segment_ends_at_the_first_key_frame_after_a_minute() {
        let fragments = run(&stream(10, 70, 1500));
        let starts: Vec<_> = fragments.iter().filter(|f| f.opens).map(|f| f.start_90k / 90_000).collect();
        assert_eq!(starts, [0, 63, 126]);
        assert!(fragments.iter().filter(|f| f.opens).all(|f| f.key));
        // Without a second key frame the segment goes on.
        assert_eq!(run(&stream(10, 50_000, 3000)).iter().filter(|f| f.opens).count(), 1);
        assert_eq!(run(&stream(1, 50_000, 4000)).iter().filter(|f| f.opens).count(), 3);
    }

    #[test]
    fn new_parameters_and_new_sessions_start_new_segments() {
        let mut packets = stream(10, 10, 40);
        let other = Arc::new(StreamParams { width: 1, ..(*packets[0].params).clone() });
        for packet in &mut packets[20..] {
            packet.params = other.clone();
        }
        for packet in &mut packets[30..] {
            packet.session += 1;
        }
        let fragments = run(&packets);
        let opens: Vec<_> = fragments.iter().map(|f| (f.opens, f.samples.len())).collect();
        assert_eq!(opens, [(true, 10), (false, 10), (true, 10), (true, 10)]);
    }

    #[test]
    fn bidirectional_pictures_stay_in_their_group_and_get_sorted_decode_times() {
        // I0 P3 B1 B2 | P6 B4 B5 | …
        let order = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8, 12, 10, 11, 15, 13, 14];
        let pictures: Vec<_> = order.iter().map(|&n| Picture { pts: n * 22_500, key: n == 0, size: 5 }).collect();
        let fragments = run(&packets(&pictures));
        for pair in fragments.windows(2) {
            let last = pair[0].samples.iter().map(|s| s.packet.pts_90k).max();
            assert!(last < pair[1].samples.iter().map(|s| s.packet.pts_90k).min());
        }
        let dts: Vec<_> = fragments.iter().flat_map(|f| &f.samples).map(|s| s.dts_90k).collect();
        assert_eq!(dts, (0..16).map(|n| n * 22_500).collect::<Vec<_>>());
        assert!(fragments.len() > 2);
    }

    #[test]
    fn what_is_held_back_comes_out_when_nothing_more_comes() {
        let mut segmenter = Segmenter::default();
        let packets = stream(5, 10, 4);
        assert!(packets[..3].iter().all(|p| segmenter.push(p.clone()).is_empty()));
        let held = segmenter.idle();
        assert_eq!(held.iter().map(|f| f.samples.len()).sum::<usize>(), 3);
        // The last of them gets the median duration, and the segment goes on.
        assert_eq!(held[0].duration_90k, 54_000);
        assert!(segmenter.idle().is_empty());
        segmenter.push(packets[3].clone());
        let rest = segmenter.end();
        assert!(!rest[0].opens);
        assert_eq!(rest[0].start_90k, 54_000);
    }

    #[test]
    fn the_last_frame_of_a_session_lasts_the_median() {
        let fragments = run(&stream(4, 100, 3));
        assert_eq!(fragments[0].samples.iter().map(|s| s.duration_90k).collect::<Vec<_>>(), [22_500; 3]);
        assert_eq!(run(&stream(4, 100, 1))[0].duration_90k, u32::try_from(LONE).unwrap());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Picture { pts: i64, key: bool, size: usize },
        Params,
        Session,
        Idle,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            40 => (-4i64..12, any::<bool>(), 0usize..40).prop_map(|(pts, key, size)| Step::Picture { pts, key, size }),
            1 => (any::<i64>(), any::<bool>(), 0usize..4).prop_map(|(pts, key, size)| Step::Picture { pts, key, size }),
            1 => Just(Step::Params),
            1 => Just(Step::Session),
            1 => Just(Step::Idle),
        ];
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        #[test]
        fn no_packet_is_lost_doubled_changed_or_reordered(steps in steps()) {
            let mut segmenter = Segmenter::default();
            let (mut pushed, mut out) = (Vec::new(), Vec::new());
            let mut at = 0i64;
            let mut packet = packets(&[Picture { pts: 0, key: true, size: 1 }]).remove(0);
            for step in steps {
                match step {
                    Step::Params => {
                        let width = packet.params.width + 1;
                        packet.params = Arc::new(StreamParams { width, ..(*packet.params).clone() });
                    }
                    Step::Session => packet.session += 1,
                    Step::Idle => out.extend(segmenter.idle()),
                    Step::Picture { pts, key, size } => {
                        at = at.saturating_add(pts.saturating_mul(9000));
                        packet.pts_90k = at;
                        packet.time = MediaTime(us(at));
                        packet.key = key;
                        packet.data = vec![u8::try_from(pushed.len() % 256).unwrap(); size].into();
                        pushed.push(packet.clone());
                        out.extend(segmenter.push(packet.clone()));
                    }
                }
            }
            out.extend(segmenter.end());
            let got: Vec<_> = out.iter().flat_map(|f| &f.samples).map(|s| &s.packet).collect();
            prop_assert_eq!(got.len(), pushed.len());
            for (a, b) in got.iter().zip(&pushed) {
                prop_assert_eq!((a.pts_90k, a.key, a.session, &a.data), (b.pts_90k, b.key, b.session, &b.data));
            }
            for fragment in &out {
                prop_assert!(fragment.samples.iter().all(|s| s.packet.params == fragment.params));
                prop_assert!(fragment.samples.windows(2).all(|w| w[0].dts_90k <= w[1].dts_90k));
                prop_assert!(fragment.samples.windows(2).all(|w| w[0].packet.session == w[1].packet.session));
                prop_assert_eq!(fragment.samples[0].dts_90k, fragment.start_90k);
            }
            for pair in out.windows(2).filter(|w| !w[1].opens) {
                prop_assert!(pair[0].params == pair[1].params);
                if pair.iter().all(|f| f.start_90k.unsigned_abs() < 1 << 40) {
                    prop_assert!(pair[0].start_90k + i64::from(pair[0].duration_90k) <= pair[1].start_90k);
                }
            }
        }

        #[test]
        fn with_ordinary_reordering_times_are_the_sorted_presentation_times(
            groups in proptest::collection::vec((1usize..6, any::<bool>()), 1..60)
        ) {
            // Each group: an anchor, then the pictures shown before it.
            let (mut pictures, mut shown) = (vec![Picture { pts: 0, key: true, size: 3 }], 1i64);
            for (size, key) in groups {
                let anchor = shown + i64::try_from(size).unwrap() - 1;
                // A key frame has nothing before it that comes later.
                let key = key && size == 1;
                pictures.push(Picture { pts: anchor * 3000, key, size: 3 });
                pictures.extend((shown..anchor).map(|n| Picture { pts: n * 3000, key: false, size: 3 }));
                shown = anchor + 1;
            }
            let fragments = run(&packets(&pictures));
            let dts: Vec<_> = fragments.iter().flat_map(|f| &f.samples).map(|s| s.dts_90k).collect();
            prop_assert_eq!(dts, (0..shown).map(|n| n * 3000).collect::<Vec<_>>());
            for pair in fragments.windows(2) {
                prop_assert_eq!(pair[0].start_90k + i64::from(pair[0].duration_90k), pair[1].start_90k);
                prop_assert_eq!(pair[0].end, pair[1].start);
            }
        }
    }
}
