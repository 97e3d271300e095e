//! Officers' words, incidents, and what went over lines.

use vonglau::{
    domain::{
        detection::Class,
        event::{Event, LineCount, QUARTER_US},
        ids::EventId,
        query::EventCursor,
        rule::Direction,
        time::Span,
        verdict::Verdict,
    },
    store::Review,
};

use crate::{
    engines::{NOW, actor, assert_not_found, camera, on_every_engine},
    events::event,
    rules::rule,
};

const S: i64 = 1_000_000;

#[tokio::test]
async fn a_word_on_an_event_is_kept_with_who_said_it_counted_for_its_rule_and_taken_back() {
    on_every_engine(|store| async move {
        let (camera, ..) = camera(&store, "a").await;
        let rule = store.add_rule(&actor(), &rule("Vào vùng cấm", None), NOW).await.unwrap();
        let mut ids = Vec::new();
        for i in 0..5 {
            ids.push(store.insert_event(&event(camera, rule, i * 10 * S)).await.unwrap());
        }
        for (id, verdict) in ids.iter().zip([Verdict::True, Verdict::False, Verdict::False, Verdict::Unsure]) {
            store.set_verdict(&actor(), *id, Some(verdict), NOW).await.unwrap();
        }
        let reviews = store.reviews(&ids).await.unwrap();
        let Review { verdict, verdict_us, verdict_by, .. } = reviews[&ids[1]].clone();
        assert_eq!((verdict, verdict_us, verdict_by), (Some(Verdict::False), Some(NOW.us()), Some(actor().name)));
        let [precision] = store.precision(rule).await.unwrap()[..] else { panic!("one camera") };
        assert_eq!((precision.events, precision.right, precision.wrong, precision.unsure), (5, 1, 2, 1));
        let judged = store.judged(rule, 50).await.unwrap();
        assert_eq!(judged.iter().map(|(_, right)| *right).collect::<Vec<_>>(), [false, false, true]);
        store.set_verdict(&actor(), ids[1], None, NOW).await.unwrap();
        assert_eq!(store.reviews(&ids[1..2]).await.unwrap()[&ids[1]].verdict, None);
        assert_not_found(store.set_verdict(&actor(), EventId(999), None, NOW).await, "event");
        let logged = store.changes_after(0, 100).await.unwrap();
        assert_eq!(logged.iter().filter(|c| c.what == "event.verdict").count(), 5);
    })
    .await;
}

#[tokio::test]
async fn events_close_to_each_other_on_a_camera_are_one_incident_and_others_are_not() {
    on_every_engine(|store| async move {
        let ((here, ..), (there, ..)) = (camera(&store, "a").await, camera(&store, "b").await);
        let rule = store.add_rule(&actor(), &rule("Vào vùng cấm", None), NOW).await.unwrap();
        let first = store.insert_event(&event(here, rule, 0)).await.unwrap();
        // It goes on for two minutes, so that one after two and a half belongs to it.
        store.update_event(&Event { id: first, revision: 2, end_us: 120 * S, ..event(here, rule, 0) }).await.unwrap();
        let second = store.insert_event(&event(here, rule, 150 * S)).await.unwrap();
        let later = store.insert_event(&event(here, rule, 400 * S)).await.unwrap();
        store.insert_event(&event(there, rule, 150 * S)).await.unwrap();
        let found = store.incidents(&[here], None, 10).await.unwrap();
        let members: Vec<Vec<EventId>> = found.iter().map(|i| i.events.iter().map(|e| e.id).collect()).collect();
        assert_eq!(members, [vec![later], vec![first, second]]);
        assert_eq!((found[1].start_us, found[1].end_us), (0, 152 * S));
        assert_eq!(store.incidents(&[], None, 10).await.unwrap().len(), 3);
        let after = EventCursor { start_us: found[0].start_us, id: EventId(found[0].id) };
        assert_eq!(store.incidents(&[here], Some(after), 10).await.unwrap()[0].id, found[1].id);
        // With its events an incident goes.
        store.remove_events(&[first, second]).await.unwrap();
        assert_eq!(store.incidents(&[here], None, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_went_over_a_line_is_added_up_by_quarter_class_and_direction() {
    on_every_engine(|store| async move {
        let (camera, ..) = camera(&store, "a").await;
        let rule = store.add_rule(&actor(), &rule("Vạch", None), NOW).await.unwrap();
        let count = |quarter: i64, class, direction, n| LineCount {
            rule,
            camera,
            quarter_us: quarter * QUARTER_US,
            class,
            direction,
            n,
        };
        let (left, right) = (Direction::RightToLeft, Direction::LeftToRight);
        store.add_line_counts(&[count(4, Class::Car, left, 2), count(4, Class::Car, right, 1)]).await.unwrap();
        store.add_line_counts(&[count(4, Class::Car, left, 3), count(5, Class::Bus, left, 1)]).await.unwrap();
        let all = store.line_counts(rule, Span { start_us: 4 * QUARTER_US, end_us: 6 * QUARTER_US }).await.unwrap();
        assert_eq!(all, [count(4, Class::Car, right, 1), count(4, Class::Car, left, 5), count(5, Class::Bus, left, 1)]);
        let one = store.line_counts(rule, Span { start_us: 4 * QUARTER_US, end_us: 5 * QUARTER_US }).await.unwrap();
        assert_eq!(one.len(), 2);
    })
    .await;
}
