//! Laws of a database that refuses writes: requests hear it at once, the node says why it is not ready, and both end with
//! the reason.

use std::time::Duration;

use northgate_core::login::LoginError;
use northgate_core::policy::Overrides;
use northgate_core::store::StoreError;
use northgate_store::postgres::PostgresSettings;
use tokio::time::timeout;

use super::access::with_causes;
use super::node::{Customer, Installation, NOW, Node, until};

/// Requests of this node wait for an hour where they wait at all: what is answered was answered at once.
pub async fn patient(installation: &Installation) -> Node {
    let settings = PostgresSettings {
        answer_within: Duration::from_secs(3_600),
        lock_timeout: Duration::from_millis(200),
        ..installation.place.settings()
    };
    installation.node_with(settings).await
}

/// What a login hears that is not done, with its causes.
pub async fn refused(node: &Node, app: &Customer) -> String {
    let here = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    let login = timeout(Duration::from_secs(60), node.auth.login(&app.id, &app.secret, here, NOW)).await;
    match login.expect("a login that is answered at once") {
        Ok(_) => panic!("it logged in"),
        Err(LoginError::Store(StoreError::Unavailable(cause))) => with_causes(&*cause),
        Err(error) => panic!("{error}"),
    }
}

async fn is_not_ready_because(node: &Node, cause: &str) {
    until(|| node.store.why_not_ready().is_some_and(|reason| reason.contains(cause))).await;
}

async fn is_ready(node: &Node) {
    until(|| node.store.why_not_ready().is_none()).await;
}

/// Each login waited ten seconds for its 500, while the node said that it was ready and the log had no cause.
#[tokio::test]
async fn a_missing_privilege_is_said_at_once_and_not_ready_names_it() {
    let installation = Installation::of_a_role().await;
    let node = patient(&installation).await;
    let app = node.customer("app", Overrides::default()).await;
    let (pair, role) = (node.login(&app).await, installation.place.role());
    let database = installation.database().await;
    for (privilege, table) in [
        ("INSERT", "grants"),
        ("UPDATE", "grants"),
        ("INSERT", "spent"),
        ("DELETE", "secrets"),
        ("INSERT", "removed"),
        ("UPDATE", "forgotten"),
    ] {
        database.batch_execute(&format!("REVOKE {privilege} ON {table} FROM {role}")).await.unwrap();
        is_not_ready_because(&node, &format!("permission denied for table {table} (SQLSTATE 42501")).await;
        if (privilege, table) == ("INSERT", "grants") {
            let told = refused(&node, &app).await;
            assert!(told.contains("42501") && told.contains("table grants"), "{told}");
            // What needs another privilege goes on.
            node.refresh(&app, &pair.refresh_token, NOW).await.unwrap();
        }
        database.batch_execute(&format!("GRANT {privilege} ON {table} TO {role}")).await.unwrap();
        is_ready(&node).await;
    }
    node.login(&app).await;
}

/// Without a login the node said that it was ready, and each login was answered with 500.
#[tokio::test]
async fn a_missing_privilege_on_a_sequence_is_named_before_a_login_needs_it() {
    let installation = Installation::of_a_role().await;
    let node = patient(&installation).await;
    let role = installation.place.role();
    let database = installation.database().await;
    for sequence in ["grant_order", "application_numbers"] {
        database.batch_execute(&format!("REVOKE ALL ON SEQUENCE {sequence} FROM {role}")).await.unwrap();
        let cause = format!("permission denied for sequence {sequence} (SQLSTATE 42501");
        is_not_ready_because(&node, &cause).await;
        database.batch_execute(&format!("GRANT USAGE ON SEQUENCE {sequence} TO {role}")).await.unwrap();
        is_ready(&node).await;
    }
}

#[tokio::test]
async fn refreshes_go_on_where_logouts_of_the_same_batch_are_refused() {
    let installation = Installation::of_a_role().await;
    let settings = PostgresSettings {
        writers: 1,
        answer_within: Duration::from_secs(3_600),
        ..installation.place.settings()
    };
    let node = installation.node_with(settings).await;
    let app = node.customer("app", Overrides::default()).await;
    let (kept, ended) = (node.login(&app).await, node.login(&app).await);
    let database = installation.database().await;
    let revoke = format!("REVOKE INSERT ON revocations FROM {}", installation.place.role());
    database.batch_execute(&revoke).await.unwrap();
    let (refreshed, logged_out) = tokio::join!(
        node.refresh(&app, &kept.refresh_token, NOW),
        node.auth.logout(&ended.access_token, NOW)
    );
    refreshed.unwrap();
    let told = with_causes(&logged_out.err().unwrap());
    assert!(told.contains("permission denied for table revocations"), "{told}");
}

/// A disk that is full shows with the first row that is written: here a trigger says what PostgreSQL says then.
#[tokio::test]
async fn a_full_disk_is_said_at_once_and_ready_returns_when_a_row_can_be_written_again() {
    let installation = Installation::new().await;
    let node = patient(&installation).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    let full = "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$;
                CREATE TRIGGER full_disk BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION full_disk()";
    database.batch_execute(full).await.unwrap();
    let told = refused(&node, &app).await;
    assert!(told.contains("could not extend file (SQLSTATE 53100"), "{told}");
    is_not_ready_because(&node, "could not extend file (SQLSTATE 53100").await;
    database.batch_execute("DROP TRIGGER full_disk ON grants").await.unwrap();
    // No request has to be sent to try.
    is_ready(&node).await;
    node.login(&app).await;
}

#[tokio::test]
async fn one_operation_that_the_database_cannot_do_takes_no_other_with_it() {
    let installation = Installation::new().await;
    let settings =
        PostgresSettings { answer_within: Duration::from_secs(3_600), ..installation.place.settings() };
    let node = installation.node_with(settings).await;
    let (good, bad) =
        (node.customer("good", Overrides::default()).await, node.customer("bad", Overrides::default()).await);
    let number = node.auth.registry().find(&bad.id).unwrap().number.0;
    let database = installation.database().await;
    let check =
        format!("ALTER TABLE grants ADD CONSTRAINT not_bad CHECK (application <> {number}) NOT VALID");
    database.batch_execute(&check).await.unwrap();
    for _ in 0..8 {
        let (told, _) = tokio::join!(refused(&node, &bad), node.login(&good));
        assert!(told.contains("SQLSTATE 23514, table grants, constraint not_bad"), "{told}");
    }
    is_ready(&node).await;
}

/// For 13 seconds all logins failed and the node said that it was ready.
#[tokio::test]
async fn a_locked_table_is_named_with_the_process_that_holds_it() {
    let installation = Installation::new().await;
    let node = patient(&installation).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    database.batch_execute("BEGIN; LOCK TABLE grants IN SHARE MODE").await.unwrap();
    let pid: i32 = database.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    is_not_ready_because(&node, &format!("table grants is locked by process {pid}")).await;
    is_not_ready_because(&node, "SQLSTATE 55P03").await;
    // It waits its turn, and gets it.
    let login = node.login(&app);
    let commit = async {
        until(|| node.store.stats().retries() > 0).await;
        database.batch_execute("COMMIT").await.unwrap();
    };
    tokio::join!(login, commit);
    is_ready(&node).await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_not_ready() {
    let installation = Installation::new().await;
    let statement_timeout = Duration::from_millis(300);
    let settings = PostgresSettings { statement_timeout, ..installation.place.settings() };
    let node = installation.node_with(settings).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_sleep(60); RETURN new; END $$;
                CREATE TRIGGER slow BEFORE INSERT ON grants FOR EACH ROW EXECUTE FUNCTION slow()";
    database.batch_execute(slow).await.unwrap();
    let login = node.login(&app);
    let end = async {
        is_not_ready_because(&node, "has not finished a write (login)").await;
        database.batch_execute("DROP TRIGGER slow ON grants").await.unwrap();
    };
    tokio::join!(login, end);
    is_ready(&node).await;
}

/// On a distributed engine each login failed, while the probe succeeded and the node said that it was ready.
#[tokio::test]
async fn a_statement_that_the_database_does_not_support_is_rejected_at_once_and_readiness_names_it() {
    let installation = Installation::new().await;
    let node = patient(&installation).await;
    let app = node.customer("app", Overrides::default()).await;
    let database = installation.database().await;
    // As Citus rejects a statement; the probe's own row, of no application, passes.
    let reject = "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$
                  BEGIN RAISE EXCEPTION 'could not run distributed query' USING ERRCODE = '0A000'; END $$;
                  CREATE TRIGGER reject BEFORE INSERT ON grants FOR EACH ROW WHEN (NEW.application >= 0)
                  EXECUTE FUNCTION reject()";
    database.batch_execute(reject).await.unwrap();
    let told = refused(&node, &app).await;
    assert!(told.contains("could not run distributed query (SQLSTATE 0A000"), "{told}");
    is_not_ready_because(&node, "the database does not support an operation of this node (login)").await;
    database.batch_execute("DROP TRIGGER reject ON grants").await.unwrap();
    node.login(&app).await;
    is_ready(&node).await;
}
