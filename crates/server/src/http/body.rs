//! Reads a request's body within bounds of size and time.

use std::time::Duration;

use axum::BoxError;
use axum::body::{Bytes, HttpBody};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::http::status::ErrorStatus;

/// The most bytes of an unneeded body that are read, so that the connection can serve the next request.
const DISCARD_MAX: usize = 64 * 1024 * 1024;

/// Bounds on the size and the time of a body.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub size: usize,
    pub time: Duration,
}

/// A body with its media type.
pub struct Received {
    content_type: Option<HeaderValue>,
    pub bytes: Bytes,
}

impl Received {
    /// The value of the header `Content-Type`.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_ref().map(HeaderValue::as_bytes)
    }
}

/// Reason why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error("the body is too large")]
    TooLarge,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("the body is incomplete or its chunks are malformed")]
    Broken,
    #[error("Content-Encoding is not identity: the body is compressed")]
    ContentCoding,
}

impl Unread {
    /// The status, where bodies have these media types.
    pub fn status(self, media_types: &'static str) -> ErrorStatus {
        match self {
            Unread::TooLarge => ErrorStatus::ContentTooLarge,
            Unread::TooSlow => ErrorStatus::RequestTimeout,
            Unread::Broken => ErrorStatus::BadRequest,
            Unread::ContentCoding => ErrorStatus::UnsupportedMediaType(media_types),
        }
    }
}

/// A body from the connection or by way of the router.
pub trait Arriving: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin> Arriving for B {}

/// Reads the body of `request`. By reference, here and in the callers: a future contains all its arguments, twice in each
/// function that passes them on, and is copied as a whole.
pub async fn read<B: Arriving>(request: &mut Request<B>, bounds: Bounds) -> Result<Received, Unread> {
    let deadline = Instant::now() + bounds.time;
    if is_coded(request.headers()) {
        return Err(Unread::ContentCoding);
    }
    // The lower bound is the announced length. The connection discards the rest and closes in stages; for a client that asks
    // first (`Expect: 100-continue`) the answer itself is the reply.
    if request.body().size_hint().lower() > bounds.size as u64 {
        return Err(Unread::TooLarge);
    }
    match timeout_at(deadline, whole(request.body_mut(), bounds.size)).await {
        Ok(Ok(bytes)) => Ok(Received { content_type: request.headers_mut().remove(CONTENT_TYPE), bytes }),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Ok(Err(_)) => Err(Unread::Broken),
        Err(_) => Err(Unread::TooSlow),
    }
}

/// Whether a body is compressed. `identity` is no coding, and some clients name it (RFC 9110 §8.4).
fn is_coded(headers: &HeaderMap) -> bool {
    let is_identity = |coding: &[u8]| {
        let coding = coding.trim_ascii();
        coding.is_empty() || coding.eq_ignore_ascii_case(b"identity")
    };
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    !values.all(|value| value.as_bytes().split(|byte| *byte == b',').all(is_identity))
}

/// Nearly every body comes in one piece, which is then not copied.
async fn whole(body: &mut impl Arriving, size: usize) -> Result<Bytes, BoxError> {
    let mut body = Limited::new(body, size);
    let first = match body.frame().await {
        Some(frame) => frame?.into_data().unwrap_or_default(),
        None => return Ok(Bytes::new()),
    };
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = body.collect().await?.to_bytes();
    Ok(if rest.is_empty() { first } else { [first, rest].concat().into() })
}

/// Discards the body of a request whose answer does not depend on it. A client that asks before it sends gets `100 Continue`:
/// otherwise the answer would have to end the connection.
pub async fn pass_over(mut request: Request<impl Arriving>, bounds: Bounds) {
    discard(request.body_mut(), Instant::now() + bounds.time).await;
}

async fn discard(body: &mut impl Arriving, deadline: Instant) {
    let discarding = async {
        let mut left = DISCARD_MAX;
        while let Some(Ok(frame)) = body.frame().await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    };
    // Complete or timed out, the answer is the same.
    let _ = timeout_at(deadline, discarding).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};

    const BOUNDS: Bounds = Bounds { size: 4, time: Duration::from_secs(10) };

    /// A body in pieces without a length, which then ends or hangs.
    struct Pieces {
        left: usize,
        hangs: bool,
    }

    impl hyper::body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match (self.left, self.hangs) {
                (0, true) => Poll::Pending,
                (0, false) => Poll::Ready(None),
                (_, _) => {
                    self.left -= 1;
                    Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"xy")))))
                }
            }
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::default()
        }
    }

    async fn read_of(body: Body) -> Result<Bytes, Unread> {
        read(&mut Request::new(body), BOUNDS).await.map(|received| received.bytes)
    }

    /// With a timeout of zero.
    async fn read_now(body: Body) -> Result<Bytes, Unread> {
        let bounds = Bounds { time: Duration::ZERO, ..BOUNDS };
        read(&mut Request::new(body), bounds).await.map(|received| received.bytes)
    }

    #[tokio::test]
    async fn a_body_of_just_the_limit_is_read_and_one_byte_more_is_not() {
        assert_eq!(read_of(Body::from("1234")).await, Ok(Bytes::from_static(b"1234")));
        assert_eq!(read_of(Body::from("12345")).await, Err(Unread::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_does_not_say_its_length_is_measured_while_it_comes() {
        let pieces = |left| Body::new(Pieces { left, hangs: false });
        assert_eq!(read_of(pieces(2)).await, Ok(Bytes::from_static(b"xyxy")));
        assert_eq!(read_of(pieces(3)).await, Err(Unread::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_too_slow() {
        assert_eq!(read_now(Body::new(Pieces { left: 1, hangs: true })).await, Err(Unread::TooSlow));
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_and_does_not_end_is_too_large() {
        assert_eq!(read_now(Body::new(Pieces { left: 9, hangs: true })).await, Err(Unread::TooLarge));
    }
}
