//! The brake: time that passes may remove what it will; a changed setting or a clock that jumped may not remove more than
//! a twentieth of the store within an hour, or of the events at once, before a person has agreed.

use super::{BEGINNING, PAGE, Sweeper};
use crate::{
    domain::time::{BootTime, WallTime},
    logic::retention::{Class, EVENT_DAYS, Settings, days_before_us, is_mass},
    runtime::{board::Change, stop::Stop},
    store::{RetentionState, StopCause, Stopped, StoreError, StreamUse},
};

/// A clock that is ahead of the expected by no more than this did not jump.
const SLACK_US: i64 = 300_000_000;
/// After a start, how long the box may have been off without anything unusual.
const OFF_US: i64 = 3_600_000_000;
/// How often the wall clock that was believed is stored, microseconds.
const PERSIST_US: i64 = 300_000_000;
/// For so long jumps are added up.
const HOUR_US: i64 = 3_600_000_000;

/// What was reckoned when a removal was stopped: while nothing of it changes, it is not reckoned again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    settings: Settings,
    /// Wall clock less boot clock.
    offset_us: i64,
}

impl Sweeper {
    /// Whether what is expired may be removed now.
    pub(super) async fn may_expire(
        &mut self,
        settings: &Settings,
        streams: &[StreamUse],
        now: WallTime,
        stop: &Stop,
    ) -> Result<bool, StoreError> {
        let boot = self.parts.clock.boot();
        let state = self.parts.store.retention_state().await?;
        let stopped = state.as_ref().and_then(|s| s.stopped);
        let changed = state.as_ref().is_none_or(|s| s.settings != *settings);
        if !changed && self.is_expected(state.as_ref(), boot, now) {
            let persist = stopped.is_some() || self.persisted.is_none_or(|last| boot.since(last) >= PERSIST_US);
            self.believe(settings, boot, now, persist).await?;
            return Ok(true);
        }
        if stopped.is_some_and(|s| s.confirmed_us.is_some()) {
            tracing::warn!("a large removal was confirmed and goes on");
            self.believe(settings, boot, now, true).await?;
            return Ok(true);
        }
        let offset_us = now.us().saturating_sub(boot.us());
        let same = |w: &Waiting| w.settings == *settings && (w.offset_us - offset_us).abs() <= SLACK_US;
        if stopped.is_some() && self.waiting.as_ref().is_some_and(same) {
            return Ok(false);
        }
        let (segments, bytes) = self.reckon(settings, streams, now, stop).await?;
        if stop.is_asked() {
            return Ok(false);
        }
        self.let_through.retain(|(when, _)| boot.since(*when) < HOUR_US);
        let lately: u64 = self.let_through.iter().map(|(_, bytes)| bytes).sum();
        let (_, store_bytes) = self.parts.store.segment_totals().await?;
        let (events, all_events) = self.parts.store.events_before(days_before_us(now, EVENT_DAYS)).await?;
        let is_much = bytes > 0 && is_mass(bytes.saturating_add(lately), store_bytes.saturating_add(lately));
        if !is_much && !is_mass(events, all_events) {
            self.let_through.push_back((boot, bytes));
            self.believe(settings, boot, now, true).await?;
            return Ok(true);
        }
        let cause = if changed { StopCause::Settings } else { StopCause::Clock };
        let cause = stopped.map_or(cause, |s| s.cause);
        let stopped_us = stopped.map_or(now.us(), |s| s.stopped_us);
        let stopped = Some(Stopped { stopped_us, cause, segments, bytes, events, confirmed_us: None });
        let never = RetentionState { agreed: WallTime(0), settings: settings.clone(), stopped: None };
        let state = RetentionState { stopped, ..state.unwrap_or(never) };
        self.parts.store.set_retention_state(&state).await?;
        self.waiting = Some(Waiting { settings: settings.clone(), offset_us });
        tracing::error!(
            segments,
            bytes,
            events,
            ?cause,
            "so much would be removed at once that a person has to confirm it on the storage page"
        );
        self.parts.board.announce(Change::Config);
        Ok(false)
    }

    /// Whether the wall clock is where it should be. One that went back removes nothing and is fine.
    fn is_expected(&mut self, state: Option<&RetentionState>, boot: BootTime, now: WallTime) -> bool {
        let Some(state) = state else { return false };
        let (slack, (then, wall)) = match self.believed {
            Some(believed) => (SLACK_US, believed),
            None => {
                self.believed = Some((boot, state.agreed));
                (OFF_US, (boot, state.agreed))
            }
        };
        now.since(wall) <= boot.since(then).saturating_add(slack)
    }

    /// The wall clock, but no later than can be believed: making room waits for no word, and a clock that jumped ahead may
    /// not make spare what is promised.
    pub(super) async fn believable(&self) -> Result<WallTime, StoreError> {
        let (boot, now) = (self.parts.clock.boot(), self.parts.clock.wall());
        let (then, wall) = match self.believed {
            Some(believed) => believed,
            None => match self.parts.store.retention_state().await? {
                Some(state) => (boot, state.agreed),
                None => return Ok(now),
            },
        };
        Ok(now.min(wall.plus_us(boot.since(then).saturating_add(OFF_US))))
    }

    async fn believe(
        &mut self,
        settings: &Settings,
        boot: BootTime,
        now: WallTime,
        persist: bool,
    ) -> Result<(), StoreError> {
        self.believed = Some((boot, now));
        self.waiting = None;
        if persist {
            let state = RetentionState { agreed: now, settings: settings.clone(), stopped: None };
            self.parts.store.set_retention_state(&state).await?;
            self.persisted = Some(boot);
        }
        Ok(())
    }

    /// How many segments, and their bytes, these settings would remove now.
    async fn reckon(
        &mut self,
        settings: &Settings,
        streams: &[StreamUse],
        now: WallTime,
        stop: &Stop,
    ) -> Result<(u64, u64), StoreError> {
        let (mut segments, mut bytes) = (0_u64, 0_u64);
        for stream in streams {
            self.look(stop).await?;
            let keep = settings.of(stream.camera, stream.kind);
            let (mut place, mut expired) = (BEGINNING, 0_u64);
            // Whatever is expired is older than the days of everything.
            while let Some(horizon) = keep.horizon_us(Class::Continuous, now).filter(|_| !stop.is_asked()) {
                let page = self.page(stream, place, horizon, PAGE, now).await?;
                for held in page.held.iter().filter(|h| keep.expired(h.class, h.span, now)) {
                    (segments, expired) = (segments + 1, expired.saturating_add(held.bytes));
                }
                match page.last() {
                    Some(last) if !page.end => place = last,
                    _ => break,
                }
            }
            let left = stream.bytes.saturating_sub(expired);
            let over = keep.bytes.map_or(0, |most| left.saturating_sub(most));
            // By the size of its segments: which ones they are is not looked at here.
            let share = u128::from(over) * u128::from(stream.segments) / u128::from(stream.bytes.max(1));
            segments += u64::try_from(share).unwrap_or(u64::MAX);
            bytes = bytes.saturating_add(expired).saturating_add(over);
        }
        Ok((segments, bytes))
    }
}
