//! Calls a server as wrk cannot: with resumed TLS sessions, with an exact number of requests, or holding idle connections.
//!
//! - `call reconnect ADDRESS CERTIFICATE SEED CONNECTIONS SECONDS`: each refresh over a connection of its own, which
//!   resumes the session of the one before; that many at once.
//! - `call count ADDRESS CERTIFICATE SEED CONNECTIONS REQUESTS OPERATION`: exactly so many, always one on each kept
//!   connection. `verify` is plain HTTP.
//! - `call hold ADDRESS CERTIFICATE SEED CONNECTIONS`: a refresh on each connection, then nothing until standard input ends.
//!
//! A line of the file SEED is `appId secret refreshToken accessToken`. Prints one line, as `bench/report.lua` does.

// It prints, and what goes wrong ends it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::io::{BufRead, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_server::tls::trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};

/// A server that says nothing for so long fails the run.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["reconnect", address, certificate, seed, connections, seconds] => {
            let server = Server::new(address, certificate);
            reconnect(
                &server,
                callers(seed, number(connections)),
                Duration::from_secs(number(seconds) as u64),
            );
        }
        ["count", address, certificate, seed, connections, requests, operation] => {
            let callers = callers(seed, number(connections));
            count(&Server::new(address, certificate), callers, number(requests), Operation::named(operation));
        }
        ["hold", address, certificate, seed, connections] => {
            hold(&Server::new(address, certificate), callers(seed, number(connections)));
        }
        _ => panic!("call reconnect|count|hold …: see the head of examples/call.rs"),
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap()
}

/// All at once, each after its own connection: a thread for each.
fn reconnect(server: &Server, callers: Vec<Caller>, time: Duration) {
    let began = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = callers
            .into_iter()
            .map(|caller| scope.spawn(move || reconnect_alone(server, caller, began + time)))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    report(&mut latencies, began.elapsed());
}

/// The first handshake is a full one and is not among the latencies; all others must have been resumed.
fn reconnect_alone(server: &Server, mut caller: Caller, end: Instant) -> Vec<Duration> {
    let client = server.client();
    let mut latencies = Vec::new();
    let mut is_first = true;
    while Instant::now() < end {
        let began = Instant::now();
        let mut stream = server.secure(&client);
        caller.send(Operation::Refresh, &mut stream, "Connection: close\r\n");
        caller.receive(&mut stream);
        if !is_first {
            let kind = stream.conn.handshake_kind();
            assert_eq!(kind, Some(HandshakeKind::Resumed), "a session was not resumed");
            latencies.push(began.elapsed());
        }
        is_first = false;
    }
    latencies
}

fn count(server: &Server, callers: Vec<Caller>, requests: usize, operation: Operation) {
    match operation {
        Operation::Verify => {
            let plain = callers.into_iter().map(|caller| (caller, server.plain())).collect();
            call_in_turn(plain, requests, operation);
        }
        Operation::Login | Operation::Refresh => {
            let client = server.client();
            let secured = callers.into_iter().map(|caller| (caller, server.secure(&client))).collect();
            call_in_turn(secured, requests, operation);
        }
    }
}

/// One request on every connection, then all answers, and so on: as deterministic as a server with threads can be.
fn call_in_turn<S: Read + Write>(mut connections: Vec<(Caller, S)>, requests: usize, operation: Operation) {
    let (began, mut latencies) = (Instant::now(), Vec::with_capacity(requests));
    while latencies.len() < requests {
        let turn = (requests - latencies.len()).min(connections.len());
        let sent_at = Instant::now();
        for (caller, stream) in &mut connections[..turn] {
            caller.send(operation, stream, "");
        }
        for (caller, stream) in &mut connections[..turn] {
            caller.receive(stream);
            latencies.push(sent_at.elapsed());
        }
    }
    report(&mut latencies, began.elapsed());
}

fn hold(server: &Server, callers: Vec<Caller>) {
    let client = server.client();
    let held: Vec<_> = callers
        .into_iter()
        .map(|mut caller| {
            let mut stream = server.secure(&client);
            caller.send(Operation::Refresh, &mut stream, "");
            caller.receive(&mut stream);
            stream
        })
        .collect();
    println!("held={}", held.len());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

fn report(latencies: &mut [Duration], elapsed: Duration) {
    assert!(!latencies.is_empty(), "nothing was answered");
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_micros();
    println!(
        "requests={} elapsed_us={} p50_us={} p99_us={} p999_us={} max_us={} failed=0",
        latencies.len(),
        elapsed.as_micros(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// Where to call, and whom to trust there.
struct Server {
    address: String,
    certificate: PathBuf,
}

impl Server {
    fn new(address: &str, certificate: &str) -> Server {
        Server { address: address.to_owned(), certificate: PathBuf::from(certificate) }
    }

    /// Each has a store of its own for its sessions, as each application has.
    fn client(&self) -> Arc<ClientConfig> {
        trust::only(&self.certificate).unwrap()
    }

    fn plain(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn secure(&self, client: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(client.clone(), name).unwrap(), self.plain())
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Login,
    Refresh,
    Verify,
}

impl Operation {
    fn named(name: &str) -> Operation {
        match name {
            "login" => Operation::Login,
            "refresh" => Operation::Refresh,
            "verify" => Operation::Verify,
            other => panic!("no operation {other}"),
        }
    }
}

/// An application with one grant.
struct Caller {
    app: String,
    secret: String,
    refresh_token: String,
    access_token: String,
    buffer: Vec<u8>,
}

fn callers(seed: &str, count: usize) -> Vec<Caller> {
    let file = std::io::BufReader::new(std::fs::File::open(seed).unwrap());
    let callers: Vec<Caller> = file.lines().take(count).map(|line| Caller::parse(&line.unwrap())).collect();
    assert_eq!(callers.len(), count, "the seed has too few grants");
    callers
}

impl Caller {
    fn parse(line: &str) -> Caller {
        let fields: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let [app, secret, refresh_token, access_token] = fields.try_into().unwrap();
        Caller { app, secret, refresh_token, access_token, buffer: Vec::with_capacity(1024) }
    }

    fn send(&self, operation: Operation, stream: &mut impl Write, header: &str) {
        let (app, secret) = (&self.app, &self.secret);
        let (head, body) = match operation {
            Operation::Login => (
                "POST /iocm/app/sec/v1.1.0/login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                    .to_owned(),
                format!("appId={app}&secret={secret}"),
            ),
            Operation::Refresh => (
                "POST /iocm/app/sec/v1.1.0/refreshToken HTTP/1.1\r\nContent-Type: application/json\r\n".to_owned(),
                format!(r#"{{"appId":"{app}","secret":"{secret}","refreshToken":"{}"}}"#, self.refresh_token),
            ),
            Operation::Verify => (
                format!(
                    "GET /verify HTTP/1.1\r\napp_key: {app}\r\nAuthorization: Bearer {}\r\n",
                    self.access_token
                ),
                String::new(),
            ),
        };
        let request =
            format!("{head}Host: localhost\r\n{header}Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        stream.flush().unwrap();
    }

    /// Takes one answer, which must be a 200, and the refresh token in it.
    fn receive(&mut self, stream: &mut impl Read) {
        self.buffer.clear();
        let answer = loop {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "the connection ended within an answer");
            self.buffer.extend_from_slice(&piece[..length]);
            let text = std::str::from_utf8(&self.buffer).unwrap();
            if is_whole(text) {
                break text;
            }
        };
        assert!(answer.starts_with("HTTP/1.1 200 "), "answered: {answer}");
        if let Some((_, rest)) = answer.split_once(r#""refreshToken":""#) {
            self.refresh_token = rest.split('"').next().unwrap().to_owned();
        }
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(": "));
    let length = length
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| number(value));
    body.len() >= length.sum()
}
