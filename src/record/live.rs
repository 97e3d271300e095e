//! What a stream shows right now: its newest group of pictures in memory, and everything after it to those who watch.
//!
//! Packets are kept as they came (their bytes are shared, not copied). Each watcher has them cut into fragments of its own,
//! much shorter than those on disk: what is not yet a fragment cannot be shown, so the picture would lag by a fragment. A
//! watcher starts at the group's key frame at once, or at the next key frame where the group is not kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};

use super::{
    fmp4,
    segmenter::{Fragment, Segmenter},
};
use crate::{
    domain::{
        ids::StreamId,
        packet::{Packet, StreamParams, TICKS_PER_SECOND},
        time::{BootTime, MediaTime},
    },
    runtime::counters::Counters,
};

/// How many may watch at once, all streams together.
pub const WATCHERS_MAX: usize = 16;
/// The longest fragment shown, ticks: a fifth of a second.
const FRAGMENT_MAX: i64 = TICKS_PER_SECOND / 5;
/// Bytes of one group kept; a longer one is not kept at all.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Bytes kept of all streams together.
const KEPT_BYTES_MAX: usize = 24 << 20;
/// Packets a watcher may be behind before it is moved on to the next key frame: about ten seconds.
const BEHIND_MAX: usize = 256;
/// A group that ended longer ago is not shown as live, microseconds.
const STALE_US: i64 = 10_000_000;

/// All streams; cloning shares it.
#[derive(Debug, Clone)]
pub struct Live {
    streams: Arc<Mutex<Streams>>,
    places: Arc<Semaphore>,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Streams {
    by_id: HashMap<StreamId, Channel>,
    /// Of all groups.
    kept_bytes: usize,
}

#[derive(Debug, Default)]
struct Channel {
    /// From a key frame on, or empty until the next one.
    group: Vec<Packet>,
    bytes: usize,
    /// There only while somebody watches: its ring takes memory.
    watchers: Option<broadcast::Sender<Packet>>,
}

/// What a watcher gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A new film begins; its times start at 0. The first piece, and again after a change of parameters, a new session of
    /// the camera or a loss.
    Start {
        /// Such as `video/mp4; codecs="avc1.4d401e"`.
        mime: String,
        /// When time 0 of the film was.
        start: MediaTime,
        /// `ftyp` and `moov`.
        init: Bytes,
    },
    /// The next `moof` and `mdat`.
    Fragment(Bytes),
}

impl Live {
    /// Nothing is there yet.
    #[must_use]
    pub fn new(counters: Arc<Counters>) -> Self {
        Self { streams: Arc::default(), places: Arc::new(Semaphore::new(WATCHERS_MAX)), counters }
    }
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A packet came. Never waits.
    pub(super) fn push(&self, packet: &Packet) {
        let size = packet.data.len();
        let mut streams = self.lock();
        let Streams { by_id, kept_bytes } = &mut *streams;
        let channel = by_id.entry(packet.stream).or_default();
        let too_much = channel.bytes + size > GROUP_BYTES_MAX || *kept_bytes + size > KEPT_BYTES_MAX;
        if packet.key || too_much {
            channel.group.clear();
            *kept_bytes -= channel.bytes;
            channel.bytes = 0;
        }
        let fits = size <= GROUP_BYTES_MAX && *kept_bytes + size <= KEPT_BYTES_MAX;
        if fits && (packet.key || !channel.group.is_empty()) {
            channel.group.push(packet.clone());
            channel.bytes += size;
            *kept_bytes += size;
        }
        // An error says that the last watcher has left.
        channel.watchers.take_if(|watchers| watchers.send(packet.clone()).is_err());
    }
    /// The stream ended: so do its watchers.
    pub(super) fn end(&self, stream: StreamId) {
        let mut streams = self.lock();
        if let Some(channel) = streams.by_id.remove(&stream) {
            streams.kept_bytes -= channel.bytes;
        }
    }
    /// Watches a stream from its newest group of pictures on; `None` when [`WATCHERS_MAX`] watch already.
    #[must_use]
    pub fn watch(&self, stream: StreamId, now: BootTime) -> Option<Watcher> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let mut streams = self.lock();
        let channel = streams.by_id.entry(stream).or_default();
        let fresh = channel.group.last().is_some_and(|last| now.since(last.received) <= STALE_US);
        let backlog = if fresh { channel.group.iter().cloned().collect() } else { VecDeque::new() };
        let receiver = channel.watchers.get_or_insert_with(|| broadcast::channel(BEHIND_MAX).0).subscribe();
        Some(Watcher {
            stream,
            backlog,
            receiver,
            cutter: None,
            film: None,
            ready: VecDeque::new(),
            counters: Arc::clone(&self.counters),
            _place: place,
        })
    }
}

/// The film a watcher is in.
#[derive(Debug)]
struct Film {
    session: u32,
    params: Arc<StreamParams>,
    base_90k: i64,
    sequence: u32,
}

/// One who watches; gives up its place when dropped.
#[derive(Debug)]
pub struct Watcher {
    stream: StreamId,
    backlog: VecDeque<Packet>,
    receiver: broadcast::Receiver<Packet>,
    /// Cuts packets into fragments; `None` until the next key frame.
    cutter: Option<Segmenter>,
    film: Option<Film>,
    ready: VecDeque<Piece>,
    counters: Arc<Counters>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next piece; `None` when the stream ended. Loses nothing when dropped while it waits. Who asks too seldom is
    /// moved on to the next key frame, counted in packets.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(piece);
            }
            let packet = match self.backlog.pop_front() {
                Some(packet) => packet,
                None => match self.receiver.recv().await {
                    Ok(packet) => packet,
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        self.counters.live_skipped.add(missed);
                        self.cutter = None;
                        continue;
                    }
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            };
            self.take(packet);
        }
    }

    fn take(&mut self, packet: Packet) {
        if self.cutter.is_none() {
            if !packet.key {
                return;
            }
            self.film = None;
        }
        let cutter = self.cutter.get_or_insert_with(|| Segmenter::cutting_at(FRAGMENT_MAX));
        for fragment in cutter.push(packet) {
            if let Err(error) = self.show(&fragment) {
                tracing::warn!(stream = %self.stream, %error, "a fragment cannot be shown live");
                self.cutter = None;
                return;
            }
        }
    }

    fn show(&mut self, fragment: &Fragment) -> Result<(), fmp4::FormatError> {
        let session = fragment.samples.first().map_or(0, |s| s.packet.session);
        let goes_on = self.film.as_ref().is_some_and(|f| f.session == session && f.params == fragment.params);
        if !goes_on {
            self.film = None;
            if !fragment.key {
                return Ok(());
            }
            self.ready.push_back(Piece::Start {
                mime: format!("video/mp4; codecs=\"{}\"", fragment.params.rfc6381),
                start: fragment.start,
                init: Bytes::from(fmp4::head(&fragment.params)?),
            });
        }
        let film = self.film.get_or_insert_with(|| Film {
            session,
            params: Arc::clone(&fragment.params),
            base_90k: fragment.start_90k,
            sequence: 0,
        });
        film.sequence = film.sequence.wrapping_add(1);
        let mut out = Vec::new();
        fmp4::push_fragment(&mut out, fragment, film.base_90k, film.sequence)?;
        self.ready.push_back(Piece::Fragment(out.into()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{START_US, stream};

    const STREAM: StreamId = StreamId(70);
    const NOW: BootTime = BootTime(0);

    /// Ten pictures a second, a key frame every two seconds: fragments of two pictures.
    fn packets(count: usize) -> Vec<Packet> {
        stream(10, 20, count)
    }

    fn live() -> (Live, Arc<Counters>) {
        let counters = Arc::<Counters>::default();
        (Live::new(Arc::clone(&counters)), counters)
    }

    /// What is ready without waiting: `S` and its start in seconds, then how many fragments.
    fn told(watcher: &mut Watcher) -> String {
        let (mut said, mut fragments) = (String::new(), 0);
        while let Some(Some(piece)) = futures::FutureExt::now_or_never(watcher.next()) {
            match piece {
                Piece::Start { start, mime, init } => {
                    assert_eq!((mime.as_str(), &init[4..8]), ("video/mp4; codecs=\"avc1.42C01E\"", &b"ftyp"[..]));
                    said += &format!("S{} ", (start.us() - START_US) / 1_000_000);
                }
                Piece::Fragment(bytes) => {
                    assert_eq!(&bytes[4..8], b"moof");
                    fragments += 1;
                }
            }
        }
        said + &fragments.to_string()
    }

    #[test]
    fn who_comes_in_the_middle_of_a_group_starts_at_its_key_frame_at_once() {
        let (live, _) = live();
        let all = packets(80);
        all[..29].iter().for_each(|p| live.push(p));
        let mut watcher = live.watch(STREAM, NOW).unwrap();
        // Nine pictures from second 2 on: the last one waits for the one that says how long it is shown.
        assert_eq!(told(&mut watcher), "S2 4");
        live.push(&all[29]);
        live.push(&all[30]);
        assert_eq!(told(&mut watcher), "1");
        all[31..].iter().for_each(|p| live.push(p));
        assert_eq!(told(&mut watcher), "24");
        live.end(STREAM);
        assert_eq!(futures::FutureExt::now_or_never(watcher.next()), Some(None));
    }

    #[test]
    fn who_is_too_slow_goes_on_at_a_key_frame_and_what_was_left_out_is_counted() {
        let (live, counters) = live();
        let mut watcher = live.watch(STREAM, NOW).unwrap();
        packets(400).iter().for_each(|p| live.push(p));
        assert_eq!(counters.live_skipped.get(), 0);
        // Of 400 packets the last 256 are left; the first key frame among them is number 160.
        assert_eq!(told(&mut watcher), "S16 119");
        assert_eq!(counters.live_skipped.get(), 144);
    }

    #[test]
    fn what_ended_long_ago_is_not_shown_as_live() {
        let (live, _) = live();
        packets(20).iter().for_each(|p| live.push(p));
        assert_eq!(told(&mut live.watch(STREAM, BootTime(STALE_US)).unwrap()), "S0 9");
        assert_eq!(told(&mut live.watch(STREAM, BootTime(STALE_US + 2_000_000)).unwrap()), "0");
    }

    #[test]
    fn no_more_than_the_limit_may_watch_and_a_place_comes_free() {
        let (live, _) = live();
        let mut watchers: Vec<_> = (0..WATCHERS_MAX).map(|_| live.watch(STREAM, NOW).unwrap()).collect();
        assert!(live.watch(STREAM, NOW).is_none());
        watchers.pop();
        assert!(live.watch(STREAM, NOW).is_some());
    }

    #[test]
    fn nothing_is_kept_for_watchers_that_have_left() {
        let (live, _) = live();
        let watching = |live: &Live| live.lock().by_id[&STREAM].watchers.is_some();
        let watcher = live.watch(STREAM, NOW).unwrap();
        let all = packets(2);
        live.push(&all[0]);
        assert!(watching(&live));
        drop(watcher);
        live.push(&all[1]);
        assert!(!watching(&live));
    }

    #[test]
    fn the_bytes_kept_never_pass_the_limit() {
        let (live, _) = live();
        let all = packets(40);
        let of = |n: i64, packet: &Packet| Packet { stream: StreamId(n), ..packet.clone() };
        let large = |packet: &Packet| Packet { data: vec![0; GROUP_BYTES_MAX - 10_000].into(), ..packet.clone() };
        for n in 0..10 {
            live.push(&of(n, &large(&all[0])));
            live.push(&of(n, &all[1]));
            assert!(live.lock().kept_bytes <= KEPT_BYTES_MAX);
        }
        (0..10).for_each(|n| live.push(&of(n, &large(&all[20]))));
        let streams = live.lock();
        let sum: usize = streams.by_id.values().map(|c| c.bytes).sum();
        assert_eq!(sum, streams.kept_bytes);
        assert!((KEPT_BYTES_MAX / 2..=KEPT_BYTES_MAX).contains(&sum), "{sum}");
        for channel in streams.by_id.values() {
            let held: usize = channel.group.iter().map(|p| p.data.len()).sum();
            assert_eq!(held, channel.bytes);
        }
    }
}
