//! The call that a gateway asks about.
//!
//! Each gateway names it in its own way, and a client may forge the headers of the other ways: a request that names two calls, or
//! half of one, is refused.

use axum::http::{HeaderMap, Method};
use northgate_core::allow::{AmbiguousPath, Call};

use crate::http::gateway::GatewayHeader;

/// nginx, HAProxy and Envoy, as in our files; then Traefik and Caddy.
const NAMED_IN: [(GatewayHeader, GatewayHeader); 2] = [
    (GatewayHeader::XOriginalMethod, GatewayHeader::XOriginalUri),
    (GatewayHeader::XForwardedMethod, GatewayHeader::XForwardedUri),
];

/// Reason why a request of a gateway names no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error(transparent)]
    Ambiguous(#[from] AmbiguousPath),
    #[error("the headers name two calls, or half of one: the gateway passes on a client's headers")]
    Contradictory,
}

/// The call, if all its names agree; `None` if nothing names it. `target` is the part of the request's own path that names the
/// call; then the request's method is the call's.
pub(crate) fn call<'r>(
    method: &'r Method,
    target: Option<&'r str>,
    headers: &'r HeaderMap,
) -> Result<Option<Call<'r>>, CallError> {
    let mut named = target.map(|target| (method.as_str(), target));
    for (method, uri) in NAMED_IN {
        if !method.is_in(headers) && !uri.is_in(headers) {
            continue;
        }
        let other = only(headers, method).zip(only(headers, uri)).ok_or(CallError::Contradictory)?;
        if named.replace(other).is_some_and(|first| first != other) {
            return Err(CallError::Contradictory);
        }
    }
    Ok(named.map(|(method, target)| Call::parse(method, target)).transpose()?)
}

fn only(headers: &HeaderMap, header: GatewayHeader) -> Option<&str> {
    header.single(headers).ok()??.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const NGINX: [(&str, &str); 2] = [("x-original-method", "GET"), ("x-original-uri", "/a?b")];
    const CADDY: [(&str, &str); 2] = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?b")];

    fn named(
        target: Option<&str>,
        lines: &[(&'static str, &'static str)],
    ) -> Result<Option<(String, String)>, CallError> {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let call = call(&Method::GET, target, &headers)?;
        Ok(call.map(|call| (call.method().to_owned(), call.target().to_owned())))
    }

    #[test]
    fn each_gateway_names_the_call_in_its_way() {
        let it = Ok(Some(("GET".to_owned(), "/a?b".to_owned())));
        assert_eq!(named(None, &NGINX), it);
        assert_eq!(named(None, &CADDY), it);
        assert_eq!(named(Some("/a?b"), &[]), it);
        assert_eq!(named(Some("/a?b"), &[NGINX, CADDY].concat()), it);
        assert_eq!(named(None, &[]), Ok(None));
    }

    #[test]
    fn half_of_a_call_or_two_calls_are_refused() {
        let contradictory = Err(CallError::Contradictory);
        assert_eq!(named(Some("/other"), &NGINX), contradictory);
        let two = [&NGINX[..], &[("x-forwarded-method", "PUT"), CADDY[1]]].concat();
        assert_eq!(named(None, &two), contradictory);
        assert_eq!(named(None, &[NGINX[0], NGINX[1], NGINX[1]]), contradictory);
        assert_eq!(named(None, &NGINX[..1]), contradictory);
        assert_eq!(named(Some("/a?b"), &NGINX[1..]), contradictory);
        assert_eq!(named(None, &[&CADDY[..], &NGINX[1..]].concat()), contradictory);
    }

    #[test]
    fn an_ambiguous_path_is_refused_however_the_call_is_named() {
        let ambiguous = Err(CallError::Ambiguous(AmbiguousPath));
        assert_eq!(named(None, &[NGINX[0], ("x-original-uri", "/a/../b")]), ambiguous);
        assert_eq!(named(None, &[CADDY[0], ("x-forwarded-uri", "/a/..;/b?c")]), ambiguous);
        assert_eq!(named(Some("/a//b"), &[]), ambiguous);
    }
}
