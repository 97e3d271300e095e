//! Which time it is: believes the wall clock or what was recorded before, and follows a correction.

use crate::{
    domain::time::WallTime,
    logic::anchor::{FLOOR_US, NEAR_US, at_start, corrected},
    runtime::clock::Clock,
    store::{Store, StoreError},
};

/// What is known of the clock.
#[derive(Debug)]
pub struct Timekeeper {
    /// The latest time known from before this run.
    last_us: Option<i64>,
    /// Media time is not the wall clock's.
    distrusted: bool,
}

impl Timekeeper {
    /// Anchors the clock for this run and keeps the anchor. Files left open must have been mended: what they hold counts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(store: &Store, clock: &Clock) -> Result<Self, StoreError> {
        let wall_us = clock.wall().us();
        let before_us = if wall_us < FLOOR_US { i64::MAX } else { wall_us.saturating_add(NEAR_US) };
        let recorded_us = store.last_recorded_us(None, before_us).await?;
        let alive_us = store.last_heartbeat().await?.map(WallTime::us).filter(|us| *us < before_us);
        let last_us = recorded_us.max(alive_us);
        let (utc_us, distrusted) = at_start(clock.media().us(), last_us);
        if distrusted {
            tracing::error!(
                behind_s = (utc_us - wall_us) / 1_000_000,
                "the clock is behind what is recorded and is not believed; set the clock or connect it to NTP"
            );
            clock.anchor_at(WallTime(utc_us));
        }
        keep(store, clock).await?;
        Ok(Self { last_us, distrusted })
    }

    /// Follows the wall clock if it has been set right.
    ///
    /// # Errors
    /// When the database fails; the clock has been followed all the same.
    pub async fn look(&mut self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let (media_us, wall_us) = (clock.media().us(), clock.wall().us());
        if !corrected(media_us, wall_us, self.distrusted, self.last_us) {
            return Ok(());
        }
        tracing::warn!(by_s = (wall_us - media_us) / 1_000_000, "the clock was set right; recordings follow it");
        clock.anchor_at(clock.wall());
        self.distrusted = false;
        keep(store, clock).await
    }
}

async fn keep(store: &Store, clock: &Clock) -> Result<(), StoreError> {
    let anchor = clock.anchor();
    store.add_anchor(&anchor.boot_id, anchor.boot.us(), anchor.utc.us(), anchor.error_us).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const NOW: i64 = FLOOR_US + 1000 * HOUR;

    async fn begun(wall_us: i64, alive_us: i64) -> (Store, Clock, Timekeeper) {
        let store = Store::in_memory().await.unwrap();
        store.heartbeat("before", 1, WallTime(alive_us)).await.unwrap();
        let clock = Clock::stepped(WallTime(wall_us));
        let keeper = Timekeeper::start(&store, &clock).await.unwrap();
        (store, clock, keeper)
    }

    #[tokio::test]
    async fn a_clock_that_went_back_an_hour_goes_on_behind_what_was() {
        let (store, clock, mut keeper) = begun(NOW - HOUR, NOW).await;
        assert_eq!(clock.media().us(), NOW + 1);
        // A step of an hour or ten years back changes nothing.
        for step in [-HOUR, -87_600 * HOUR] {
            clock.step(1_000_000, step);
            let before = clock.media();
            keeper.look(&store, &clock).await.unwrap();
            assert_eq!(clock.media(), before);
        }
        // Set right, it is followed.
        clock.step(0, 3 * HOUR + 87_600 * HOUR);
        keeper.look(&store, &clock).await.unwrap();
        assert_eq!(clock.media().us(), clock.wall().us());
        assert_eq!(clock.anchorings(), 2);
    }

    #[tokio::test]
    async fn a_right_clock_that_is_stepped_is_not_followed() {
        let (store, clock, mut keeper) = begun(NOW, NOW - HOUR).await;
        for step in [HOUR, -HOUR, 87_600 * HOUR, -87_600 * HOUR] {
            clock.step(1_000_000, step);
            keeper.look(&store, &clock).await.unwrap();
        }
        assert_eq!((clock.media().us(), clock.anchorings()), (NOW + 4_000_000, 0));
    }

    #[tokio::test]
    async fn a_box_that_begins_in_1970_goes_on_where_it_was_and_then_learns_the_time() {
        let (store, clock, mut keeper) = begun(0, NOW).await;
        assert_eq!(clock.media().us(), NOW + 1);
        clock.step(0, NOW + HOUR);
        keeper.look(&store, &clock).await.unwrap();
        assert_eq!(clock.media().us(), NOW + HOUR);
    }
}
