//! A client that sends exactly the bytes it is given.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// An answer as it came.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// A member of the body, which is JSON with strings.
    pub fn member(&self, name: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    /// That this is what was said, to the byte.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, &self.body[..]), (status, body), "{}", self.head);
    }
}

/// A connection that stays open.
pub struct Socket(TcpStream);

impl Socket {
    pub async fn open(to: SocketAddr) -> Socket {
        Socket(TcpStream::connect(to).await.unwrap())
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The head of the next answer, with the empty line.
    pub async fn head(&mut self) -> String {
        head(&mut self.0).await
    }

    /// The next answer.
    pub async fn answer(&mut self) -> Answer {
        answer(&mut self.0).await
    }

    /// Whether the server has closed the connection, once everything it said is read.
    pub async fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]).await, Ok(0) | Err(_))
    }
}

/// The next answer on a connection of any kind.
pub async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> Answer {
    let head = head(stream).await;
    let status = head[9..12].parse().unwrap();
    let mut answer = Answer { status, head, body: String::new() };
    assert_eq!(answer.header("Transfer-Encoding"), None, "{}", answer.head);
    let length = answer.header("Content-Length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    answer.body = String::from_utf8(body).unwrap();
    answer
}

async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap_or_else(|error| panic!("{error} after {head:?}")));
    }
    String::from_utf8(head).unwrap()
}

/// One request over a new connection.
pub async fn ask(to: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let mut socket = Socket::open(to).await;
    socket.send(request).await;
    socket.answer().await
}

/// The same from another of this machine's own addresses.
pub async fn ask_from(from: Ipv4Addr, to: SocketAddr, request: impl AsRef<[u8]>) -> Answer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((from, 0).into()).unwrap();
    let mut socket = Socket(socket.connect(to).await.unwrap());
    socket.send(request).await;
    socket.answer().await
}

/// A POST with this content type, or none where it is empty.
pub fn post(path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: northgate\r\n").into_bytes();
    if !content_type.is_empty() {
        request.extend_from_slice(format!("Content-Type: {content_type}\r\n").as_bytes());
    }
    request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}
