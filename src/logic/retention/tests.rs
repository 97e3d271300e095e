use proptest::prelude::*;

use super::*;

const NOW: WallTime = WallTime(400 * DAY_US);

fn days(continuous: Option<u32>, motion: Option<u32>, events: Option<u32>) -> Keep {
    Keep { continuous_days: continuous, motion_days: motion, events_days: events, bytes: None }
}

fn aged(days: i64) -> Span {
    let start_us = NOW.us() - days * DAY_US;
    Span { start_us, end_us: start_us + 60_000_000 }
}

fn keep() -> impl Strategy<Value = Keep> {
    let one = || prop::option::of(0_u32..200);
    (one(), one(), one()).prop_map(|(c, m, e)| days(c, m, e))
}

fn class() -> impl Strategy<Value = Class> {
    prop::sample::select(vec![Class::Continuous, Class::Motion, Class::Events, Class::Locked])
}

fn held() -> impl Strategy<Value = Vec<Held>> {
    prop::collection::vec((0_i64..4, 0_i64..500_000, 1_u64..1000, class()), 0..60).prop_map(|all| {
        let held = |(i, (stream, start_min, bytes, class))| Held {
            id: SegmentId(i),
            stream: StreamId(stream),
            span: Span { start_us: start_min * 60_000_000, end_us: (start_min + 1) * 60_000_000 },
            bytes,
            class,
        };
        (0..).zip(all).map(held).collect()
    })
}

proptest! {
    #[test]
    fn a_plan_never_holds_what_is_locked_and_frees_enough_or_everything_else(
        held in held(), keeps in prop::collection::vec(keep(), 4), need in 0_u64..40_000,
    ) {
        let keep = |s: StreamId| keeps[usize::try_from(s.0).unwrap()];
        let plan = plan(&held, keep, NOW, need);
        prop_assert!(plan.remove.iter().all(|h| h.class != Class::Locked));
        let free: Vec<_> = held.iter().filter(|h| h.class != Class::Locked).collect();
        prop_assert!(plan.freed >= need || plan.remove.len() == free.len());
        prop_assert_eq!(plan.freed, plan.remove.iter().map(|h| h.bytes).sum::<u64>());
        let expired = |h: &Held| keep(h.stream).expired(h.class, h.span, NOW);
        prop_assert!(plan.remove[..plan.expired].iter().all(expired));
        prop_assert_eq!(plan.expired, held.iter().filter(|h| expired(h)).count());
        // No more than needed: without the last one it would not do.
        if let Some(last) = plan.remove.last().filter(|_| plan.remove.len() > plan.expired) {
            prop_assert!(plan.freed - last.bytes < need);
        }
    }

    #[test]
    fn a_plan_goes_by_rank_and_then_by_age(held in held(), keeps in prop::collection::vec(keep(), 4), need in 0_u64..40_000) {
        let keep = |s: StreamId| keeps[usize::try_from(s.0).unwrap()];
        let plan = plan(&held, keep, NOW, need);
        let key = |h: &Held| (keep(h.stream).rank(h.class, h.span, NOW).unwrap(), h.span.end_us, h.id);
        let room = &plan.remove[plan.expired..];
        prop_assert!(room.is_sorted_by_key(key));
        prop_assert!(plan.remove[..plan.expired].is_sorted_by_key(|h| h.span.end_us));
        // What stays is not to go before what goes.
        if let Some(last) = room.last() {
            let stays = held.iter().filter(|h| h.class != Class::Locked && !plan.remove.contains(h));
            prop_assert!(stays.into_iter().all(|h| key(h) > key(last)));
        }
    }

    #[test]
    fn a_second_plan_after_the_first_removes_nothing(
        held in held(), keeps in prop::collection::vec(keep(), 4), need in 0_u64..40_000,
    ) {
        let keep = |s: StreamId| keeps[usize::try_from(s.0).unwrap()];
        let first = plan(&held, keep, NOW, need);
        let rest: Vec<_> = held.into_iter().filter(|h| !first.remove.contains(h)).collect();
        prop_assert_eq!(plan(&rest, keep, NOW, need.saturating_sub(first.freed)).remove.len(), 0);
    }

    #[test]
    fn a_higher_class_is_never_kept_shorter(keep in keep(), age in 0_i64..300) {
        let span = aged(age);
        for (low, high) in [(Class::Continuous, Class::Motion), (Class::Motion, Class::Events), (Class::Events, Class::Locked)] {
            prop_assert!(!keep.expired(high, span, NOW) || keep.expired(low, span, NOW));
            prop_assert!(keep.rank(high, span, NOW).is_none_or(|r| r >= keep.rank(low, span, NOW).unwrap()));
        }
    }

    #[test]
    fn nothing_spare_starts_behind_the_promise_for_everything(keep in keep(), age in 0_i64..300, class in class()) {
        let span = aged(age);
        let spare = keep.rank(class, span, NOW) == Some(Rank::Spare);
        prop_assert!(!spare || keep.spare_before_us(NOW).is_none_or(|us| span.start_us < us));
    }

    #[test]
    fn the_class_is_the_highest_of_what_shares_time(
        marks in prop::collection::vec((class(), -500_i64..500, 0_i64..100), 0..20), at in -500_i64..500,
    ) {
        let s = 1_000_000;
        let spans: Vec<_> =
            marks.iter().map(|(c, at, len)| (*c, Span { start_us: at * s, end_us: (at + len) * s + 1 })).collect();
        let span = Span { start_us: at * s, end_us: (at + 60) * s };
        let shares = |(class, mark): &(Class, Span)| {
            let pad = if *class == Class::Locked { 0 } else { PAD_US };
            span.start_us < mark.end_us + pad && mark.start_us - pad < span.end_us
        };
        let expected = spans.iter().filter(|m| shares(m)).map(|m| m.0).max().unwrap_or(Class::Continuous);
        prop_assert_eq!(Marks::new(spans).class_of(span), expected);
    }

    #[test]
    fn what_fits_fills_the_disk_and_no_more(
        flows in prop::collection::vec((1_u64..1_000_000, prop::option::of(1_u32..100)), 1..20), capacity in 1_u64..1_000_000_000,
    ) {
        let flows: Vec<_> = flows.into_iter().map(|(day_bytes, days)| Flow { day_bytes, days }).collect();
        let fits = fits_days(&flows, capacity);
        let used: f64 = flows.iter().map(|f| {
            let days = match f.days {
                None => fits.spare.unwrap(),
                Some(days) => fits.promised.map_or(f64::from(days), |most| most.min(f64::from(days))),
            };
            f.day_bytes as f64 * days
        }).sum();
        prop_assert!(used <= capacity as f64 * 1.0001 + 1.0, "{used} of {capacity}: {fits:?}");
        if fits.spare.is_some() || fits.promised.is_some() {
            prop_assert!(used >= capacity as f64 * 0.9999 - 1.0, "{used} of {capacity}: {fits:?}");
        }
    }
}

#[test]
fn days_are_kept_by_class_and_a_class_without_a_number_stays() {
    let keep = days(Some(7), Some(30), Some(90));
    for (class, days) in [(Class::Continuous, 7), (Class::Motion, 30), (Class::Events, 90)] {
        assert!(!keep.expired(class, aged(days), NOW), "{class:?}");
        assert!(keep.expired(class, aged(days + 1), NOW), "{class:?}");
    }
    assert!(!keep.expired(Class::Locked, aged(399), NOW));
    assert!(!days(Some(7), None, Some(90)).expired(Class::Motion, aged(399), NOW));
    assert!(!Keep::FITS.expired(Class::Continuous, aged(399), NOW));
    assert!(days(Some(30), Some(1), Some(1)).expired(Class::Events, aged(31), NOW));
    assert!(!days(Some(30), Some(1), Some(1)).expired(Class::Events, aged(29), NOW));
}

#[test]
fn on_a_full_disk_what_was_promised_goes_after_what_was_not() {
    let (main, sub) = (Keep::FITS, Keep::MONTH);
    assert!(main.rank(Class::Continuous, aged(0), NOW) < sub.rank(Class::Continuous, aged(29), NOW));
    assert_eq!(main.rank(Class::Events, aged(1), NOW), Some(Rank::Spare));
    assert_eq!(days(None, None, Some(90)).rank(Class::Events, aged(1), NOW), Some(Rank::Events));
    assert_eq!(days(None, None, Some(90)).rank(Class::Events, aged(91), NOW), Some(Rank::Spare));
    assert_eq!(days(None, None, Some(90)).rank(Class::Motion, aged(1), NOW), Some(Rank::Spare));
    assert_eq!(main.rank(Class::Locked, aged(1), NOW), None);
}

#[test]
fn the_reserve_fits_the_disk_and_the_rate() {
    let gb = 1_000_000_000;
    assert_eq!(reserve_bytes(4000 * gb, 0), 2 * gb);
    assert_eq!(reserve_bytes(4000 * gb, 18_500_000), 3_330_000_000);
    assert_eq!(reserve_bytes(64_000_000, 0), 640_000);
    assert_eq!(reserve_bytes(64_000_000, 1_000_000), 6_400_000);
}

#[test]
fn more_than_a_twentieth_is_a_mass() {
    assert!(!is_mass(5, 100) && is_mass(6, 100) && !is_mass(0, 0) && is_mass(1, 0));
}
