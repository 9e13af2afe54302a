//! What an operator of nodes meets: migrations, readiness, metrics, backups.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::installation::{Installation, command, place, refusal, until};
use northgate_testkit::application::Application;
use northgate_testkit::northgate::Northgate;

fn curl(node: &Northgate, path: &str) -> String {
    let output = node.output(Command::new("curl").args(["-sS", &format!("http://{}{path}", node.private)]));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_node_asks_for_a_migration_which_can_be_done_any_number_of_times() {
    let (home, place) = (tempfile::tempdir().unwrap(), place().await);
    let url = place.url();
    let told = refusal(&command(home.path(), &url, &["serve", "--dev", "--listen", "127.0.0.1:0"]));
    assert!(told.contains("run `northgate migrate` once"), "{told}");
    let told = |arguments: &[&str]| String::from_utf8(command(home.path(), &url, arguments).stdout).unwrap();
    assert!(told(&["migrate"]).starts_with("the database was set up: format "));
    assert!(told(&["migrate"]).contains("already; nothing was changed"));
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_told_without_its_password() {
    let home = tempfile::tempdir().unwrap();
    for (url, expected) in [
        ("postgres://u:hunter2@127.0.0.1:1/d", "the database cannot be reached"),
        ("postgres://u:hunter2@127.0.0.1:port/d", "write postgres://user:password@host:5432/database"),
        (
            "postgres://u:hunter2@h/d?sslmode=maybe",
            "write disable, prefer, require, verify-ca or verify-full",
        ),
    ] {
        for arguments in [&["migrate"][..], &["serve", "--dev"][..]] {
            let told = refusal(&command(home.path(), url, arguments));
            assert!(told.contains(expected) && !told.contains("hunter2"), "{told}");
        }
        let shown = command(home.path(), url, &["config", "check"]);
        assert!(!String::from_utf8(shown.stdout).unwrap().contains("hunter2"));
    }
}

#[tokio::test]
async fn the_url_can_be_in_a_private_file() {
    let (home, place) = (tempfile::tempdir().unwrap(), place().await);
    let file = home.path().join("url");
    let migrate = || {
        let mut migrate = northgate_testkit::northgate::northgate(home.path());
        migrate.arg("migrate").env("NORTHGATE_DATABASE_URL_FILE", "url").output().unwrap()
    };
    assert!(refusal(&migrate()).contains("write the database's URL into it"));
    fs::write(&file, format!("{}\n", place.url())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(&migrate()).contains("chmod 600"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(migrate().status.success());
}

#[tokio::test]
async fn a_node_that_cannot_see_what_others_change_says_so_until_it_can() {
    let mut installation = Installation::of(1).await;
    let database = northgate_testkit::postgres::server().client(&installation.url).await;
    let node = installation.nodes.remove(0);
    assert_eq!(curl(&node, "/health/ready"), r#"{"status":"ok"}"#);
    let metrics = curl(&node, "/metrics");
    for name in [
        "northgate_registry_lag_seconds ",
        "northgate_database_queue_waiting 0",
        "northgate_database_batches_total ",
        "northgate_database_lost_races_total 0",
        "northgate_database_retries_total 0",
    ] {
        assert!(metrics.contains(name), "{name} is not in\n{metrics}");
    }
    // Nothing can be read while this transaction holds the table.
    database.batch_execute("BEGIN; LOCK TABLE applications IN ACCESS EXCLUSIVE MODE").await.unwrap();
    until("behind", async || curl(&node, "/health/ready").contains("this node is behind")).await;
    assert!(curl(&node, "/health/ready").starts_with(r#"{"reason":"#));
    database.batch_execute("COMMIT").await.unwrap();
    until("up again", async || curl(&node, "/health/ready") == r#"{"status":"ok"}"#).await;
}

/// A damaged row made every look at the database fail: readiness blamed a database that does not answer in time, the log repeated
/// itself four times a second without naming the row, and no node saw what others changed.
#[tokio::test]
async fn a_damaged_row_is_named_once_and_hides_no_change_of_another_application() {
    let mut installation = Installation::of(1).await;
    let database = northgate_testkit::postgres::server().client(&installation.url).await;
    let node = installation.nodes.remove(0);
    let (broken, other) = (Application::created(&node, "Broken"), Application::created(&node, "Other"));
    let pair = other.login().await;
    let now = "(extract(epoch FROM clock_timestamp()) * 1000)::int8";
    let break_it = format!(
        "UPDATE applications SET state = 'melted', revision = revision + 1, changed_at = {now} WHERE app_id = '{}'",
        broken.app_id
    );
    database.batch_execute(&break_it).await.unwrap();
    let number = number_of(&database, &broken.app_id).await;
    let named = format!("table applications with number {number} (appId \"{}\") is damaged", broken.app_id);
    until("named", async || unescaped(&node.log()).contains(&named)).await;
    // What another node does to an application is seen beside the damaged row, and the node stays ready.
    let freeze = format!(
        "UPDATE applications SET state = 'frozen', revision = revision + 1, changed_at = {now} WHERE app_id = '{}'",
        other.app_id
    );
    database.batch_execute(&freeze).await.unwrap();
    let access = pair.member("accessToken");
    until("frozen", async || other.verify(&access).await.status == 403).await;
    assert_eq!(curl(&node, "/health/ready"), r#"{"status":"ok"}"#);
    assert_eq!(unescaped(&node.log()).matches(&named).count(), 1, "{}", node.log());
    // A node that starts says the same and does not serve half of the applications.
    let home = tempfile::tempdir().unwrap();
    let told =
        refusal(&command(home.path(), &installation.url, &["serve", "--dev", "--listen", "127.0.0.1:0"]));
    assert!(told.contains(&named), "{told}");
}

async fn number_of(database: &tokio_postgres::Client, app_id: &str) -> i32 {
    database.query_one("SELECT number FROM applications WHERE app_id = $1", &[&app_id]).await.unwrap().get(0)
}

/// The log escapes quotes in its fields.
fn unescaped(log: &str) -> String {
    log.replace('\\', "")
}

#[tokio::test]
async fn a_shared_database_is_backed_up_by_its_own_means() {
    let installation = Installation::of(1).await;
    let told = refusal(&installation.nodes[0].run(&["backup", "copy.db"]));
    assert!(told.contains("back it up by its own means"), "{told}");
    let home = tempfile::tempdir().unwrap();
    let told = refusal(&command(home.path(), &installation.url, &["restore", "copy.db"]));
    assert!(told.contains("restored by its own means"), "{told}");
}

/// Readiness stayed 200, and the log said "the database did not do it": neither the SQLSTATE nor the table.
#[tokio::test]
async fn a_node_that_may_not_write_says_why_in_readiness_and_in_its_log() {
    let (place, home) =
        (northgate_testkit::postgres::server().place_of_a_role().await, tempfile::tempdir().unwrap());
    let (url, role) = (place.url_as(&place.role()), place.role());
    assert!(command(home.path(), &url, &["migrate"]).status.success());
    let node = Northgate::start_in(home, &[("NORTHGATE_DATABASE_URL", &url)]);
    until("ready", async || curl(&node, "/health/ready") == r#"{"status":"ok"}"#).await;
    let database = northgate_testkit::postgres::server().client(&place.url()).await;
    database.batch_execute(&format!("REVOKE INSERT ON grants FROM {role}")).await.unwrap();
    let cause = "permission denied for table grants (SQLSTATE 42501)";
    until("not ready", async || curl(&node, "/health/ready").contains(cause)).await;
    let demo = northgate_testkit::application::Application::demo(&node);
    assert_eq!(demo.login().await.status, 500);
    until("in the log", async || {
        let log = node.log();
        let is_it = |line: &&str| line.contains("work=login sqlstate=42501") && line.contains(cause);
        log.lines().find(is_it).is_some()
    })
    .await;
    database.batch_execute(&format!("GRANT INSERT ON grants TO {role}")).await.unwrap();
    until("ready again", async || curl(&node, "/health/ready") == r#"{"status":"ok"}"#).await;
    assert_eq!(demo.login().await.status, 200);
}
