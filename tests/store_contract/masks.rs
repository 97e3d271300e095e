//! Masks as they are in force.

use vonglau::{
    domain::{geometry::Polygon, ids::ShapeId, mask::Masks},
    store::{Shape, ShapeKind},
};

use crate::engines::{NOW, actor, camera, on_every_engine, refusal};

fn strip(right: f32) -> Polygon {
    Polygon::new([[0.0, 0.0], [right, 0.0], [right, 1.0]].map(Into::into).to_vec()).unwrap()
}

#[tokio::test]
async fn masks_in_force_are_told_by_camera_and_other_shapes_are_not() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let (second, ..) = camera(&store, "b").await;
        let shape = |camera, kind, polygon: Polygon| Shape {
            id: ShapeId(0),
            camera,
            kind,
            name: "m".into(),
            points: polygon.corners().to_vec(),
        };
        for (camera, kind, polygon) in [
            (first, ShapeKind::PrivacyMask, strip(0.2)),
            (first, ShapeKind::Zone, strip(0.3)),
            (second, ShapeKind::MotionMask, strip(0.4)),
            (first, ShapeKind::PrivacyMask, strip(0.5)),
        ] {
            store.add_shape(&actor(), &shape(camera, kind, polygon), NOW).await.unwrap();
        }
        let gone = store.add_shape(&actor(), &shape(second, ShapeKind::PrivacyMask, strip(0.6)), NOW).await.unwrap();
        store.remove_shape(&actor(), gone, NOW).await.unwrap();
        let masks = store.masks().await.unwrap();
        assert_eq!(masks.len(), 2);
        assert_eq!(masks[&first], Masks { privacy: vec![strip(0.2), strip(0.5)], motion: vec![] });
        assert_eq!(masks[&second], Masks { privacy: vec![], motion: vec![strip(0.4)] });
        assert_eq!(store.masks_of(second).await.unwrap(), masks[&second]);
    })
    .await;
}

#[tokio::test]
async fn a_camera_has_no_more_than_two_hundred_shapes() {
    on_every_engine(|store| async move {
        let (camera, ..) = camera(&store, "a").await;
        let points = strip(0.5).corners().to_vec();
        let shape = Shape { id: ShapeId(0), camera, kind: ShapeKind::Zone, name: "m".into(), points };
        for _ in 0..200 {
            store.add_shape(&actor(), &shape, NOW).await.unwrap();
        }
        let refusal = refusal(store.add_shape(&actor(), &shape, NOW).await);
        assert_eq!(refusal.place, "camera");
    })
    .await;
}
