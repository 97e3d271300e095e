//! What is no gap, and the ledger under a clock that is wrong by years.

use super::*;
use crate::{
    domain::{
        camera::{CameraDraft, StreamKind},
        ids::CameraId,
        query::Actor,
        segment::Segment,
    },
    record::testing::whole,
};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
const TEN_YEARS: i64 = 3650 * DAY;
const NOW: i64 = 1_795_183_450 * SECOND;
const EVER: Span = Span { start_us: i64::MIN / 2, end_us: i64::MAX };

/// A store with a camera recorded for a minute up to now, and the last sign of life of that run.
async fn recorded() -> (Store, StreamId, CameraId) {
    let store = Store::in_memory().await.unwrap();
    let draft = CameraDraft { name: "a".into(), main_url: "rtsp://127.0.0.1/1".into(), ..CameraDraft::default() };
    let actor = Actor { name: "test".into() };
    let since = WallTime(NOW - 60 * SECOND);
    let camera = store.add_camera(&actor, &draft.checked().unwrap(), since).await.unwrap();
    let stream = store.camera(camera).await.unwrap().unwrap().streams[0].id;
    put(&store, stream, NOW - 60 * SECOND).await;
    store.heartbeat("before", 1, WallTime(NOW)).await.unwrap();
    (store, stream, camera)
}

/// A minute of recording.
async fn put(store: &Store, stream: StreamId, start_us: i64) {
    let (end_us, path) = (start_us + 60 * SECOND, start_us.to_string());
    store.open_segment(&Segment { stream, start_us, end_us, path, ..whole().1 }).await.unwrap();
}

async fn ledger(store: &Store, clock: &Clock) -> Ledger {
    Ledger::new(store.clone(), Arc::default(), clock.clone()).await.unwrap()
}

/// A look a second, as [`Ledger::run`] takes them.
async fn look(ledger: &mut Ledger, seconds: i64) {
    for _ in 0..seconds {
        let before = (ledger.clock.boot(), ledger.clock.media().us());
        ledger.clock.step(SECOND, SECOND);
        ledger.note_stillness(before);
        ledger.look();
        ledger.step(false).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_entered_while_the_clock_was_ahead_by_years_is_forgotten_when_it_is_set_right() {
    for restarted in [false, true] {
        let (store, stream, _) = recorded().await;
        let clock = Clock::stepped(WallTime(NOW + TEN_YEARS));
        let mut followed = ledger(&store, &clock).await;
        look(&mut followed, 40).await;
        let entered = store.ledger_gaps(stream, EVER).await.unwrap();
        assert!(entered.iter().any(|g| g.gap.span.end_us > NOW + DAY), "{entered:?}");
        let before = (clock.boot(), clock.media().us());
        clock.step(0, NOW + 60 * SECOND - clock.wall().us());
        clock.anchor_at(clock.wall());
        if restarted {
            store.heartbeat("before", 2, WallTime(before.1)).await.unwrap();
            followed = ledger(&store, &clock).await;
        } else {
            followed.note_stillness(before);
        }
        put(&store, stream, NOW + 60 * SECOND).await;
        look(&mut followed, 30).await;
        let gaps = store.ledger_gaps(stream, EVER).await.unwrap();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let gap = &gaps[0].gap;
        assert_eq!(gap.span, Span { start_us: NOW, end_us: NOW + 60 * SECOND });
        assert!(gap.cause == GapCause::Service && gap.evidence.contains("ahead"), "{gap:?}");
    }
}

#[tokio::test]
async fn a_jump_over_years_releases_no_lock_for_a_day() {
    let (store, stream, camera) = recorded().await;
    let span = Span { start_us: NOW - 60 * SECOND, end_us: NOW };
    let (actor, until_us) = (Actor { name: "test".into() }, Some(NOW + 1800 * SECOND));
    store.add_lock(&actor, &[camera], span, "vụ 12", until_us, WallTime(NOW)).await.unwrap();
    let clock = Clock::stepped(WallTime(NOW + TEN_YEARS));
    let mut jumped = ledger(&store, &clock).await;
    look(&mut jumped, 2).await;
    assert_eq!(store.locks_in(stream, EVER).await.unwrap(), [span]);
    // Nobody has set it right for a day: it is believed.
    clock.step(DAY, DAY);
    look(&mut jumped, 1).await;
    assert_eq!(store.locks_in(stream, EVER).await.unwrap(), []);
}

#[tokio::test]
async fn a_lock_is_released_in_its_time_when_the_clock_goes_as_it_should() {
    let (store, stream, camera) = recorded().await;
    let span = Span { start_us: NOW - 60 * SECOND, end_us: NOW };
    let actor = Actor { name: "test".into() };
    store.add_lock(&actor, &[camera], span, "vụ 12", Some(NOW + 3 * SECOND), WallTime(NOW)).await.unwrap();
    let clock = Clock::stepped(WallTime(NOW));
    let mut steady = ledger(&store, &clock).await;
    look(&mut steady, 2).await;
    assert_eq!(store.locks_in(stream, EVER).await.unwrap(), [span]);
    look(&mut steady, 2).await;
    assert_eq!(store.locks_in(stream, EVER).await.unwrap(), []);
}

fn span(start_s: i64, end_s: i64) -> Span {
    Span { start_us: start_s * SECOND, end_us: end_s * SECOND }
}

#[test]
fn what_is_on_its_way_behind_a_gap_that_is_over_is_no_gap() {
    let stream = LedgerStream {
        stream: StreamId(1),
        camera: CameraId(1),
        kind: StreamKind::Main,
        since_us: 0,
        retired_us: None,
        until_us: None,
    };
    let wrong = Seen::Wrong(GapCause::Network, "away".into());
    let sights = vec![Sight { from_us: 10 * SECOND, seen: wrong }, Sight { from_us: 20 * SECOND, seen: Seen::Fine }];
    let row = Explained { span: span(10, 18), cause: GapCause::Network, evidence: "away".into(), planned_by: None };
    let mut followed = Followed { until_us: 10 * SECOND, stored_us: 0, sights, open: Vec::new(), looked_us: 0, stream };
    followed.open = vec![followed.row(row).numbered(GapId(5))];
    // It came back after 20 s, and what came after 22 s is not in the index yet.
    let look = followed.judge(span(10, 24), &[span(20, 22)], &followed.open, &[], true, false);
    let put: Vec<_> = look.put.iter().map(|row| (row.id, row.gap.span, row.gap.cause)).collect();
    assert_eq!(put, [(Some(GapId(5)), span(10, 20), GapCause::Network)]);
    assert_eq!((look.until_us, look.kept, look.remove), (22 * SECOND, vec![], vec![]));
}
