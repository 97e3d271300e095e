//! Accounts, roles, sessions and failures to sign in.

use vonglau::{
    domain::{
        account::{AccountDraft, CheckedAccount, Grant, Role},
        ids::{AccountId, ClusterId},
    },
    store::{Store, When},
};

use crate::engines::{NOW, actor, assert_not_found, checked, draft, now_plus, on_every_engine, refusal};

const HASH: &str = "$argon2id$v=19$m=65536,t=3,p=1$c2FsdA$aGFzaA";

fn account(login: &str, grants: &[(Role, Option<ClusterId>)]) -> CheckedAccount {
    let grants = grants.iter().map(|(role, cluster)| Grant { role: *role, cluster: *cluster }).collect();
    AccountDraft { login: login.into(), grants, ..AccountDraft::default() }.checked().unwrap()
}

async fn add(store: &Store, account: &CheckedAccount) -> AccountId {
    store.add_account(&actor(), account, HASH, When::Any, NOW).await.unwrap()
}

#[tokio::test]
async fn the_first_account_governs_and_somebody_always_does() {
    on_every_engine(async |store: Store| {
        assert!(!store.has_accounts().await.unwrap());
        let (admin, police) = (account("An", &[(Role::Admin, None)]), account("binh", &[(Role::Police, None)]));
        let by = actor();
        assert_eq!(refusal(store.add_account(&by, &police, HASH, When::Any, NOW).await).place, "grants");
        assert_eq!(refusal(store.add_account(&by, &admin, HASH, When::Further, NOW).await).place, "account");
        let an = store.add_account(&by, &admin, HASH, When::First, NOW).await.unwrap();
        assert!(store.has_accounts().await.unwrap());
        assert_eq!(refusal(store.add_account(&by, &police, HASH, When::First, NOW).await).place, "account");
        let twin = account("AN", &[(Role::Duty, None)]);
        assert_eq!(refusal(store.add_account(&by, &twin, HASH, When::Further, NOW).await).place, "login");
        let binh = store.add_account(&by, &police, HASH, When::Further, NOW).await.unwrap();

        let no_admin = account("An", &[(Role::Police, None)]);
        assert_eq!(refusal(store.update_account(&by, an, &no_admin, NOW).await).place, "grants");
        let disabled = CheckedAccount { disabled: true, ..admin.clone() };
        assert_eq!(refusal(store.update_account(&by, an, &disabled, NOW).await).place, "grants");
        store
            .update_account(&by, binh, &account("binh", &[(Role::Admin, None), (Role::Police, None)]), NOW)
            .await
            .unwrap();
        store.update_account(&by, an, &disabled, NOW).await.unwrap();
        assert_eq!(store.account(an).await.unwrap().unwrap().disabled_us, Some(NOW.us()));
        assert_eq!(store.password_of("an").await.unwrap(), None, "a disabled account signs nobody in");
        assert_eq!(store.password_of("BINH").await.unwrap(), Some((binh, HASH.to_owned())));
        let logins: Vec<_> = store.accounts().await.unwrap().into_iter().map(|a| a.login).collect();
        assert_eq!(logins, ["An", "binh"]);
        assert_not_found(store.update_account(&by, AccountId(99), &admin, NOW).await, "account");
        assert_not_found(store.set_password(&by, AccountId(99), HASH, None, NOW).await, "account");
        for change in store.changes_after(0, 100).await.unwrap() {
            let said = format!("{:?}{:?}", change.before, change.after);
            assert!(!said.contains("argon2"), "{said}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_role_reaches_the_cameras_of_its_cluster_also_retired_ones() {
    on_every_engine(async |store: Store| {
        let mut market = draft("Chợ");
        market.cluster = "Chợ".into();
        let market = store.add_camera(&actor(), &market.checked().unwrap(), NOW).await.unwrap();
        store.add_camera(&actor(), &checked("Ủy ban"), NOW).await.unwrap();
        let cluster = store.clusters().await.unwrap()[0].0;
        store.retire_camera(&actor(), market, NOW).await.unwrap();
        assert_eq!(store.cameras_within([cluster]).await.unwrap(), [market]);
        assert_eq!(store.cameras_within([]).await.unwrap(), []);
        add(&store, &account("an", &[(Role::Admin, None)])).await;
        let there = account("binh", &[(Role::Police, Some(cluster)), (Role::Duty, None)]);
        let binh = add(&store, &there).await;
        assert_eq!(store.account(binh).await.unwrap().unwrap().grants, there.grants);
        let nowhere = account("chi", &[(Role::Police, Some(ClusterId(99)))]);
        assert_eq!(refusal(store.add_account(&actor(), &nowhere, HASH, When::Any, NOW).await).place, "grants");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_at_once_with_a_new_password_other_roles_or_a_disabled_account() {
    on_every_engine(async |store: Store| {
        add(&store, &account("an", &[(Role::Admin, None)])).await;
        let police = account("binh", &[(Role::Police, None)]);
        let binh = add(&store, &police).await;
        let begin = async |hash: &str| store.begin_session(hash, binh, "127.0.0.1", NOW).await.unwrap();
        let there = async |hash: &str| store.session(hash).await.unwrap().is_some();
        for hash in ["a", "b", "c"] {
            begin(hash).await;
        }
        let session = store.session("a").await.unwrap().unwrap();
        assert_eq!((session.account.id, session.made_us, session.seen_us), (binh, NOW.us(), NOW.us()));
        assert_eq!(session.account.signed_in_us, Some(NOW.us()));
        store.session_seen("a", now_plus(9)).await.unwrap();
        store.session_seen("a", now_plus(5)).await.unwrap();
        assert_eq!(store.session("a").await.unwrap().unwrap().seen_us, now_plus(9).us());
        store.end_session("c").await.unwrap();
        assert!(there("a").await && there("b").await && !there("c").await);
        store.set_password(&actor(), binh, HASH, Some("a"), NOW).await.unwrap();
        assert!(there("a").await && !there("b").await, "one's own session stays");
        let renamed = CheckedAccount { name: "Bình".into(), ..police.clone() };
        store.update_account(&actor(), binh, &renamed, NOW).await.unwrap();
        assert!(there("a").await, "a name is no right");
        store.update_account(&actor(), binh, &account("binh", &[(Role::Duty, None)]), NOW).await.unwrap();
        assert!(!there("a").await);
        begin("d").await;
        let disabled = CheckedAccount { disabled: true, ..account("binh", &[(Role::Duty, None)]) };
        store.update_account(&actor(), binh, &disabled, NOW).await.unwrap();
        assert!(!there("d").await);
    })
    .await;
}

#[tokio::test]
async fn an_account_has_twenty_sessions_at_most_the_oldest_makes_room() {
    on_every_engine(async |store: Store| {
        let an = add(&store, &account("an", &[(Role::Admin, None)])).await;
        for n in 0..25 {
            store.begin_session(&format!("{n:02}"), an, "127.0.0.1", now_plus(n)).await.unwrap();
        }
        assert!(store.session("04").await.unwrap().is_none() && store.session("05").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn failures_are_counted_by_account_and_by_address_before_the_try() {
    on_every_engine(async |store: Store| {
        let mut at = NOW;
        for _ in 0..5 {
            assert_eq!(store.try_sign_in("An", "10.0.0.1", at).await.unwrap(), 0);
        }
        let wait_us = store.try_sign_in("an", "10.0.0.2", at).await.unwrap();
        assert_eq!(wait_us, 2_000_000, "whatever the case, whatever the address");
        assert_eq!(store.try_sign_in("binh", "10.0.0.1", at).await.unwrap(), 0, "others are not kept out");
        at = at.plus_us(wait_us);
        assert_eq!(store.try_sign_in("an", "10.0.0.1", at).await.unwrap(), 0);
        store.sign_in_succeeded("an", "10.0.0.1").await.unwrap();
        assert_eq!(store.try_sign_in("an", "10.0.0.1", at).await.unwrap(), 0);
        for n in 0..40 {
            if store.try_sign_in(&format!("u{n}"), "10.0.0.9", at).await.unwrap() > 0 {
                assert_eq!(n, 20, "spraying names from one address");
                return;
            }
        }
        panic!("an address may try for ever");
    })
    .await;
}
