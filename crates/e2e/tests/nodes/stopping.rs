//! A stop while the database hangs: its processes stand still in the middle of their work and close no connection.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Client;

use crate::installation::{migrated, until};
use northgate_testkit::application::Application;
use northgate_testkit::northgate::Northgate;
use northgate_testkit::postgres::server;

/// What the node calls itself, by which its connections are told from those of other tests.
const NAME: &str = "stopped-in-the-middle";

/// Sends the signal to each process of the database that works for the node.
async fn signal_the_database(beside: &Client, signal: &str) {
    let processes = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
    for row in beside.query(processes, &[&NAME]).await.unwrap() {
        // It may have ended meanwhile.
        let process = row.get::<_, i32>(0).to_string();
        let _ = Command::new("kill").args([signal, &process]).output().unwrap();
    }
}

// The database hung, and a node that was told to stop waited for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_has_a_bound_when_the_database_hangs_and_a_request_waits_for_it() {
    let url = format!("{}&application_name={NAME}", migrated().await);
    let settings = [("NORTHGATE_DATABASE_URL", url.as_str()), ("NORTHGATE_DATABASE_ANSWER_WITHIN", "1s")];
    let node = Northgate::start(&settings);
    let demo = Application::demo(&node);
    let (app_id, secret) = (demo.app_id.clone(), demo.secret.clone());
    let refresh_token = demo.login().await.member("refreshToken");

    let (hangs, beside) =
        (Arc::new(AtomicBool::new(true)), server().client(&url.replace(NAME, "beside")).await);
    let still_hangs = Arc::clone(&hangs);
    // New connections hang as well.
    let hanging = tokio::spawn(async move {
        while still_hangs.load(Ordering::SeqCst) {
            signal_the_database(&beside, "-STOP").await;
        }
        signal_the_database(&beside, "-CONT").await;
    });
    let url = format!("http://{}/health/ready", node.private);
    let ready = || Command::new("curl").args(["-sS", &url]).output().unwrap().stdout;
    until("behind", async || ready().starts_with(b"{\"reason\"")).await;
    let refresh = tokio::spawn(async move { demo.refresh(&refresh_token).await.status });
    assert_eq!(refresh.await.unwrap(), 500);
    // This one is under way when the stop comes, and is answered or not.
    let again = Application::new(&node, &app_id, &secret);
    tokio::spawn(async move { again.login().await });
    let (_, status) = tokio::task::spawn_blocking(move || node.end("-TERM")).await.unwrap();
    hangs.store(false, Ordering::SeqCst);
    hanging.await.unwrap();
    assert_eq!(status.code(), Some(0));
}
