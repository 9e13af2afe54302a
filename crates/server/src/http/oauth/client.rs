//! Client authentication at the OAuth endpoints (RFC 6749 §2.3): exactly one method in a request.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use northgate_core::admit::{Caller, Proof};
use northgate_core::app_id::AppId;
use northgate_core::assertion::Assertion;
use northgate_core::credential::PresentedCertificate;
use northgate_core::possession::Possession;
use northgate_core::secret::SecretText;

use super::assertion::{self, AssertionError};
use super::error::{Code, Denial, denial};
use super::form::{self, Form};
use crate::http::dpop::DPOP;
use crate::http::observe;
use crate::outcome::Outcome;
use crate::tls::client_certificate::ClientCertificate;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The sender of a request apart from its body, kept while that is read.
pub struct Sender {
    from: IpAddr,
    certificate: Option<ClientCertificate>,
    authorization: Vec<HeaderValue>,
    /// Its proofs of possession; at most one is meant.
    pub dpop: Vec<HeaderValue>,
}

impl Sender {
    pub fn of(request: &Request) -> Sender {
        let all = |name: HeaderName| request.headers().get_all(name).iter().cloned().collect();
        let certificate = request.extensions().get().cloned();
        Sender {
            from: observe::peer(request.extensions()).address,
            certificate,
            authorization: all(AUTHORIZATION),
            dpop: all(DPOP),
        }
    }
}

/// A client as it presents itself.
pub struct Client {
    pub app: AppId,
    auth: ClientAuth,
    certificate: Option<PresentedCertificate>,
    from: IpAddr,
}

enum ClientAuth {
    Secret(SecretText),
    /// With the audiences that it may have.
    Assertion(Box<Assertion>, [String; 3]),
    Certificate,
}

/// Reason why no client can be identified, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    #[error("the client authenticates by more than one method")]
    TwoMethods,
    #[error("the header Authorization is repeated")]
    TwoHeaders,
    #[error("client_id in the body is not the client of the header Authorization")]
    OtherClient,
    #[error("the client presents no credentials")]
    Anonymous,
    #[error("the header Authorization is not Basic with a client and its secret")]
    Basic,
    #[error("there is client_assertion or client_assertion_type, and not the other")]
    HalfAssertion,
    #[error("client_assertion_type is not that of a JWT")]
    AssertionType,
    #[error("the assertion is malformed: {0}")]
    Assertion(AssertionError),
    #[error("client_id or client_secret is longer than 256 characters or has a control character")]
    Text,
}

impl Client {
    /// The client that sent `form`; its assertion may have one of `audiences`.
    pub fn find(form: &Form, sender: &Sender, audiences: [String; 3]) -> Result<Client, ClientError> {
        let client_id = form.find("client_id");
        let basic = basic(&sender.authorization)?;
        let (app, auth) = match (basic, form.find("client_secret"), assertion(form)?) {
            (Some((app, secret)), None, None) => {
                if client_id.is_some_and(|client_id| client_id != app) {
                    return Err(ClientError::OtherClient);
                }
                (app, ClientAuth::Secret(parse_secret(&secret)?))
            }
            (None, Some(secret), None) => (
                client_id.ok_or(ClientError::Anonymous)?.to_owned(),
                ClientAuth::Secret(parse_secret(secret)?),
            ),
            (None, None, Some(text)) => {
                let assertion = assertion::parse(text).map_err(ClientError::Assertion)?;
                let app = client_id.unwrap_or(&assertion.subject).to_owned();
                (app, ClientAuth::Assertion(Box::new(assertion), audiences))
            }
            // A client id alone: the certificate on the connection has to authenticate it.
            (None, None, None) if sender.certificate.is_some() => {
                (client_id.ok_or(ClientError::Anonymous)?.to_owned(), ClientAuth::Certificate)
            }
            (None, None, None) => return Err(ClientError::Anonymous),
            (_, _, _) => return Err(ClientError::TwoMethods),
        };
        let app = AppId::parse(&app).map_err(|_| ClientError::Text)?;
        let certificate = sender.certificate.as_ref().map(|shown| auth.need(shown));
        Ok(Client { app, auth, certificate, from: sender.from })
    }

    /// The client in the form of the rules.
    pub fn caller(&self) -> Caller<'_> {
        let proof = match &self.auth {
            ClientAuth::Secret(secret) => Proof::Secret(secret),
            ClientAuth::Assertion(assertion, audiences) => Proof::Assertion(assertion, audiences),
            ClientAuth::Certificate => Proof::Certificate,
        };
        let (certificate, possession) = (self.certificate.as_ref(), Possession::NotAsked);
        Caller { app: &self.app, proof, certificate, possession, from: self.from }
    }
}

impl ClientAuth {
    /// The parts of the certificate that the rules need. Trusting its names costs a few verifications.
    fn need(&self, shown: &ClientCertificate) -> PresentedCertificate {
        let names = match self {
            ClientAuth::Certificate => shown.names(),
            ClientAuth::Secret(_) | ClientAuth::Assertion(..) => Vec::new(),
        };
        PresentedCertificate { thumbprint: shown.thumbprint(), names, expires_at: shown.expires_at() }
    }
}

/// The assertion of a request that has one (RFC 7521 §4.2).
fn assertion(form: &Form) -> Result<Option<&str>, ClientError> {
    match (form.find("client_assertion_type"), form.find("client_assertion")) {
        (None, None) => Ok(None),
        (Some(JWT_BEARER), Some(text)) => Ok(Some(text)),
        (Some(_), Some(_)) => Err(ClientError::AssertionType),
        (None, Some(_)) | (Some(_), None) => Err(ClientError::HalfAssertion),
    }
}

fn parse_secret(text: &str) -> Result<SecretText, ClientError> {
    SecretText::parse(text).map_err(|_| ClientError::Text)
}

/// The client id and secret of `Authorization: Basic`, each form-encoded before they were joined (RFC 6749 §2.3.1). Other schemes
/// are ignored: some clients send an old access token with everything.
pub fn basic(authorization: &[HeaderValue]) -> Result<Option<(String, String)>, ClientError> {
    let value = match authorization {
        [] => return Ok(None),
        [value] => value.as_bytes(),
        [_, _, ..] => return Err(ClientError::TwoHeaders),
    };
    let Some((scheme, encoded)) = value.split_at_checked(b"Basic ".len()) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(b"Basic ") {
        return Ok(None);
    }
    let joined = STANDARD.decode(encoded.trim_ascii()).map_err(|_| ClientError::Basic)?;
    let colon = joined.iter().position(|byte| *byte == b':').ok_or(ClientError::Basic)?;
    let half = |raw| form::decoded(raw).map_err(|_| ClientError::Basic);
    Ok(Some((half(&joined[..colon])?, half(&joined[colon + 1..])?)))
}

impl From<ClientError> for Denial {
    fn from(error: ClientError) -> Denial {
        let (code, description, outcome) = match error {
            ClientError::TwoMethods => {
                (Code::InvalidRequest, "A client must authenticate in one way only.", Outcome::InvalidInput)
            }
            ClientError::TwoHeaders => {
                (Code::InvalidRequest, "Authorization must be there once only.", Outcome::InvalidInput)
            }
            ClientError::OtherClient => {
                (Code::InvalidRequest, "client_id is not the client of Authorization.", Outcome::InvalidInput)
            }
            ClientError::Anonymous => {
                (Code::InvalidClient, "The client did not authenticate.", Outcome::MissingField)
            }
            ClientError::HalfAssertion => (
                Code::InvalidRequest,
                "client_assertion and client_assertion_type come together.",
                Outcome::InvalidInput,
            ),
            ClientError::Basic => (
                Code::InvalidClient,
                "Authorization is not Basic with client_id and client_secret, each encoded as in a form.",
                Outcome::InvalidInput,
            ),
            ClientError::Text => (
                Code::InvalidClient,
                "client_id or client_secret is longer than 256 characters or has a control character.",
                Outcome::InvalidInput,
            ),
            ClientError::AssertionType => (
                Code::InvalidClient,
                "client_assertion_type must be urn:ietf:params:oauth:client-assertion-type:jwt-bearer.",
                Outcome::InvalidInput,
            ),
            ClientError::Assertion(error) => {
                (Code::InvalidClient, error.description(), Outcome::InvalidInput)
            }
        };
        denial(code, description, outcome, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Result<Option<(String, String)>, ClientError> {
        basic(&[HeaderValue::from_str(value).expect("a header")])
    }

    #[test]
    fn both_halves_of_basic_are_decoded_after_they_were_split() {
        let encoded = STANDARD.encode("a%3Ab:p+q%2B:r");
        let halves = Ok(Some(("a:b".to_owned(), "p q+:r".to_owned())));
        assert_eq!(of(&format!("Basic {encoded}")), halves);
        assert_eq!(of(&format!("basic  {encoded} ")), halves);
    }

    #[test]
    fn another_scheme_is_not_looked_at_and_a_broken_basic_is_refused() {
        assert_eq!(of("Bearer abc"), Ok(None));
        assert_eq!(of("Basic"), Ok(None));
        for broken in ["Basic ", "Basic ???", "Basic YWJj", "Basic JWZmOmE="] {
            assert_eq!(of(broken), Err(ClientError::Basic), "{broken}");
        }
    }
}
