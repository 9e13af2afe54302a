//! Evidence of possession with a call: a certificate that the gateway states, or a DPoP proof.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use northgate_core::allow;
use northgate_core::clock::Timestamp;
use northgate_core::possession::Evidence;
use northgate_core::token::{Binding, Claims};
use northgate_core::verify::VerifyError;
use rustls::pki_types::CertificateDer;

use super::Refusal;
use super::credentials::{Credentials, Scheme};
use crate::config::verify::TrustedHeaders;
use crate::http::dpop::{self, ProofError};
use crate::http::gateway::{GatewayHeader, Repeated};
use crate::tls::client_certificate::thumbprint;

/// Collects all evidence that a token can be bound to.
pub(super) fn check(
    credentials: &Credentials<'_>,
    claims: &Claims,
    call: Option<allow::Call<'_>>,
    headers: &HeaderMap,
    trusted: TrustedHeaders,
    now: Timestamp,
) -> Result<Vec<Evidence>, Refusal> {
    match credentials.scheme {
        Scheme::Bearer => Ok(certificate(headers, trusted).into_iter().collect()),
        // RFC 9449 §7.1: a token with the scheme DPoP has to be bound to a key.
        Scheme::Dpop if !matches!(claims.binding, Some(Binding::Key(_))) => Err(VerifyError::NotShown.into()),
        Scheme::Dpop => {
            let proof = single(headers, GatewayHeader::Dpop).map_err(|Repeated| ProofError::Two)?;
            let uri = call.and_then(|call| uri(call.target(), headers, trusted));
            let (call, uri) = call.zip(uri).ok_or(ProofError::NoCall)?;
            let call =
                dpop::Call { method: call.method(), uri: &uri, access_token: Some(credentials.access_token) };
            let proof = proof.ok_or(ProofError::Missing)?;
            Ok(vec![Evidence::Key(dpop::verify(proof.as_bytes(), &call, now)?)])
        }
    }
}

/// The certificate on the client's connection, where the gateway sets or removes the header that states it.
pub(crate) fn certificate(headers: &HeaderMap, trusted: TrustedHeaders) -> Option<Evidence> {
    let thumbprints = [
        trusted.client_cert.then(|| of_certificate(headers)).flatten(),
        trusted.client_cert_thumbprint.then(|| of_thumbprint(headers)).flatten(),
    ];
    thumbprints.into_iter().flatten().next().map(Evidence::Certificate)
}

/// `Client-Cert: :base64 of the DER:` (RFC 9440 §2.2).
fn of_certificate(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = single(headers, GatewayHeader::ClientCert).ok()??;
    let text = text.strip_prefix(':')?.strip_suffix(':')?;
    Some(thumbprint(&CertificateDer::from(STANDARD.decode(text).ok()?)))
}

/// `X-Client-Cert-Thumbprint: SHA-256 of the DER in base64url`.
fn of_thumbprint(headers: &HeaderMap) -> Option<[u8; 32]> {
    let text = single(headers, GatewayHeader::XClientCertThumbprint).ok()??;
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The URI of a call: https and the request's `Host`, unless a trusted header of the gateway says otherwise.
fn uri(target: &str, headers: &HeaderMap, trusted: TrustedHeaders) -> Option<String> {
    let said = |is_trusted: bool, header| match is_trusted {
        true => single(headers, header).ok(),
        false => Some(None),
    };
    let scheme = said(trusted.forwarded_proto, GatewayHeader::XForwardedProto)?.unwrap_or("https");
    let host = match said(trusted.forwarded_host, GatewayHeader::XForwardedHost)? {
        Some(host) => host,
        None => single(headers, GatewayHeader::Host).ok()??,
    };
    Some(format!("{scheme}://{host}{target}"))
}

/// A value that is not text counts as missing.
fn single(headers: &HeaderMap, header: GatewayHeader) -> Result<Option<&str>, Repeated> {
    Ok(header.single(headers)?.and_then(|value| value.to_str().ok()))
}
