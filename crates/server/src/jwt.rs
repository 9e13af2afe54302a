//! Signed access tokens (RFC 9068): the claims of an opaque token as a JWT, which gateways can verify offline.

pub mod signature_cache;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::app_id::AppId;
use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::grant::{GrantId, GrantKey};
use northgate_core::keyring::Keyring;
use northgate_core::signing::{self, Algorithm};
use northgate_core::token::{Binding, Claims, Kind, TokenError};
use serde::{Deserialize, Serialize};

use crate::config::oauth::OAuth;
use crate::jose::jws::{self, Jws, JwsError};
use signature_cache::SignatureCache;

/// The media type of an access token (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";

/// The longest token that is parsed. Issued tokens stay below 1,000 characters; an appId may add 3,000, issuer and audience
/// some more. Most gateways reject a request head with a longer one.
const LONGEST: usize = 8_192;

/// The JOSE header. Other members are rejected, `crit` included (RFC 7515 §4.1.11): no issued token has any.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    typ: String,
    alg: String,
    kid: String,
}

/// The claims of an access token (RFC 9068 §2.2).
#[derive(Serialize, Deserialize)]
struct Payload {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: u64,
    exp: u64,
    jti: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    northgate: GrantClaim,
}

/// The confirmation claim `cnf` (RFC 7800 §3.1): `x5t#S256` of a certificate (RFC 8705 §3.1) or `jkt` of a DPoP key (RFC 9449 §6.1).
#[derive(Serialize, Deserialize)]
enum Confirmation {
    #[serde(rename = "x5t#S256")]
    Certificate(String),
    #[serde(rename = "jkt")]
    Key(String),
}

/// The grant of the token, in the terms of the revocation feed, so that a gateway can reject revoked tokens.
#[derive(Serialize, Deserialize)]
struct GrantClaim {
    application: u32,
    grant: String,
    generation: u32,
}

/// Whether `token` has the form of a JWT. Opaque tokens have no dot.
pub fn is_jwt(token: &str) -> bool {
    token.contains('.')
}

/// The `jti` of an authenticated token, for introspection; of an opaque token, the first half of its SHA-256.
pub fn identifier(token: &str) -> String {
    let payload = Jws::split(token).and_then(|jws| jws.payload::<Payload>()).ok();
    payload.map_or_else(
        || URL_SAFE_NO_PAD.encode(&digest(&SHA256, token.as_bytes()).as_ref()[..16]),
        |payload| payload.jti,
    )
}

/// Mints a JWT with `claims` for the application `app`, signed by the key that is current at `now`.
pub fn mint(
    claims: &Claims,
    app: &AppId,
    algorithm: Algorithm,
    names: &OAuth,
    keyring: &Keyring,
    now: Timestamp,
) -> String {
    let key = keyring.signing(algorithm, now);
    let header =
        Header { typ: TYPE.to_owned(), alg: algorithm.as_str().to_owned(), kid: key.kid().to_owned() };
    let payload = Payload {
        iss: names.issuer.as_str().to_owned(),
        aud: names.audience.clone(),
        sub: app.as_str().to_owned(),
        client_id: app.as_str().to_owned(),
        iat: claims.issued_at.as_millis() / 1000,
        exp: claims.expires_at.as_millis() / 1000,
        jti: signing::unique(),
        scope: "default".to_owned(),
        cnf: claims.binding.map(Confirmation::of),
        northgate: GrantClaim {
            application: claims.grant.application.0,
            grant: claims.grant.id.to_string(),
            generation: claims.generation,
        },
    };
    jws::sign(&header, &payload, |signed| key.sign(signed))
}

/// Authenticates a JWT: verifies its signature, type, issuer and audience, and returns its claims.
///
/// Expiry and revocation are not checked here: `core/src/verify.rs` does so for tokens in both forms.
pub fn authenticate(
    token: &str,
    names: &OAuth,
    keyring: &Keyring,
    signatures: &SignatureCache,
) -> Result<Claims, TokenError> {
    if token.len() > LONGEST {
        return Err(TokenError::Malformed);
    }
    let jws = Jws::split(token).map_err(malformed)?;
    let header: Header = jws.header().map_err(malformed)?;
    let signature = jws.signature().map_err(malformed)?;
    let is_access_token = header.typ.eq_ignore_ascii_case(TYPE)
        || header.typ.eq_ignore_ascii_case(&format!("application/{TYPE}"));
    if !is_access_token {
        return Err(TokenError::Malformed);
    }
    // The key determines the algorithm, never the header (RFC 8725 §3.1): the header is what a forger writes.
    let key = keyring.signing_key(&header.kid).ok_or(TokenError::Forged)?;
    let is_signed = || key.has_signed(jws.signed.as_bytes(), &signature);
    if header.alg != key.algorithm().as_str() || !signatures.is_valid(token, is_signed) {
        return Err(TokenError::Forged);
    }
    let payload: Payload = jws.payload().map_err(malformed)?;
    if payload.iss != names.issuer.as_str() || payload.aud != names.audience {
        return Err(TokenError::Forged);
    }
    payload.claims().ok_or(TokenError::Malformed)
}

impl Payload {
    fn claims(&self) -> Option<Claims> {
        let at = |seconds: u64| Timestamp::from_millis(seconds.saturating_mul(1000));
        let grant = &self.northgate;
        let id = GrantId(u64::from_str_radix(&grant.grant, 16).ok()?);
        Some(Claims {
            kind: Kind::Access,
            binding: self.cnf.as_ref().map_or(Some(None), |cnf| cnf.binding().map(Some))?,
            grant: GrantKey { application: AppNumber(grant.application), id },
            generation: grant.generation,
            issued_at: at(self.iat),
            expires_at: at(self.exp),
        })
    }
}

impl Confirmation {
    fn of(binding: Binding) -> Confirmation {
        match binding {
            Binding::Certificate(thumbprint) => Confirmation::Certificate(URL_SAFE_NO_PAD.encode(thumbprint)),
            Binding::Key(thumbprint) => Confirmation::Key(URL_SAFE_NO_PAD.encode(thumbprint)),
        }
    }

    fn binding(&self) -> Option<Binding> {
        let (Confirmation::Certificate(text) | Confirmation::Key(text)) = self;
        let thumbprint = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(match self {
            Confirmation::Certificate(_) => Binding::Certificate(thumbprint),
            Confirmation::Key(_) => Binding::Key(thumbprint),
        })
    }
}

fn malformed(_: JwsError) -> TokenError {
    TokenError::Malformed
}
