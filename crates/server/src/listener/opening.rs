//! Classifies the first bytes of a connection: TLS, an outdated TLS version, plain HTTP, or something else.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Every TLS connection begins with a handshake record (RFC 8446, section 5.1), and that with a ClientHello.
const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// The extension that offers TLS 1.3, whatever version precedes it.
const SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_2: u16 = 0x0303;

/// The head of the record, the head of the ClientHello, and its version.
const VERSION_END: usize = 11;
/// The longest first record: its head and 16 KiB.
const RECORD_MAX: usize = 5 + 16 * 1024;
/// How often the rest of an old client's first record is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The most discarded bytes: closing with unread bytes would reset the connection before the answer arrives.
const DRAINED_MAX: u64 = 64 * 1024;

/// The answer to plain HTTP on a TLS port, as nginx gives it.
pub(crate) const HTTPS_ONLY: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 35\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS, not HTTP.\r\n";

/// The kinds of openings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Tls,
    /// A client that speaks nothing above TLS 1.1, with its highest version.
    OldTls(u16),
    PlainHttp,
    Other,
    /// The client closed before its first byte, as TCP health checks do.
    Nothing,
}

/// Peeks at the first bytes.
pub(super) async fn look(stream: &TcpStream) -> io::Result<Opening> {
    let mut begin = [0; VERSION_END];
    let there = stream.peek(&mut begin).await?;
    Ok(match &begin[..there] {
        [] => Opening::Nothing,
        [HANDSHAKE_RECORD, _, _, high, low, CLIENT_HELLO, _, _, _, major, minor] => {
            let version = u16::from_be_bytes([*major, *minor]);
            let length = 5 + usize::from(u16::from_be_bytes([*high, *low]));
            if version < TLS_1_2 && !offers_newer(stream, length).await? {
                Opening::OldTls(version)
            } else {
                Opening::Tls
            }
        }
        [HANDSHAKE_RECORD, ..] => Opening::Tls,
        // The ClientHello of SSL 2.0, in which Java 6 and OpenSSL 0.9.8 offer TLS 1.0.
        [first, _, CLIENT_HELLO, 3, minor, ..] if *first >= 128 => {
            Opening::OldTls(u16::from_be_bytes([3, *minor]))
        }
        [first, ..] if first.is_ascii_uppercase() => Opening::PlainHttp,
        [_, ..] => Opening::Other,
    })
}

/// Whether a ClientHello with an old version has the extension that overrides it (RFC 8446, section 4.2.1).
async fn offers_newer(stream: &TcpStream, length: usize) -> io::Result<bool> {
    let mut record = vec![0; length.min(RECORD_MAX)];
    loop {
        let there = stream.peek(&mut record).await?;
        if there == record.len() || there == 0 {
            return Ok(has_extension(&record[..there], SUPPORTED_VERSIONS));
        }
        // Peeking does not wait for more. The timeout of the handshake ends this.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Whether the ClientHello in a record has an extension.
fn has_extension(record: &[u8], wanted: u16) -> bool {
    let mut rest = record.get(VERSION_END + 32..).unwrap_or_default();
    let session = skip(&mut rest, 1);
    let suites = skip(&mut rest, 2);
    let compressions = skip(&mut rest, 1);
    let mut extensions = match (session, suites, compressions) {
        (Some(_), Some(_), Some(_)) => skip(&mut rest, 2).unwrap_or_default(),
        (_, _, _) => return false,
    };
    while let Some((kind, after)) = extensions.split_first_chunk() {
        if u16::from_be_bytes(*kind) == wanted {
            return true;
        }
        extensions = after;
        if skip(&mut extensions, 2).is_none() {
            return false;
        }
    }
    false
}

/// Takes a vector with a length of `width` bytes before it.
fn skip<'b>(rest: &mut &'b [u8], width: usize) -> Option<&'b [u8]> {
    let (length, after) = rest.split_at_checked(width)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    let (vector, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(vector)
}

/// The alert `protocol_version` for an old client, in a record of its own version, which it can read. rustls answers
/// `handshake_failure` to clients without the extension `signature_algorithms`.
pub(super) fn version_alert(version: u16) -> Vec<u8> {
    let [major, minor] = version.to_be_bytes();
    vec![21, major, minor, 0, 2, 2, 70]
}

/// Sends the last bytes, closes the sending side, and reads what the client still sends.
pub(super) async fn finish(mut stream: TcpStream, last: &[u8]) {
    // Whether they arrive does not matter: the connection is over either way.
    let _ = stream.write_all(last).await;
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(&mut stream.take(DRAINED_MAX), &mut tokio::io::sink()).await;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let text = std::str::from_utf8(HTTPS_ONLY).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }

    /// A record with a ClientHello with these extensions.
    fn hello(extensions: &[u8]) -> Vec<u8> {
        let before = [&[0; VERSION_END + 32][..], &[2, 1, 2], &[0, 4, 1, 2, 3, 4], &[1, 0]].concat();
        if extensions.is_empty() {
            return before;
        }
        let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
        [&before[..], &length, extensions].concat()
    }

    #[test]
    fn an_extension_is_found_behind_others_and_never_inside_one() {
        assert!(!has_extension(&hello(&[]), SUPPORTED_VERSIONS));
        assert!(has_extension(&hello(&[0, 43, 0, 3, 2, 3, 4]), SUPPORTED_VERSIONS));
        assert!(has_extension(&hello(&[0, 10, 0, 2, 0, 1, 0, 43, 0, 3, 2, 3, 4]), SUPPORTED_VERSIONS));
        assert!(!has_extension(&hello(&[0, 10, 0, 4, 0, 43, 0, 0]), SUPPORTED_VERSIONS));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            has_extension(&bytes, SUPPORTED_VERSIONS);
        }
    }
}
