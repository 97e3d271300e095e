//! What is said of pictures, span by span, and how cameras usually look.

use vonglau::{
    domain::{
        health::{Light, Measured, PictureFault, PictureHealth, Reference},
        ids::CameraId,
        time::{MediaTime, Span},
    },
    store::Store,
};

use crate::engines::{NOW, actor, assert_not_found, camera, on_every_engine};

const SECOND: i64 = 1_000_000;
const ALL: Span = Span { start_us: 0, end_us: i64::MAX };

fn said(camera: CameraId, fault: Option<PictureFault>, since_s: i64, time_s: i64) -> PictureHealth {
    let measured = Measured {
        light: Light::Infrared,
        mean: 60.5,
        high: 210.0,
        saturated: 0.125,
        edges: 7.25,
        parts: 30,
        matching: 0.5,
        vanished: 0.0,
        blurred: 0.25,
        still_us: time_s,
        shift: Some((-3, 4)),
    };
    let (time, since) = (MediaTime(time_s * SECOND), MediaTime(since_s * SECOND));
    PictureHealth { camera, time, fault, since, measured }
}

/// Fault, start and end in seconds.
async fn spans(store: &Store, camera: CameraId) -> Vec<(Option<PictureFault>, i64, i64)> {
    let spans = store.health_spans(camera, ALL).await.unwrap();
    spans.iter().map(|s| (s.fault, s.span.start_us / SECOND, s.span.end_us / SECOND)).collect()
}

#[tokio::test]
async fn a_word_that_goes_on_is_one_span_and_another_ends_it_at_its_first_sign() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let (second, ..) = camera(&store, "b").await;
        let covered = Some(PictureFault::Covered);
        store.keep_health(&[said(first, None, 100, 110), said(second, covered, 90, 110)]).await.unwrap();
        store.keep_health(&[said(first, None, 100, 120)]).await.unwrap();
        assert_eq!(spans(&store, first).await, [(None, 100, 120)]);
        let kept = &store.health_spans(first, ALL).await.unwrap()[0];
        assert_eq!(kept.measured, said(first, None, 100, 120).measured);
        // It began after the word before was heard last, and then before it.
        store.keep_health(&[said(first, covered, 125, 145)]).await.unwrap();
        store.keep_health(&[said(first, None, 140, 150)]).await.unwrap();
        let so_far = [(None, 100, 125), (covered, 125, 140), (None, 140, 150)];
        assert_eq!(spans(&store, first).await, so_far);
        // Of a pause in which nothing was seen nothing is known; nothing that was said is said again.
        store.keep_health(&[said(first, None, 290, 300)]).await.unwrap();
        store.keep_health(&[said(first, None, 290, 400)]).await.unwrap();
        assert_eq!(spans(&store, first).await[2..], [(None, 140, 150), (None, 290, 300), (None, 300, 400)]);
        assert_eq!(spans(&store, second).await, [(covered, 90, 110)]);
        let some = Span { start_us: 126 * SECOND, end_us: 140 * SECOND };
        assert_eq!(store.health_spans(first, some).await.unwrap().len(), 1);
        assert!(store.keep_health(&[said(first, None, 290, 401), said(CameraId(99), None, 1, 2)]).await.is_err());
        assert_eq!(spans(&store, first).await.last(), Some(&(None, 300, 400)), "nothing of it was entered");
    })
    .await;
}

#[tokio::test]
async fn old_spans_go_a_batch_at_a_time() {
    on_every_engine(|store| async move {
        let (camera, ..) = camera(&store, "a").await;
        for i in 0..5 {
            let fault = (i % 2 == 0).then_some(PictureFault::Moved);
            store.keep_health(&[said(camera, fault, i * 100, i * 100 + 50)]).await.unwrap();
        }
        assert_eq!(store.remove_health_before(300 * SECOND, 2).await.unwrap(), 2);
        assert_eq!(store.remove_health_before(300 * SECOND, 2).await.unwrap(), 1);
        assert_eq!(store.remove_health_before(300 * SECOND, 2).await.unwrap(), 0);
        assert_eq!(spans(&store, camera).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn how_a_camera_looks_is_kept_by_light_until_a_person_takes_another_view_for_right() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let (second, ..) = camera(&store, "b").await;
        let reference = |light, level| Reference {
            light,
            pictures: 31,
            time: MediaTime(7),
            size: (4, 3),
            luma: vec![level; 12],
            fine: vec![0.5, 2.25],
        };
        for (camera, light, level) in
            [(first, Light::Day, 1), (first, Light::Day, 2), (first, Light::Infrared, 3), (second, Light::Day, 4)]
        {
            store.keep_reference(camera, &reference(light, level)).await.unwrap();
        }
        assert_eq!(store.references(None).await.unwrap().len(), 3);
        let own = [(first, reference(Light::Day, 2)), (first, reference(Light::Infrared, 3))];
        assert_eq!(store.references(Some(first)).await.unwrap(), own);
        store.accept_view(&actor(), first, NOW).await.unwrap();
        assert!(store.references(Some(first)).await.unwrap().is_empty());
        assert_eq!(store.references(None).await.unwrap(), [(second, reference(Light::Day, 4))]);
        let log = store.changes_after(0, 100).await.unwrap();
        assert_eq!((log.last().unwrap().what.as_str(), log.last().unwrap().object), ("camera.accept_view", first.0));
        assert_not_found(store.accept_view(&actor(), CameraId(99), NOW).await, "camera");
        assert!(store.keep_reference(CameraId(99), &reference(Light::Day, 1)).await.is_err());
    })
    .await;
}
