//! Rules with their versions, and the change log.

use vonglau::{
    domain::{
        camera::{CameraDraft, Secret},
        ids::{CameraId, RuleId},
        rule::{Rule, RuleDraft},
    },
    store::ChangeRow,
};

use crate::engines::{NOW, actor, assert_not_found, camera, draft, now_plus, on_every_engine, refusal};

pub fn rule(name: &str, camera: Option<CameraId>) -> Rule {
    let text = format!(
        r#"{{"name":"{name}","kind":"intrusion","zone":[[0.1,0.2],[0.7,0.2],[0.33333334,0.9]],"classes":["person","motorcycle"],
            "min_score":0.35,"k":3,"n":7,"cooldown_s":4.5}}"#
    );
    let draft: RuleDraft = serde_json::from_str(&text).unwrap();
    Rule { camera, ..draft.checked().unwrap() }
}

#[tokio::test]
async fn a_rule_comes_back_in_its_newest_version() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let everywhere = store.add_rule(&actor(), &rule("Khắp nơi", None), NOW).await.unwrap();
        let here = store.add_rule(&actor(), &rule("Ở đây", Some(first)), NOW).await.unwrap();
        let version = store.update_rule(&actor(), here, &rule("Ở đây, ban đêm", Some(first)), NOW).await.unwrap();
        assert_eq!(version, 2);
        let expected = [
            Rule { id: everywhere, version: 1, ..rule("Khắp nơi", None) },
            Rule { id: here, version: 2, ..rule("Ở đây, ban đêm", Some(first)) },
        ];
        assert_eq!(store.rules().await.unwrap(), expected);
        assert_eq!(store.update_rule(&actor(), here, &rule("Khắp nơi 2", None), NOW).await.unwrap(), 3);
        assert_eq!(store.rules().await.unwrap()[1].camera, None);
        store.remove_rule(&actor(), here, NOW).await.unwrap();
        assert_eq!(store.rules().await.unwrap(), expected[..1]);
        assert_not_found(store.remove_rule(&actor(), here, NOW).await, "rule");
        assert_not_found(store.update_rule(&actor(), here, &rule("x", None), NOW).await, "rule");
        assert_not_found(store.update_rule(&actor(), RuleId(999), &rule("x", None), NOW).await, "rule");
    })
    .await;
}

#[tokio::test]
async fn rules_of_a_retired_camera_are_no_longer_in_force() {
    on_every_engine(|store| async move {
        let (first, ..) = camera(&store, "a").await;
        let everywhere = store.add_rule(&actor(), &rule("Khắp nơi", None), NOW).await.unwrap();
        let here = store.add_rule(&actor(), &rule("Ở đây", Some(first)), NOW).await.unwrap();
        store.retire_camera(&actor(), first, NOW).await.unwrap();
        let ids: Vec<_> = store.rules().await.unwrap().into_iter().map(|r| r.id).collect();
        assert_eq!(ids, [everywhere]);
        assert_eq!(refusal(store.add_rule(&actor(), &rule("x", Some(first)), NOW).await).place, "camera");
        assert_not_found(store.add_rule(&actor(), &rule("x", Some(CameraId(999))), NOW).await, "camera");
        // A rule can be moved away from it and is in force again.
        store.update_rule(&actor(), here, &rule("Ở đây", None), NOW).await.unwrap();
        assert_eq!(store.rules().await.unwrap().len(), 2);
    })
    .await;
}

fn words(rows: &[ChangeRow]) -> Vec<(i64, &str, i64)> {
    rows.iter().map(|r| (r.id, r.what.as_str(), r.object)).collect()
}

#[tokio::test]
async fn every_change_is_one_log_row_with_its_actor_before_and_after() {
    on_every_engine(|store| async move {
        assert_eq!(store.latest_change().await.unwrap(), 0);
        let (id, ..) = camera(&store, "a").await;
        let rule_id = store.add_rule(&actor(), &rule("x", Some(id)), now_plus(1)).await.unwrap();
        store.update_rule(&actor(), rule_id, &rule("y", Some(id)), now_plus(2)).await.unwrap();
        store.remove_rule(&actor(), rule_id, now_plus(3)).await.unwrap();
        store.retire_camera(&actor(), id, now_plus(4)).await.unwrap();
        let rows = store.changes_after(0, 100).await.unwrap();
        assert_eq!(
            words(&rows),
            [
                (1, "camera.add", id.0),
                (2, "rule.add", rule_id.0),
                (3, "rule.update", rule_id.0),
                (4, "rule.remove", rule_id.0),
                (5, "camera.retire", id.0)
            ]
        );
        assert!(rows.iter().all(|r| r.actor == "test:officer"));
        assert_eq!(rows.iter().map(|r| r.time_us - NOW.us()).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        let given: Vec<_> = rows.iter().map(|r| (r.before.is_some(), r.after.is_some())).collect();
        assert_eq!(given, [(false, true), (false, true), (true, true), (true, false), (true, true)]);
        let json =
            |text: &Option<String>| -> serde_json::Value { serde_json::from_str(text.as_deref().unwrap()).unwrap() };
        assert_eq!(json(&rows[2].before)["rule"]["name"], "x");
        assert_eq!(json(&rows[2].after)["rule"]["name"], "y");
        assert_eq!(json(&rows[4].after)["retired_us"], now_plus(4).us());
        assert_eq!(words(&store.changes_after(3, 1).await.unwrap()), words(&rows[3..4]));
        assert_eq!(store.latest_change().await.unwrap(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_never_in_the_log_though_its_change_is() {
    on_every_engine(|store| async move {
        let given = CameraDraft { main_url: "rtsp://10.0.0.7/user=a&password=tl9&channel=1".into(), ..draft("a") };
        let id = store.add_camera(&actor(), &given.checked().unwrap(), NOW).await.unwrap();
        let change = CameraDraft { password: Some(Secret::new("mới toanh")), ..given.clone() };
        store.update_camera(&actor(), id, &change.checked().unwrap(), NOW).await.unwrap();
        let unchanged = CameraDraft { password: None, ..given };
        store.update_camera(&actor(), id, &unchanged.checked().unwrap(), NOW).await.unwrap();
        let rows = store.changes_after(0, 100).await.unwrap();
        for text in rows.iter().flat_map(|r| [&r.before, &r.after]).flatten() {
            for secret in ["bí mật 7", "mới toanh", "tl9"] {
                assert!(!text.contains(secret), "{text}");
            }
            assert!(text.contains("password=•••&channel=1"), "{text}");
        }
        let says: Vec<_> = rows.iter().map(|r| r.after.as_deref().unwrap().contains("password_changed")).collect();
        assert_eq!(says, [false, true, false]);
    })
    .await;
}

#[tokio::test]
async fn many_changes_at_once_leave_a_log_without_holes_and_codes_without_doubles() {
    on_every_engine(|store| async move {
        let tasks: Vec<_> = (0..12)
            .map(|i| {
                let store = store.clone();
                tokio::spawn(async move { camera(&store, &format!("camera {i}")).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let codes: Vec<_> = store.cameras().await.unwrap().into_iter().map(|c| c.code).collect();
        assert_eq!(codes, (1..=12).map(|n| format!("C{n:02}")).collect::<Vec<_>>());
        let ids: Vec<_> = store.changes_after(0, 100).await.unwrap().into_iter().map(|r| r.id).collect();
        assert_eq!(ids, (1..=12).collect::<Vec<_>>());
    })
    .await;
}
