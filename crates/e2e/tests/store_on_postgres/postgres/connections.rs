//! Laws of a node that does not get all of its connections: it says how many are missing, and no application pays for it
//! alone.

use std::time::Instant;

use northgate_core::policy::Overrides;
use northgate_store::postgres::{PostgresSettings, PostgresStore};

use super::access::with_causes;
use super::node::{Installation, NOW, Node, until};
use super::refusals::{patient, refused};
use northgate_testkit::eventually;

/// Lanes opened their connections when they were first used. With a limit of 6, 4 of 16 applications never got a refresh,
/// while the others went on and the node said that it was ready.
#[tokio::test(flavor = "multi_thread")]
async fn where_connections_are_short_all_applications_are_served_and_the_node_says_how_many_are_missing() {
    for limit in [6, 4, 2] {
        let installation = Installation::of_a_role().await;
        let role = installation.place.role();
        let database = installation.database().await;
        let alter = |limit: i32| format!("ALTER ROLE {role} CONNECTION LIMIT {limit}");
        // Connections of the migration may take a moment to end.
        let left = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
        let are_gone = async || database.query_one(&left, &[]).await.unwrap().get::<_, i64>(0) == 0;
        eventually("the migration's connections end", are_gone).await;
        database.batch_execute(&alter(limit)).await.unwrap();
        let settings = PostgresSettings { writers: 4, login_writers: 2, ..installation.place.settings() };
        let node = installation.node_with(settings).await;
        let missing = format!("{} of 9 connections to the database are missing", 10 - limit);
        let reason = node.store.why_not_ready().unwrap();
        assert!(reason.contains(&missing) && reason.contains("SQLSTATE 53300"), "{reason}");
        for n in 0..16 {
            let app = node.customer(&format!("app {n}"), Overrides::default()).await;
            let pair = node.login(&app).await;
            let refresh = node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
            node.auth.logout(&refresh.pair.access_token, NOW).await.unwrap();
        }
        database.batch_execute(&alter(-1)).await.unwrap();
        until(|| node.store.why_not_ready().is_none()).await;
        assert_eq!(node.store.sessions(), (9, 9));
    }
}

#[tokio::test]
async fn a_node_that_gets_no_connection_beside_its_first_does_not_start_and_says_what_to_raise() {
    let installation = Installation::of_a_role().await;
    let role = installation.place.role();
    let database = installation.database().await;
    let alter = |limit: i32| format!("ALTER ROLE {role} CONNECTION LIMIT {limit}");
    database.batch_execute(&alter(1)).await.unwrap();
    let told = loop {
        let connected = PostgresStore::connect(installation.place.settings(), Box::new(|| NOW)).await;
        let told = with_causes(&connected.err().unwrap());
        // Connections of the migration may take a moment to end.
        if told.contains("CONNECTION LIMIT") {
            break told;
        }
        assert!(told.contains("53300"), "{told}");
    };
    assert!(told.contains("raise the role's CONNECTION LIMIT") && told.contains("53300"), "{told}");
}

/// After all connections were cut. A look from before is too old then, so that a node that is not behind has looked since, over
/// the only connection that there is.
async fn until_the_watch_has_the_only_connection(installation: &Installation, node: &Node) {
    let (cut, too_old) = (Instant::now(), installation.place.settings().behind_after);
    let all = "6 of 6 connections to the database are missing";
    until(|| {
        let has_looked = cut.elapsed() > too_old && !node.store.is_behind();
        has_looked && node.store.why_not_ready().is_some_and(|reason| reason.contains(all))
    })
    .await;
}

/// Each login waited ten seconds for its 500 when another program had taken all connections but that of the watch.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_write_gets_a_connection_requests_hear_it_at_once() {
    let installation = Installation::of_a_role().await;
    let role = installation.place.role();
    let node = patient(&installation).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    let cut = format!(
        "ALTER ROLE {role} CONNECTION LIMIT 1;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    database.batch_execute(&cut).await.unwrap();
    until_the_watch_has_the_only_connection(&installation, &node).await;
    let told = refused(&node, &app).await;
    assert!(told.contains("no connection left") && told.contains("SQLSTATE 53300"), "{told}");
    database.batch_execute(&format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await.unwrap();
    until(|| node.store.why_not_ready().is_none()).await;
    node.login(&app).await;
}

/// After a restart of the database all connections are made at once: the one that sees what others change comes first.
#[tokio::test(flavor = "multi_thread")]
async fn of_too_few_connections_the_watch_gets_one_whenever_it_asks() {
    let installation = Installation::of_a_role().await;
    let role = installation.place.role();
    let node = installation.node().await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    for limit in [3, 2] {
        let cut = format!(
            "ALTER ROLE {role} CONNECTION LIMIT {limit};
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
        );
        database.batch_execute(&cut).await.unwrap();
        let missing = format!("{} of 6 connections to the database are missing", 7 - limit);
        until(|| node.store.why_not_ready().is_some_and(|reason| reason.contains(&missing))).await;
        assert!(!node.store.is_behind());
        let pair = node.login(&app).await;
        node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
    }
    // Down to the watch alone, with every application in the same position.
    let cut = format!(
        "ALTER ROLE {role} CONNECTION LIMIT 1;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    database.batch_execute(&cut).await.unwrap();
    until_the_watch_has_the_only_connection(&installation, &node).await;
    database.batch_execute(&format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await.unwrap();
    until(|| node.store.why_not_ready().is_none()).await;
    node.login(&app).await;
}
