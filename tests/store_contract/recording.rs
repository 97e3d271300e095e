//! Segments, gaps, signs of life.

use vonglau::{
    domain::{
        ids::{SegmentId, StreamId},
        packet::Codec,
        segment::{FragmentEntry, GapCause, Segment},
        time::{Span, WallTime},
    },
    store::{Gap, SegmentProgress, Store, StoreError},
};

use crate::engines::{NOW, assert_not_found, camera, on_every_engine, refusal};

const MINUTE: i64 = 60_000_000;

fn segment(stream: StreamId, path: &str, start_us: i64) -> Segment {
    Segment {
        id: SegmentId(0),
        stream,
        path: path.into(),
        start_us,
        end_us: start_us,
        open: true,
        init_bytes: 905,
        size_bytes: 905,
        codec: Codec::H265,
        rfc6381: "hvc1.1.6.L93.B0".into(),
        width: 2560,
        height: 1440,
        params_sha256: "ab".repeat(32),
        fragments: Vec::new(),
    }
}

fn fragment(i: u32) -> FragmentEntry {
    FragmentEntry {
        offset: 905 + u64::from(i) * 100_056,
        size_bytes: 100_000,
        start_90k: u64::from(i) * 90_000,
        duration_90k: 90_000,
        key: i.is_multiple_of(2),
    }
}

fn progress(id: SegmentId, fragments: std::ops::Range<u32>, start_us: i64, closed: bool) -> SegmentProgress {
    SegmentProgress {
        id,
        end_us: start_us + i64::from(fragments.end) * 1_000_000,
        size_bytes: 905 + u64::from(fragments.end) * 100_056,
        added: fragments.map(fragment).collect(),
        closed,
    }
}

async fn only(store: &Store, stream: StreamId) -> Segment {
    let mut all = store.segments_in(stream, Span { start_us: 0, end_us: i64::MAX }).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[tokio::test]
async fn a_segment_grows_by_its_fragments_and_closes() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        let one = store.open_segment(&segment(main, "a/1.mp4", 0)).await.unwrap();
        let two = store.open_segment(&segment(sub, "a/2.mp4", 0)).await.unwrap();
        store.progress_segments(&[progress(one, 0..1, 0, false), progress(two, 0..2, 0, false)]).await.unwrap();
        store.progress_segments(&[progress(one, 1..3, 0, false)]).await.unwrap();
        let grown = only(&store, main).await;
        let fragments: Vec<_> = (0..3).map(fragment).collect();
        let expected = Segment {
            id: one,
            end_us: 3_000_000,
            size_bytes: 905 + 3 * 100_056,
            fragments,
            ..segment(main, "a/1.mp4", 0)
        };
        assert_eq!(grown, expected);
        assert_eq!(only(&store, sub).await.fragments.len(), 2);
        let ids = |open: Vec<Segment>| open.into_iter().map(|s| s.id).collect::<Vec<_>>();
        assert_eq!(ids(store.open_segments().await.unwrap()), [one, two]);
        store.progress_segments(&[progress(two, 2..2, 0, true)]).await.unwrap();
        assert_eq!(ids(store.open_segments().await.unwrap()), [one]);
        assert_eq!(store.open_segments().await.unwrap(), [expected]);
        store.progress_segments(&[]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_same_progress_twice_is_entered_once_and_a_closed_segment_stays_closed() {
    on_every_engine(|store| async move {
        let (_, main, _) = camera(&store, "a").await;
        let id = store.open_segment(&segment(main, "1", 0)).await.unwrap();
        for closed in [true, false] {
            store.progress_segments(&[progress(id, 0..5, 0, closed)]).await.unwrap();
        }
        let segment = only(&store, main).await;
        assert_eq!((segment.fragments.len(), segment.open), (5, false));
        assert_eq!(store.segment_totals().await.unwrap(), (1, segment.size_bytes));
    })
    .await;
}

#[tokio::test]
async fn progress_that_cannot_be_leaves_all_segments_as_they_were() {
    on_every_engine(|store| async move {
        let (_, main, _) = camera(&store, "a").await;
        let id = store.open_segment(&segment(main, "1", 0)).await.unwrap();
        store.progress_segments(&[progress(id, 0..2, 0, false)]).await.unwrap();
        let before = only(&store, main).await;
        let good = progress(id, 2..3, 0, true);
        let nowhere = progress(SegmentId(id.0 + 1), 0..1, 0, false);
        assert_not_found(store.progress_segments(&[good.clone(), nowhere]).await, "segment");
        let mut contradicting = progress(id, 1..2, 0, false);
        contradicting.added[0].size_bytes += 1;
        let error = store.progress_segments(&[good, contradicting]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { table: "segment", row, .. } if row == id.0), "{error}");
        assert_eq!(only(&store, main).await, before);
        assert_eq!(store.segment_totals().await.unwrap(), (1, before.size_bytes));
    })
    .await;
}

#[tokio::test]
async fn segments_of_a_span_are_those_that_share_time_with_it() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        let base = 1_700_000_000_000_000;
        for i in (0..10).rev() {
            for stream in [main, sub] {
                let start_us = base + i * MINUTE;
                let whole = Segment {
                    end_us: start_us + MINUTE,
                    open: false,
                    fragments: vec![fragment(0)],
                    ..segment(stream, &format!("{}/{i}", stream.0), start_us)
                };
                store.open_segment(&whole).await.unwrap();
            }
        }
        let starts = |from: i64, to: i64| {
            let store = store.clone();
            async move {
                let span = Span { start_us: base + from, end_us: base + to };
                let found = store.segments_in(main, span).await.unwrap();
                assert!(found.iter().all(|s| s.stream == main && s.fragments == [fragment(0)]));
                found.into_iter().map(|s| (s.start_us - base) / MINUTE).collect::<Vec<_>>()
            }
        };
        assert_eq!(starts(2 * MINUTE, 4 * MINUTE).await, [2, 3]);
        assert_eq!(starts(2 * MINUTE - 1, 4 * MINUTE + 1).await, [1, 2, 3, 4]);
        assert_eq!(starts(150_000_000, 150_000_001).await, [2]);
        assert_eq!(starts(-MINUTE, 0).await, [0; 0]);
        assert_eq!(starts(10 * MINUTE, 99 * MINUTE).await, [0; 0]);
        assert_eq!(starts(0, 10 * MINUTE).await, (0..10).collect::<Vec<_>>());
        let paths: Vec<_> = (0..10).map(|i| format!("{}/{i}", main.0)).collect();
        let rows = store.segments_in(main, Span { start_us: 0, end_us: i64::MAX }).await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.path).collect::<Vec<_>>(), paths);
        assert_eq!(store.segment_totals().await.unwrap(), (20, 20 * 905));
    })
    .await;
}

#[tokio::test]
async fn a_path_belongs_to_one_segment_and_a_segment_to_a_stream() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        store.open_segment(&segment(main, "a/1.mp4", 0)).await.unwrap();
        assert_eq!(refusal(store.open_segment(&segment(sub, "a/1.mp4", MINUTE)).await).place, "a/1.mp4");
        let orphan = store.open_segment(&segment(StreamId(999), "b", 0)).await;
        assert!(matches!(orphan, Err(StoreError::Database(_))), "{orphan:?}");
        assert_eq!(store.segment_totals().await.unwrap(), (1, 905));
    })
    .await;
}

#[tokio::test]
async fn gaps_are_found_however_long_they_are() {
    on_every_engine(|store| async move {
        let (_, main, sub) = camera(&store, "a").await;
        let gap = |stream, start_us, end_us, cause| Gap {
            stream,
            span: Span { start_us, end_us },
            cause,
            evidence: "không có tín hiệu".into(),
        };
        let long = gap(main, 0, 30 * 86_400_000_000, GapCause::Power);
        let short = gap(main, 31 * 86_400_000_000, 31 * 86_400_000_000 + 5, GapCause::Login);
        for gap in [&short, &long, &gap(sub, 0, 9, GapCause::Network), &gap(main, 7, 7, GapCause::Disk)] {
            store.add_gap(gap).await.unwrap();
        }
        for cause in GapCause::ALL {
            store.add_gap(&gap(sub, 100, 101, cause)).await.unwrap();
        }
        let all = Span { start_us: 0, end_us: i64::MAX };
        assert_eq!(store.gaps_in(main, all).await.unwrap(), [long.clone(), short]);
        let within = Span { start_us: 29 * 86_400_000_000, end_us: 29 * 86_400_000_000 + 1 };
        assert_eq!(store.gaps_in(main, within).await.unwrap(), [long]);
        let causes: Vec<_> = store.gaps_in(sub, Span { start_us: 50, end_us: 200 }).await.unwrap();
        assert_eq!(causes.into_iter().map(|g| g.cause).collect::<Vec<_>>(), GapCause::ALL);
        let span = Span { start_us: 30 * 86_400_000_000, end_us: 31 * 86_400_000_000 };
        assert!(store.gaps_in(main, span).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_last_heartbeat_is_the_last_one_said_though_the_clock_went_back() {
    on_every_engine(|store| async move {
        assert_eq!(store.last_heartbeat().await.unwrap(), None);
        store.heartbeat("boot-1", 5_000_000, NOW).await.unwrap();
        store.heartbeat("boot-1", 10_000_000, NOW.plus_us(5_000_000)).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(NOW.plus_us(5_000_000)));
        store.heartbeat("boot-2", 1, WallTime(42)).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(WallTime(42)));
        store.heartbeat("boot-1", 15_000_000, NOW.plus_us(1)).await.unwrap();
        assert_eq!(store.last_heartbeat().await.unwrap(), Some(NOW.plus_us(1)));
        for boot_us in [1, 2] {
            store.add_anchor("boot-2", boot_us, NOW.us(), 30).await.unwrap();
        }
    })
    .await;
}
