//! A client that sends exactly the bytes it is given, and that gets to see one TLS record at a time.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use northgate_testkit::northgate::Northgate;

/// Longer than any answer of ours.
const ANSWER_MAX: usize = 16 * 1024;

const MOMENT: Duration = Duration::from_millis(20);

/// A connection that stays open.
pub struct Wire(StreamOwned<ClientConnection, Records>);

impl Wire {
    pub fn open(server: &Northgate) -> Wire {
        let file = fs::read(server.home.path().join("northgate-data/tls/cert.pem")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&file).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = Records { stream: TcpStream::connect(server.public).unwrap(), left: 0 };
        Wire(StreamOwned::new(ClientConnection::new(Arc::new(client), name).unwrap(), stream))
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
        self.0.flush().unwrap();
    }

    /// What one read finds, which is what one record holds: a client of this family parses that on its own.
    pub fn record(&mut self) -> String {
        let mut bytes = vec![0; ANSWER_MAX];
        let length = self.0.read(&mut bytes).unwrap();
        bytes.truncate(length);
        String::from_utf8(bytes).unwrap()
    }

    /// An answer, held to have come whole in one record; its status, its head and its body.
    pub fn answer(&mut self) -> (u16, String, String) {
        let answer = self.record();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        assert_eq!(body.len(), length.map_or(0, |length| length.parse().unwrap()), "{answer:?}");
        (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
    }

    /// Ends what this side has to say, as TLS does it, and still listens.
    pub fn say_no_more(&mut self) {
        self.0.conn.send_close_notify();
        self.0.flush().unwrap();
        self.0.sock.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Whether there is something to read, or comes soon.
    pub fn has_said_something(&mut self) -> bool {
        let stream = &self.0.sock.stream;
        stream.set_read_timeout(Some(MOMENT)).unwrap();
        let peeked = stream.peek(&mut [0]);
        stream.set_read_timeout(None).unwrap();
        // An error of another kind is the reader's.
        !matches!(peeked, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Whether the server has closed the connection, once everything that it said was read.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// A POST to an operation; without a content type where that is empty.
pub fn post(path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!("POST /iocm/app/sec/v1.1.0/{path} HTTP/1.1\r\nHost: h\r\n");
    if !content_type.is_empty() {
        request += &format!("Content-Type: {content_type}\r\n");
    }
    request += &format!("Content-Length: {}\r\n\r\n", body.len());
    [request.as_bytes(), body].concat()
}

/// A stream of which each read ends at the end of a TLS record, at the latest.
struct Records {
    stream: TcpStream,
    /// Of the record that has begun.
    left: usize,
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut head = [0; 5];
            if self.stream.peek(&mut head)? == 0 {
                return Ok(0);
            }
            self.stream.read_exact(&mut head)?;
            self.left = usize::from(u16::from_be_bytes([head[3], head[4]]));
            buffer[..head.len()].copy_from_slice(&head);
            return Ok(head.len());
        }
        let wanted = self.left.min(buffer.len());
        let length = self.stream.read(&mut buffer[..wanted])?;
        self.left -= length;
        Ok(length)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
