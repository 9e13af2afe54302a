//! Laws of many nodes: any node serves any request, and what one changes holds on all.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::application::State;
use northgate_core::clock::Timestamp;
use northgate_core::high_water::Marks;
use northgate_core::policy::{Logins, Overrides, PolicyChange};
use northgate_core::refresh::How;
use northgate_core::store::{Replaced, Store};
use northgate_store::postgres::PostgresSettings;
use tokio::task::JoinSet;

use super::node::{Installation, NOW, Node, until};
use northgate_testkit::eventually;
use northgate_testkit::postgres::server;

#[tokio::test]
async fn a_pair_obtained_on_one_node_is_refreshed_on_another_and_verified_on_a_third_at_once() {
    let installation = Installation::new().await;
    let (a, b, c) = (installation.node().await, installation.node().await, installation.node().await);
    let app = a.customer("app", Overrides::default()).await;
    for node in [&b, &c] {
        node.knows(&app).await;
    }
    let pair = a.login(&app).await;
    assert!(b.verifies(&app, &pair.access_token) && c.verifies(&app, &pair.access_token));
    let refreshed = b.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
    assert!(c.verifies(&app, &refreshed.pair.access_token));
    let again = c.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
    assert_eq!(again.pair.refresh_token, refreshed.pair.refresh_token);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refreshes_of_one_token_on_two_nodes_one_writes_a_step_and_all_get_its_successor() {
    let installation = Installation::new().await;
    let nodes = [Arc::new(installation.node().await), Arc::new(installation.node().await)];
    let app = nodes[0].customer("app", Overrides::default()).await;
    nodes[1].knows(&app).await;
    let mut token = nodes[0].login(&app).await.refresh_token;
    for round in 1..=3 {
        let mut racers = JoinSet::new();
        for racer in 0..64 {
            let (node, app, token) = (Arc::clone(&nodes[racer % 2]), Arc::clone(&app), token.clone());
            // A step of another moment gives another token.
            let now = NOW.plus(Duration::from_millis(racer as u64));
            racers.spawn(async move { node.refresh(&app, &token, now).await.unwrap() });
        }
        let answers = racers.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.how == How::Advanced).count(), 1);
        token.clone_from(&answers[0].pair.refresh_token);
        assert!(answers.iter().all(|answer| answer.pair.refresh_token == token));
        let grant = nodes[1].store.grant(answers[0].grant).await.unwrap().unwrap();
        assert_eq!(grant.generation, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logins_on_two_nodes_at_once_keep_to_the_number_of_grants() {
    let installation = Installation::new().await;
    let nodes = [Arc::new(installation.node().await), Arc::new(installation.node().await)];
    let three = Overrides { max_grants: Some(3), ..Overrides::default() };
    let apps = [nodes[0].customer("a", three).await, nodes[0].customer("b", three).await];
    let mut logins = JoinSet::new();
    for n in 0..40 {
        let (node, app) = (Arc::clone(&nodes[n % 2]), Arc::clone(&apps[n / 2 % 2]));
        logins.spawn(async move {
            node.knows(&app).await;
            node.login(&app).await;
        });
    }
    logins.join_all().await;
    for app in &apps {
        let number = nodes[0].auth.registry().find(&app.id).unwrap().number;
        assert_eq!(nodes[1].store.grants(number).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn what_is_changed_on_one_node_holds_on_the_other_with_and_without_notifications() {
    for notify in [true, false] {
        let installation = Installation::new().await;
        let settings = || PostgresSettings { notify, ..installation.place.settings() };
        let (a, b) = (installation.node_with(settings()).await, installation.node_with(settings()).await);
        let app = a.customer("app", Overrides::default()).await;
        b.knows(&app).await;
        let (first, second) = (a.login(&app).await, a.login(&app).await);
        a.auth.logout(&first.access_token, NOW).await.unwrap();
        until(|| !b.verifies(&app, &first.access_token)).await;
        a.auth.change(&app.id, &Change::State(State::Frozen), &Actor::LOCAL, NOW).await.unwrap();
        until(|| !b.verifies(&app, &second.access_token)).await;
        b.auth.change(&app.id, &Change::State(State::Active), &Actor::LOCAL, NOW).await.unwrap();
        until(|| a.verifies(&app, &second.access_token)).await;
        let last_only = Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() };
        a.auth
            .change(
                &app.id,
                &Change::Set {
                    name: Some("renamed".to_owned()),
                    owner: None,
                    policy: last_only.into(),
                    allow: None,
                },
                &Actor::LOCAL,
                NOW,
            )
            .await
            .unwrap();
        until(|| b.auth.registry().find(&app.id).unwrap().name == "renamed").await;
        a.auth.delete(&app.id, &Actor::LOCAL, NOW).await.unwrap();
        until(|| b.auth.registry().find(&app.id).is_none()).await;
        let successor = b.customer("app", Overrides::default()).await;
        until(|| a.auth.registry().find(&app.id).is_some()).await;
        assert!(!a.verifies(&successor, &second.access_token));
        assert!(!a.store.is_behind() && !b.store.is_behind());
    }
}

/// What is written gets its time before it shows: a node that looked in between must look back.
#[tokio::test]
async fn a_change_that_commits_long_after_it_was_written_is_seen() {
    let installation = Installation::new().await;
    let (a, b) = (installation.node().await, installation.node().await);
    let app = a.customer("app", Overrides::default()).await;
    b.knows(&app).await;
    let writer = installation.database().await;
    let write = "BEGIN; UPDATE applications SET name = 'late', revision = revision + 1,
                 changed_at = (extract(epoch FROM clock_timestamp()) * 1000)::int8";
    writer.batch_execute(write).await.unwrap();
    // Whatever is seen after this was seen by later looks.
    for id in ["b", "c", "d"] {
        let other = a.customer(id, Overrides::default()).await;
        b.knows(&other).await;
        // Part of the scenario: the next change is later than the look that showed this one.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(b.auth.registry().find(&app.id).unwrap().name, "app");
    writer.batch_execute("COMMIT").await.unwrap();
    until(|| b.auth.registry().find(&app.id).unwrap().name == "late").await;
}

/// A look that read the row before a change would put the application back to what it was until the next look.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_never_goes_back_behind_a_change_of_its_own() {
    let installation = Installation::new().await;
    let settings = PostgresSettings { poll_every: Duration::from_millis(1), ..installation.place.settings() };
    let node = installation.node_with(settings).await;
    let app = node.customer("app", Overrides::default()).await;
    for n in 1..100 {
        node.auth
            .change(
                &app.id,
                &Change::Set {
                    name: Some(n.to_string()),
                    owner: None,
                    policy: PolicyChange::default(),
                    allow: None,
                },
                &Actor::LOCAL,
                NOW,
            )
            .await
            .unwrap();
        for _ in 0..20 {
            assert_eq!(node.auth.registry().find(&app.id).unwrap().revision, n);
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn of_two_changes_to_one_revision_on_two_nodes_one_is_lost_and_decided_again() {
    let installation = Installation::new().await;
    let (a, b) = (installation.node().await, installation.node().await);
    let app = a.customer("app", Overrides::default()).await;
    let present = b.knows(&app).await;
    let next = |name: &str| {
        let mut next = (*present).clone();
        (next.name, next.revision) = (name.to_owned(), 1);
        next
    };
    let (one, other) =
        tokio::join!(a.store.replace(next("one"), Vec::new()), b.store.replace(next("other"), Vec::new()));
    let outcomes = [one.unwrap(), other.unwrap()];
    let replaced = outcomes.iter().filter(|outcome| matches!(outcome, Replaced::Replaced(_))).count();
    assert_eq!(replaced, 1, "{outcomes:?}");
    // Each adds a secret to what it knows; none takes the other's away.
    let local = Actor::LOCAL;
    let (one, other) = tokio::join!(
        a.auth.add_secret(&app.id, "one".to_owned(), None, &local, NOW),
        b.auth.add_secret(&app.id, "other".to_owned(), None, &local, NOW)
    );
    let most = one.unwrap().0.secrets.len().max(other.unwrap().0.secrets.len());
    assert_eq!(most, 3);
}

#[tokio::test]
async fn an_app_id_is_given_once_whichever_node_is_asked() {
    let installation = Installation::new().await;
    let (a, b) = (installation.node().await, installation.node().await);
    let wanted = || northgate_core::administer::Wanted {
        id: Some(northgate_core::app_id::AppId::parse("app").unwrap()),
        name: "app".to_owned(),
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: northgate_core::allow::Allow::default(),
    };
    let local = Actor::LOCAL;
    let (one, other) =
        tokio::join!(a.auth.create(wanted(), &local, NOW), b.auth.create(wanted(), &local, NOW));
    let created = [one.unwrap(), other.unwrap()]
        .iter()
        .filter(|creation| matches!(creation, northgate_core::administer::Creation::Created(..)))
        .count();
    assert_eq!(created, 1);
}

#[tokio::test]
async fn the_last_use_of_a_secret_comes_to_the_database() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let app = node.customer("app", Overrides::default()).await;
    node.login(&app).await;
    let database = installation.database().await;
    let is_written = async || {
        let row = database.query_one("SELECT last_used_at FROM secrets", &[]).await.unwrap();
        row.get::<_, Option<i64>>(0) == Some(NOW.as_millis() as i64)
    };
    eventually("the last use is written", is_written).await;
}

#[tokio::test]
async fn what_expired_more_than_a_day_ago_is_removed_and_nothing_else() {
    let installation = Installation::new().await;
    let settings = || PostgresSettings { steady_for: Duration::ZERO, ..installation.place.settings() };
    let node = installation.node_with(settings()).await;
    let app = node.customer("app", Overrides::default()).await;
    let (kept, gone) = (node.login(&app).await, node.login(&app).await);
    node.auth.logout(&gone.access_token, NOW).await.unwrap();
    let database = installation.database().await;
    let old = "INSERT INTO grants SELECT application, generation, 1, refreshed_at, $1::bigint FROM grants;";
    let (day, now) = (86_400_000, NOW.as_millis() as i64);
    database.execute(old, &[&(now - day - 1)]).await.unwrap();
    let count = async |table: &str| -> i64 {
        database.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap().get(0)
    };
    eventually("expired grants are deleted", async || count("grants").await == 1).await;
    assert_eq!(count("revocations").await, 1);
    node.refresh(&app, &kept.refresh_token, NOW).await.unwrap();
}

/// The rows of revocations and used assertions were removed when they had expired; when clocks and the database were set back
/// after that, what they had refused was good again.
#[tokio::test]
async fn what_is_removed_raises_the_marks_that_every_node_reads() {
    let installation = Installation::new().await;
    let settings = || PostgresSettings { steady_for: Duration::ZERO, ..installation.place.settings() };
    let (node, other) = (installation.node_with(settings()).await, installation.node().await);
    let app = node.customer("app", Overrides::default()).await;
    let (gone, kept) = (node.login(&app).await, node.login(&app).await);
    for pair in [&gone, &kept] {
        node.auth.logout(&pair.access_token, NOW).await.unwrap();
    }
    let database = installation.database().await;
    let (day, now) = (86_400_000, NOW.as_millis() as i64);
    let forget_at = now - day - 5_000;
    let expire = "UPDATE revocations SET forget_at = $1 WHERE id = (SELECT min(id) FROM revocations)";
    database.execute(expire, &[&forget_at]).await.unwrap();
    let used = "INSERT INTO spent SELECT number, '\\x07', $1::bigint, 1 FROM applications";
    database.execute(used, &[&(forget_at + 1)]).await.unwrap();
    let marks = |node: &Node| node.auth.registry().high_water().get();
    let expected = Marks {
        tokens: Timestamp::from_millis(forget_at as u64),
        single_use: Timestamp::from_millis(forget_at as u64 + 1),
    };
    until(|| marks(&other) == expected).await;
    let count = "SELECT (SELECT count(*) FROM revocations) + 10 * (SELECT count(*) FROM spent)";
    assert_eq!(database.query_one(count, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(marks(&installation.node().await), expected, "a node that starts");
}

/// With scans switched off, the plan of a small table's only scan looked so dear that PostgreSQL compiled it anew for each look:
/// a seventh of a core for each node that did nothing.
#[tokio::test]
async fn no_look_at_what_changed_is_compiled() {
    let installation = Installation::new().await;
    let (node, other) = (installation.node().await, installation.node().await);
    // Both have looked since they started: this one for the change, and the change shows.
    let app = node.customer("app", Overrides::default()).await;
    other.knows(&app).await;
    let client = server().client(&installation.place.url()).await;
    let backends = "SELECT pid FROM pg_stat_activity WHERE application_name = 'northgate'";
    let pids: Vec<i32> = client.query(backends, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    // Other tests share the server, and theirs may end meanwhile.
    let maps: Vec<String> =
        pids.iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()).collect();
    assert!(!maps.is_empty() && maps.iter().all(|maps| !maps.contains("llvmjit")));
}
