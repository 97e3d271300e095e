//! What retention asks of the store.

use vonglau::{
    domain::{
        camera::StreamKind,
        ids::{SegmentId, StreamId},
        packet::Codec,
        segment::Segment,
        time::{Span, WallTime},
    },
    logic::retention::{Class, Keep, Own, Settings},
    store::{RetentionState, StopCause, Stopped, Store},
};

use crate::engines::{NOW, actor, camera, now_plus, on_every_engine, refusal};

const MINUTE: i64 = 60_000_000;

/// A segment of the minute that ended so many minutes ago, with 1000 bytes.
async fn segment(store: &Store, stream: StreamId, ago_min: i64, open: bool) -> SegmentId {
    let start_us = NOW.us() - ago_min * MINUTE;
    let segment = Segment {
        id: SegmentId(0),
        stream,
        path: format!("{stream}/{start_us}"),
        start_us,
        end_us: start_us + MINUTE,
        open,
        init_bytes: 1,
        size_bytes: 1000,
        codec: Codec::H264,
        rfc6381: "avc1".into(),
        width: 1,
        height: 1,
        params_sha256: String::new(),
        fragments: Vec::new(),
    };
    store.open_segment(&segment).await.unwrap()
}

#[tokio::test]
async fn settings_are_replaced_as_a_whole_and_end_what_waited() {
    on_every_engine(|store| async move {
        let (id, _, _) = camera(&store, "a").await;
        assert_eq!(store.keep_settings().await.unwrap(), Settings::default());
        let keep = Keep { continuous_days: Some(7), motion_days: None, events_days: Some(9), bytes: Some(1 << 40) };
        let own = |kind| Own { camera: id, kind, keep };
        let all = Settings { main: keep, sub: Keep::MONTH, cameras: vec![own(StreamKind::Main), own(StreamKind::Sub)] };
        let stopped =
            Stopped { stopped_us: 5, cause: StopCause::Settings, segments: 3, bytes: 9, events: 2, confirmed_us: None };
        let state = RetentionState { agreed: WallTime(4), settings: all.clone(), stopped: Some(stopped) };
        assert_eq!(store.retention_state().await.unwrap(), None);
        store.set_retention_state(&state).await.unwrap();
        assert_eq!(store.retention_state().await.unwrap(), Some(state.clone()));
        for settings in [&all, &all, &Settings { cameras: vec![own(StreamKind::Sub)], ..all.clone() }] {
            store.set_keep_settings(&actor(), settings, NOW).await.unwrap();
            assert_eq!(store.keep_settings().await.unwrap(), *settings);
        }
        assert_eq!(store.retention_state().await.unwrap(), Some(RetentionState { stopped: None, ..state }));
        let nobody = Own { camera: vonglau::domain::ids::CameraId(id.0 + 1), ..own(StreamKind::Main) };
        let wrong = Settings { cameras: vec![nobody], ..all };
        assert_eq!(refusal(store.set_keep_settings(&actor(), &wrong, NOW).await).place, "cameras[0].camera");
        assert_eq!(store.keep_settings().await.unwrap().cameras.len(), 1);
        assert_eq!(refusal(store.confirm_removal(&actor(), 5, NOW).await).place, "stopped_us");
    })
    .await;
}

#[tokio::test]
async fn segments_come_by_age_a_page_at_a_time() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        let mut ids = Vec::new();
        for ago in (0..7).rev() {
            ids.push(segment(&store, main, ago, ago == 0).await);
            segment(&store, sub, ago, false).await;
        }
        // The same start in the other stream, and twice in this one.
        let twice = Segment { path: "twice".into(), ..only(&store, main, 3).await };
        let twice = store.open_segment(&twice).await.unwrap();
        ids.insert(4, twice);
        let (mut place, mut seen) = ((i64::MIN, SegmentId(0)), Vec::new());
        loop {
            let page = store.held_after(main, place, i64::MAX, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            place = (last.span.start_us, last.id);
            seen.extend(page.iter().map(|row| row.id));
        }
        assert_eq!(seen, ids);
        let before = store.held_after(main, (i64::MIN, SegmentId(0)), NOW.us() - 4 * MINUTE, 100).await.unwrap();
        assert_eq!(before.iter().map(|r| r.id).collect::<Vec<_>>(), ids[..2]);
        assert!(before.iter().all(|r| !r.open && r.bytes == 1000 && r.span.len_us() == MINUTE));
    })
    .await;
}

async fn only(store: &Store, stream: StreamId, ago_min: i64) -> Segment {
    let start_us = NOW.us() - ago_min * MINUTE;
    store.segments_in(stream, Span { start_us, end_us: start_us + 1 }).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_removal_is_noted_then_ended_and_the_sums_follow() {
    on_every_engine(|store| async move {
        let (id, main, sub) = camera(&store, "a").await;
        let [old, locked, open] = [
            segment(&store, main, 9, false).await,
            segment(&store, main, 8, false).await,
            segment(&store, main, 0, true).await,
        ];
        let other = segment(&store, sub, 9, false).await;
        let start_us = NOW.us() - 8 * MINUTE;
        let mark = store.locks_mark().await.unwrap();
        let lock = Span { start_us: start_us + 5, end_us: start_us + 6 };
        let locks = store.add_lock(&actor(), &[id], lock, "vụ 7", None, NOW).await.unwrap();
        assert_ne!(store.locks_mark().await.unwrap(), mark);
        let span = Span { start_us: 0, end_us: NOW.us() };
        assert_eq!(store.marks_in(id, main, span).await.unwrap(), [(Class::Locked, lock)]);
        let all = [old, locked, open, other];
        for _ in 0..2 {
            let mut noted = store.begin_removal(&all).await.unwrap();
            noted.sort();
            assert_eq!(noted, [old, other]);
        }
        let begun = store.removals_begun().await.unwrap();
        assert_eq!(begun.iter().map(|b| b.0).collect::<Vec<_>>(), [old, other]);
        assert!(begun[0].1.starts_with(&format!("{main}/")));
        assert_eq!(store.end_removal(&[old]).await.unwrap(), 1);
        assert_eq!(store.end_removal(&[old]).await.unwrap(), 0);
        assert_eq!(store.removals_begun().await.unwrap().len(), 1);
        let uses = store.stream_uses().await.unwrap();
        let sums: Vec<_> = uses.iter().map(|u| (u.kind, u.segments, u.bytes, u.recorded)).collect();
        assert_eq!(sums, [(StreamKind::Main, 1, 1000, true), (StreamKind::Sub, 1, 1000, true)]);
        assert_eq!(uses[0].oldest_us, Some(start_us));
        assert_eq!(store.segment_totals().await.unwrap(), (3, 3000));
        store.remove_lock(&actor(), locks[0], now_plus(1)).await.unwrap();
        assert_eq!(store.begin_removal(&[locked]).await.unwrap(), [locked]);
        // What a day takes: three segments in nine minutes of the main stream are two now.
        store.measure_day(main, NOW).await.unwrap();
        assert_eq!(store.stream_uses().await.unwrap()[0].day_bytes, Some(2000 * 1440 / 8));
        assert_eq!(store.stream_uses().await.unwrap()[1].day_bytes, None);
    })
    .await;
}
