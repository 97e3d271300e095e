//! The slow walk over everything recorded: is it still what was written?
//!
//! Closed segments by id, at [`BYTES_PER_SECOND`] at most and past the page cache, so that it is the disk that answers.
//! What it finds becomes a row, a counter and a line in the log. The place is kept: a restart goes on there.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Advice, fadvise};

use super::{
    alarms, chain,
    folder::{camera_of, site_of},
    reading::{self, Flaw, Reading, Wrong},
    recover::off_thread,
    verify::{self, misnamed},
};
use crate::{
    domain::{
        ids::SegmentId,
        segment::Segment,
        time::{Span, WallTime},
    },
    runtime::{board::Board, clock::Clock, counters::Counters, stop::Stop},
    store::{Damage, Store, StoreError},
};

/// Read at most so many bytes a second: a disk records twenty times as fast, and hashing them is one part in a hundred
/// of a processor. Thirty days of eight cameras are read in about three months.
const BYTES_PER_SECOND: u64 = 4_000_000;
/// Not while the house is starting.
const FIRST_WAIT: Duration = Duration::from_secs(300);
/// A pass begins at the earliest so long after the one before.
const PASS_US: i64 = 7 * 86_400_000_000;
/// How long nothing is done when there is nothing to do, or the database does not answer.
const IDLE: Duration = Duration::from_secs(60);
/// Segments asked for at once.
const BATCH: u32 = 20;
/// A file that is gone is looked for again after this: its row goes after it.
const GONE_WAIT: Duration = Duration::from_secs(10);

/// How fast and when; tests are in more of a hurry.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Before the first file.
    pub first_wait: Duration,
    /// Read at most so much.
    pub bytes_per_second: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first_wait: FIRST_WAIT, bytes_per_second: BYTES_PER_SECOND }
    }
}

/// What the walk needs.
#[derive(Debug)]
pub struct Scrub {
    /// Store folder.
    pub root: PathBuf,
    /// The index.
    pub store: Store,
    /// Clocks.
    pub clock: Clock,
    /// Where damages are counted.
    pub counters: Arc<Counters>,
    /// Where they are announced.
    pub board: Arc<Board>,
    /// How fast.
    pub pace: Pace,
}

impl Scrub {
    /// Walks until `stop` is asked.
    pub async fn run(self, stop: Stop) {
        let walk = async {
            tokio::time::sleep(self.pace.first_wait).await;
            loop {
                match self.some().await {
                    Ok(true) => {}
                    Ok(false) => tokio::time::sleep(IDLE).await,
                    Err(error) => {
                        tracing::warn!(%error, "looking through old recordings waits for the database");
                        tokio::time::sleep(IDLE).await;
                    }
                }
            }
        };
        tokio::select! {
            () = walk => {}
            () = stop.asked() => {}
        }
    }

    /// Looks at the next few segments; `false` when there are none for now.
    ///
    /// # Errors
    /// The database's.
    pub async fn some(&self) -> Result<bool, StoreError> {
        let now = self.clock.wall();
        let (next, began) = self.store.scrub_place().await?.unwrap_or((SegmentId(0), now));
        let segments = self.store.segments_from(next, BATCH).await?;
        if segments.is_empty() {
            let age_us = now.us().saturating_sub(began.us());
            // A wall clock that was set back by more than a pass begins one, rather than none for years.
            if next.0 > 0 && age_us.abs() >= PASS_US {
                self.store.set_scrub_place(SegmentId(0), now).await?;
                return Ok(true);
            }
            return Ok(false);
        }
        for segment in segments {
            // An open segment and what comes after it is for later.
            if segment.open {
                return Ok(false);
            }
            if !self.one(&segment, now).await? {
                return Ok(false);
            }
            self.store.set_scrub_place(SegmentId(segment.id.0 + 1), began).await?;
        }
        Ok(true)
    }

    /// Looks at one segment; `false` when the store's disk is not there, which is no damage.
    async fn one(&self, segment: &Segment, now: WallTime) -> Result<bool, StoreError> {
        let flaws = match self.read(segment).await {
            Ok(read) => flaws(segment, read),
            Err(_) if site_of(&self.root).is_err() => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tokio::time::sleep(GONE_WAIT.min(self.pace.first_wait)).await;
                let still = self.store.segments_from(segment.id, 1).await?;
                if still.first().is_none_or(|row| row.id != segment.id || row.path != segment.path) {
                    return Ok(true);
                }
                whole(segment, Wrong::Index)
            }
            Err(error) => whole(segment, Wrong::Unreadable(error.to_string())),
        };
        let damage = |flaw: &Flaw| Damage {
            stream: segment.stream,
            path: segment.path.clone(),
            span: flaw.span,
            what: format!("{} / {}", flaw.wrong.vi(), flaw.wrong.en()),
        };
        let damages: Vec<_> = flaws.iter().map(damage).collect();
        let Some(first) = damages.first() else { return Ok(true) };
        let new = self.store.add_damages(&damages, now).await?;
        self.counters.damages_found.add(new);
        if let Some((code, camera)) = camera_of(&segment.path).filter(|_| new > 0) {
            let place = format!("camera {code}, {}", verify::second(first.span.start_us));
            alarms::damaged(&self.board, camera, new, &place, self.clock.media());
        }
        for damage in &damages {
            tracing::error!(
                stream = %damage.stream, path = damage.path, start_us = damage.span.start_us, what = damage.what,
                "a recording is not what was written; check the disk"
            );
        }
        Ok(true)
    }

    async fn read(&self, segment: &Segment) -> io::Result<Reading> {
        let (path, start_us, rate) = (self.root.join(&segment.path), segment.start_us, self.pace.bytes_per_second);
        let read = off_thread(move || {
            forget_cached(&path);
            let mut pace = |bytes: usize| {
                std::thread::sleep(Duration::from_micros((bytes as u64).saturating_mul(1_000_000) / rate.max(1)));
                true
            };
            let read = reading::read(&path, start_us, &mut pace);
            forget_cached(&path);
            Some(read)
        });
        read.await.unwrap_or_else(|| Err(io::Error::other("no thread to read it with")))
    }
}

/// The page cache would say what was written, not what the disk holds, and has better things to keep.
fn forget_cached(path: &Path) {
    if let Ok(file) = File::open(path) {
        // Only advice.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
    }
}

fn whole(segment: &Segment, wrong: Wrong) -> Vec<Flaw> {
    let span = Span { start_us: segment.start_us, end_us: segment.end_us.max(segment.start_us) };
    vec![Flaw { span, wrong }]
}

/// What is wrong with a file that has a row.
fn flaws(segment: &Segment, read: Reading) -> Vec<Flaw> {
    let stem = segment.path.rsplit_once('/').and_then(|(_, name)| chain::stem(name)).unwrap_or((segment.start_us, 1));
    let kind = segment.path.split('/').nth(2).unwrap_or_default();
    let mut flaws = read.flaws.clone();
    flaws.extend(misnamed(&segment.path, stem, kind, &read));
    // Behind what the index knows a file may end anywhere (a disk that was full), before it nowhere.
    let missing = segment.fragments.iter().find(|row| !read.fragments.contains(row));
    if let (Some(row), true) = (missing, flaws.is_empty()) {
        let us = |ticks: u64| segment.start_us.saturating_add(i64::try_from(ticks / 9 * 100).unwrap_or(i64::MAX));
        let span = Span { start_us: us(row.start_90k), end_us: us(row.start_90k).max(segment.end_us) };
        flaws.push(Flaw { span, wrong: if read.tail.is_some() { Wrong::Tail } else { Wrong::Index } });
    }
    flaws
}
