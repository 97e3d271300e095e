//! Retention: removes what is older than its days, keeps room for what is being recorded, and asks before it removes
//! much because of a changed setting or a clock.
//!
//! *Takes* the settings, the index, the disk's free bytes; *removes* segments, oldest first, file before row. Once a
//! second it looks at the free space and makes room at once when the reserve is touched; every half minute it removes
//! what is expired. *Limits*: pages of the index, never all of it; batches of 32 removals, so that the index is held for
//! milliseconds. *Refuses* to remove what is locked or still being written, and files the index does not know.

use std::{
    collections::{HashMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use self::brake::Waiting;
use super::{alarms, folder::site_of};
use crate::{
    domain::{
        alarm::AlarmKind,
        ids::{SegmentId, StreamId},
        time::{BootTime, Span, WallTime},
    },
    logic::retention::{Class, GAP_DAYS, Held, Keep, Marks, Rank, Settings, days_before_us, plan, reserve_bytes},
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop, tasks::ShortTasks, throttle::Throttle},
    store::{Store, StoreError, StreamUse},
};

mod brake;
mod remove;

/// How often the free space is looked at, microseconds.
const LOOK_US: i64 = 1_000_000;
const LOOK_EVERY: Duration = Duration::from_micros(LOOK_US.cast_unsigned());
/// How often expired segments are looked for, microseconds.
const PASS_US: i64 = 30_000_000;
/// How often the bytes of a day are measured, microseconds; ten times as often until all are known.
const MEASURE_US: i64 = 600_000_000;
/// How often everything is looked at from the beginning, microseconds: a place passed may hold something again.
const AFRESH_US: i64 = 86_400_000_000;
/// Pause after a panic.
const AFTER_PANIC: Duration = Duration::from_secs(30);
/// Rows of gaps and damages removed in one transaction.
const ROWS: u32 = 500;
/// Rows of one page when looking for expired segments …
const PAGE: u32 = 512;
/// … and of each stream when making room.
const PAGE_ROOM: u32 = 64;
/// An open segment younger than this is the one being written; an older one was forgotten and is passed.
const LIVE_US: i64 = 7_200_000_000;
/// Over how long the rate of writing is taken, microseconds.
const RATE_US: i64 = 60_000_000;

/// A disk's size and what of it is free for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// All bytes.
    pub total_bytes: u64,
    /// Free bytes.
    pub free_bytes: u64,
}

/// Size and free bytes of the disk under a folder.
///
/// # Errors
/// When the system does not tell.
pub fn disk_space(folder: &Path) -> io::Result<Space> {
    let stat = rustix::fs::statvfs(folder)?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    Ok(Space { total_bytes: bytes(stat.f_blocks), free_bytes: bytes(stat.f_bavail) })
}

/// Says how much is free; [`disk_space`] for everybody but tests.
pub type SpaceOf = Arc<dyn Fn(&Path) -> io::Result<Space> + Send + Sync>;

/// What a sweeper works with.
#[derive(Clone)]
pub struct Parts {
    /// The index.
    pub store: Store,
    /// The store folder.
    pub folder: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// Where removals and written bytes are counted.
    pub counters: Arc<Counters>,
    /// Where a stopped removal is announced.
    pub board: Arc<Board>,
    /// How much is free.
    pub space: SpaceOf,
}

/// Sweeps until `stop` is asked; a panic is counted and survived, since recording goes on meanwhile.
pub async fn run(parts: Parts, stop: Stop) {
    let tasks = ShortTasks::default();
    loop {
        let (mut sweeper, mine) = (Sweeper::new(parts.clone()), stop.clone());
        if tasks.run(async move { sweeper.work(&mine).await }).await.is_ok() {
            return;
        }
        parts.counters.panics.add(1);
        tokio::select! {
            () = stop.asked() => return,
            () = tokio::time::sleep(AFTER_PANIC) => {}
        }
    }
}

/// A place in a stream's segments by age: start and id of the last one passed.
type Place = (i64, SegmentId);
const BEGINNING: Place = (i64::MIN, SegmentId(0));

/// What one step removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Segments.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Swept {
    fn add_assign(&mut self, other: Self) {
        self.segments += other.segments;
        self.bytes += other.bytes;
    }
}

/// The state of the sweep. All of it can be lost: the index and the disk say everything again.
pub struct Sweeper {
    parts: Parts,
    /// Before this place nothing of that class or lower is left.
    expired_to: HashMap<(StreamId, Class), Place>,
    /// Before this place nothing of that rank or lower was left when it was passed.
    room_to: HashMap<(StreamId, Rank), Place>,
    locks: (i64, i64),
    settings: Settings,
    afresh: Option<BootTime>,
    measured: Option<BootTime>,
    looked: Option<BootTime>,
    /// Bytes written up to a time, and the rate reckoned from it.
    written: (BootTime, u64),
    rate_per_s: Option<u64>,
    /// The wall clock that was last believed, and when.
    believed: Option<(BootTime, WallTime)>,
    persisted: Option<BootTime>,
    waiting: Option<Waiting>,
    /// Jumps let through lately.
    let_through: VecDeque<(BootTime, u64)>,
    full: Throttle,
    failed: Throttle,
}

/// A page of one stream with classes and paths.
struct Page {
    held: Vec<Held>,
    paths: HashMap<SegmentId, String>,
    /// Place and end of every row, removable or not.
    rows: Vec<(Place, i64)>,
    /// Nothing removable comes behind it.
    end: bool,
}

impl Page {
    /// The last place of the page.
    fn last(&self) -> Option<Place> {
        self.rows.last().map(|(place, _)| *place)
    }
    /// The last place before which all ends before `horizon_us`.
    fn last_before(&self, horizon_us: i64) -> Option<Place> {
        self.rows.iter().take_while(|(_, end_us)| *end_us < horizon_us).last().map(|(place, _)| *place)
    }
    fn end_us(&self) -> i64 {
        self.rows.iter().map(|(_, end_us)| *end_us).max().unwrap_or(i64::MIN)
    }
}

impl Sweeper {
    /// Nothing looked at yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let written = (parts.clock.boot(), parts.counters.bytes_written.get());
        Self {
            parts,
            expired_to: HashMap::new(),
            room_to: HashMap::new(),
            locks: (0, 0),
            settings: Settings::default(),
            afresh: None,
            measured: None,
            looked: None,
            written,
            rate_per_s: None,
            believed: None,
            persisted: None,
            waiting: None,
            let_through: VecDeque::new(),
            full: Throttle::default(),
            failed: Throttle::default(),
        }
    }

    async fn work(&mut self, stop: &Stop) {
        let mut passed: Option<BootTime> = None;
        loop {
            // Where the store's disk is not mounted no file is found, and the system's own disk is not ours to clear.
            let is_there = site_of(&self.parts.folder).is_ok();
            if is_there && let Err(error) = self.make_room(stop).await {
                self.say_failed(&error);
            }
            let now = self.parts.clock.boot();
            if is_there && passed.is_none_or(|last| now.since(last) >= PASS_US) {
                if let Err(error) = self.pass(stop).await {
                    self.say_failed(&error);
                }
                passed = Some(now);
            }
            tokio::select! {
                () = stop.asked() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    fn say_failed(&self, error: &StoreError) {
        if let Some(times) = self.failed.say(1, self.parts.clock.boot()) {
            tracing::error!(times, %error, "recordings could not be removed; trying again");
        }
    }

    /// Completes what a stop interrupted, removes what is expired or over its limit, measures. Ends early when `stop`
    /// is asked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pass(&mut self, stop: &Stop) -> Result<Swept, StoreError> {
        let store = self.parts.store.clone();
        let begun = store.removals_begun().await?;
        if !begun.is_empty() {
            tracing::info!(count = begun.len(), "completing removals that were interrupted");
            self.remove_begun(&begun).await?;
        }
        let (settings, now) = (store.keep_settings().await?, self.parts.clock.wall());
        self.look_afresh(&settings).await?;
        let streams = store.stream_uses().await?;
        let mut swept = Swept::default();
        if self.may_expire(&settings, &streams, now, stop).await? {
            for stream in &streams {
                self.look(stop).await?;
                let keep = settings.of(stream.camera, stream.kind);
                let expired = self.expire(stream, keep, now, stop).await?;
                swept += expired;
                let left = stream.bytes.saturating_sub(expired.bytes);
                if let Some(over) = keep.bytes.and_then(|most| left.checked_sub(most)).filter(|o| *o > 0) {
                    swept += self.room(std::slice::from_ref(stream), &settings, now, over, stop).await?;
                }
            }
            let horizon = days_before_us(now, GAP_DAYS);
            while store.remove_gaps_before(horizon, ROWS).await? > 0 && !stop.is_asked() {}
            while store.remove_damages_before(horizon, ROWS).await? > 0 && !stop.is_asked() {}
        }
        let boot = self.parts.clock.boot();
        let unknown = streams.iter().any(|s| s.recorded && s.day_bytes.is_none());
        let every_us = if unknown { MEASURE_US / 10 } else { MEASURE_US };
        if self.measured.is_none_or(|last| boot.since(last) >= every_us) {
            for stream in streams.iter().filter(|s| s.recorded) {
                store.measure_day(stream.stream, now).await?;
            }
            self.measured = Some(boot);
        }
        Ok(swept)
    }

    /// Forgets the places passed when a lock was made or released, another setting holds, or a day has gone by.
    async fn look_afresh(&mut self, settings: &Settings) -> Result<(), StoreError> {
        let (locks, boot) = (self.parts.store.locks_mark().await?, self.parts.clock.boot());
        let old = self.afresh.is_none_or(|last| boot.since(last) >= AFRESH_US);
        if old || locks != self.locks || *settings != self.settings {
            self.expired_to.clear();
            self.room_to.clear();
            (self.afresh, self.locks) = (Some(boot), locks);
            self.settings.clone_from(settings);
        }
        Ok(())
    }

    /// Removes what is expired of one stream.
    async fn expire(
        &mut self,
        stream: &StreamUse,
        keep: Keep,
        now: WallTime,
        stop: &Stop,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        for (i, class) in Class::SET.into_iter().enumerate() {
            let horizon = keep.horizon_us(class, now);
            // The next class at the same horizon removes these too.
            let next = Class::SET.get(i + 1).and_then(|c| keep.horizon_us(*c, now));
            let Some(horizon) = horizon.filter(|_| horizon != next) else { continue };
            let key = (stream.stream, class);
            loop {
                let place = *self.expired_to.get(&key).unwrap_or(&BEGINNING);
                let page = self.page(stream, place, horizon, PAGE, now).await?;
                let plan = plan(&page.held, |_| keep, now, 0);
                let removed = self.remove(&plan.remove, &page.paths, false).await?;
                swept += removed;
                // One that failed is tried again, and the newest of the page may reach over the horizon.
                let all = removed.segments == plan.remove.len() as u64;
                let Some(last) = page.last_before(horizon).filter(|_| all) else { break };
                self.expired_to.insert(key, last);
                if page.end || page.last() != Some(last) || stop.is_asked() {
                    break;
                }
            }
        }
        Ok(swept)
    }

    /// One page of a stream behind `place` with its classes.
    async fn page(
        &self,
        stream: &StreamUse,
        place: Place,
        before_us: i64,
        rows: u32,
        now: WallTime,
    ) -> Result<Page, StoreError> {
        let store = &self.parts.store;
        let mut found = store.held_after(stream.stream, place, before_us, rows).await?;
        let mut end = found.len() < rows as usize;
        let live = |open: bool, start_us: i64| open && start_us > now.us().saturating_sub(LIVE_US);
        if let Some(at) = found.iter().position(|r| live(r.open, r.span.start_us)) {
            found.truncate(at);
            end = true;
        }
        let rows: Vec<_> = found.iter().map(|r| ((r.span.start_us, r.id), r.span.end_us)).collect();
        let mut page = Page { held: Vec::new(), paths: HashMap::new(), rows, end };
        let Some(first) = found.first() else {
            return Ok(Page { end: true, ..page });
        };
        let span = Span { start_us: first.span.start_us, end_us: page.end_us() };
        let marks = Marks::new(store.marks_in(stream.camera, stream.stream, span).await?);
        for row in found.into_iter().filter(|r| !r.open) {
            let class = marks.class_of(row.span);
            page.held.push(Held { id: row.id, stream: stream.stream, span: row.span, bytes: row.bytes, class });
            page.paths.insert(row.id, row.path);
        }
        Ok(page)
    }

    /// Makes room if it is time to look; long walks through the index call it on their way.
    async fn look(&mut self, stop: &Stop) -> Result<(), StoreError> {
        if self.looked.is_none_or(|last| self.parts.clock.boot().since(last) >= LOOK_US) {
            self.make_room(stop).await?;
        }
        Ok(())
    }

    /// Frees space at once when what must stay free is touched; waits for nobody's word.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_room(&mut self, stop: &Stop) -> Result<Swept, StoreError> {
        self.looked = Some(self.parts.clock.boot());
        self.measure_rate();
        let space = match (self.parts.space)(&self.parts.folder) {
            Ok(space) => space,
            Err(error) => {
                if let Some(times) = self.failed.say(1, self.parts.clock.boot()) {
                    tracing::error!(times, %error, "the free space of the store cannot be read");
                }
                return Ok(Swept::default());
            }
        };
        let rate = self.rate_per_s.unwrap_or(0);
        let reserve = reserve_bytes(space.total_bytes, rate);
        if space.free_bytes >= reserve {
            self.parts.board.clear(AlarmKind::DiskFull, None);
            return Ok(Swept::default());
        }
        // A little more, so that there is peace for a minute; not much of a small disk.
        let peace = rate.saturating_mul(60).clamp(1, (reserve / 4).max(1));
        let need = (reserve - space.free_bytes).saturating_add(peace);
        let (settings, now) = (self.parts.store.keep_settings().await?, self.believable().await?);
        self.look_afresh(&settings).await?;
        let streams = self.parts.store.stream_uses().await?;
        let swept = self.room(&streams, &settings, now, need, stop).await?;
        if swept.bytes >= need {
            tracing::info!(segments = swept.segments, bytes = swept.bytes, "made room for recording");
        } else if !stop.is_asked() {
            self.say_full(space.free_bytes, need - swept.bytes);
        }
        Ok(swept)
    }

    fn say_full(&self, free: u64, short: u64) {
        let Parts { board, folder, clock, .. } = &self.parts;
        alarms::full(board, folder, clock.media());
        if let Some(times) = self.full.say(1, clock.boot()) {
            tracing::error!(times, free, short, "the disk is full and nothing more may be removed");
        }
    }

    fn measure_rate(&mut self) {
        let (boot, bytes) = (self.parts.clock.boot(), self.parts.counters.bytes_written.get());
        let (since_us, grown) = (boot.since(self.written.0), bytes.saturating_sub(self.written.1));
        let due = since_us >= RATE_US;
        if due || (self.rate_per_s.is_none() && since_us >= RATE_US / 12) {
            let seconds = u64::try_from(since_us / 1_000_000).unwrap_or(1).max(1);
            self.rate_per_s = Some(grown / seconds).filter(|_| due || grown > 0);
        }
        if due {
            self.written = (boot, bytes);
        }
    }

    /// Removes, lowest rank and oldest first over all `streams`, until `need` bytes are freed or nothing is left.
    async fn room(
        &mut self,
        streams: &[StreamUse],
        settings: &Settings,
        now: WallTime,
        need: u64,
        stop: &Stop,
    ) -> Result<Swept, StoreError> {
        let keeps: HashMap<StreamId, Keep> =
            streams.iter().map(|s| (s.stream, settings.of(s.camera, s.kind))).collect();
        let keep = |stream: StreamId| keeps.get(&stream).copied().unwrap_or(Keep::FITS);
        let mut swept = Swept::default();
        for rank in Rank::ALL {
            while swept.bytes < need && !stop.is_asked() {
                let (mut heads, mut paths, mut sure_us) = (Vec::new(), HashMap::new(), i64::MAX);
                for stream in streams {
                    let page = self.head(stream, rank, keep(stream.stream), now).await?;
                    if !page.end {
                        // Behind its page a stream may hold something older than another stream's.
                        sure_us = sure_us.min(page.end_us());
                    }
                    heads.extend(page.held);
                    paths.extend(page.paths);
                }
                heads.retain(|h| h.span.end_us <= sure_us);
                let plan = plan(&heads, keep, now, need - swept.bytes);
                // Of expired ones, too, no more than needed: those wait for `pass`, and perhaps for a word.
                let mut left = need - swept.bytes;
                let enough = |h: &&Held| {
                    let more = left > 0;
                    left = left.saturating_sub(h.bytes);
                    more
                };
                let chosen: Vec<Held> = plan.remove.iter().take_while(enough).copied().collect();
                let removed = self.remove(&chosen, &paths, true).await?;
                swept += removed;
                if removed.segments == 0 {
                    break;
                }
            }
        }
        Ok(swept)
    }

    /// The oldest of a stream of at most that rank; moves the place over what is not to go.
    async fn head(&mut self, stream: &StreamUse, rank: Rank, keep: Keep, now: WallTime) -> Result<Page, StoreError> {
        let (key, mut rows) = ((stream.stream, rank), PAGE_ROOM);
        // What is promised whatever happened in it is not walked through in search of what is spare.
        let before_us = keep.spare_before_us(now).filter(|_| rank == Rank::Spare).unwrap_or(i64::MAX);
        loop {
            let place = *self.room_to.get(&key).unwrap_or(&BEGINNING);
            let mut page = self.page(stream, place, before_us, rows, now).await?;
            rows = PAGE;
            page.held.retain(|h| keep.rank(h.class, h.span, now).is_some_and(|r| r <= rank));
            match page.last() {
                Some(last) if page.held.is_empty() && !page.end => self.room_to.insert(key, last),
                _ => return Ok(page),
            };
        }
    }
}
