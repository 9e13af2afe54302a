//! `[oauth]`: the server's names for OAuth clients.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use northgate_core::text::check_text;

use crate::config::ConfigError;
use crate::config::layers::Settings;

/// The path of the token endpoint, relative to the issuer.
pub const TOKEN: &str = "/oauth2/token";

const HTTPS: u16 = 443;

/// The addresses that `localhost` resolves to.
const LOCALHOST: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The settings as configured; a missing issuer follows from the address that the public listener gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuthSettings {
    issuer: Option<Issuer>,
    audience: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OAuth {
    pub issuer: Issuer,
    /// The audience of signed access tokens.
    pub audience: String,
}

/// The name of this server: an https URL without query, fragment and final slash (RFC 8414 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

impl OAuthSettings {
    pub(super) fn take(settings: &mut Settings) -> Result<OAuthSettings, ConfigError> {
        let instead = "\"\" or the URL that clients reach the public listener by, such as \"https://tokens.example.com\" or \"https://example.com/tokens\": without query, fragment, final slash and empty segments";
        let issuer = settings.text("oauth.issuer", instead, |text| match text {
            "" => Some(None),
            url => Issuer::parse(url).map(Some),
        })?;
        let instead =
            "\"\" or the URL that the platform's APIs are reached by, such as \"https://api.example.com\"";
        let audience = settings.text("oauth.audience", instead, |text| match text {
            "" => Some(None),
            text => check_text(text).is_ok().then(|| Some(text.to_owned())),
        })?;
        Ok(OAuthSettings { issuer, audience })
    }

    /// Without an issuer, the public listener's address is the issuer, which works on this machine only.
    pub fn at(&self, listen: SocketAddr) -> OAuth {
        let issuer = self.issuer.clone().unwrap_or_else(|| Issuer::of(listen));
        let audience = self.audience.clone().unwrap_or_else(|| issuer.0.clone());
        OAuth { issuer, audience }
    }
}

impl OAuth {
    /// The accepted audiences of an assertion for the endpoint at `path`: the issuer, the token endpoint, or the endpoint itself
    /// (RFC 7523 §3, RFC 7523bis).
    pub fn audiences(&self, path: &str) -> [String; 3] {
        let issuer = self.issuer.as_str();
        [issuer.to_owned(), format!("{issuer}{TOKEN}"), format!("{issuer}{path}")]
    }
}

impl Issuer {
    /// Parses an issuer.
    pub fn parse(url: &str) -> Option<Issuer> {
        let (authority, path) = parts(url)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~/".contains(c);
        let is_good = host_and_port(authority).is_some() && path.chars().all(is_plain);
        // Every path that a client builds from it must be a route of ours in canonical form.
        let is_segment = |segment: &str| !matches!(segment, "" | "." | ".." | ".well-known");
        (is_good && path.split('/').skip(1).all(is_segment)).then(|| Issuer(url.to_owned()))
    }

    fn of(listen: SocketAddr) -> Issuer {
        let host = match listen.ip() {
            // `localhost` does not resolve to other loopback addresses.
            ip if ip.is_unspecified() || LOCALHOST.contains(&ip) => "localhost".to_owned(),
            _ => SocketAddr::new(listen.ip(), 0).to_string().trim_end_matches(":0").to_owned(),
        };
        Issuer(format!("https://{host}:{}", listen.port()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a client on this machine reaches `listen` by this URL. A DNS name may lead anywhere.
    pub fn leads_to(&self, listen: SocketAddr) -> bool {
        let Some((host, port)) = parts(&self.0).and_then(|(authority, _)| host_and_port(authority)) else {
            return false;
        };
        let addresses = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if host.eq_ignore_ascii_case("localhost") => LOCALHOST.to_vec(),
            Err(_) => return true,
        };
        let listens_on = |address: &IpAddr| listen.ip().is_unspecified() || listen.ip() == *address;
        port == listen.port() && addresses.iter().any(listens_on)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        let (authority, _) = parts(&self.0).unwrap_or_default();
        format!("https://{authority}")
    }

    /// The part after host and port; usually empty.
    pub fn path(&self) -> &str {
        parts(&self.0).map_or("", |(_, path)| path)
    }
}

fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("https://")?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

/// The host and the port of an authority without user information (RFC 3986 §3.2).
fn host_and_port(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        Some(_) | None => (authority, HTTPS),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.chars().all(is_name),
    };
    is_host.then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_https_url_without_query_fragment_and_final_slash() {
        for good in ["https://a", "https://a.example:8743", "https://a/b/c", "https://[::1]:8743"] {
            assert_eq!(Issuer::parse(good).map(|issuer| issuer.0).as_deref(), Some(good));
        }
        assert_eq!(Issuer::parse("https://a:1/b/c").expect("good").path(), "/b/c");
        for bad in ["http://a", "https://", "https:///b", "https://a/", "https://a?b", "https://a#b", "a"]
            .into_iter()
            .chain([
                "https://a//b",
                "https://a/b//c",
                "https://a/./b",
                "https://a/b/..",
                "https://a/.well-known/b",
                // No client could connect to these; the start accepted them.
                "https://a:",
                "https://a:0",
                "https://a:99999",
                "https://a:b",
                "https://:1",
                "https://::1",
                "https://[::1",
                "https://[a]",
            ])
        {
            assert_eq!(Issuer::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn without_one_the_listener_is_the_issuer() {
        let of = |listen: &str| Issuer::of(listen.parse().expect("an address")).0;
        assert_eq!(of("0.0.0.0:8743"), "https://localhost:8743");
        assert_eq!(of("192.0.2.1:443"), "https://192.0.2.1:443");
        // `localhost` is 127.0.0.1, where nothing listens then.
        assert_eq!(of("127.0.0.2:8743"), "https://127.0.0.2:8743");
        assert_eq!(of("[2001:db8::1]:80"), "https://[2001:db8::1]:80");
    }

    #[test]
    fn an_issuer_that_cannot_be_reached_at_the_listener_is_known() {
        let leads = |issuer: &str, listen: &str| {
            Issuer::parse(issuer).expect("an issuer").leads_to(listen.parse().expect("an address"))
        };
        for (issuer, listen) in [
            ("https://localhost:8743", "127.0.0.1:8743"),
            ("https://localhost:8743/a", "[::]:8743"),
            ("https://192.0.2.1", "192.0.2.1:443"),
            ("https://[::1]:1", "[::1]:1"),
            // A name may lead to a load balancer, with any port.
            ("https://tokens.example.com", "0.0.0.0:8743"),
        ] {
            assert!(leads(issuer, listen), "{issuer} {listen}");
        }
        for (issuer, listen) in [
            ("https://localhost:8743", "127.0.0.1:9743"),
            ("https://localhost", "127.0.0.1:8743"),
            ("https://localhost:8743", "192.0.2.1:8743"),
            ("https://127.0.0.1:8743", "127.0.0.2:8743"),
            ("https://[::1]:8743", "127.0.0.1:8743"),
        ] {
            assert!(!leads(issuer, listen), "{issuer} {listen}");
        }
    }
}
