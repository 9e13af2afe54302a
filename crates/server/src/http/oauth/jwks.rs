//! GET jwks: the public keys that sign access tokens or will sign the next ones (RFC 7517), of the algorithms in use only.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::{Api, answer};
use crate::jose::jwk;

const JWK_SET: HeaderValue = HeaderValue::from_static("application/jwk-set+json");

pub async fn jwks(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response<Body> {
    let keyring = api.auth.keyring();
    let now = api.clock.now();
    let algorithms = api.auth.published_algorithms(now);
    let set = jwk::set(algorithms.into_iter().flat_map(|algorithm| keyring.published(algorithm, now)));
    let name = URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, set.as_bytes()).as_ref()[..12]);
    let etag = HeaderValue::try_from(format!("\"{name}\"")).expect("base64url is plain text");
    let mut answer = if headers.get(IF_NONE_MATCH) == Some(&etag) {
        answer::empty(StatusCode::NOT_MODIFIED)
    } else {
        answer::json(StatusCode::OK, set)
    };
    // A client that fetched the set just before a rotation fetches it again before the new key is used.
    let max_age_s = api.auth.key_lead().as_secs() / 2;
    let cache =
        HeaderValue::try_from(format!("public, max-age={max_age_s}")).expect("a number is plain text");
    let all = answer.headers_mut();
    all.insert(CACHE_CONTROL, cache);
    all.insert(ETAG, etag);
    all.insert(CONTENT_TYPE, JWK_SET);
    answer
}
