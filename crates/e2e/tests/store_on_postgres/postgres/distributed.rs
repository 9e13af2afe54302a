//! Laws of a distributed engine: logins without locks on grants, and statements that Citus accepts.
//!
//! No package registry has Citus. Here functions of its names record what `migrate --distribute citus` calls, and every statement
//! that PostgreSQL logs while a node works is held against the rules of Citus' planner.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::application::Application;
use northgate_core::grant::GrantId;
use northgate_core::policy::{Logins, Overrides};
use northgate_core::registry::Revocation;
use northgate_core::store::{SingleUse, Store};
use northgate_store::postgres::{PostgresSettings, distribute_citus};
use northgate_testkit::eventually;
use northgate_testkit::postgres::server;

use super::node::{Installation, NOW, Node, until};

/// Whether a login of this installation waits for the lock of a row that it removes.
async fn removal_waits(installation: &Installation) -> bool {
    let waiting = "SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND l.locktype = 'transactionid'
                   AND a.query LIKE '%DELETE FROM grants AS g USING%' AND EXISTS (SELECT FROM pg_locks AS t
                   WHERE t.pid = l.pid AND t.relation = 'grants'::regclass)";
    !installation.database().await.query(waiting, &[]).await.unwrap().is_empty()
}

/// The rows of grants are not locked when they are read: here the grant that gives way is refreshed before it is removed.
#[tokio::test]
async fn a_grant_that_is_refreshed_while_a_login_decides_does_not_give_way() {
    let installation = Installation::new().await;
    let node = Arc::new(installation.node().await);
    let two = Overrides { max_grants: Some(2), ..Overrides::default() };
    let app = node.customer("app", two).await;
    let (oldest, other) = (node.login(&app).await, node.login(&app).await);
    let refresh = installation.database().await;
    let advance = "BEGIN; UPDATE grants SET generation = generation + 1, place = nextval('grant_order')
                   WHERE place = (SELECT min(place) FROM grants)";
    refresh.batch_execute(advance).await.unwrap();
    let login = tokio::spawn({
        let (node, app) = (Arc::clone(&node), Arc::clone(&app));
        async move { node.login(&app).await }
    });
    eventually("the removal waits for the refresh", async || removal_waits(&installation).await).await;
    refresh.batch_execute("COMMIT").await.unwrap();
    let newest = login.await.unwrap();
    let number = node.auth.registry().find(&app.id).unwrap().number;
    let ids: Vec<GrantId> = node.store.grants(number).await.unwrap().iter().map(|grant| grant.id).collect();
    assert_eq!(ids.len(), 2);
    assert!(
        ids.contains(&oldest.claims.grant.id)
            && ids.contains(&newest.claims.grant.id)
            && !ids.contains(&other.claims.grant.id)
    );
}

/// A login that revokes all others needs no guard: else an application that refreshes all the time could not do it.
#[tokio::test]
async fn a_login_that_revokes_the_others_revokes_one_that_is_refreshed_meanwhile() {
    let installation = Installation::new().await;
    let node = Arc::new(installation.node().await);
    let app =
        node.customer("app", Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() }).await;
    let first = node.login(&app).await;
    let refresh = installation.database().await;
    refresh.batch_execute("BEGIN; UPDATE grants SET generation = generation + 1").await.unwrap();
    let login = tokio::spawn({
        let (node, app) = (Arc::clone(&node), Arc::clone(&app));
        async move { node.login(&app).await }
    });
    eventually("the removal waits for the refresh", async || removal_waits(&installation).await).await;
    refresh.batch_execute("COMMIT").await.unwrap();
    let second = login.await.unwrap();
    let database = installation.database().await;
    let ids = async |table: &str| -> Vec<i64> {
        let rows = database.query(&format!("SELECT id FROM {table}"), &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(ids("grants").await, [second.claims.grant.id.0 as i64]);
    assert_eq!(ids("revocations").await, [first.claims.grant.id.0 as i64]);
}

/// What `migrate --distribute citus` needs of Citus, with a record of the calls.
const STUBS: &str = "
    CREATE TABLE pg_dist_partition (logicalrelid regclass);
    CREATE TABLE calls (place serial, call text);
    CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (t); INSERT INTO calls (call) VALUES ('reference ' || t) $$;
    CREATE FUNCTION create_distributed_table(t regclass, c text, colocate_with text) RETURNS void LANGUAGE sql AS $$
        INSERT INTO pg_dist_partition VALUES (t);
        INSERT INTO calls (call) VALUES ('distributed ' || t || ' by ' || c || ' with ' || colocate_with) $$;";

#[tokio::test]
async fn citus_gets_each_table_once_and_in_an_order_that_it_accepts() {
    let installation = Installation::new().await;
    let (settings, database) = (installation.place.settings(), installation.database().await);
    let error = distribute_citus(&settings).await.unwrap_err().to_string();
    assert!(error.contains("CREATE EXTENSION citus"), "{error}");
    database.batch_execute(STUBS).await.unwrap();
    assert_eq!(distribute_citus(&settings).await.unwrap(), 9);
    assert_eq!(distribute_citus(&settings).await.unwrap(), 0);
    let rows = database.query("SELECT call FROM calls ORDER BY place", &[]).await.unwrap();
    let calls: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "reference applications",
        "reference secrets",
        "reference removed",
        "reference keyring",
        "reference forgotten",
        "reference northgate_schema",
        "distributed grants by application with default",
        "distributed revocations by application with grants",
        "distributed spent by application with grants",
    ];
    assert_eq!(calls, expected);
    let all = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()
               AND table_name NOT IN ('pg_dist_partition', 'calls')";
    assert_eq!(
        database.query_one(all, &[]).await.unwrap().get::<_, i64>(0),
        9,
        "a table that is not distributed"
    );
}

/// Citus: "cannot create constraint" on a unique index without the distribution column, or on a foreign key to another shard.
#[tokio::test]
async fn unique_indexes_of_distributed_tables_have_the_application_and_no_table_has_a_foreign_key() {
    let database = Installation::new().await.database().await;
    let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
                   AND tablename IN ('grants', 'revocations', 'spent') AND indexdef LIKE 'CREATE UNIQUE%'";
    let indexes = database.query(indexes, &[]).await.unwrap();
    assert_eq!(indexes.len(), 3);
    for index in &indexes {
        let index: &str = index.get(0);
        assert!(index.contains("(application"), "{index}");
    }
    let keys =
        "SELECT FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace";
    assert!(database.query(keys, &[]).await.unwrap().is_empty());
}

/// Everything that a node does, as far as it has statements of its own.
async fn work(node: &Node) {
    let one = Overrides { max_grants: Some(1), ..Overrides::default() };
    let app = node.customer("app", one).await;
    let (_, pair) = (node.login(&app).await, node.login(&app).await);
    node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
    let number = node.auth.registry().find(&app.id).unwrap().number;
    node.store.grants(number).await.unwrap();
    let use_once = || SingleUse { application: number, digest: [7; 16], until: NOW, at_most: 10 };
    node.store.record_once(use_once()).await.unwrap();
    let last_only = Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() };
    let change = Change::Set { name: None, owner: None, policy: last_only.into(), allow: None };
    node.auth.change(&app.id, &change, &Actor::LOCAL, NOW).await.unwrap();
    let last = node.login(&app).await;
    node.auth.logout(&last.access_token, NOW).await.unwrap();
    let application = node.auth.registry().application(number).unwrap();
    let ended =
        Application { tokens_from: Some(NOW), revision: application.revision + 1, ..(*application).clone() };
    let kept = Revocation { ends_at: NOW, forget_at: NOW };
    node.store.replace(ended, vec![(last.claims.grant.id, kept)]).await.unwrap();
    node.store.lower_forgotten(node.auth.registry().high_water().get()).await.unwrap();
    node.auth.delete(&app.id, &Actor::LOCAL, NOW).await.unwrap();
}

/// Statements of these processes in the log of PostgreSQL.
fn logged(processes: &[String]) -> Vec<String> {
    let log = std::fs::read_to_string(server().dir.join("log")).unwrap();
    let mut statements: Vec<String> = Vec::new();
    let mut is_ours = false;
    for line in log.lines() {
        if line.starts_with('\t') {
            if let (true, Some(last)) = (is_ours, statements.last_mut()) {
                last.push_str(line);
            }
            continue;
        }
        let parts = ["statement: ", "execute "].iter().find_map(|word| line.split_once(word));
        is_ours = parts.is_some() && processes.iter().any(|process| line.contains(process));
        if let (true, Some((_, statement))) = (is_ours, parts) {
            statements.push(statement.to_owned());
        }
    }
    let one_line = |statement: String| statement.split_whitespace().collect::<Vec<_>>().join(" ");
    statements.into_iter().map(one_line).collect()
}

/// Why Citus rejects a statement: rules of its planner, each with its message.
fn rejected(statement: &str) -> Option<&'static str> {
    let is_on = |verb: &str, tables: &[&str]| {
        tables.iter().any(|table| statement.contains(&format!("{verb} {table} ")))
    };
    let distributed = ["grants", "revocations", "spent"];
    let volatile = ["clock_timestamp(", "random(", "gen_random_uuid(", "timeofday("];
    let has_volatile = |text: &str| volatile.iter().any(|function| text.contains(function));
    // What each update sets; `FROM` also stands in extract(epoch FROM …).
    let without_extract = statement.replace("(epoch FROM", "(epoch");
    let mut sets = without_extract.split(" SET ").skip(1).map(|rest| {
        rest.split(' ').take_while(|word| !["FROM", "WHERE", "RETURNING"].contains(word)).collect::<String>()
    });
    if is_on("FROM", &distributed)
        && statement.contains("FOR UPDATE")
        && !statement.contains("WHERE application = $1")
    {
        Some("could not run distributed query with FOR UPDATE/SHARE commands")
    } else if sets.any(|set| has_volatile(&set) || set.contains("nextval(")) {
        Some("functions used in UPDATE queries on distributed tables must not be VOLATILE")
    } else if statement.contains("DELETE FROM") && has_volatile(statement) {
        Some(
            "functions used in the WHERE clause of modification queries on distributed tables must not be VOLATILE",
        )
    } else if is_on("UPDATE", &distributed) && statement.contains("SET application") {
        Some("modifying the partition value of rows is not allowed")
    } else {
        let on_conflict = statement.split_once("DO UPDATE SET").map(|(_, rest)| rest);
        let is_stable = |rest: &str| rest.contains("timestamp(") || rest.contains("now()");
        on_conflict
            .is_some_and(is_stable)
            .then_some("functions used in the DO UPDATE SET clause of INSERTs must be marked IMMUTABLE")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_of_a_node_is_one_that_citus_rejects() {
    let installation = Installation::of_a_role().await;
    let (role, database) = (installation.place.role(), installation.database().await);
    database.batch_execute(&format!("ALTER ROLE {role} SET log_statement = 'all'")).await.unwrap();
    let settings = PostgresSettings { steady_for: Duration::ZERO, ..installation.place.settings() };
    let node = installation.node_with(settings).await;
    work(&node).await;
    let processes =
        database.query("SELECT pid FROM pg_stat_activity WHERE usename = $1", &[&role]).await.unwrap();
    let processes: Vec<String> = processes.iter().map(|row| format!("[{}]", row.get::<_, i32>(0))).collect();
    let has = |part: &str| logged(&processes).iter().any(|statement| statement.contains(part));
    until(|| has("DELETE FROM spent WHERE application BETWEEN")).await;
    for part in ["UPDATE grants", "DELETE FROM grants AS g USING", "INSERT INTO spent", "UPDATE revocations"]
    {
        assert!(has(part), "{part} is not among the statements");
    }
    for statement in logged(&processes) {
        let why = rejected(&statement);
        assert!(why.is_none(), "{}: {statement}", why.unwrap_or_default());
    }
}

#[test]
fn the_rules_find_what_citus_rejected() {
    for statement in [
        "SELECT id FROM grants WHERE application = ANY($1::int4[]) ORDER BY id FOR UPDATE",
        "UPDATE grants AS g SET place = nextval('grant_order') FROM unnest($1) AS s",
        "UPDATE applications SET changed_at = extract(epoch FROM clock_timestamp())",
        "DELETE FROM grants WHERE expires_at < extract(epoch FROM clock_timestamp())",
    ] {
        assert!(rejected(statement).is_some(), "{statement}");
    }
}
