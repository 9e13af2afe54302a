//! A client that speaks plain HTTP to a TLS port gets a sentence, as from nginx, and not a riddle.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Every TLS connection begins with a handshake record (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 22;

/// What is read and thrown away at most: closing with unread bytes would reset the connection before the answer arrives.
const READ_AWAY_MAX: u64 = 64 * 1024;

const ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS, not HTTP.\r\n";

/// Looks at the first byte without taking it.
pub(super) async fn speaks_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1) if first[0] == HANDSHAKE_RECORD)
}

/// Answers what looks like HTTP and closes; the time limit is the handshake's.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let mut first = [0];
    if !matches!(stream.peek(&mut first).await, Ok(1) if first[0].is_ascii_uppercase()) {
        return;
    }
    // Whether the answer arrives is the client's business; the connection is over either way.
    let _ = stream.write_all(ANSWER).await;
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(READ_AWAY_MAX), &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
