//! Laws of a crowded listener: no source holds it all, and idle connections give way.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::edge::running::{Running, answer, request, tls, until_closed};
use crate::support::identity::Identity;

const CLOSED: &str = "northgate_connections_closed_total";

/// A connection from another of this machine's own addresses.
async fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn ask_slow(stream: &mut TcpStream, running: &Running) {
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.slow_began.notified().await;
}

/// One address with a request every 30 s on each connection held the whole listener.
#[tokio::test]
async fn one_address_holds_its_share_and_others_are_served() {
    let limits = [("limits.connections", "8"), ("limits.connections_per_source", "4")];
    let running = Running::start(None, &limits).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = connect_from(2, running.address).await;
        request(&mut stream, "/").await.unwrap();
        held.push(stream);
    }
    running.metric(CLOSED, "made_room_for_source").is(16).await;
    // Those that were idle for longest have given way, and none of another address.
    for stream in &mut held[..16] {
        assert_eq!(until_closed(stream).await, "");
    }
    let mut others = Vec::new();
    for last in 3..7 {
        let mut stream = connect_from(last, running.address).await;
        request(&mut stream, "/").await.unwrap();
        others.push(stream);
    }
    for stream in held[16..].iter_mut().chain(&mut others) {
        request(stream, "/").await.unwrap();
    }
    running.metric(CLOSED, "made_room").is(0).await;
}

#[tokio::test]
async fn a_source_without_idle_connections_is_refused_beyond_its_share() {
    let running = Running::start(None, &[("limits.connections_per_source", "2")]).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    ask_slow(&mut one, &running).await;
    ask_slow(&mut two, &running).await;
    let mut third = running.connect().await;
    assert_eq!(until_closed(&mut third).await, "");
    running.metric(CLOSED, "source_full").is(1).await;
    let mut elsewhere = connect_from(2, running.address).await;
    request(&mut elsewhere, "/").await.unwrap();
    running.slow_may_end.notify_one();
    running.slow_may_end.notify_one();
    answer(&mut one).await.unwrap();
    answer(&mut two).await.unwrap();
    request(&mut running.connect().await, "/").await.unwrap();
}

/// Silent connections from many addresses kept everybody else out for `idle_time`.
#[tokio::test]
async fn a_full_listener_closes_the_connection_that_was_idle_for_longest() {
    let running = Running::start(None, &[("limits.connections", "3")]).await;
    let mut streams = Vec::new();
    for last in 2..5 {
        let mut stream = connect_from(last, running.address).await;
        request(&mut stream, "/").await.unwrap();
        streams.push(stream);
    }
    // The first was active last.
    request(&mut streams[0], "/").await.unwrap();
    let mut newcomer = connect_from(9, running.address).await;
    request(&mut newcomer, "/").await.unwrap();
    assert_eq!(until_closed(&mut streams[1]).await, "");
    for still_open in [0, 2] {
        request(&mut streams[still_open], "/").await.unwrap();
    }
    running.metric(CLOSED, "made_room").is(1).await;
}

#[tokio::test]
async fn connections_that_never_say_anything_give_way_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let tls = tls(vec![identity.write(folder.path(), "server")]);
    let limits = [("limits.connections", "4"), ("limits.handshake_time", "10m")];
    let running = Running::start(Some(tls), &limits).await;
    let mut silent = Vec::new();
    for last in 2..40 {
        silent.push(connect_from(last, running.address).await);
    }
    timeout(Duration::from_secs(20), running.answered(identity.trusting())).await.unwrap().unwrap();
}

/// A gateway connects for many, and has no share.
#[tokio::test]
async fn trusted_proxies_are_exempt_from_the_share() {
    let flags = [("limits.connections_per_source", "1"), ("proxies.trusted", "127.0.0.1")];
    let running = Running::start(None, &flags).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let mut stream = running.connect().await;
        request(&mut stream, "/").await.unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        request(stream, "/").await.unwrap();
    }
}

#[tokio::test]
async fn the_gauge_counts_open_connections() {
    let running = Running::start(None, &[]).await;
    let (mut one, mut two) = (running.connect().await, running.connect().await);
    request(&mut one, "/").await.unwrap();
    request(&mut two, "/").await.unwrap();
    running.open_connections(2).await;
    drop(one);
    running.open_connections(1).await;
}
