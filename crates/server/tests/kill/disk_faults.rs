//! Laws of the server on a disk that is full or fails: it says so, stays up, and goes on when the fault is over.
//! `crates/store/tests/faults` has the laws of the files; here it is what applications and their gateway hear.

use std::sync::Arc;

use super::server::{Calls, Demo, Server};
use northgate_testkit::eventually;
use northgate_testkit::fault_shim::{
    ALWAYS, BESIDE, CREATE, DATABASE, EIO, ENOSPC, GROW, HANG, Plan, SYNC, Shim, WAL, WRITE,
};

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_the_server_says_so_and_goes_on_when_there_is_room() {
    says_so_and_goes_on(WRITE, ENOSPC).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_syncing_fails_the_server_says_so_and_goes_on_when_it_works_again() {
    says_so_and_goes_on(SYNC, EIO).await;
}

async fn says_so_and_goes_on(calls: u32, errno: u32) {
    let shim = Arc::new(Shim::prepare());
    let under = Arc::clone(&shim);
    let mut server = Server::first_start_with(move |command| under.put_under(command)).await;
    let (demo, calls_on) = (server.demo(), server.calls());
    let first = pair(&calls_on.login(&demo).await.unwrap());
    let second = pair(&calls_on.refresh(&demo, &first.refresh).await.unwrap());
    shim.inject(Plan { calls, files: WAL | DATABASE, action: errno, from: 1, times: ALWAYS });
    unavailable(&calls_on.login(&demo).await.unwrap());
    unavailable(&calls_on.refresh(&demo, &second.refresh).await.unwrap());
    assert_eq!(calls_on.logout(&second.access).await.unwrap(), 500);
    // What needs no disk goes on: tokens verify, and a refresh that was answered is answered again.
    assert_eq!(calls_on.verify(&demo, &second.access).await.unwrap(), 200);
    assert_eq!(pair(&calls_on.refresh(&demo, &first.refresh).await.unwrap()).refresh, second.refresh);
    not_ready_while_it_tries(&calls_on, &shim).await;
    shim.clear();
    until_ready(&calls_on).await;
    let third = pair(&calls_on.refresh(&demo, &second.refresh).await.unwrap());
    server.kill();
    server.start().await;
    holds(&server.calls(), &demo, &second, &third).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_on_a_full_disk_serves_readers_until_there_is_room() {
    let shim = Arc::new(Shim::prepare());
    let under = Arc::clone(&shim);
    let mut server = Server::first_start_with(move |command| under.put_under(command)).await;
    let demo = server.demo();
    let first = pair(&server.calls().login(&demo).await.unwrap());
    server.kill();
    shim.inject(Plan { calls: WRITE, files: WAL | DATABASE, action: ENOSPC, from: 1, times: ALWAYS });
    server.spawn();
    let calls = server.calls();
    until(async || calls.ready().await.is_ok_and(|status| status == 503)).await;
    assert_eq!(calls.verify(&demo, &first.access).await.unwrap(), 200);
    unavailable(&calls.refresh(&demo, &first.refresh).await.unwrap());
    shim.clear();
    until_ready(&calls).await;
    pair(&calls.refresh(&demo, &first.refresh).await.unwrap());
}

// The disk hung in a sync. The stop waited for the thread that syncs, and no signal ended it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_given_up_when_the_disk_hangs() {
    let shim = Arc::new(Shim::prepare());
    let under = Arc::clone(&shim);
    let mut server = Server::first_start_with(move |command| {
        under.put_under(command);
        command.env("NORTHGATE_LIMITS_STOP_TIME", "1s");
    })
    .await;
    let (demo, calls) = (server.demo(), server.calls());
    shim.inject(Plan { calls: SYNC, files: WAL | DATABASE, action: HANG, from: 1, times: ALWAYS });
    let login = tokio::spawn(async move { calls.login(&demo).await });
    until(async || shim.seen() > 0).await;
    server.ask_to_stop();
    assert_eq!(server.exit_code(), Some(1));
    assert!(login.await.unwrap().is_err(), "what is not durable was answered");
}

/// The stop removed files that the next start could not create.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_stopped_on_a_full_disk_starts_and_serves_readers_until_there_is_room() {
    let shim = Arc::new(Shim::prepare());
    let under = Arc::clone(&shim);
    let mut server = Server::first_start_with(move |command| under.put_under(command)).await;
    let demo = server.demo();
    let first = pair(&server.calls().login(&demo).await.unwrap());
    let second = pair(&server.calls().refresh(&demo, &first.refresh).await.unwrap());
    let files = WAL | DATABASE | BESIDE;
    shim.inject(Plan { calls: CREATE | GROW, files, action: ENOSPC, from: 1, times: ALWAYS });
    server.ask_to_stop();
    assert_eq!(server.exit_code(), Some(0));
    server.spawn();
    let calls = server.calls();
    until(async || calls.ready().await.is_ok_and(|status| status == 503)).await;
    assert_eq!(calls.verify(&demo, &second.access).await.unwrap(), 200);
    assert_eq!(pair(&calls.refresh(&demo, &first.refresh).await.unwrap()).refresh, second.refresh);
    unavailable(&calls.refresh(&demo, &second.refresh).await.unwrap());
    shim.clear();
    until_ready(&calls).await;
    pair(&calls.refresh(&demo, &second.refresh).await.unwrap());
}

/// It said that it was ready and answered 200 into files that no start would find again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_data_directory_was_moved_says_so_and_writes_nothing_until_it_is_back() {
    let server = Server::first_start().await;
    let (demo, calls) = (server.demo(), server.calls());
    let first = pair(&calls.login(&demo).await.unwrap());
    let elsewhere = server.data().with_extension("moved");
    std::fs::rename(server.data(), &elsewhere).unwrap();
    unavailable(&calls.refresh(&demo, &first.refresh).await.unwrap());
    let (status, reason) = calls.operating("health/ready").await.unwrap();
    assert_eq!(status, 503);
    assert!(reason.contains("northgate.db is not the file that this server opened"), "{reason}");
    let (_, metrics) = calls.operating("metrics").await.unwrap();
    assert!(metrics.contains("northgate_database_file_lost 1"), "{metrics}");
    assert_eq!(calls.verify(&demo, &first.access).await.unwrap(), 200);
    // Another installation may lie there by now, with a keyring of its own.
    std::fs::create_dir(server.data()).unwrap();
    std::fs::copy(elsewhere.join("admin-token"), server.data().join("admin-token")).unwrap();
    for command in [&["key", "rotate"][..], &["backup", "copy.db"]] {
        let (succeeded, said) = server.tell(command);
        assert!(!succeeded, "{command:?} {said}");
    }
    assert!(!server.data().join("keyring.toml").exists());
    std::fs::remove_dir_all(server.data()).unwrap();
    std::fs::rename(&elsewhere, server.data()).unwrap();
    until_ready(&calls).await;
    pair(&calls.refresh(&demo, &first.refresh).await.unwrap());
    let (_, metrics) = calls.operating("metrics").await.unwrap();
    assert!(metrics.contains("northgate_database_file_lost 0"), "{metrics}");
}

async fn not_ready_while_it_tries(calls: &Calls, shim: &Shim) {
    let enough = shim.seen() + 3;
    until(async || {
        assert_eq!(calls.ready().await.unwrap(), 503);
        shim.seen() >= enough
    })
    .await;
}

/// The last refresh that was answered is there, and the token before it leads to the same successor.
async fn holds(calls: &Calls, demo: &Demo, before: &Pair, last: &Pair) {
    assert_eq!(pair(&calls.refresh(demo, &before.refresh).await.unwrap()).refresh, last.refresh);
    pair(&calls.refresh(demo, &last.refresh).await.unwrap());
}

async fn until_ready(calls: &Calls) {
    until(async || calls.ready().await.unwrap() == 200).await;
}

async fn until(is_so: impl AsyncFnMut() -> bool) {
    eventually("the server has noticed", is_so).await;
}

fn unavailable((status, body): &(u16, String)) {
    assert_eq!(*status, 500, "{body}");
    assert!(body.contains("50252"), "{body}");
}

struct Pair {
    access: String,
    refresh: String,
}

fn pair((status, body): &(u16, String)) -> Pair {
    assert_eq!(*status, 200, "{body}");
    let members: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| members[name].as_str().unwrap().to_owned();
    Pair { access: text("accessToken"), refresh: text("refreshToken") }
}
