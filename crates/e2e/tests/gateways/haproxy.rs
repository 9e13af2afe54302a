//! Laws of the client's address behind proxies: the PROXY protocol as HAProxy speaks it, and headers of trusted proxies.

use std::fs;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::edge::running::{Running, answer, request, tls, until_closed};
use crate::support::identity::Identity;
use northgate_testkit::eventually;
use northgate_testkit::packages;

const TRUSTING: (&str, &str) = ("proxies.trusted", "127.0.0.1");
const ON: [(&str, &str); 2] = [TRUSTING, ("proxies.protocol", "on")];

/// The header of version 2 for a connection from 192.0.2.7, port 4711.
fn header(command: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x22, 0x27];
    [b"\r\n\r\n\0\r\nQUIT\n", &[0x20 | command, 0x11, 0, 12][..], &addresses].concat()
}

async fn peer_after(running: &Running, introduction: &[u8], headers: &str) -> String {
    let mut stream = running.connect().await;
    stream.write_all(introduction).await.unwrap();
    stream.write_all(format!("GET /peer HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let answer = answer(&mut stream).await.unwrap();
    answer.rsplit("\r\n").next().unwrap().to_owned()
}

/// HAProxy as a process of its own, which passes connections through.
struct HaProxy {
    port: u16,
    process: Child,
    _folder: TempDir,
}

impl HaProxy {
    async fn start(server: SocketAddr, send: &str) -> HaProxy {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\
             listen northgate\n    bind 127.0.0.1:{port}\n    server one {server} {send} check inter 20ms\n"
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(packages::debian("haproxy"));
        let process = command.args(["-db", "-f"]).arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().unwrap();
        let is_there = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
        eventually("HAProxy accepts connections", is_there).await;
        HaProxy { port, process, _folder: folder }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Behind HAProxy, every application had HAProxy's address: one that guessed at secrets had the others wait.
#[tokio::test]
async fn behind_haproxy_with_either_version_the_peer_is_the_client() {
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::ecdsa());
    for send in ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options unique-id,ssl-cipher,crc32c"]
    {
        let tls = tls(vec![identity.write(folder.path(), "server")]);
        let running = Running::start(Some(tls), &ON).await;
        let proxy = HaProxy::start(running.address, send).await;
        let stream = TcpStream::connect(("127.0.0.1", proxy.port)).await.unwrap();
        let client = stream.local_addr().unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(identity.trusting()).connect(name, stream).await.unwrap();
        // The client is trusted as well here, since it is on this machine: it speaks for no client that it does not name.
        for _ in 0..2 {
            let answer = request(&mut stream, "/peer").await.unwrap();
            assert!(answer.ends_with(&format!("\r\n{client}")), "{send}: {answer}");
        }
        // HAProxy's own checks, which are LOCAL, are served and are no failed handshakes that anybody looks into.
        running.metric("northgate_connections_closed_total", "malformed_proxy_header").is(0).await;
    }
}

#[tokio::test]
async fn with_the_protocol_a_connection_begins_with_a_header_or_is_closed() {
    let running = Running::start(None, &[ON[0], ON[1], ("limits.handshake_time", "1s")]).await;
    assert_eq!(peer_after(&running, &header(1), "").await, "192.0.2.7:4711");
    assert_eq!(
        peer_after(&running, b"PROXY TCP6 2001:db8::7 ::1 4711 8743\r\n", "").await,
        "[2001:db8::7]:4711"
    );
    for unknown in [&b"PROXY UNKNOWN\r\n"[..], &header(0)] {
        assert!(peer_after(&running, unknown, "").await.starts_with("127.0.0.1:"));
    }
    for (wrong, reason) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "malformed_proxy_header"),
        (&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 0, 0, 0, 0, 0][..], "malformed_proxy_header"),
        (&header(1)[..20], "incomplete_proxy_header"),
        (b"PROXY TCP4 192.0.2.7", "incomplete_proxy_header"),
        (b"", "incomplete_proxy_header"),
    ] {
        let before = running.metric("northgate_connections_closed_total", reason).value();
        let mut stream = running.connect().await;
        stream.write_all(wrong).await.unwrap();
        assert_eq!(until_closed(&mut stream).await, "", "{wrong:?}");
        running.metric("northgate_connections_closed_total", reason).is(before + 1).await;
    }
}

#[tokio::test]
async fn with_the_protocol_addresses_that_are_not_trusted_are_closed() {
    let flags = [("proxies.trusted", "192.0.2.1"), ("proxies.protocol", "on")];
    let running = Running::start(None, &flags).await;
    let mut stream = running.connect().await;
    // It may be closed before it has written everything.
    let _ = stream.write_all(&header(1)).await;
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(until_closed(&mut stream).await, "");
    running.metric("northgate_connections_closed_total", "untrusted_proxy").is(1).await;
}

#[tokio::test]
async fn without_the_protocol_its_header_is_no_request() {
    let running = Running::start(None, &[TRUSTING]).await;
    let mut stream = running.connect().await;
    let _ =
        stream.write_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8743\r\nGET /peer HTTP/1.1\r\n\r\n").await;
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn headers_of_a_trusted_proxy_state_the_client_and_those_of_others_nothing() {
    let stated = "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n";
    let standard = "Forwarded: for=6.6.6.6, for=\"[2001:db8::7]:50000\"\r\n";
    let trusting = Running::start(None, &[TRUSTING]).await;
    assert_eq!(peer_after(&trusting, b"", stated).await, "192.0.2.7");
    assert_eq!(peer_after(&trusting, b"", standard).await, "[2001:db8::7]:50000");
    assert!(peer_after(&trusting, b"", "").await.starts_with("127.0.0.1:"));
    for flags in [&[][..], &[("proxies.trusted", "127.0.0.2,10.0.0.0/8")]] {
        let running = Running::start(None, flags).await;
        for headers in [stated, standard] {
            assert!(peer_after(&running, b"", headers).await.starts_with("127.0.0.1:"));
        }
    }
}

/// On one connection a gateway passes on the requests of many clients.
#[tokio::test]
async fn each_request_on_a_connection_has_its_own_client() {
    let running = Running::start(None, &[TRUSTING]).await;
    let mut stream = running.connect().await;
    for client in ["192.0.2.7", "192.0.2.8", "2001:db8::9"] {
        let text = format!("GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n");
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await.unwrap();
        assert!(answer.ends_with(&format!("\r\n{client}")), "{answer}");
    }
}

/// The proxy passes TLS or bytes through: what stands in the request, the client has written.
#[tokio::test]
async fn headers_of_a_client_behind_the_protocol_are_its_own_and_not_believed() {
    let running = Running::start(None, &ON).await;
    let forged = "X-Forwarded-For: 6.6.6.6\r\n";
    assert_eq!(peer_after(&running, &header(1), forged).await, "192.0.2.7:4711");
    assert!(peer_after(&running, b"PROXY UNKNOWN\r\n", forged).await.starts_with("127.0.0.1:"));
    // A gateway behind the proxy is trusted in its turn.
    let gateway = b"PROXY TCP4 127.0.0.1 198.51.100.1 4711 8743\r\n";
    assert_eq!(peer_after(&running, gateway, "X-Forwarded-For: 192.0.2.9\r\n").await, "192.0.2.9");
}

#[tokio::test]
async fn behind_the_protocol_the_share_of_connections_is_the_clients() {
    let running = Running::start(None, &[ON[0], ON[1], ("limits.connections_per_source", "1")]).await;
    let open = async |client: &str| {
        let mut stream = running.connect().await;
        stream.write_all(format!("PROXY TCP4 {client} 198.51.100.1 1 2\r\n").as_bytes()).await.unwrap();
        stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        stream
    };
    let _busy = open("192.0.2.7").await;
    running.slow_began.notified().await;
    let mut beyond = open("192.0.2.7").await;
    assert_eq!(beyond.read(&mut [0]).await.unwrap_or(0), 0);
    running.metric("northgate_connections_closed_total", "source_full").is(1).await;
    let _other = open("192.0.2.8").await;
    running.slow_began.notified().await;
}
