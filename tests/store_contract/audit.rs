//! The audit log: its lines, its end, its seals.

use vonglau::{
    domain::audit::{AuditEntry, AuditQuery, Seal},
    logic::audit::{NOTHING, Reading},
    store::Store,
};

use crate::engines::{NOW, now_plus, on_every_engine};

fn entry(who: &str, camera: i64) -> AuditEntry {
    AuditEntry {
        who: who.into(),
        role: Some("police".into()),
        action: "playback".into(),
        what: format!("GET /api/v1/cameras/{camera}/video.mp4"),
        camera: Some(camera),
        start_us: Some(1),
        end_us: None,
        reason: Some("vụ việc số 7".into()),
        address: "127.0.0.1".into(),
    }
}

#[tokio::test]
async fn lines_follow_each_other_without_a_hole_also_when_many_write_at_once() {
    on_every_engine(async |store: Store| {
        assert_eq!(store.audit_head().await.unwrap(), (0, NOTHING.to_owned()));
        let writes = (0..40).map(|n| {
            let store = store.clone();
            async move { store.audit(entry(["an", "binh"][n % 2], (n % 3) as i64), now_plus(n as i64)).await.unwrap() }
        });
        let mut ids = futures::future::join_all(writes).await;
        ids.sort_unstable();
        assert_eq!(ids, (1..=40).collect::<Vec<i64>>());
        let lines = store.audit_after(0).await.unwrap();
        let mut reading = Reading::new(Vec::new());
        lines.iter().for_each(|line| reading.line(line).unwrap());
        let (last, sha256) = store.audit_head().await.unwrap();
        assert_eq!(reading.end(last, &sha256), Ok(40));
        assert_eq!(store.audit_after(38).await.unwrap().len(), 2);

        let query = AuditQuery { who: Some("an".into()), camera: Some(0), ..AuditQuery::default() };
        let found = store.audit_lines(&query, 100).await.unwrap();
        assert!(found.iter().all(|l| l.who == "an" && l.camera == Some(0)) && found.len() == 7, "{}", found.len());
        assert!(found.windows(2).all(|pair| pair[0].id > pair[1].id), "newest first");
        let older = AuditQuery {
            before: Some(11),
            to_us: Some(now_plus(100).us()),
            from_us: Some(NOW.us()),
            ..AuditQuery::default()
        };
        assert_eq!(store.audit_lines(&older, 3).await.unwrap().iter().map(|l| l.id).collect::<Vec<_>>(), [10, 9, 8]);
        let other = AuditQuery { action: Some("live".into()), ..AuditQuery::default() };
        assert_eq!(store.audit_lines(&other, 3).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_seal_is_kept_and_not_replaced() {
    on_every_engine(async |store: Store| {
        let seal = |last, signature: &str| Seal {
            last,
            sha256: "a".into(),
            made_us: NOW.us(),
            public_key: "b".into(),
            signature: signature.into(),
        };
        for one in [seal(5, "first"), seal(3, "x"), seal(5, "second")] {
            store.keep_audit_seal(&one).await.unwrap();
        }
        assert_eq!(store.audit_seals().await.unwrap(), [seal(3, "x"), seal(5, "first")]);
    })
    .await;
}
