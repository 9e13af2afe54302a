//! Laws of the end of the process: killed in the middle of everything it owes nothing; asked to stop it finishes.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod chains;
mod client;
#[cfg(target_os = "linux")]
mod disk_faults;
mod racing;
mod server;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use chains::Chains;
use client::Client;
use northgate_testkit::chance::Chance;
use northgate_testkit::eventually;
use server::Server;

const ROUNDS: usize = 20;
const CLIENTS: usize = 8;

/// Each client drives a grant of its own. After each kill it goes on from the last pair that it was given, and repeats
/// what was not answered; whatever is answered must fit to all that was answered before.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_at_any_moment_keeps_every_promise_that_it_made() {
    let mut chance = Chance::from_env("NORTHGATE_KILL_SEED");
    let mut server = Server::first_start().await;
    let chains = Arc::new(Chains::default());
    let mut clients: Vec<Client> =
        (0..CLIENTS).map(|_| Client::new(server.demo(), Arc::clone(&chains), chance.fork())).collect();
    for _ in 0..ROUNDS {
        let mut busy = JoinSet::new();
        for client in clients.drain(..) {
            busy.spawn(client.until_unanswered(server.calls()));
        }
        // Part of the scenario, here and below: the kill comes at any moment.
        sleep(chance.duration(Duration::from_millis(150))).await;
        server.kill();
        clients = busy.join_all().await;
        // Sometimes it is killed while it starts, too.
        if chance.one_in(4) {
            server.spawn();
            sleep(chance.duration(Duration::from_millis(100))).await;
            server.kill();
        }
        server.start().await;
    }
    for client in &mut clients {
        client.settle(&server.calls()).await;
    }
    chains.check_logouts(&server.calls(), &server.demo()).await;
    let (refreshes, logouts) = chains.counts();
    println!("{refreshes} refresh tokens and {logouts} logouts were answered");
    assert!(refreshes > ROUNDS && logouts > 0, "the clients hardly came to do anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_finishes_what_is_in_flight_and_exits_with_0() {
    let mut server = Server::first_start().await;
    let demo = server.demo();
    let body = format!("appId={}&secret={}", demo.app_id, demo.secret);
    let mut stream = server.connect().await;
    let head = format!(
        "POST /iocm/app/sec/v1.1.0/login HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server has read the head and waits for the body: the request is in flight.
    let mut begun = [0; 25];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.ask_to_stop();
    let is_closed = async || TcpStream::connect(server.address()).await.is_err();
    eventually("the listener is closed", is_closed).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Whether the connection ends with a close or a reset is not what this is about.
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with('}'), "{answer}");
    assert_eq!(server.exit_code(), Some(0));
}
