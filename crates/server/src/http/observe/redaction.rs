//! Log redaction: a line shows our own words and registered appIds of a request, and no other text of its client. A misconfigured
//! client puts its secret into a path, a parameter name or the place of the appId.

use std::fmt;

use axum::http::{Method, Uri};
use northgate_core::app_id::AppId;

use super::Observed;
use crate::outcome::Outcome;

/// Segments of the paths of both listeners, beside those that an operator configures.
const WORDS: [&str; 49] = [
    "iocm",
    "app",
    "sec",
    "v1.1.0",
    "login",
    "refreshToken",
    "logout",
    "api",
    "v3.0",
    "auth",
    "tokens",
    "oauth2",
    "token",
    "introspect",
    "revoke",
    "jwks",
    ".well-known",
    "oauth-authorization-server",
    "openid-configuration",
    "verify",
    "revocations",
    "metrics",
    "health",
    "live",
    "ready",
    "admin",
    "v1",
    "reload",
    "applications",
    "freeze",
    "unfreeze",
    "secrets",
    "retire",
    "credentials",
    "keys",
    "rotate",
    "backup",
    "import",
    "clock",
    "repair",
    "status",
    "attention",
    "console",
    "sign-in",
    "sign-out",
    "assets",
    "settings",
    "new-application",
    "",
];

/// The most segments shown of a path; ours have fewer.
const SEGMENTS_MAX: usize = 12;

const METHODS: [Method; 9] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
    Method::CONNECT,
    Method::PATCH,
    Method::TRACE,
];

/// The known appIds and configured paths, which may be shown.
pub struct Redaction {
    configured: Vec<String>,
    is_registered: Box<dyn Fn(&AppId) -> bool + Send + Sync>,
}

impl Redaction {
    /// Also shows the segments of `paths`, and the appIds of registered applications.
    pub fn new(paths: &[&str], is_registered: impl Fn(&AppId) -> bool + Send + Sync + 'static) -> Redaction {
        let segments = paths.iter().flat_map(|path| path.split('/')).map(str::to_owned);
        Redaction { configured: segments.collect(), is_registered: Box::new(is_registered) }
    }

    /// The method, or `other`.
    pub(super) fn method(&self, method: &Method) -> &'static str {
        // `as_str` of a constant borrows from it, so that the words are repeated here.
        let words = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "PATCH", "TRACE"];
        let known = METHODS.iter().position(|known| known == method);
        known.map_or("other", |index| words[index])
    }

    /// The path with `*` in place of each segment that is not ours.
    pub(super) fn path<'u>(&'u self, uri: &'u Uri) -> Path<'u> {
        Path { path: uri.path(), redaction: self }
    }

    /// The appId, if it is registered. A successful request needs no lookup.
    pub(super) fn application<'o>(&self, observed: &'o Observed) -> Option<&'o AppId> {
        let application = observed.application.as_ref()?;
        match observed.outcome {
            Outcome::Ok | Outcome::Replayed | Outcome::CaughtUp | Outcome::AlreadyOver => Some(application),
            Outcome::Rejected
            | Outcome::Frozen
            | Outcome::Refused
            | Outcome::Forbidden
            | Outcome::Reused
            | Outcome::Throttled
            | Outcome::MissingField
            | Outcome::InvalidInput
            | Outcome::TooLarge
            | Outcome::TooSlow
            | Outcome::Busy
            | Outcome::Unavailable
            | Outcome::NotFound
            | Outcome::WrongMethod
            | Outcome::Failed
            | Outcome::HungUp => (self.is_registered)(application).then_some(application),
        }
    }

    fn is_ours(&self, segment: &str) -> bool {
        WORDS.contains(&segment) || self.configured.iter().any(|known| known == segment)
    }
}

/// A redacted path.
pub(super) struct Path<'u> {
    path: &'u str,
    redaction: &'u Redaction,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut segments = self.path.strip_prefix('/').unwrap_or(self.path).split('/');
        for segment in segments.by_ref().take(SEGMENTS_MAX) {
            f.write_str("/")?;
            f.write_str(if self.redaction.is_ours(segment) { segment } else { "*" })?;
        }
        f.write_str(if segments.next().is_some() { "/…" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction() -> Redaction {
        Redaction::new(&["/cvmp", ""], |app| app.as_str() == "a1")
    }

    #[test]
    fn a_path_shows_our_own_words_and_nothing_else() {
        for (path, shown) in [
            ("/iocm/app/sec/v1.1.0/login", "/iocm/app/sec/v1.1.0/login"),
            ("/cvmp/iocm/app/sec/v1.1.0/logn", "/cvmp/iocm/app/sec/v1.1.0/*"),
            ("/s3cret/oauth2/token?s3cret", "/*/oauth2/token"),
            ("/admin/v1/applications/a1/freeze", "/admin/v1/applications/*/freeze"),
            ("/", "/"),
            ("*", "/*"),
            ("/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "/*/*/*/*/*/*/*/*/*/*/*/*/…"),
        ] {
            assert_eq!(redaction().path(&path.parse().expect("a URI")).to_string(), shown);
        }
    }

    // Lines about the clock and the status of the admin API said `/admin/*`.
    #[test]
    fn every_documented_path_is_shown_but_for_its_parameters() {
        let document = include_str!("../../../../../docs/openapi.yaml");
        let paths = document.lines().filter_map(|line| line.strip_prefix("  /")?.strip_suffix(':'));
        let mut shown = 0;
        for segment in paths.flat_map(|path| path.split('/')).filter(|segment| !segment.starts_with('{')) {
            assert!(redaction().is_ours(segment), "{segment}");
            shown += 1;
        }
        assert!(shown > 60, "the document is not read");
    }

    #[test]
    fn a_method_is_one_of_the_standard_or_another() {
        let words = METHODS.map(|method| redaction().method(&method) == method.as_str());
        assert_eq!(words, [true; 9]);
        assert_eq!(redaction().method(&Method::from_bytes(b"S3CRET").expect("a method")), "other");
    }
}
