//! The URL of `--server`: a private listener on another machine.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use hyper::Uri;
use rustls::pki_types::ServerName;

/// The port of the private listener, where the URL has none.
const PORT: u16 = 8744;

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
}

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

impl ServerUrl {
    /// The host as a certificate names it; `None` for no host at all.
    pub fn name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }

    /// Host and port as in a URL.
    pub fn authority(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<ServerUrl, ServerUrlError> {
        let uri: Uri = text.parse().map_err(|_| ServerUrlError::Malformed)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(ServerUrlError::Malformed),
        };
        let authority = uri.authority().ok_or(ServerUrlError::Malformed)?;
        if authority.as_str().contains('@') || uri.query().is_some() || uri.path() != "/" {
            return Err(ServerUrlError::TooMuch);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let url = ServerUrl { host, port: authority.port_u16().unwrap_or(PORT), is_tls };
        if url.name().is_none() {
            return Err(ServerUrlError::Malformed);
        }
        let is_local = url.host == "localhost" || url.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if is_tls || is_local { Ok(url) } else { Err(ServerUrlError::Clear) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_maybe_a_port() {
        let parsed = |text: &str| text.parse::<ServerUrl>().expect("a URL");
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
            assert_eq!(text.parse::<ServerUrl>(), Err(error), "{text}");
        }
    }
}
