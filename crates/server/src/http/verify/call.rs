//! Which call it is that a gateway asks about, for the allow rules.
//!
//! Each gateway has its own way to say it, and a client can write the headers of the others: where two ways say
//! different things, or one says only half, nobody is believed.

use axum::http::{HeaderMap, Method};
use northgate_core::allow::Call;

/// nginx and HAProxy, as our files set them up; then Traefik and Caddy.
const TOLD_IN: [(&str, &str); 2] =
    [("x-original-method", "x-original-uri"), ("x-forwarded-method", "x-forwarded-uri")];

/// The call, if all that is said of it says the same. `target` is what the question's own address holds of it, and
/// then the question's method is the call's (Envoy).
pub(super) fn call<'r>(
    method: &'r Method,
    target: Option<&'r str>,
    headers: &'r HeaderMap,
) -> Option<Call<'r>> {
    let mut told = target.map(|target| Call { method: method.as_str(), target });
    for (method, uri) in TOLD_IN {
        if !headers.contains_key(method) && !headers.contains_key(uri) {
            continue;
        }
        let said = Call { method: only(headers, method)?, target: only(headers, uri)? };
        if told.replace(said).is_some_and(|other| other != said) {
            return None;
        }
    }
    told
}

fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const NGINX: [(&str, &str); 2] = [("x-original-method", "GET"), ("x-original-uri", "/a?b")];
    const CADDY: [(&str, &str); 2] = [("x-forwarded-method", "GET"), ("x-forwarded-uri", "/a?b")];

    fn told(target: Option<&str>, lines: &[(&'static str, &'static str)]) -> Option<(String, String)> {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let call = call(&Method::GET, target, &headers)?;
        Some((call.method.to_owned(), call.target.to_owned()))
    }

    #[test]
    fn each_gateway_says_it_in_its_way() {
        let it = Some(("GET".to_owned(), "/a?b".to_owned()));
        assert_eq!(told(None, &NGINX), it);
        assert_eq!(told(None, &CADDY), it);
        assert_eq!(told(Some("/a?b"), &[]), it);
        assert_eq!(told(Some("/a?b"), &[NGINX, CADDY].concat()), it);
        assert_eq!(told(None, &[]), None);
    }

    #[test]
    fn who_says_half_of_it_or_two_things_is_not_believed() {
        assert_eq!(told(Some("/other"), &NGINX), None);
        assert_eq!(told(None, &[&NGINX[..], &[("x-forwarded-method", "PUT"), CADDY[1]]].concat()), None);
        assert_eq!(told(None, &[NGINX[0], NGINX[1], NGINX[1]]), None);
        assert_eq!(told(None, &NGINX[..1]), None);
        assert_eq!(told(Some("/a?b"), &NGINX[1..]), None);
        assert_eq!(told(None, &[&CADDY[..], &NGINX[1..]].concat()), None);
    }
}
