//! What call a gateway asks about: its method and its URI, from the headers in which gateways say so.

use axum::http::HeaderMap;
use axum::http::header::HOST;

use super::only;

/// The method and the whole URI. The gateway sets these headers itself: what a client put into them is gone.
pub fn of(headers: &HeaderMap) -> Option<(&str, String)> {
    let named = |one, other| match only(headers, one)? {
        Some(value) => Some(Some(value)),
        None => only(headers, other),
    };
    let method = named("x-original-method", "x-forwarded-method")??;
    let uri = named("x-original-uri", "x-forwarded-uri")??;
    if uri.contains("://") {
        return Some((method, uri.to_owned()));
    }
    let scheme = only(headers, "x-forwarded-proto")?.unwrap_or("https");
    let host = named("x-forwarded-host", HOST.as_str())??;
    uri.starts_with('/').then(|| (method, format!("{scheme}://{host}{uri}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_call_is_found_however_gateways_say_it() {
        let whole = Some(("GET", "https://a/b?c".to_owned()));
        assert_eq!(
            of(&headers(&[("x-original-method", "GET"), ("x-original-uri", "https://a/b?c"), ("host", "x")])),
            whole
        );
        let forwarded = headers(&[
            ("x-forwarded-method", "GET"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a"),
            ("x-forwarded-uri", "/b?c"),
            ("host", "x"),
        ]);
        assert_eq!(of(&forwarded), whole);
        assert_eq!(
            of(&headers(&[("x-original-method", "GET"), ("x-original-uri", "/b?c"), ("host", "a")])),
            whole
        );
    }

    #[test]
    fn a_call_that_could_be_another_is_none() {
        for lines in [
            &[("x-original-uri", "https://a/b")][..],
            &[("x-original-method", "GET")],
            &[("x-original-method", "GET"), ("x-original-uri", "b"), ("host", "a")],
            &[("x-original-method", "GET"), ("x-original-uri", "/b")],
        ] {
            assert_eq!(of(&headers(lines)), None, "{lines:?}");
        }
        let mut twice = headers(&[("x-original-method", "GET"), ("x-original-uri", "https://a/b")]);
        twice.append("x-original-uri", HeaderValue::from_static("https://a/c"));
        assert_eq!(of(&twice), None);
    }
}
