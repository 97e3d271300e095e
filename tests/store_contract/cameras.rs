//! Cameras, clusters and shapes.

use vonglau::{
    domain::{
        camera::{CameraDraft, Secret, StreamKind},
        geometry::Point,
        ids::{CameraId, ShapeId},
    },
    store::{Shape, ShapeKind},
};

use crate::engines::{NOW, actor, assert_not_found, camera, checked, draft, now_plus, on_every_engine, refusal};

#[tokio::test]
async fn a_camera_comes_back_as_it_was_given() {
    on_every_engine(|store| async move {
        let given =
            CameraDraft { cluster: "Chợ".into(), hamlet: "Thôn Đông".into(), ..draft("Chợ – cổng Bắc") };
        let id = store.add_camera(&actor(), &given.checked().unwrap(), NOW).await.unwrap();
        let camera = store.camera(id).await.unwrap().unwrap();
        assert_eq!((camera.code.as_str(), camera.name.as_str()), ("C01", "Chợ – cổng Bắc"));
        assert_eq!((camera.cluster_name.as_str(), camera.hamlet.as_str()), ("Chợ", "Thôn Đông"));
        assert_eq!((camera.enabled_us, camera.retired_us), (NOW.us(), None));
        assert_eq!(store.clusters().await.unwrap(), [(camera.cluster.unwrap(), "Chợ".to_owned())]);
        let kinds: Vec<_> = camera.streams.iter().map(|s| (s.kind, s.url.as_str().to_owned())).collect();
        assert_eq!(
            kinds,
            [
                (StreamKind::Main, "rtsp://10.0.0.7/main".to_owned()),
                (StreamKind::Sub, "rtsp://10.0.0.7/sub".to_owned())
            ]
        );
        for stream in &camera.streams {
            assert_eq!(stream.camera, id);
            assert_eq!((stream.username.as_str(), stream.password.expose()), ("admin", "bí mật 7"));
        }
        assert_eq!(store.cameras().await.unwrap(), [camera]);
        assert_eq!(store.camera(CameraId(id.0 + 1)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_empty_code_becomes_the_next_free_one_and_a_retired_code_is_not_given_again() {
    on_every_engine(|store| async move {
        let coded = |name: &str, code: &str| CameraDraft { code: code.into(), ..draft(name) }.checked().unwrap();
        let first = store.add_camera(&actor(), &checked("a"), NOW).await.unwrap();
        store.add_camera(&actor(), &coded("b", "c2"), NOW).await.unwrap();
        store.add_camera(&actor(), &coded("c", "C10"), NOW).await.unwrap();
        store.retire_camera(&actor(), first, NOW).await.unwrap();
        store.add_camera(&actor(), &checked("d"), NOW).await.unwrap();
        let codes: Vec<_> = store.cameras().await.unwrap().into_iter().map(|c| c.code).collect();
        assert_eq!(codes, ["c2", "C03", "C10"]);
        let retired = refusal(store.add_camera(&actor(), &coded("e", "c01"), NOW).await);
        assert_eq!(retired.place, "code");
        assert!(retired.en.contains("“a” (retired)") && retired.vi.contains("«a» (đã ngừng)"), "{retired}");
    })
    .await;
}

#[tokio::test]
async fn a_list_of_cameras_is_added_whole_or_not_at_all() {
    on_every_engine(|store| async move {
        let list = [checked("a"), checked("b"), checked("A")];
        let refused = refusal(store.add_cameras(&actor(), &list, NOW).await);
        assert_eq!(refused.place, "camera[2].name");
        assert_eq!((store.cameras().await.unwrap().len(), store.latest_change().await.unwrap()), (0, 0));
        store.add_cameras(&actor(), &list[..2], NOW).await.unwrap();
        let codes: Vec<_> = store.cameras().await.unwrap().into_iter().map(|c| c.code).collect();
        assert_eq!(codes, ["C01", "C02"]);
        // Each is a row of its own in the log.
        let logged = store.changes_after(0, 10).await.unwrap();
        assert_eq!(
            logged.iter().map(|row| (row.id, row.what.as_str())).collect::<Vec<_>>(),
            [(1, "camera.add"), (2, "camera.add")]
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_or_code_in_use_is_refused_and_names_the_other_camera() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "Cổng chợ").await;
        let (second, ..) = camera(&store, "Trường học").await;
        let again = checked("  CỔNG   chợ ");
        for result in [
            store.add_camera(&actor(), &again, NOW).await.map(drop),
            store.update_camera(&actor(), second, &again, NOW).await,
        ] {
            let refused = refusal(result);
            assert_eq!(refused.place, "name");
            assert!(refused.en.contains("C01") && refused.vi.contains("C01"), "{refused}");
        }
        let code = CameraDraft { code: "c01".into(), ..draft("Ngã ba") }.checked().unwrap();
        let refused = refusal(store.update_camera(&actor(), second, &code, NOW).await);
        assert_eq!(refused.place, "code");
        assert!(refused.en.contains("C01") && refused.en.contains("Cổng chợ"), "{refused}");
        // Nothing of the refused changes stays, also not in the log.
        assert_eq!(store.camera(second).await.unwrap().unwrap().name, "Trường học");
        assert_eq!(store.latest_change().await.unwrap(), 2);
        // Its own name is free for itself, and that of a retired camera for anybody.
        store.update_camera(&actor(), first, &checked("cổng chợ"), NOW).await.unwrap();
        store.retire_camera(&actor(), first, NOW).await.unwrap();
        store.update_camera(&actor(), second, &again, NOW).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_change_without_a_password_and_code_keeps_the_old_ones() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        let change = CameraDraft { password: None, main_url: "rtsp://10.0.0.9/x".into(), ..draft("b") };
        store.update_camera(&actor(), id, &change.checked().unwrap(), NOW).await.unwrap();
        let kept = store.camera(id).await.unwrap().unwrap();
        assert_eq!((kept.code.as_str(), kept.name.as_str()), ("C01", "b"));
        assert!(kept.streams.iter().all(|s| s.password.expose() == "bí mật 7"));
        assert_eq!(kept.streams[0].url.as_str(), "rtsp://10.0.0.9/x");
        let change = CameraDraft { password: Some(Secret::new("mới")), ..draft("b") };
        store.update_camera(&actor(), id, &change.checked().unwrap(), NOW).await.unwrap();
        let changed = store.camera(id).await.unwrap().unwrap();
        assert!(changed.streams.iter().all(|s| s.password.expose() == "mới"));
    })
    .await;
}

#[tokio::test]
async fn a_sub_stream_goes_and_comes_back_as_the_same_one() {
    on_every_engine(|store| async move {
        let (id, main, sub) = camera(&store, "a").await;
        let without = CameraDraft { sub_url: String::new(), password: None, ..draft("a") }.checked().unwrap();
        store.update_camera(&actor(), id, &without, NOW).await.unwrap();
        let streams = store.camera(id).await.unwrap().unwrap().streams;
        assert_eq!(streams.iter().map(|s| s.id).collect::<Vec<_>>(), [main]);
        let with = CameraDraft { sub_url: "rtsp://10.0.0.7/other".into(), password: None, ..draft("a") };
        store.update_camera(&actor(), id, &with.checked().unwrap(), NOW).await.unwrap();
        let streams = store.camera(id).await.unwrap().unwrap().streams;
        assert_eq!(streams.iter().map(|s| s.id).collect::<Vec<_>>(), [main, sub]);
        assert_eq!(streams[1].url.as_str(), "rtsp://10.0.0.7/other");
        assert_eq!(streams[1].password.expose(), "bí mật 7");
    })
    .await;
}

#[tokio::test]
async fn a_retired_camera_is_not_listed_but_still_known_and_no_longer_changed() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        store.retire_camera(&actor(), id, now_plus(5)).await.unwrap();
        assert!(store.cameras().await.unwrap().is_empty());
        let retired = store.camera(id).await.unwrap().unwrap();
        assert_eq!((retired.retired_us, retired.streams.len()), (Some(now_plus(5).us()), 2));
        for result in [
            store.retire_camera(&actor(), id, NOW).await,
            store.update_camera(&actor(), id, &checked("b"), NOW).await,
            store.add_shape(&actor(), &zone(id), NOW).await.map(drop),
        ] {
            assert!(refusal(result).en.contains("C01"));
        }
        let nobody = CameraId(id.0 + 1);
        assert_not_found(store.retire_camera(&actor(), nobody, NOW).await, "camera");
        assert_not_found(store.update_camera(&actor(), nobody, &checked("b"), NOW).await, "camera");
    })
    .await;
}

#[tokio::test]
async fn a_cluster_is_made_once_and_kept_when_its_last_camera_leaves() {
    on_every_engine(|store| async move {
        let clustered = |name: &str, cluster: &str| CameraDraft { cluster: cluster.into(), ..draft(name) };
        let add = |draft: CameraDraft| {
            let store = store.clone();
            async move { store.add_camera(&actor(), &draft.checked().unwrap(), NOW).await.unwrap() }
        };
        let first = add(clustered("a", "Trục chính")).await;
        add(clustered("b", "trục  CHÍNH")).await;
        add(clustered("c", "Chợ")).await;
        let names: Vec<_> = store.clusters().await.unwrap().into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["Chợ", "Trục chính"]);
        let out = clustered("a", "").checked().unwrap();
        store.update_camera(&actor(), first, &out, NOW).await.unwrap();
        let camera = store.camera(first).await.unwrap().unwrap();
        assert_eq!((camera.cluster, camera.cluster_name.as_str()), (None, ""));
        assert_eq!(store.clusters().await.unwrap().len(), 2);
    })
    .await;
}

fn zone(camera: CameraId) -> Shape {
    let points = [[0.1, 0.1], [0.9, 0.1], [0.5, 0.9]].map(Point::from).to_vec();
    Shape { id: ShapeId(0), camera, kind: ShapeKind::Zone, name: "Sân".into(), points }
}

#[tokio::test]
async fn shapes_are_added_changed_and_removed() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        let (other, ..) = camera(&store, "b").await;
        let zone_id = store.add_shape(&actor(), &zone(id), NOW).await.unwrap();
        let line = Shape {
            kind: ShapeKind::Line,
            name: "Vạch".into(),
            points: [[0.0, 0.5], [1.0, 0.5]].map(Point::from).to_vec(),
            ..zone(id)
        };
        let line_id = store.add_shape(&actor(), &line, NOW).await.unwrap();
        store.add_shape(&actor(), &zone(other), NOW).await.unwrap();
        let zone = Shape { id: zone_id, kind: ShapeKind::PrivacyMask, name: "Nhà dân".into(), ..zone(id) };
        store.update_shape(&actor(), &zone, NOW).await.unwrap();
        let line = Shape { id: line_id, ..line };
        assert_eq!(store.shapes(id).await.unwrap(), [zone.clone(), line.clone()]);
        store.remove_shape(&actor(), zone_id, NOW).await.unwrap();
        assert_eq!(store.shapes(id).await.unwrap(), std::slice::from_ref(&line));
        assert_not_found(store.remove_shape(&actor(), zone_id, NOW).await, "shape");
        assert_not_found(store.update_shape(&actor(), &zone, NOW).await, "shape");
        assert_not_found(store.update_shape(&actor(), &Shape { camera: other, ..line }, NOW).await, "shape");
        assert_not_found(store.add_shape(&actor(), &Shape { camera: CameraId(999), ..zone }, NOW).await, "camera");
    })
    .await;
}

#[tokio::test]
async fn a_shape_that_cannot_be_is_refused() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        let points = |list: &[[f32; 2]]| list.iter().copied().map(Point::from).collect::<Vec<_>>();
        let crossing = points(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]);
        let outside = points(&[[0.0, 0.0], [1.5, 1.0]]);
        for (shape, place) in [
            (Shape { points: crossing, ..zone(id) }, "points"),
            (Shape { kind: ShapeKind::Line, points: outside, ..zone(id) }, "points"),
            (Shape { kind: ShapeKind::Lane, points: points(&[[0.0, 0.0]]), ..zone(id) }, "points"),
            (Shape { name: "  ".into(), ..zone(id) }, "name"),
        ] {
            assert_eq!(refusal(store.add_shape(&actor(), &shape, NOW).await).place, place);
        }
        assert!(store.shapes(id).await.unwrap().is_empty());
    })
    .await;
}
