//! Ways between cameras and the routes that people follow.

use vonglau::{
    domain::{
        detection::Class,
        follow::{RouteDraft, RouteStep, Spot, StepDraft, Way},
        ids::CameraId,
        search::Heading,
        time::Span,
    },
    store::{Store, StoreError},
};

use crate::{
    engines::{NOW, actor, assert_not_found, camera, on_every_engine},
    tracks::track,
};

const SECOND_US: i64 = 1_000_000;

async fn seen(store: &Store, camera: CameraId, number: i64, start_s: i64) -> i64 {
    let mut row = track(camera, number, start_s * SECOND_US);
    (row.span.end_us, row.open) = ((start_s + 5) * SECOND_US, false);
    store.keep_tracks(&[row]).await.unwrap()[0]
}

fn drawn(from: CameraId, to: CameraId, heading: Option<Heading>, drawn_s: Option<u32>) -> Way {
    Way { from, to, heading, drawn_s, times: 0, sum_ln: 0.0, sum_ln2: 0.0 }
}

#[tokio::test]
async fn a_plan_is_drawn_anew_and_keeps_what_was_learned_of_ways_that_stay() {
    on_every_engine(|store| async move {
        let (a, ..) = camera(&store, "a").await;
        let (b, ..) = camera(&store, "b").await;
        let spots = vec![Spot { camera: a, x: 0.25, y: 0.5 }, Spot { camera: b, x: 0.75, y: 0.5 }];
        let ways = vec![drawn(a, b, Some(Heading::Right), Some(60)), drawn(b, a, None, None)];
        store.draw_plan(spots.clone(), ways.clone()).await.unwrap();
        assert_eq!((store.spots().await.unwrap(), store.ways().await.unwrap()), (spots, ways));
        let first = seen(&store, a, 1, 100).await;
        let second = seen(&store, b, 2, 145).await;
        let draft = RouteDraft { track: first, class: Class::Motorcycle, case_number: None, reason: None };
        let route = store.begin_route(&actor(), &draft, NOW).await.unwrap();
        let before = store.sighting(first).await.unwrap();
        let accept = StepDraft { track: second, accepted: true };
        store.take_step(&actor(), route, accept, before.as_ref(), NOW).await.unwrap();
        let of = |ways: Vec<Way>| ways.into_iter().find(|w| w.from == a).map(|w| (w.times, (w.sum_ln.exp()).round()));
        assert_eq!(of(store.ways().await.unwrap()), Some((1, 40.0)), "from 105 to 145 s");
        store.take_step(&actor(), route, accept, before.as_ref(), NOW).await.unwrap();
        assert_eq!(of(store.ways().await.unwrap()), Some((1, 40.0)), "said twice, learned once");
        store.draw_plan(vec![], vec![drawn(a, b, None, Some(70))]).await.unwrap();
        let [way] = &store.ways().await.unwrap()[..] else { panic!("one way") };
        assert_eq!((way.times, way.drawn_s, way.heading), (1, Some(70), None));
        let reject = StepDraft { track: second, accepted: false };
        store.take_step(&actor(), route, reject, before.as_ref(), NOW).await.unwrap();
        let [way] = &store.ways().await.unwrap()[..] else { panic!("one way") };
        assert!(way.times == 0 && way.sum_ln.abs() < 1e-9 && way.sum_ln2.abs() < 1e-9, "{way:?}");
        let nobody = store.draw_plan(vec![Spot { camera: CameraId(99), x: 0.0, y: 0.0 }], vec![]).await;
        assert!(matches!(nobody, Err(StoreError::Database(_))));
        assert_eq!(store.ways().await.unwrap().len(), 1, "a plan that cannot be drawn changes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_route_goes_with_its_tracks_and_a_person_needs_a_case() {
    on_every_engine(|store| async move {
        let (a, ..) = camera(&store, "a").await;
        let (b, ..) = camera(&store, "b").await;
        let (first, second, wrong) =
            (seen(&store, a, 1, 10).await, seen(&store, b, 2, 60).await, seen(&store, b, 3, 61).await);
        let person = RouteDraft { track: first, class: Class::Person, case_number: None, reason: None };
        let refused = store.begin_route(&actor(), &person, NOW).await;
        assert!(matches!(&refused, Err(StoreError::Database(_))) && refused.unwrap_err().is_lasting());
        let (case_number, reason) = (Some("VV-12".to_owned()), Some("trộm xe".to_owned()));
        let person = RouteDraft { case_number: case_number.clone(), reason, ..person };
        let route = store.begin_route(&actor(), &person, NOW).await.unwrap();
        assert_eq!(store.route(route).await.unwrap().unwrap().case_number, case_number);
        assert_eq!(store.routes().await.unwrap().len(), 1);
        let before = store.sighting(first).await.unwrap();
        for (track, accepted) in [(second, true), (wrong, false)] {
            store.take_step(&actor(), route, StepDraft { track, accepted }, before.as_ref(), NOW).await.unwrap();
        }
        let said = |steps: Vec<RouteStep>| {
            steps.into_iter().map(|s| (s.sighting.track, s.accepted, s.took_s)).collect::<Vec<_>>()
        };
        let steps = said(store.route_steps(route).await.unwrap());
        assert_eq!(steps, [(first, true, None), (second, true, Some(45)), (wrong, false, None)]);
        let of_b =
            store.sightings(b, Span { start_us: 0, end_us: 61 * SECOND_US }, &[Class::Motorcycle]).await.unwrap();
        assert_eq!(of_b.iter().map(|s| s.track).collect::<Vec<_>>(), [second]);
        store.untake_step(route, wrong).await.unwrap();
        assert_eq!(said(store.route_steps(route).await.unwrap()).len(), 2);
        assert_not_found(
            store.take_step(&actor(), 99, StepDraft { track: first, accepted: true }, None, NOW).await,
            "route",
        );
        assert_not_found(
            store.take_step(&actor(), route, StepDraft { track: 99, accepted: true }, None, NOW).await,
            "track",
        );
        store.take_step(&actor(), route, StepDraft { track: wrong, accepted: false }, None, NOW).await.unwrap();
        store.remove_tracks(&[first]).await.unwrap();
        assert_eq!(said(store.route_steps(route).await.unwrap()).len(), 2, "what is left of it stays");
        store.remove_tracks(&[second]).await.unwrap();
        assert_eq!(store.route(route).await.unwrap(), None, "what was not accepted is no route");
        assert_eq!(store.route_steps(route).await.unwrap(), []);
        let draft = RouteDraft { track: wrong, class: Class::Motorcycle, case_number: None, reason: None };
        let route = store.begin_route(&actor(), &draft, NOW).await.unwrap();
        store.remove_route(route).await.unwrap();
        assert_not_found(store.remove_route(route).await, "route");
    })
    .await;
}
