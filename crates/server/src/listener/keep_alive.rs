//! Keep-Alive header: announces a shorter idle timeout than the server's, so that the client gives the connection up first.
//!
//! A request on a connection that is being closed is lost, and clients do not repeat a POST by themselves.

use std::time::Duration;

use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const CONNECTION_KEEP_ALIVE: HeaderValue = HeaderValue::from_static("keep-alive");

/// The header value, made once for a listener; `None` where the idle timeout is too short.
#[derive(Clone)]
pub(super) struct KeepAlive(Option<HeaderValue>);

impl KeepAlive {
    /// The announcement for `idle_time`: a twelfth less and at least a second, in which the last answer and the next request are
    /// on their way.
    pub fn before(idle_time: Duration) -> KeepAlive {
        let margin = (idle_time / 12).max(Duration::from_secs(1));
        let seconds = idle_time.saturating_sub(margin).as_secs();
        let value = (seconds > 0).then(|| HeaderValue::try_from(format!("timeout={seconds}")));
        KeepAlive(value.transpose().expect("a number is plain text"))
    }

    /// Whether the client of `request` keeps its connection (RFC 9112 §9.3). With `Content-Length` beside `Transfer-Encoding`,
    /// hyper hides the former and closes the connection (§6.1): nothing is announced after a chunked body.
    pub fn is_wanted<B>(&self, request: &Request<B>) -> bool {
        if request.headers().contains_key(TRANSFER_ENCODING) {
            return false;
        }
        match request.headers().get(CONNECTION) {
            None => request.version() == Version::HTTP_11,
            Some(options) => options.as_bytes().eq_ignore_ascii_case(b"keep-alive"),
        }
    }

    /// Adds the header to an answer that does not close the connection. It is hop-by-hop, and is named in `Connection` (RFC 9110
    /// §7.6.1).
    pub fn announce(&self, headers: &mut HeaderMap) {
        if let Some(timeout) = &self.0
            && !headers.contains_key(CONNECTION)
        {
            headers.insert(CONNECTION, CONNECTION_KEEP_ALIVE);
            headers.insert(KEEP_ALIVE, timeout.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_below_the_idle_time() {
        for (idle_s, announced) in
            [(150, Some("timeout=137")), (75, Some("timeout=68")), (2, Some("timeout=1")), (1, None)]
        {
            let KeepAlive(value) = KeepAlive::before(Duration::from_secs(idle_s));
            assert_eq!(value.as_ref().and_then(|value| value.to_str().ok()), announced);
        }
    }
}
