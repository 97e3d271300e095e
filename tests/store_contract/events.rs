//! Events: written once, updated by revision, listed newest first.

use std::collections::BTreeMap;

use vonglau::{
    domain::{
        detection::Class,
        event::{Event, PathPoint},
        geometry::NormBox,
        ids::{CameraId, EventId, RuleId, TrackId},
        query::{EventCursor, EventQuery},
        rule::RuleKind,
    },
    store::{Store, StoreError},
};

use crate::{
    engines::{NOW, actor, assert_not_found, camera, on_every_engine, refusal},
    rules::rule,
};

pub fn event(camera: CameraId, rule: RuleId, start_us: i64) -> Event {
    let rect = NormBox::new(0.123_456_79, 0.2, 0.3, 0.987_654_3).unwrap();
    Event {
        id: EventId(0),
        camera,
        rule,
        rule_version: 1,
        rule_name: "Vào vùng cấm".into(),
        kind: RuleKind::Intrusion,
        class: Some(Class::Person),
        track: Some(TrackId(41)),
        start_us,
        end_us: start_us + 2_000_000,
        open: true,
        revision: 1,
        score: 0.623_1,
        rect,
        path: vec![PathPoint { time_us: start_us, rect }, PathPoint { time_us: start_us + 200_000, rect }],
        model_sha256: Some("cd".repeat(32)),
        numbers: BTreeMap::from([("frames".into(), 3.0), ("score_mean".into(), 0.5)]),
    }
}

async fn ground(store: &Store) -> (CameraId, RuleId) {
    let (id, ..) = camera(store, "a").await;
    (id, store.add_rule(&actor(), &rule("Vào vùng cấm", None), NOW).await.unwrap())
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_given() {
    on_every_engine(|store| async move {
        let (camera, rule) = ground(&store).await;
        let full = event(camera, rule, 5);
        let bare = Event {
            kind: RuleKind::Motion,
            class: None,
            track: None,
            model_sha256: None,
            path: Vec::new(),
            numbers: BTreeMap::new(),
            ..event(camera, rule, 6)
        };
        for given in [full, bare] {
            let id = store.insert_event(&given).await.unwrap();
            assert_eq!(store.event(id).await.unwrap(), Some(Event { id, ..given }));
        }
        assert_eq!(store.event(EventId(999)).await.unwrap(), None);
        let orphan = store.insert_event(&event(camera, RuleId(999), 1)).await;
        assert!(matches!(orphan, Err(StoreError::Database(_))), "{orphan:?}");
    })
    .await;
}

#[tokio::test]
async fn a_number_that_json_cannot_say_does_not_spoil_the_event() {
    on_every_engine(|store| async move {
        let (camera, rule) = ground(&store).await;
        let numbers = BTreeMap::from([("ratio".into(), f64::NAN), ("speed".into(), f64::INFINITY), ("k".into(), 2.0)]);
        let id = store.insert_event(&Event { numbers, ..event(camera, rule, 5) }).await.unwrap();
        assert_eq!(store.event(id).await.unwrap().unwrap().numbers, BTreeMap::from([("k".into(), 2.0)]));
    })
    .await;
}

#[tokio::test]
async fn a_late_update_does_not_undo_a_newer_one() {
    on_every_engine(|store| async move {
        let (camera, rule) = ground(&store).await;
        let id = store.insert_event(&event(camera, rule, 5)).await.unwrap();
        let closed = Event { id, revision: 3, open: false, score: 0.9, end_us: 99, ..event(camera, rule, 5) };
        let late = Event { id, revision: 2, end_us: 50, ..event(camera, rule, 5) };
        let same = Event { revision: 3, end_us: 60, ..late.clone() };
        for update in [&closed, &late, &same] {
            store.update_event(update).await.unwrap();
        }
        assert_eq!(store.event(id).await.unwrap(), Some(closed));
        assert_not_found(store.update_event(&Event { id: EventId(999), ..late }).await, "event");
    })
    .await;
}

#[tokio::test]
async fn events_left_open_are_closed_once() {
    on_every_engine(|store| async move {
        let (camera, rule) = ground(&store).await;
        let id = store.insert_event(&event(camera, rule, 5)).await.unwrap();
        store.insert_event(&Event { open: false, ..event(camera, rule, 6) }).await.unwrap();
        assert_eq!(store.close_open_events().await.unwrap(), 1);
        let closed = store.event(id).await.unwrap().unwrap();
        assert_eq!((closed.open, closed.revision, closed.end_us), (false, 2, 2_000_005));
        assert_eq!(store.close_open_events().await.unwrap(), 0);
    })
    .await;
}

/// Thirty events of three cameras, two of them at each time.
async fn many(store: &Store) -> (Vec<CameraId>, Vec<Event>) {
    let mut cameras = Vec::new();
    for name in ["a", "b", "c"] {
        cameras.push(camera(store, name).await.0);
    }
    let rule = store.add_rule(&actor(), &rule("x", None), NOW).await.unwrap();
    let mut events = Vec::new();
    for i in 0..30_usize {
        let class = [Some(Class::Person), Some(Class::Car), None][i % 3];
        let kind = if class.is_some() { RuleKind::Intrusion } else { RuleKind::Motion };
        let start_us = 1000 + (i as i64 / 2) * 10;
        let given = Event { class, kind, ..event(cameras[i % 7 % 3], rule, start_us) };
        let id = store.insert_event(&given).await.unwrap();
        events.push(Event { id, ..given });
    }
    events.sort_by_key(|e| std::cmp::Reverse((e.start_us, e.id)));
    (cameras, events)
}

fn matches(query: &EventQuery, event: &Event) -> bool {
    (query.cameras.is_empty() || query.cameras.contains(&event.camera))
        && query.kind.is_none_or(|kind| kind == event.kind)
        && query.class.is_none_or(|class| Some(class) == event.class)
        && query.from_us.is_none_or(|from| event.start_us >= from)
        && query.to_us.is_none_or(|to| event.start_us < to)
}

#[tokio::test]
async fn pages_put_together_are_the_whole_list_for_every_filter() {
    on_every_engine(|store| async move {
        let (cameras, events) = many(&store).await;
        let some = [vec![], vec![cameras[1]], vec![cameras[2], cameras[0], cameras[2]], vec![CameraId(999)]];
        let crowd = (0..200).map(CameraId).filter(|c| *c != cameras[0]).collect();
        let mut questions = 0;
        for cameras in some.into_iter().chain([crowd]) {
            for kind in [None, Some(RuleKind::Motion)] {
                for class in [None, Some(Class::Car)] {
                    for (from_us, to_us) in [(None, None), (Some(1030), Some(1110)), (Some(1140), None)] {
                        let query = EventQuery { cameras: cameras.clone(), kind, class, from_us, to_us };
                        let expected: Vec<_> = events.iter().filter(|e| matches(&query, e)).cloned().collect();
                        assert_eq!(paged(&store, &query, 4).await, expected, "{query:?}");
                        questions += usize::from(!expected.is_empty());
                    }
                }
            }
        }
        assert!(questions > 20, "{questions}");
    })
    .await;
}

async fn paged(store: &Store, query: &EventQuery, page: u32) -> Vec<Event> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let next = store.events(query, after, page).await.unwrap();
        assert!(next.len() <= page as usize);
        let Some(last) = next.last() else { return all };
        after = Some(EventCursor { start_us: last.start_us, id: last.id });
        all.extend(next);
    }
}

#[tokio::test]
async fn a_page_has_a_bound_of_its_own() {
    on_every_engine(|store| async move {
        let (_, events) = many(&store).await;
        assert_eq!(store.events(&EventQuery::default(), None, u32::MAX).await.unwrap(), events);
        assert!(store.events(&EventQuery::default(), None, 0).await.unwrap().is_empty());
        let all = EventQuery { cameras: (0..1001).map(CameraId).collect(), ..EventQuery::default() };
        assert_eq!(refusal(store.events(&all, None, 10).await).place, "cameras");
    })
    .await;
}
