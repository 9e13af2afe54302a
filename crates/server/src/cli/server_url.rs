//! The URL of `--server`: a private listener on another machine.

use std::net::IpAddr;

use hyper::Uri;

use crate::http_client::Origin;

/// The port of the private listener, where the URL has none.
const PORT: u16 = 8744;

/// Reason why a text is no such URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    #[error("it is not a URL: write https://host:port")]
    Malformed,
    #[error("it has more than scheme, host and port: write https://host:port")]
    TooMuch,
    #[error("http would send the admin token in clear to another machine: write https")]
    Clear,
}

/// Parses the URL.
///
/// # Errors
/// [`ServerUrlError`], with what to write.
pub fn parse(text: &str) -> Result<Origin, ServerUrlError> {
    let uri: Uri = text.parse().map_err(|_| ServerUrlError::Malformed)?;
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if has_user || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
        return Err(ServerUrlError::TooMuch);
    }
    let url = Origin::of(&uri, PORT).ok_or(ServerUrlError::Malformed)?;
    let is_local = url.host == "localhost" || url.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if url.is_tls || is_local { Ok(url) } else { Err(ServerUrlError::Clear) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_maybe_a_port() {
        let parsed = |text: &str| parse(text).expect("a URL");
        assert_eq!(parsed("https://northgate.internal").authority(), "northgate.internal:8744");
        assert_eq!(parsed("https://192.0.2.1:443/").authority(), "192.0.2.1:443");
        assert_eq!(parsed("https://[2001:db8::1]:9").authority(), "[2001:db8::1]:9");
        assert!(!parsed("http://[::1]:9").is_tls);
    }

    #[test]
    fn a_url_that_says_more_or_less_is_refused() {
        for (text, error) in [
            ("northgate.internal:8744", ServerUrlError::Malformed),
            ("ftp://host", ServerUrlError::Malformed),
            ("https://", ServerUrlError::Malformed),
            ("https://host/admin/v1", ServerUrlError::TooMuch),
            ("https://user:secret@host", ServerUrlError::TooMuch),
            ("https://host?a=b", ServerUrlError::TooMuch),
            ("http://192.0.2.1", ServerUrlError::Clear),
            ("http://localhost.example", ServerUrlError::Clear),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
