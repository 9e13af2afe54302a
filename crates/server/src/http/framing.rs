//! Checks of request heads that hyper does not make: `Host` (RFC 9112 §3.2) and `Transfer-Encoding` (§6.1).

use std::net::Ipv6Addr;

use axum::http::header::{HOST, TRANSFER_ENCODING};
use axum::http::{Request, Version};

/// Reason why a head is refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    #[error("the header Host is missing, which HTTP/1.1 demands")]
    NoHost,
    #[error("the header Host is repeated")]
    TwoHosts,
    #[error("the header Host is not a host name or address with an optional port")]
    BadHost,
    /// hyper accepts any list that ends with `chunked`, and would pass on a compressed body.
    #[error("Transfer-Encoding is not chunked alone")]
    TransferCoding,
}

/// Checks the head of `request`. hyper removes `Content-Length` beside `Transfer-Encoding`, and closes the connection after the
/// answer.
pub fn check<B>(request: &Request<B>) -> Result<(), FramingError> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_10 => {}
        (None, _) => return Err(FramingError::NoHost),
        (Some(host), None) if is_host(host.as_bytes()) => {}
        (Some(_), None) => return Err(FramingError::BadHost),
        (Some(_), Some(_)) => return Err(FramingError::TwoHosts),
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        (Some(_), _) => Err(FramingError::TransferCoding),
    }
}

/// A name of letters, digits, `-`, `_`, `~` and dots, or an IPv6 address in brackets, and optionally a port. RFC 3986 would allow
/// `%41` and `!` in names; no server has such a name.
fn is_host(host: &[u8]) -> bool {
    if let Some(rest) = host.strip_prefix(b"[") {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        let address = std::str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && is_port(&rest[end + 1..]);
    }
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let end = host.iter().position(|byte| !is_plain(byte)).unwrap_or(host.len());
    let (name, port) = host.split_at(end);
    let has_empty_label = name.starts_with(b".") || name.windows(2).any(|two| two == b"..");
    !name.is_empty() && !has_empty_label && is_port(port)
}

/// Empty, or `:` and a port number.
fn is_port(text: &[u8]) -> bool {
    let Some(digits) = text.strip_prefix(b":") else { return text.is_empty() };
    let digits = std::str::from_utf8(digits).unwrap_or("-");
    digits.is_empty() || (digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for good in
            ["a", "a.example", "A-1.b_c.", "a:8743", "a:", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443"]
        {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        let bad = "|a b|a/b|a,b|a@b|http://a|a:b|a:-1|a:65536|a:1:2|::1|[::1|[::1]x|[a]|.a|a..b|a%2f|a\\b|\"a\"|<a>|a?|a#|é";
        for bad in bad.split('|') {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
