//! What a call shows of its sender besides the token: a certificate, as the gateway says, or a key, by a proof.

use axum::http::header::HOST;
use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::allow;
use northgate_core::clock::Timestamp;
use northgate_core::possession::Evidence;
use northgate_core::token::{Binding, Claims};
use northgate_core::verify::VerifyError;

use super::Refusal;
use super::credentials::{Credentials, Scheme};
use crate::http::dpop::{self, DPOP, ProofError};

/// The SHA-256 of the certificate on the caller's connection, in base64url.
const X_CLIENT_CERT_THUMBPRINT: HeaderName = HeaderName::from_static("x-client-cert-thumbprint");

/// All that a token can be bound to and that the call shows.
pub(super) fn shown(
    credentials: &Credentials<'_>,
    claims: &Claims,
    call: Option<allow::Call<'_>>,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Vec<Evidence>, Refusal> {
    match credentials.scheme {
        Scheme::Bearer => Ok(certificate(headers).into_iter().collect()),
        // RFC 9449 §7.1: what is shown as bound to a key has to be.
        Scheme::Dpop if !matches!(claims.binding, Some(Binding::Key(_))) => Err(VerifyError::NotShown.into()),
        Scheme::Dpop => {
            let proof = single(headers, DPOP).map_err(|Two| ProofError::Two)?;
            let uri = call.and_then(|call| uri(call.target, headers));
            let (call, uri) = call.zip(uri).ok_or(ProofError::NoCall)?;
            let call =
                dpop::Call { method: call.method, uri: &uri, access_token: Some(credentials.access_token) };
            let proof = proof.ok_or(ProofError::Missing)?;
            Ok(vec![Evidence::Key(dpop::check(proof.as_bytes(), &call, now)?)])
        }
    }
}

/// What a gateway says that the caller has shown. It is believed, since only gateways reach this listener; a gateway must
/// not let one through that a client has written.
fn certificate(headers: &HeaderMap) -> Option<Evidence> {
    let text = single(headers, X_CLIENT_CERT_THUMBPRINT).ok()??;
    Some(Evidence::Certificate(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
}

/// The whole URI of a call, from what the gateway says of its scheme and host, else https and our own `Host`.
fn uri(target: &str, headers: &HeaderMap) -> Option<String> {
    let named = |name| single(headers, HeaderName::from_static(name)).ok();
    let scheme = named("x-forwarded-proto")?.unwrap_or("https");
    let host = match named("x-forwarded-host")? {
        Some(host) => host,
        None => single(headers, HOST).ok()??,
    };
    Some(format!("{scheme}://{host}{target}"))
}

/// That a header is there twice, so that it could be either.
struct Two;

fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Two> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => Ok(value.to_str().ok()),
        (Some(_), Some(_)) => Err(Two),
    }
}
