//! Laws of a switch-over: all connections of a node are to one server that takes writes, of the latest timeline.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::application::State;
use northgate_core::keyring::KeyringRecord;
use northgate_core::policy::{Overrides, Rotation};
use northgate_core::refresh::RefreshError;
use northgate_store::postgres::{PostgresSettings, migrate};

use super::node::{NOW, Node, until};
use super::pair::Pair;
use northgate_testkit::eventually;
use northgate_testkit::postgres::{at, server};

async fn node(pair: &Pair, order: [usize; 2], keyring: &KeyringRecord) -> Node {
    let settings = settings(pair, order).await;
    migrate(&settings).await.unwrap();
    Node::new(settings, keyring).await
}

async fn settings(pair: &Pair, order: [usize; 2]) -> PostgresSettings {
    PostgresSettings {
        database: at(&pair.url(order)),
        answer_within: Duration::from_secs(3_600),
        ..server().place().await.settings()
    }
}

async fn until_moved(pair: &Pair) {
    eventually("all connections leave the old primary", async || pair.connections(0).await == 0).await;
}

/// The writers went to the new primary and the watch stayed with the old one, which still answered: applications that were
/// frozen on another node logged in on this one for ever, and it said that it was ready with a lag of 0.04 s.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_switch_over_no_connection_stays_with_the_server_that_was_the_primary() {
    let (pair, keyring) = (Pair::start().await, KeyringRecord::random(NOW));
    let first = node(&pair, [0, 1], &keyring).await;
    let app = first.customer("app", Overrides::default()).await;
    let token = first.login(&app).await;
    pair.promote().await;
    // As in an upgrade: no session of the old primary is closed.
    pair.set_read_only(0, true).await;
    first.refresh(&app, &token.refresh_token, NOW).await.unwrap();
    until(|| first.store.why_not_ready().is_none()).await;
    until_moved(&pair).await;
    // A node that knows the new primary only.
    let second = node(&pair, [1, 1], &keyring).await;
    second.knows(&app).await;
    second.auth.change(&app.id, &Change::State(State::Frozen), &Actor::LOCAL, NOW).await.unwrap();
    until(|| !first.verifies(&app, &token.access_token)).await;
    second.auth.change(&app.id, &Change::State(State::Active), &Actor::LOCAL, NOW).await.unwrap();
    until(|| first.verifies(&app, &token.access_token)).await;
    first.login(&app).await;

    // The old primary takes writes again, as after a mistake: no connection goes back to it.
    pair.set_read_only(0, false).await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'northgate'";
    pair.client(1).await.unwrap().batch_execute(cut).await.unwrap();
    let pair_of_tokens = first.login(&app).await;
    until(|| first.store.why_not_ready().is_none()).await;
    assert_eq!(pair.connections(0).await, 0);
    assert!(first.verifies(&app, &pair_of_tokens.access_token));
}

/// With nothing to write, too: the watch finds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_requests_follows_a_switch_over() {
    let (pair, keyring) = (Pair::start().await, KeyringRecord::random(NOW));
    let first = Arc::new(node(&pair, [0, 1], &keyring).await);
    pair.promote().await;
    pair.set_read_only(0, true).await;
    until_moved(&pair).await;
    until(|| first.store.why_not_ready().is_none()).await;
}

/// It answered that the grant was closed, for the second in which its probe, which writes nothing, said that all was well.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_its_standby_has_left_refuses_no_token_and_is_not_ready_until_a_commit_is_confirmed() {
    let (pair, keyring) = (Pair::start().await, KeyringRecord::random(NOW));
    pair.set_synchronous(true).await;
    let settings = PostgresSettings {
        statement_timeout: Duration::from_millis(200),
        answer_within: Duration::from_secs(2),
        ..settings(&pair, [0, 0]).await
    };
    migrate(&settings).await.unwrap();
    let isolated = Node::new(settings, &keyring).await;
    let reusable = Overrides { rotation: Some(Rotation::Reusable), ..Overrides::default() };
    let apps =
        [isolated.customer("app", Overrides::default()).await, isolated.customer("other", reusable).await];
    pair.promote().await;
    // Without a request.
    until(|| isolated.store.why_not_ready().is_some()).await;
    // The other side of the network goes on.
    let second = node(&pair, [1, 1], &keyring).await;
    for app in &apps {
        second.knows(app).await;
        let token = second.login(app).await.refresh_token;
        let error = isolated.refresh(app, &token, NOW).await.err().unwrap();
        assert!(matches!(error, RefreshError::Store(_)), "{error:?}");
    }
    // Many probes long.
    for _ in 0..200 {
        assert_ne!(isolated.store.why_not_ready(), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    pair.set_synchronous(false).await;
    until(|| isolated.store.why_not_ready().is_none()).await;
}

/// Each login waited ten seconds for its 500, and the node said that it was ready.
#[tokio::test(flavor = "multi_thread")]
async fn while_no_server_takes_writes_requests_hear_so_at_once_and_the_node_is_not_ready() {
    let (pair, keyring) = (Pair::start().await, KeyringRecord::random(NOW));
    let first = node(&pair, [0, 1], &keyring).await;
    let app = first.customer("app", Overrides::default()).await;
    let token = first.login(&app).await;
    pair.set_read_only(0, true).await;
    until(|| first.store.why_not_ready().is_some_and(|reason| reason.contains("SQLSTATE 25006"))).await;
    let refused = first.refresh(&app, &token.refresh_token, NOW).await.err().unwrap();
    assert!(super::access::with_causes(&refused).contains("SQLSTATE 25006"), "{refused}");
    // What is known in memory goes on.
    assert!(first.verifies(&app, &token.access_token));
    pair.set_read_only(0, false).await;
    until(|| first.store.why_not_ready().is_none()).await;
    first.refresh(&app, &token.refresh_token, NOW).await.unwrap();
}
