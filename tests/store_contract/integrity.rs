//! Rows made from files alone, and what went bad.

use vonglau::{
    domain::{
        camera::StreamKind,
        ids::{CameraId, SegmentId, StreamId},
        packet::Codec,
        segment::{FragmentEntry, Segment},
        time::{Span, WallTime},
    },
    store::{Damage, FileStream},
};

use crate::engines::{NOW, assert_not_found, camera, on_every_engine, refusal};

fn segment(stream: StreamId, path: &str) -> Segment {
    let row = FragmentEntry { offset: 905, size_bytes: 1000, start_90k: 0, duration_90k: 90_000, key: true };
    Segment {
        id: SegmentId(0),
        stream,
        path: path.into(),
        start_us: 1_000_000,
        end_us: 2_000_000,
        open: false,
        init_bytes: 905,
        size_bytes: 1969,
        codec: Codec::H264,
        rfc6381: "avc1.42C01E".into(),
        width: 640,
        height: 480,
        params_sha256: "ab".repeat(32),
        fragments: vec![row],
    }
}

fn of(camera: i64, stream: i64, kind: StreamKind) -> FileStream {
    FileStream { camera: CameraId(camera), code: "C07".into(), stream: StreamId(stream), kind }
}

#[tokio::test]
async fn a_row_from_a_file_brings_its_retired_camera_along_and_later_cameras_get_other_ids() {
    on_every_engine(async |store| {
        store.adopt_site("the-site-of-the-files").await.unwrap();
        assert_eq!(store.site_uuid().await.unwrap(), "the-site-of-the-files");
        let (main, sub) = (of(7, 13, StreamKind::Main), of(7, 14, StreamKind::Sub));
        let row = segment(main.stream, "a.mp4");
        assert!(store.restore_segment(&main, &row, NOW).await.unwrap());
        assert!(!store.restore_segment(&main, &row, NOW).await.unwrap());
        assert!(store.restore_segment(&sub, &segment(sub.stream, "b.mp4"), NOW).await.unwrap());
        assert_eq!(store.segment_totals().await.unwrap(), (2, 2 * 1969));
        let ever = Span { start_us: 0, end_us: i64::MAX };
        let found = store.segments_in(main.stream, ever).await.unwrap().remove(0);
        assert_eq!(Segment { id: SegmentId(0), ..found }, row);
        let made = store.camera(CameraId(7)).await.unwrap().unwrap();
        assert_eq!((made.code.as_str(), made.name.as_str(), made.retired_us), ("C07", "C07", Some(NOW.us())));

        // Another camera with the same code, a stream that is another camera's, and one kind twice.
        let twin = FileStream { camera: CameraId(9), ..of(9, 20, StreamKind::Main) };
        store.restore_segment(&twin, &segment(twin.stream, "c.mp4"), NOW).await.unwrap();
        assert_eq!(store.camera(CameraId(9)).await.unwrap().unwrap().code, "C07-9");
        for wrong in [of(9, 13, StreamKind::Main), of(7, 13, StreamKind::Sub), of(7, 21, StreamKind::Main)] {
            let refused = refusal(store.restore_segment(&wrong, &segment(wrong.stream, "d.mp4"), NOW).await);
            assert!(refused.en.contains("another camera's"), "{refused}");
        }
        let (new, ..) = camera(&store, "Mới").await;
        assert_eq!(new, CameraId(10));
        // Once there are cameras the database is one site's for good.
        assert!(refusal(store.adopt_site("another").await).en.contains("another site"));
        store.adopt_site("the-site-of-the-files").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_renamed_file_keeps_its_row_and_unknown_paths_are_told() {
    on_every_engine(async |store| {
        let main = of(7, 13, StreamKind::Main);
        store.restore_segment(&main, &segment(main.stream, "a.mp4"), NOW).await.unwrap();
        let id = store.segments_from(SegmentId(0), 9).await.unwrap()[0].id;
        store.move_segment(id, "a.mp4.quarantine").await.unwrap();
        assert_not_found(store.move_segment(SegmentId(id.0 + 1), "x").await, "segment");
        let paths: Vec<String> = (0..700).map(|n| format!("{n}.mp4")).chain(["a.mp4.quarantine".into()]).collect();
        assert_eq!(store.unknown_paths(&paths).await.unwrap(), paths[..700]);
        assert_eq!(store.segments_from(SegmentId(id.0 + 1), 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_damage_is_entered_once_and_the_scrubs_place_is_kept() {
    on_every_engine(async |store| {
        let main = of(7, 13, StreamKind::Main);
        store.restore_segment(&main, &segment(main.stream, "a.mp4"), NOW).await.unwrap();
        let damage = |start_us: i64| Damage {
            stream: main.stream,
            path: "a.mp4".into(),
            span: Span { start_us, end_us: start_us + 5 },
            what: "hỏng".into(),
        };
        assert_eq!(store.add_damages(&[damage(1), damage(2)], NOW).await.unwrap(), 2);
        assert_eq!(store.add_damages(&[damage(2), damage(3)], NOW).await.unwrap(), 1);
        assert_eq!(store.damages().await.unwrap(), [damage(3), damage(2), damage(1)]);
        assert_eq!(store.scrub_place().await.unwrap(), None);
        for next in [5, 6] {
            store.set_scrub_place(SegmentId(next), WallTime(next)).await.unwrap();
            assert_eq!(store.scrub_place().await.unwrap(), Some((SegmentId(next), WallTime(next))));
        }
    })
    .await;
}
