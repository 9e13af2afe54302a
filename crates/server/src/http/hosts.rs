//! Host check of the private listener, against DNS rebinding: a page in a browser on the same machine can resolve its own name to
//! our address and read the answers, but its requests carry its name in `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Request};

use crate::tls::Tls;

/// The names of the private listener.
pub struct Hosts {
    /// From the setting `admin_hosts`, in lower case.
    names: Vec<String>,
    /// The names in its certificate count, too.
    tls: Option<Arc<Tls>>,
}

/// Reason why a request is not for this listener, or comes from a foreign page; for the log and the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    #[error(
        "this listener does not have the name in Host: use localhost, an IP address or a name in its certificate, or add the name to admin_hosts"
    )]
    UnknownHost,
    #[error(
        "the requesting page (Origin) does not belong to this listener: add its name to admin_hosts if it is yours"
    )]
    ForeignOrigin,
}

impl Hosts {
    pub fn new(names: Vec<String>, tls: Option<Arc<Tls>>) -> Hosts {
        Hosts { names, tls }
    }

    /// Checks `Host` and `Origin`. A request without `Host` does not come from a browser, and passes. `/verify` takes any: a
    /// gateway may pass on those of the call, and the answer depends on a token that the sender already has.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), HostError> {
        let path = request.uri().path();
        if path.strip_prefix("/verify").is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Ok(());
        }
        let in_target = request.uri().authority().map(|authority| authority.as_str());
        let Some(host) = in_target.or_else(|| text(request.headers(), HOST.as_str())) else { return Ok(()) };
        if !self.is_ours(name(host)) {
            return Err(HostError::UnknownHost);
        }
        let mut origins = request.headers().get_all(ORIGIN).iter();
        let is_ours = |origin: &[u8]| std::str::from_utf8(origin).is_ok_and(|text| self.is_own(text, host));
        match origins.all(|origin| is_ours(origin.as_bytes())) {
            true => Ok(()),
            false => Err(HostError::ForeignOrigin),
        }
    }

    /// An attacker cannot make an IP address resolve to this machine.
    fn is_ours(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        address.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || self.names.contains(&host)
            || self.tls.as_ref().is_some_and(|tls| tls.is_named(&host))
    }

    /// Whether the page belongs to this listener, or to a gateway in front of it that the setting names.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        authority.is_some_and(|authority| {
            authority.eq_ignore_ascii_case(host) || self.names.contains(&name(authority).to_ascii_lowercase())
        })
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The part before the port.
fn name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, host: &str, origin: Option<&str>) -> Result<(), HostError> {
        let hosts = Hosts::new(vec!["console.example".to_owned()], None);
        let mut request = Request::builder().uri(target).header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        hosts.check(&request.body(()).expect("a request"))
    }

    #[test]
    fn the_listener_answers_to_addresses_localhost_and_configured_names() {
        for host in
            ["localhost", "LOCALHOST.:8744", "127.0.0.1:8744", "[::1]:1", "10.0.0.7", "console.example:443"]
        {
            assert_eq!(check("/metrics", host, None), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost", "127.0.0.1x"]
        {
            assert_eq!(check("/metrics", host, None), Err(HostError::UnknownHost), "{host}");
        }
        // The host of the request target counts, if there is one (RFC 9112 §3.2.2).
        assert_eq!(check("http://evil.example/metrics", "localhost", None), Err(HostError::UnknownHost));
    }

    #[test]
    fn a_page_of_another_origin_reads_nothing() {
        assert_eq!(check("/metrics", "localhost:8744", Some("http://localhost:8744")), Ok(()));
        assert_eq!(check("/metrics", "localhost:8744", Some("https://console.example")), Ok(()));
        for origin in
            ["http://evil.example", "null", "http://localhost:3000", "", "http://console.example.evil"]
        {
            let checked = check("/metrics", "localhost:8744", Some(origin));
            assert_eq!(checked, Err(HostError::ForeignOrigin), "{origin}");
        }
    }

    #[test]
    fn verify_takes_the_host_and_the_origin_of_the_call() {
        for target in ["/verify", "/verify?style=oauth", "/verify/iocm/app"] {
            assert_eq!(check(target, "evil.example", Some("http://evil.example")), Ok(()), "{target}");
        }
        assert_eq!(check("/verifyx", "evil.example", None), Err(HostError::UnknownHost));
    }
}
