//! The gap ledger: follows every stream and enters why what is missing is missing.
//!
//! It asks the index again and again what is recorded and which gaps are known, and explains the rest by what was seen of
//! the stream at the time. A step derives everything from what is stored, so that it can be made again after any crash;
//! only what was seen is kept in memory. Nothing here stands in the way of recording.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::broadcast::error::RecvError, time::MissedTickBehavior};

use crate::{
    domain::{
        camera::{StreamKind, StreamStatus, TroubleCause},
        ids::{CameraId, GapId, StreamId},
        segment::GapCause,
        time::{BootTime, Span, WallTime},
    },
    logic::{
        anchor::NEAR_US,
        gaps::{Excuse, Explained, Life, Seen, Sight, absence, explain},
        timeline::{Piece, TOLERANCE_US, What, account},
    },
    runtime::{
        board::{Board, Change},
        clock::Clock,
        stop::Stop,
    },
    store::{Gap, LedgerGap, LedgerStep, LedgerStream, Store, StoreError},
};

#[cfg(test)]
mod tests;

/// How often streams in trouble are looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often a stream is looked at that is fine, or has been in trouble for long; microseconds.
const CALM_US: i64 = 10_000_000;
const LONG_US: i64 = 5_000_000;
/// A trouble of this length has a row while it lasts, microseconds.
const ROW_US: i64 = 2_000_000;
/// What comes is on its way to the index for a few seconds; later than this it is missing although pictures are said to
/// come, microseconds.
pub(super) const ON_ITS_WAY_US: i64 = 20_000_000;
/// A waiting of a second that took longer: the whole program stood still, microseconds.
const STILL_US: i64 = 5_000_000;
/// How often it is entered how far a stream is accounted for when nothing else is, microseconds.
const MARK_US: i64 = 60_000_000;
/// The longest stretch looked at in one step, microseconds.
const STRETCH_US: i64 = 7 * 86_400_000_000;
/// After a jump of the clock over more than [`NEAR_US`] locks are kept beyond their time for a day, in which the clock
/// can be set right; microseconds.
const LOCKS_HELD_US: i64 = 86_400_000_000;
/// Sights kept of a stream; flapping more often than that is one trouble.
const SIGHTS_MAX: usize = 256;

/// The ledger of a running program.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    board: Arc<Board>,
    clock: Clock,
    /// What was before this run, for streams not followed yet.
    before: Vec<Sight>,
    /// No lock is released before.
    locks_held: Option<BootTime>,
    streams: HashMap<StreamId, Followed>,
}

/// A stream as the ledger knows it.
#[derive(Debug)]
struct Followed {
    stream: LedgerStream,
    /// Everything before is accounted for.
    until_us: i64,
    /// What of that is stored.
    stored_us: i64,
    sights: Vec<Sight>,
    /// The rows of the hole that is not over yet.
    open: Vec<LedgerGap>,
    looked_us: i64,
}

impl Ledger {
    /// Looks at how the run before ended. To be made before the first heartbeat of this run.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(store: Store, board: Arc<Board>, clock: Clock) -> Result<Self, StoreError> {
        let (anchor, now_us) = (clock.anchor(), clock.media().us());
        let booted = WallTime(anchor.utc.us().saturating_sub(anchor.boot.us()));
        let last = store.last_life().await?;
        let jumped = last.as_ref().is_some_and(|last| now_us.saturating_sub(last.utc_us) > NEAR_US);
        let (from_us, (cause, evidence)) = match last {
            Some(last) if last.utc_us > now_us => {
                (i64::MIN, (GapCause::Service, ahead(last.utc_us.saturating_sub(now_us))))
            }
            Some(last) => {
                let life = Life { boot_id: last.boot_id, utc_us: last.utc_us, ended: last.ended };
                (last.utc_us, absence(&life, &anchor.boot_id, booted, WallTime(now_us)))
            }
            None => (i64::MIN, (GapCause::Service, "the program had not been started yet".to_owned())),
        };
        let before = vec![Sight { from_us, seen: Seen::Wrong(cause, evidence) }, starting(now_us)];
        let locks_held = jumped.then(|| clock.boot().plus_us(LOCKS_HELD_US));
        Ok(Self { store, board, clock, before, locks_held, streams: HashMap::new() })
    }

    /// Works until `stop` is asked.
    pub async fn run(mut self, stop: Stop) {
        let mut changes = self.board.listen();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waits = (self.clock.boot(), self.clock.media().us());
        loop {
            tokio::select! {
                biased;
                () = stop.asked() => break,
                change = changes.recv() => match change {
                    Ok(Change::Status(_) | Change::Alarms) | Err(RecvError::Lagged(_)) => self.look(),
                    Ok(_) => {}
                    // The board is ours too: it cannot be gone.
                    Err(RecvError::Closed) => break,
                },
                _ = tick.tick() => {
                    self.note_stillness(waits);
                    self.look();
                    self.step_or_say(false).await;
                    waits = (self.clock.boot(), self.clock.media().us());
                }
            }
        }
        // Rows of troubles that go on reach up to the stop.
        self.step_or_say(true).await;
    }

    async fn step_or_say(&mut self, last: bool) {
        if let Err(error) = self.step(last).await {
            tracing::warn!(%error, "the gap ledger could not be written; it is tried again");
        }
    }

    /// A long waiting means that nothing ran; a jump of media time, that the clock was set right.
    fn note_stillness(&mut self, (boot, media_us): (BootTime, i64)) {
        let (still_us, now_us) = (self.clock.boot().since(boot), self.clock.media().us());
        let jump_us = now_us.saturating_sub(media_us).saturating_sub(still_us);
        if jump_us > NEAR_US {
            self.locks_held = Some(self.clock.boot().plus_us(LOCKS_HELD_US));
        }
        if jump_us < -STILL_US {
            self.before = vec![starting(now_us)];
            for followed in self.streams.values_mut() {
                followed.sights = vec![
                    Sight { from_us: i64::MIN, seen: Seen::Wrong(GapCause::Service, ahead(-jump_us)) },
                    Sight { from_us: now_us, seen: Seen::Fine },
                ];
            }
            return;
        }
        let evidence = if jump_us > STILL_US {
            format!("the clock was behind and was set right by {} s; this span did not take place", jump_us / 1_000_000)
        } else if still_us > STILL_US {
            format!("the whole program stood still for {} s", still_us / 1_000_000)
        } else {
            return;
        };
        for followed in self.streams.values_mut() {
            followed.see(Sight { from_us: media_us, seen: Seen::Wrong(GapCause::Service, evidence.clone()) });
            followed.see(Sight { from_us: now_us, seen: Seen::Fine });
        }
    }

    /// Looks at every stream's status.
    fn look(&mut self) {
        let now_us = self.clock.media().us();
        for followed in self.streams.values_mut() {
            let LedgerStream { camera, kind, .. } = followed.stream;
            followed.see(Sight { from_us: now_us, seen: seen(&self.board, camera, kind) });
        }
    }

    /// Accounts for what has become known.
    async fn step(&mut self, last: bool) -> Result<(), StoreError> {
        let now_us = self.clock.media().us();
        if self.locks_held.is_none_or(|until| self.clock.boot() >= until) {
            self.store.release_locks_due(WallTime(now_us)).await?;
        }
        self.follow(self.store.ledger_streams(None).await?, now_us).await?;
        let mut due: Vec<StreamId> =
            self.streams.iter().filter(|(_, f)| last || f.is_due(now_us)).map(|(id, _)| *id).collect();
        due.sort_unstable();
        if due.is_empty() {
            return Ok(());
        }
        let mut looks = Vec::with_capacity(due.len());
        for id in due {
            let Some(followed) = self.streams.get(&id) else { continue };
            looks.push((id, self.look_closer(followed, now_us, last).await?));
        }
        let mut step = LedgerStep::default();
        for (id, look) in &looks {
            step.put.extend(look.put.iter().cloned());
            step.remove.extend(look.remove.iter().copied());
            let followed = self.streams.get(id);
            let stored_us = followed.map_or(i64::MIN, |f| f.stored_us);
            let is_retired = followed.is_some_and(|f| f.stream.retired_us.is_some());
            if !look.put.is_empty()
                || look.until_us > stored_us
                    && (last || is_retired || look.until_us.saturating_sub(stored_us) > MARK_US)
            {
                step.until.push((*id, look.until_us));
            }
        }
        if step == LedgerStep::default() {
            self.enter(looks, Vec::new(), &HashSet::new(), now_us);
            return Ok(());
        }
        let marked: HashSet<StreamId> = step.until.iter().map(|(id, _)| *id).collect();
        let ids = self.store.step_ledger(step).await?;
        self.enter(looks, ids, &marked, now_us);
        Ok(())
    }

    /// Takes over what a step has stored.
    fn enter(&mut self, looks: Vec<(StreamId, Look)>, ids: Vec<GapId>, marked: &HashSet<StreamId>, now_us: i64) {
        let mut ids = ids.into_iter();
        for (id, look) in looks {
            let Some(followed) = self.streams.get_mut(&id) else { continue };
            let put: Vec<LedgerGap> = look.put.into_iter().zip(ids.by_ref()).map(|(g, id)| g.numbered(id)).collect();
            let mut open: Vec<LedgerGap> = look.kept.into_iter().chain(put).collect();
            open.retain(|gap| gap.gap.span.end_us > look.until_us);
            open.sort_unstable_by_key(|gap| gap.gap.span.start_us);
            followed.open = open;
            followed.until_us = look.until_us;
            followed.looked_us = now_us;
            if marked.contains(&id) {
                followed.stored_us = look.until_us;
            }
            followed.forget_old_sights();
        }
    }

    /// Begins with new streams and forgets those that are done with.
    async fn follow(&mut self, streams: Vec<LedgerStream>, now_us: i64) -> Result<(), StoreError> {
        let there: HashSet<StreamId> = streams.iter().map(|s| s.stream).collect();
        self.streams.retain(|id, _| there.contains(id));
        for stream in streams {
            let known = self.streams.get(&stream.stream).map(|f| f.until_us);
            let mut until_us = known.or(stream.until_us).unwrap_or(stream.since_us).max(stream.since_us);
            if until_us > now_us {
                // The clock was ahead when that was known. What lies before now counts, and no gap is still to come.
                until_us = self.store.forget_gaps_ahead(stream.stream, now_us).await?.unwrap_or(stream.since_us);
                until_us = until_us.min(now_us);
                if let Some(followed) = self.streams.get_mut(&stream.stream) {
                    (followed.open, followed.stored_us, followed.looked_us) = (Vec::new(), i64::MIN, i64::MIN);
                }
            }
            if let Some(followed) = self.streams.get_mut(&stream.stream) {
                (followed.until_us, followed.stream) = (until_us, stream);
                continue;
            }
            let followed = Followed {
                until_us,
                stored_us: stream.until_us.unwrap_or(i64::MIN),
                sights: self.before.clone(),
                open: Vec::new(),
                looked_us: i64::MIN,
                stream,
            };
            self.streams.insert(followed.stream.stream, followed);
        }
        Ok(())
    }

    async fn look_closer(&self, followed: &Followed, now_us: i64, last: bool) -> Result<Look, StoreError> {
        let stream = followed.stream.stream;
        let end_us = followed.stream.retired_us.map_or(now_us, |retired| retired.min(now_us));
        let window = Span { start_us: followed.until_us, end_us: end_us.min(followed.until_us + STRETCH_US) };
        if window.len_us() <= 0 {
            return Ok(Look {
                until_us: followed.until_us,
                put: Vec::new(),
                kept: followed.open.clone(),
                remove: Vec::new(),
            });
        }
        // First the gaps: what the recorder says of a loss is there before what it recorded after it.
        let gaps = self.store.ledger_gaps(stream, window).await?;
        let recorded = self.store.recorded_spans(stream, window).await?;
        let planned = self.store.planned_in(window).await?;
        let excuses: Vec<Excuse> = planned
            .into_iter()
            .filter(|p| p.camera.is_none_or(|c| c == followed.stream.camera))
            .map(|p| Excuse {
                span: Span { start_us: p.span.start_us.max(p.made_us), end_us: p.span.end_us },
                actor: p.actor,
                reason: p.reason,
            })
            .collect();
        // A stretch that ends before now is over at its end, as is a retired stream a while after.
        let goes_on = window.end_us > now_us - ON_ITS_WAY_US;
        Ok(followed.judge(window, &recorded, &gaps, &excuses, goes_on, last))
    }
}

/// What a closer look at a stream says is to be stored.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    until_us: i64,
    put: Vec<LedgerGap>,
    /// Rows of the open hole that stay as they are.
    kept: Vec<LedgerGap>,
    remove: Vec<GapId>,
}

impl Followed {
    fn see(&mut self, sight: Sight) {
        let same = |a: &Seen, b: &Seen| match (a, b) {
            (Seen::Wrong(a, _), Seen::Wrong(b, _)) => a == b,
            _ => a == b,
        };
        if self.sights.last().is_some_and(|last| same(&last.seen, &sight.seen)) {
            return;
        }
        if self.sights.len() >= SIGHTS_MAX {
            self.sights.remove(1);
        }
        self.sights.push(sight);
    }

    fn is_wrong(&self) -> bool {
        self.sights.last().is_some_and(|s| matches!(s.seen, Seen::Wrong(..)))
    }

    fn is_due(&self, now_us: i64) -> bool {
        let since_us = now_us.saturating_sub(self.looked_us);
        let hole_us = now_us.saturating_sub(self.until_us);
        if self.is_wrong() {
            return since_us >= LONG_US || hole_us < LONG_US;
        }
        !self.open.is_empty() || since_us >= CALM_US
    }

    fn forget_old_sights(&mut self) {
        let first = self.sights.iter().rposition(|s| s.from_us <= self.until_us).unwrap_or(0);
        self.sights.drain(..first);
    }

    /// Cuts the window and explains what nobody has entered yet.
    fn judge(
        &self,
        window: Span,
        recorded: &[Span],
        gaps: &[LedgerGap],
        excuses: &[Excuse],
        goes_on: bool,
        last: bool,
    ) -> Look {
        let mine: HashSet<GapId> = self.open.iter().filter_map(|gap| gap.id).collect();
        let known: Vec<&LedgerGap> = gaps.iter().filter(|g| g.id.is_none_or(|id| !mine.contains(&id))).collect();
        let spans: Vec<Span> = known.iter().map(|g| g.gap.span).collect();
        let pieces = account(window, recorded, &spans, TOLERANCE_US);
        let tail = pieces.last().filter(|p| goes_on && p.what == What::Nothing).map(|p| p.span);
        let mut wanted = Vec::new();
        for (i, piece) in pieces.iter().enumerate().filter(|(_, p)| p.what == What::Nothing) {
            let is_tail = tail == Some(piece.span);
            let long = piece.span.len_us() >= if self.is_wrong() { ROW_US } else { ON_ITS_WAY_US };
            // A hole that has a row already goes on; a new one after it is nothing yet.
            let begun = self.open.first().is_some_and(|open| piece.span.start_us <= open.gap.span.start_us);
            if is_tail && !long && !begun {
                continue;
            }
            match beside(&pieces, i).filter(|_| !is_tail) {
                Some(gap) => wanted.push(LedgerGap {
                    id: None,
                    gap: Gap { span: piece.span, ..known[gap].gap.clone() },
                    planned_by: known[gap].planned_by.clone(),
                }),
                None => wanted.extend(explain(piece.span, &self.sights, excuses).into_iter().map(|e| self.row(e))),
            }
        }
        let until_us = tail.map_or(window.end_us, |tail| tail.start_us);
        self.compare(wanted, until_us, last)
    }

    fn row(&self, Explained { span, cause, evidence, planned_by }: Explained) -> LedgerGap {
        LedgerGap { id: None, gap: Gap { stream: self.stream.stream, span, cause, evidence }, planned_by }
    }

    /// What to store so that the open rows become the wanted ones. A row that only grew is not stored at once.
    fn compare(&self, wanted: Vec<LedgerGap>, until_us: i64, last: bool) -> Look {
        let (mut put, mut kept) = (Vec::new(), Vec::new());
        let count = wanted.len();
        for (i, want) in wanted.into_iter().enumerate() {
            let Some(have) = self.open.get(i) else {
                put.push(want);
                continue;
            };
            let want = LedgerGap { id: have.id, ..want };
            let grown_us = want.gap.span.end_us - have.gap.span.end_us;
            let only_grew = LedgerGap { gap: Gap { span: have.gap.span, ..want.gap.clone() }, ..want.clone() } == *have
                && want.gap.span.start_us == have.gap.span.start_us
                && (0..LONG_US).contains(&grown_us);
            let is_over = want.gap.span.end_us <= until_us;
            if only_grew && !is_over && !(last && grown_us > 0) { kept.push(have.clone()) } else { put.push(want) }
        }
        let remove = self.open.iter().skip(count).filter_map(|gap| gap.id).collect();
        Look { until_us, put, kept, remove }
    }
}

/// The gap that touches a hole too small to have a cause of its own.
fn beside(pieces: &[Piece], i: usize) -> Option<usize> {
    if pieces[i].span.len_us() > TOLERANCE_US {
        return None;
    }
    let around = [i.checked_sub(1), Some(i + 1)];
    around.into_iter().flatten().find_map(|j| match pieces.get(j)?.what {
        What::Gap(gap) => Some(gap),
        _ => None,
    })
}

/// What is said of a time that was recorded under a false one.
fn ahead(by_us: i64) -> String {
    let seconds = by_us / 1_000_000;
    format!(
        "the clock was ahead by {seconds} s until it was set right; what was recorded meanwhile stands under later dates"
    )
}

fn starting(from_us: i64) -> Sight {
    Sight { from_us, seen: Seen::Starting("the stream was being set up".to_owned()) }
}

/// A stream's status, and what hinders recording it, as the ledger sees them.
pub(super) fn seen(board: &Board, camera: CameraId, kind: StreamKind) -> Seen {
    match board.status(camera, kind) {
        Some(StreamStatus::Streaming) => match board.hinders(camera) {
            Some((cause, evidence)) => Seen::Wrong(cause, evidence),
            None => Seen::Fine,
        },
        None | Some(StreamStatus::Connecting) => starting(0).seen,
        Some(StreamStatus::Stopped) => {
            Seen::Wrong(GapCause::Service, "the stream was stopped by the program".to_owned())
        }
        Some(StreamStatus::Retrying { why, .. }) => {
            let cause = match why.cause {
                TroubleCause::Network => GapCause::Network,
                TroubleCause::Camera => GapCause::Camera,
                TroubleCause::Login => GapCause::Login,
            };
            Seen::Wrong(cause, why.detail)
        }
    }
}
