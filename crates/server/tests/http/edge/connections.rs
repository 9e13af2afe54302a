//! Laws of a connection: what old and simple clients count on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use northgate_server::listener;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::io::AsyncWriteExt;

use crate::edge::running::{Running, answer, request, tls, until_closed};
use crate::support::identity::Identity;

#[tokio::test]
async fn header_names_are_in_title_case() {
    let running = Running::start(None, &[]).await;
    let answer = request(&mut running.connect().await, "/").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("\r\nContent-Type: ") && answer.contains("\r\nContent-Length: 4\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_peer_of_a_request_is_the_other_end_of_its_connection() {
    let running = Running::start(None, &[]).await;
    let mut stream = running.connect().await;
    let answer = request(&mut stream, "/peer").await.unwrap();
    assert!(answer.ends_with(&stream.local_addr().unwrap().to_string()), "{answer}");
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let running = Running::start(None, &[]).await;
    let mut stream = running.connect().await;
    let two = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    stream.write_all(two.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.unwrap().contains("127.0.0.1"));
    assert!(answer(&mut stream).await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn a_client_that_has_closed_its_side_still_gets_the_answer() {
    let running = Running::start(None, &[]).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /slow HTTP/1.0\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    running.slow_began.notified().await;
    running.slow_may_end.notify_one();
    assert!(until_closed(&mut stream).await.ends_with("at last"));
}

#[tokio::test]
async fn a_plain_request_to_the_tls_port_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(vec![Identity::ecdsa().write(folder.path(), "server")]);
    let running = Running::start(Some(tls), &[]).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await.unwrap();
    stream.shutdown().await.unwrap();
    let told = until_closed(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{told}");
    assert!(told.ends_with("This port speaks HTTPS, not HTTP.\r\n"), "{told}");
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let running = Running::start(None, &[]).await;
    let error = listener::bind(running.address).unwrap_err();
    let expected =
        format!("{} is in use: another server, or another Northgate, listens there", running.address);
    assert_eq!(error.to_string(), expected);
}

/// A client of this family parses each piece that it receives on its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_and_body_are_in_one_tls_record() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let running = Running::start(Some(tls(vec![identity.write(folder.path(), "server")])), &[]).await;
    let (address, client) = (running.address, identity.trusting());
    let read = move || first_record_of_an_answer(TcpStream::connect(address).unwrap(), client);
    let record = tokio::task::spawn_blocking(read).await.unwrap();
    assert!(record.starts_with("HTTP/1.1 200 OK\r\n") && record.ends_with("\r\n\r\nhere"), "{record}");
}

/// Gives rustls one record at a time, and so sees what each of them held.
fn first_record_of_an_answer(mut stream: TcpStream, client: Arc<ClientConfig>) -> String {
    let mut tls = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
    tls.writer().write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    loop {
        while tls.wants_write() {
            tls.write_tls(&mut stream).unwrap();
        }
        let mut record = vec![0; 5];
        stream.read_exact(&mut record).unwrap();
        let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
        record.resize(5 + length, 0);
        stream.read_exact(&mut record[5..]).unwrap();
        tls.read_tls(&mut record.as_slice()).unwrap();
        let held = tls.process_new_packets().unwrap().plaintext_bytes_to_read();
        if held > 0 {
            let mut plain = vec![0; held];
            tls.reader().read_exact(&mut plain).unwrap();
            return String::from_utf8(plain).unwrap();
        }
    }
}
