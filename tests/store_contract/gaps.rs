//! Locks, declared outages, gaps that never were.

use vonglau::{
    domain::{camera::CameraDraft, ids::CameraId, segment::GapCause, time::Span},
    store::{Gap, REASON_CHARS_MAX},
};

use crate::engines::{NOW, actor, assert_not_found, camera, draft, now_plus, on_every_engine, refusal};

const EVER: Span = span(i64::MIN, i64::MAX);

const fn span(start_us: i64, end_us: i64) -> Span {
    Span { start_us, end_us }
}

#[tokio::test]
async fn a_lock_holds_for_both_streams_until_it_is_released_or_its_time_has_come() {
    on_every_engine(|store| async move {
        let (one, main, sub) = camera(&store, "a").await;
        let (two, other, _) = camera(&store, "b").await;
        let ids = store.add_lock(&actor(), &[one, two], span(10, 20), " vụ 7 ", None, NOW).await.unwrap();
        let until = Some(now_plus(5).us());
        let due = store.add_lock(&actor(), &[one], span(30, 40), "vụ 8", until, NOW).await.unwrap();
        for stream in [main, sub] {
            assert_eq!(store.locks_in(stream, EVER).await.unwrap(), [span(10, 20), span(30, 40)]);
        }
        assert_eq!(store.locks_in(main, span(19, 31)).await.unwrap().len(), 2);
        assert_eq!(store.locks_in(main, span(20, 30)).await.unwrap(), []);
        assert_eq!(store.release_locks_due(now_plus(4)).await.unwrap(), 0);
        assert_eq!(store.release_locks_due(now_plus(5)).await.unwrap(), 1);
        assert_eq!(store.locks_in(main, EVER).await.unwrap(), [span(10, 20)]);
        store.remove_lock(&actor(), ids[0], now_plus(6)).await.unwrap();
        assert_eq!(store.locks_in(sub, EVER).await.unwrap(), []);
        assert_eq!(store.locks_in(other, EVER).await.unwrap(), [span(10, 20)]);
        for gone in [ids[0], due[0]] {
            assert_not_found(store.remove_lock(&actor(), gone, NOW).await, "lock");
        }
        let left = store.locks().await.unwrap();
        assert_eq!((left.len(), left[0].camera, left[0].reason.as_str()), (1, two, "vụ 7"));
        let log: Vec<_> = store.changes_after(0, 100).await.unwrap().into_iter().map(|c| c.what).collect();
        assert_eq!(log[2..], ["lock.add", "lock.add", "lock.remove"]);
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_protects_nothing_is_refused_as_a_whole() {
    on_every_engine(|store| async move {
        let (one, main, _) = camera(&store, "a").await;
        let long = "x".repeat(REASON_CHARS_MAX + 1);
        for (span, reason, until, place) in [
            (span(10, 10), "x", None, "end_us"),
            (span(0, 1), " ", None, "reason"),
            (span(0, 1), long.as_str(), None, "reason"),
            (span(0, 1), "x", Some(NOW.us()), "until_us"),
        ] {
            assert_eq!(refusal(store.add_lock(&actor(), &[one], span, reason, until, NOW).await).place, place);
        }
        assert_eq!(refusal(store.add_lock(&actor(), &[], span(0, 1), "x", None, NOW).await).place, "cameras");
        let nowhere = store.add_lock(&actor(), &[one, CameraId(999)], span(0, 1), "x", None, NOW).await;
        assert_not_found(nowhere, "camera");
        assert_eq!(store.locks_in(main, EVER).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn an_outage_is_declared_beforehand_or_not_at_all() {
    on_every_engine(|store| async move {
        let (one, ..) = camera(&store, "a").await;
        let coming = span(now_plus(10).us(), now_plus(20).us());
        let ids = store.add_planned(&actor(), &[one], coming, "thay dây", NOW).await.unwrap();
        let site = store.add_planned(&actor(), &[], coming, "cắt điện", NOW).await.unwrap();
        let all = store.planned_in(span(now_plus(19).us(), now_plus(30).us())).await.unwrap();
        assert_eq!(all.iter().map(|p| (p.id, p.camera)).collect::<Vec<_>>(), [(ids[0], Some(one)), (site[0], None)]);
        assert_eq!((all[0].reason.as_str(), all[0].actor.as_str()), ("thay dây", "test:officer"));
        assert_eq!(refusal(store.add_planned(&actor(), &[], span(0, NOW.us()), "x", NOW).await).place, "end_us");
        store.remove_planned(&actor(), ids[0], NOW).await.unwrap();
        assert_not_found(store.remove_planned(&actor(), ids[0], NOW).await, "planned");
        assert_eq!(store.planned_in(coming).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_main_stream_left_out_on_a_thin_line_is_not_missing() {
    on_every_engine(|store| async move {
        let (id, main, sub) = camera(&store, "a").await;
        let draft = |record_main| CameraDraft { record_main: Some(record_main), ..draft("a") }.checked().unwrap();
        let of = async |stream| {
            let all = store.ledger_streams(Some(id)).await.unwrap();
            let found = all.into_iter().find(|s| s.stream == stream).unwrap();
            (found.since_us, found.retired_us)
        };
        store.update_camera(&actor(), id, &draft(false), now_plus(5)).await.unwrap();
        store.update_camera(&actor(), id, &draft(false), now_plus(6)).await.unwrap();
        assert_eq!(of(main).await, (NOW.us(), Some(NOW.us() + 5)));
        assert_eq!(of(sub).await, (NOW.us(), None));
        store.update_camera(&actor(), id, &draft(true), now_plus(9)).await.unwrap();
        assert_eq!(of(main).await, (NOW.us() + 9, None));
        assert_eq!(of(sub).await, (NOW.us(), None));
    })
    .await;
}

#[tokio::test]
async fn gaps_that_reach_beyond_now_are_forgotten_and_the_others_stay() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        let gap =
            |stream, from, to| Gap { stream, span: span(from, to), cause: GapCause::Service, evidence: "x".into() };
        for (stream, from, to) in [(main, 10, 20), (main, 30, 70), (main, 70, 90), (sub, 10, 20), (sub, 70, 90)] {
            store.add_gap(&gap(stream, from, to)).await.unwrap();
        }
        let left = async |stream| store.ledger_gaps(stream, span(0, 100)).await.unwrap().len();
        // One reached into what is right: from there on nothing is accounted for.
        assert_eq!(store.forget_gaps_ahead(main, 50).await.unwrap(), Some(30));
        assert_eq!((left(main).await, left(sub).await), (1, 2));
        assert_eq!(store.forget_gaps_ahead(sub, 50).await.unwrap(), Some(20));
        assert_eq!(left(sub).await, 1);
        assert_eq!(store.forget_gaps_ahead(sub, 15).await.unwrap(), Some(10));
        assert_eq!(store.forget_gaps_ahead(sub, 15).await.unwrap(), None);
    })
    .await;
}
