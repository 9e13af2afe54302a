//! PROXY protocol, versions 1 and 2: the header in which a proxy states the client of a connection.
//!
//! <https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>

use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::config::proxies::canonical;

/// The length of version 2's signature. It is shorter than the shortest header of version 1, so that reading it takes no byte of
/// TLS.
const SIGNATURE: usize = 12;
/// The part of a version 2 header before its addresses.
const FIXED: usize = 16;
/// The longest header of version 1, as specified.
pub(crate) const V1_MAX: usize = 107;
/// The longest header of version 2. The TLVs may hold a client certificate; other ones are some hundred bytes.
pub(crate) const V2_MAX: usize = 8 * 1024;

/// The client of a connection, as the proxy states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    Client(SocketAddr),
    /// The proxy itself: a health check (LOCAL).
    Proxy,
    /// A client whose address the proxy does not know or cannot state: UNKNOWN, UNSPEC, or a Unix socket.
    Unknown,
}

/// Failure to read a header.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("the header is malformed")]
    Malformed,
    #[error("the connection ended within the header")]
    Incomplete(#[from] io::Error),
}

/// Reads exactly the header.
pub(super) async fn read(stream: &mut TcpStream) -> Result<Declared, HeaderError> {
    let mut header = vec![0; SIGNATURE];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(FIXED, 0);
        stream.read_exact(&mut header[SIGNATURE..]).await?;
        let length = FIXED + usize::from(u16::from_be_bytes([header[FIXED - 2], header[FIXED - 1]]));
        if length > V2_MAX {
            return Err(HeaderError::Malformed);
        }
        header.resize(length, 0);
        stream.read_exact(&mut header[FIXED..]).await?;
    } else if header.starts_with(b"PROXY ") {
        read_line(stream, &mut header).await?;
    } else {
        return Err(HeaderError::Malformed);
    }
    parse(&header)
}

/// Parses a whole header of either version.
pub(crate) fn parse(header: &[u8]) -> Result<Declared, HeaderError> {
    if header.starts_with(v2::PROTOCOL_PREFIX) { binary(header) } else { text(header) }
}

/// Reads to the end of the line. It peeks, since TLS follows the line.
async fn read_line(stream: &mut TcpStream, header: &mut Vec<u8>) -> Result<(), HeaderError> {
    while header.last() != Some(&b'\n') {
        let begin = header.len();
        if begin >= V1_MAX {
            return Err(HeaderError::Malformed);
        }
        header.resize(V1_MAX, 0);
        let there = stream.peek(&mut header[begin..]).await?;
        if there == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let newline = header[begin..begin + there].iter().position(|byte| *byte == b'\n');
        header.truncate(begin + newline.map_or(there, |position| position + 1));
        stream.read_exact(&mut header[begin..]).await?;
    }
    Ok(())
}

fn text(header: &[u8]) -> Result<Declared, HeaderError> {
    let header = v1::Header::try_from(header).map_err(|_| HeaderError::Malformed)?;
    Ok(match header.addresses {
        v1::Addresses::Unknown => Declared::Unknown,
        v1::Addresses::Tcp4(ip) => client(SocketAddr::from((ip.source_address, ip.source_port))),
        v1::Addresses::Tcp6(ip) => client(SocketAddr::from((ip.source_address, ip.source_port))),
    })
}

fn binary(header: &[u8]) -> Result<Declared, HeaderError> {
    let header = v2::Header::try_from(header).map_err(|_| HeaderError::Malformed)?;
    let states_client = matches!(header.addresses, v2::Addresses::IPv4(_) | v2::Addresses::IPv6(_));
    if states_client && header.command == v2::Command::Proxy && header.tlvs().any(|tlv| tlv.is_err()) {
        return Err(HeaderError::Malformed);
    }
    match (header.command, header.addresses, header.protocol) {
        // A receiver ignores the family and the addresses of LOCAL.
        (v2::Command::Local, _, _) => Ok(Declared::Proxy),
        (v2::Command::Proxy, v2::Addresses::Unspecified, _)
        | (v2::Command::Proxy, v2::Addresses::Unix(_), v2::Protocol::Stream) => Ok(Declared::Unknown),
        (v2::Command::Proxy, v2::Addresses::IPv4(ip), v2::Protocol::Stream) => {
            Ok(client(SocketAddr::from((ip.source_address, ip.source_port))))
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ip), v2::Protocol::Stream) => {
            Ok(client(SocketAddr::from((ip.source_address, ip.source_port))))
        }
        // TCP carries no datagrams.
        (
            v2::Command::Proxy,
            v2::Addresses::Unix(_) | v2::Addresses::IPv4(_) | v2::Addresses::IPv6(_),
            v2::Protocol::Unspecified | v2::Protocol::Datagram,
        ) => Err(HeaderError::Malformed),
    }
}

fn client(address: SocketAddr) -> Declared {
    Declared::Client(canonical(address))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    /// The parsed header of `bytes`, and the bytes after it. With `pause`, they arrive one by one.
    async fn exchange(bytes: &[u8], pause: bool) -> (Result<Declared, HeaderError>, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.set_nodelay(true).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let send = async {
            for piece in bytes.chunks(if pause { 1 } else { bytes.len().max(1) }) {
                // A closed peer wants no more.
                let _ = client.write_all(piece).await;
                if pause {
                    tokio::time::sleep(Duration::from_micros(200)).await;
                }
            }
            let _ = client.shutdown().await;
        };
        let (declared, ()) = tokio::join!(read(&mut stream), send);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        (declared, rest)
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[0x20 | command, family], &length, addresses].concat()
    }

    fn declared(address: &str) -> Declared {
        Declared::Client(address.parse().unwrap())
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x22, 0x27];

    fn v6(source: &str) -> Vec<u8> {
        let source: std::net::Ipv6Addr = source.parse().unwrap();
        [&source.octets()[..], &[0; 16], &[0x12, 0x67], &[0x22, 0x27]].concat()
    }

    #[tokio::test]
    async fn a_header_states_the_client_and_leaves_what_follows() {
        let tlvs = [&V4[..], &[0x04, 0x01, 0x00], &[b'x'; 256], &[0xEA, 0, 1, 9]].concat();
        let cases = [
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8743\r\n".to_vec(), declared("192.0.2.7:4711")),
            (b"PROXY TCP6 2001:db8::7 ::1 4711 8743\r\n".to_vec(), declared("[2001:db8::7]:4711")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 8743\r\n".to_vec(), declared("192.0.2.7:4711")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Declared::Unknown),
            (b"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n".to_vec(), Declared::Unknown),
            (v2(1, 0x11, &V4), declared("192.0.2.7:4711")),
            (v2(1, 0x11, &tlvs), declared("192.0.2.7:4711")),
            (v2(1, 0x21, &v6("2001:db8::7")), declared("[2001:db8::7]:4711")),
            (v2(1, 0x21, &v6("::ffff:192.0.2.7")), declared("192.0.2.7:4711")),
            (v2(1, 0x00, &[]), Declared::Unknown),
            (v2(1, 0x00, &[9; 40]), Declared::Unknown),
            (v2(1, 0x31, &[0; 216]), Declared::Unknown),
            (v2(0, 0x00, &[]), Declared::Proxy),
            (v2(0, 0x11, &V4), Declared::Proxy),
            (v2(0, 0x31, &[0; 216]), Declared::Proxy),
        ];
        for (header, expected) in cases {
            for pause in [false, true] {
                let (found, rest) = exchange(&[&header[..], b"\x16\x03\x01tls"].concat(), pause).await;
                assert_eq!(found.unwrap(), expected, "{}", header.escape_ascii());
                assert_eq!(rest, b"\x16\x03\x01tls", "{}", header.escape_ascii());
            }
        }
    }

    #[tokio::test]
    async fn a_malformed_header_is_refused() {
        let long = format!("PROXY TCP4 192.0.2.7 198.51.100.1 4711 8743{}\r\n", " ".repeat(80));
        for header in [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random".to_vec(),
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 8743\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.256 198.51.100.1 4711 8743\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::7 ::1 4711 8743\r\n".to_vec(),
            b"PROXY TCP6 192.0.2.7 198.51.100.1 4711 8743\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8743\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 198.51.100.1 4711 8743\r\n".to_vec(),
            b"proxy TCP4 192.0.2.7 198.51.100.1 4711 8743\r\n".to_vec(),
            b"PROXY \xff\xff\xff\xff 1 2 3 4\r\n".to_vec(),
            long.into_bytes(),
            b"PROXY UNKNOWN ".iter().copied().chain([b'x'; 200]).collect(),
            v2(1, 0x11, &V4[..11]),
            v2(1, 0x11, &[&V4[..], &[0x04, 0xFF, 0xFF]].concat()),
            v2(1, 0x11, &[&V4[..], &[0x04, 0x00]].concat()),
            v2(1, 0x12, &V4),
            v2(1, 0x10, &V4),
            v2(1, 0x13, &V4),
            v2(1, 0x41, &V4),
            v2(1, 0x21, &V4),
            v2(1, 0x31, &[0; 215]),
            v2(2, 0x11, &V4),
            v2(0xF, 0x11, &V4),
            [v2::PROTOCOL_PREFIX, &[0x11, 0x11, 0, 12], &V4].concat(),
            v2(1, 0x11, &[0; V2_MAX]),
        ] {
            let (found, _) = exchange(&header, false).await;
            assert!(matches!(found, Err(HeaderError::Malformed)), "{found:?} {}", header.escape_ascii());
        }
    }

    #[tokio::test]
    async fn a_header_that_ends_early_is_incomplete() {
        let headers = [b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 8743\r\n".to_vec(), v2(1, 0x11, &V4)];
        for header in headers {
            for length in [0, 1, 11, 12, 15, 16, header.len() - 1] {
                let (found, _) = exchange(&header[..length], false).await;
                assert!(matches!(found, Err(HeaderError::Incomplete(_))), "{length}: {found:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0..3_u8) {
            let begin: &[u8] = match version { 0 => b"", 1 => b"PROXY TCP4 ", _ => v2::PROTOCOL_PREFIX };
            let bytes = [begin, &bytes].concat();
            let _ = text(&bytes);
            let _ = binary(&bytes);
        }
    }
}
