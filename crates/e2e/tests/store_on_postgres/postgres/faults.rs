//! Laws of a failing database: retryable errors are retried, no client sees a lost race, and no chain forks.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId};
use northgate_core::policy::{Overrides, PolicyChange};
use northgate_core::store::{Advanced, Opened, Opening, Step, Store, StoreError};
use northgate_store::postgres::PostgresSettings;
use tokio::task::JoinSet;

use super::node::{Installation, NOW, Node, until};
use super::proxy::Proxy;
use northgate_testkit::postgres::at;

async fn behind(proxy: &Proxy, installation: &Installation) -> Node {
    let url = installation
        .place
        .url()
        .replace(&format!(":{}/", installation.place.port), &format!(":{}/", proxy.port));
    installation.node_with(PostgresSettings { database: at(&url), ..installation.place.settings() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_cut_before_and_after_a_commit_cost_no_answer_and_fork_no_chain() {
    let installation = Installation::new().await;
    let proxy = Proxy::to(installation.place.port).await;
    let nodes =
        [Arc::new(behind(&proxy, &installation).await), Arc::new(behind(&proxy, &installation).await)];
    let app = nodes[0].customer("app", Overrides::default()).await;
    nodes[1].knows(&app).await;
    proxy.lose_one_in(37, 23);
    let mut token = nodes[0].login(&app).await.refresh_token;
    for round in 1..=40_u32 {
        let mut racers = JoinSet::new();
        for racer in 0..4_u64 {
            let (node, app, token) =
                (Arc::clone(&nodes[racer as usize % 2]), Arc::clone(&app), token.clone());
            // A step of another moment gives another token.
            let now = NOW.plus(Duration::from_millis(u64::from(round) * 10 + racer));
            racers.spawn(async move { node.refresh(&app, &token, now).await.unwrap() });
        }
        let answers = racers.join_all().await;
        token.clone_from(&answers[0].pair.refresh_token);
        assert!(answers.iter().all(|answer| answer.pair.refresh_token == token), "the chain forked");
        let grant = nodes[0].store.grant(answers[0].grant).await.unwrap().unwrap();
        assert_eq!(grant.generation, round);
    }
    assert!(proxy.cuts() > 5, "only {} connections were cut", proxy.cuts());
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_and_changes_that_were_cut_off_are_done_once() {
    let installation = Installation::new().await;
    let proxy = Proxy::to(installation.place.port).await;
    let node = behind(&proxy, &installation).await;
    proxy.lose_one_in(89, 53);
    for n in 0..4_u32 {
        let app = node.customer(&format!("app {n}"), Overrides::default()).await;
        let number = node.auth.registry().find(&app.id).unwrap().number;
        for grants in 1..=4 {
            node.login(&app).await;
            assert_eq!(node.store.grants(number).await.unwrap().len(), grants);
        }
        for secrets in 2..=4 {
            let added =
                node.auth.add_secret(&app.id, "another".to_owned(), None, &Actor::LOCAL, NOW).await.unwrap();
            assert_eq!(added.0.secrets.len(), secrets);
        }
        node.auth.delete(&app.id, &Actor::LOCAL, NOW).await.unwrap();
    }
    assert!(proxy.cuts() > 5, "only {} connections were cut", proxy.cuts());
}

#[tokio::test]
async fn serialization_failures_and_deadlocks_are_tried_again() {
    for state in ["40001", "40P01", "55P03"] {
        let installation = Installation::new().await;
        let node = installation.node().await;
        let app = node.customer("app", Overrides::default()).await;
        let pair = node.login(&app).await;
        // A sequence is not rolled back: the first three updates fail.
        let fails = format!(
            "CREATE SEQUENCE fails;
             CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF nextval('fails') <= 3 THEN RAISE EXCEPTION SQLSTATE '{state}'; END IF;
                 RETURN new;
             END $$;
             CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION fail()"
        );
        installation.database().await.batch_execute(&fails).await.unwrap();
        node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
        assert_eq!(node.store.stats().retries(), 3, "{state}");
        installation.database().await.batch_execute("ALTER SEQUENCE fails RESTART").await.unwrap();
        node.login(&app).await;
        assert_eq!(node.store.stats().retries(), 6, "{state}");
    }
}

#[tokio::test]
async fn while_the_database_is_away_requests_hear_so_and_the_node_says_that_it_is_behind() {
    let installation = Installation::new().await;
    let proxy = Proxy::to(installation.place.port).await;
    let url = installation
        .place
        .url()
        .replace(&format!(":{}/", installation.place.port), &format!(":{}/", proxy.port));
    let node = installation
        .node_with(PostgresSettings {
            database: at(&url),
            answer_within: Duration::from_millis(300),
            behind_after: Duration::from_millis(200),
            ..installation.place.settings()
        })
        .await;
    let app = node.customer("app", Overrides::default()).await;
    let pair = node.login(&app).await;
    proxy.set_down(true);
    let refused = node.refresh(&app, &pair.refresh_token, NOW).await.err().unwrap();
    assert!(
        matches!(refused, northgate_core::refresh::RefreshError::Store(StoreError::Unavailable(_))),
        "{refused}"
    );
    until(|| node.store.is_behind()).await;
    // What is known in memory goes on.
    assert!(node.verifies(&app, &pair.access_token));
    proxy.set_down(false);
    until(|| !node.store.is_behind()).await;
    while node.refresh(&app, &pair.refresh_token, NOW).await.is_err() {}
}

#[tokio::test]
async fn what_others_changed_while_the_connection_was_lost_is_seen_after_it() {
    let installation = Installation::new().await;
    let proxy = Proxy::to(installation.place.port).await;
    let (near, far) = (installation.node().await, behind(&proxy, &installation).await);
    let app = near.customer("app", Overrides::default()).await;
    far.knows(&app).await;
    let (pair, other) = (near.login(&app).await, near.login(&app).await);
    proxy.set_down(true);
    until(|| proxy.cuts() > 0).await;
    near.auth.logout(&pair.access_token, NOW).await.unwrap();
    near.auth
        .change(
            &app.id,
            &Change::Set {
                name: Some("renamed".to_owned()),
                owner: None,
                policy: PolicyChange::default(),
                allow: None,
            },
            &Actor::LOCAL,
            NOW,
        )
        .await
        .unwrap();
    proxy.set_down(false);
    until(|| far.auth.registry().find(&app.id).unwrap().name == "renamed").await;
    assert!(!far.verifies(&app, &pair.access_token) && far.verifies(&app, &other.access_token));
}

type Asked<'a, A> = std::pin::Pin<Box<dyn Future<Output = Result<A, StoreError>> + Send + 'a>>;

/// Whether it waits for the database. If not, it was told at once that there is no room.
async fn waits<A>(asked: &mut Asked<'_, A>) -> bool {
    match poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await {
        Poll::Pending => true,
        Poll::Ready(Err(StoreError::Busy)) => false,
        Poll::Ready(_) => panic!("it was answered although the database is held up"),
    }
}

#[tokio::test]
async fn while_the_database_is_held_up_a_bounded_number_waits_and_logins_find_half_as_much_room() {
    let installation = Installation::new().await;
    let settings =
        PostgresSettings { writers: 1, login_writers: 1, queue_bound: 8, ..installation.place.settings() };
    let node = installation.node_with(settings).await;
    let app = node.customer("app", Overrides::default()).await;
    let application = node.auth.registry().find(&app.id).unwrap().number;
    let grant = |id| Grant { id: GrantId(id), generation: 0, refreshed_at: NOW, expires_at: Timestamp::MAX };
    let store = &node.store;
    let login = |id| -> Asked<'_, Opened> {
        let (close_others, not_before) = (None, None);
        let opening =
            Opening { application, grant: grant(id), at_most: 100, close_others, not_before, now: NOW };
        store.open(opening)
    };
    let refresh = |id| -> Asked<'_, Advanced> {
        store.advance(Step { application, from: 0, to: Grant { generation: 1, ..grant(id) } })
    };
    for id in 0..10 {
        login(id).await.unwrap();
    }
    let database = installation.database().await;
    database.batch_execute("BEGIN; LOCK TABLE grants").await.unwrap();
    let (mut logins, mut refreshes) = (vec![login(100)], vec![refresh(0)]);
    assert!(waits(&mut logins[0]).await && waits(&mut refreshes[0]).await);
    until(|| store.waiting() == 0).await;
    for id in 1..=4 {
        let mut login = login(100 + id);
        assert!(waits(&mut login).await);
        logins.push(login);
    }
    assert!(!waits(&mut login(105)).await);
    for id in 1..=8 {
        let mut refresh = refresh(id);
        assert!(waits(&mut refresh).await);
        refreshes.push(refresh);
    }
    assert!(!waits(&mut refresh(9)).await);
    database.batch_execute("COMMIT").await.unwrap();
    for login in logins {
        assert_eq!(login.await.unwrap(), Opened::Opened);
    }
    for refresh in refreshes {
        assert_eq!(refresh.await.unwrap(), Advanced::Advanced);
    }
}
