//! Client assertions (RFC 7523) as text: parsed here, verified by the rules.

use std::fmt;

use northgate_core::assertion::Assertion;
use northgate_core::credential::AssertionAlgorithm;
use northgate_core::text::check_text;
use serde::Deserialize;
use serde_json::Value;

use crate::jose::jws::{Jws, JwsError};
use crate::jose::members::{numeric_date, present};
use crate::parse_bounds::MEMBERS_MAX;

/// Reason why a text is not an assertion. Each shows in the text itself, so that any sender may learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("it is not three parts of base64url with a dot between them")]
    Parts,
    #[error("its header or its claims have more than {MEMBERS_MAX} members and elements")]
    TooMany,
    #[error("its header is not JSON with an alg")]
    Header,
    #[error("its alg is not one of EdDSA, Ed25519, ES256, RS256 and PS256")]
    Algorithm,
    #[error("its header has crit, and there is no extension that we know")]
    Critical,
    #[error("its claims are not JSON, or one of them is repeated or of another type")]
    Claims,
    #[error("its claim {0} is missing")]
    Missing(Claim),
    #[error("its aud does not have exactly one value")]
    Audiences,
    #[error("its jti is empty, longer than 256 characters or has a control character")]
    Id,
}

/// A required claim (RFC 7523 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Iss,
    Sub,
    Aud,
    Exp,
    Jti,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Also `null`, which is not a list of extensions.
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<f64>,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Text(String),
    List(Vec<String>),
}

impl Audience {
    fn only(self) -> Result<String, AssertionError> {
        match self {
            Audience::Text(one) => Ok(one),
            Audience::List(list) => {
                let [one] = <[String; 1]>::try_from(list).map_err(|_| AssertionError::Audiences)?;
                Ok(one)
            }
        }
    }
}

/// Parses an assertion.
pub fn parse(text: &str) -> Result<Assertion, AssertionError> {
    let jws = Jws::split(text).map_err(or(AssertionError::Parts))?;
    let header: Header = jws.header().map_err(or(AssertionError::Header))?;
    if header.crit.is_some() {
        return Err(AssertionError::Critical);
    }
    let algorithm = algorithm(&header.alg).ok_or(AssertionError::Algorithm)?;
    let claims: Claims = jws.payload().map_err(or(AssertionError::Claims))?;
    let missing = |claim| move || AssertionError::Missing(claim);
    let id = claims.jti.ok_or_else(missing(Claim::Jti))?;
    check_text(&id).map_err(|_| AssertionError::Id)?;
    Ok(Assertion {
        algorithm,
        signed: jws.signed.as_bytes().to_vec(),
        signature: jws.signature().map_err(or(AssertionError::Parts))?,
        issuer: claims.iss.ok_or_else(missing(Claim::Iss))?,
        subject: claims.sub.ok_or_else(missing(Claim::Sub))?,
        audience: claims.aud.ok_or_else(missing(Claim::Aud))?.only()?,
        expires_at: numeric_date(claims.exp.ok_or_else(missing(Claim::Exp))?),
        issued_at: claims.iat.map(numeric_date),
        not_before: claims.nbf.map(numeric_date),
        id,
    })
}

/// The error of a part that is `malformed`.
fn or(malformed: AssertionError) -> impl Fn(JwsError) -> AssertionError {
    move |error| match error {
        JwsError::Malformed => malformed,
        JwsError::TooMany => AssertionError::TooMany,
    }
}

impl Claim {
    fn as_str(self) -> &'static str {
        match self {
            Claim::Iss => "iss",
            Claim::Sub => "sub",
            Claim::Aud => "aud",
            Claim::Exp => "exp",
            Claim::Jti => "jti",
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AssertionError {
    /// The `error_description` for the client.
    pub fn description(self) -> &'static str {
        match self {
            AssertionError::Parts => {
                "The assertion is not a JWT: three parts of base64url with dots between them."
            }
            AssertionError::TooMany => "The header or the claims of the assertion have more than 32 members.",
            AssertionError::Header => "The header of the assertion is not JSON with an alg.",
            AssertionError::Algorithm => {
                "The alg of the assertion is not one of EdDSA, Ed25519, ES256, RS256 and PS256."
            }
            AssertionError::Critical => "The assertion has a crit header, and no extension is known.",
            AssertionError::Claims => {
                "The claims of the assertion are not JSON, or one is there twice or of another type."
            }
            AssertionError::Missing(Claim::Iss) => "The assertion has no iss, which must be the client_id.",
            AssertionError::Missing(Claim::Sub) => "The assertion has no sub, which must be the client_id.",
            AssertionError::Missing(Claim::Aud) => "The assertion has no aud, which must be the issuer.",
            AssertionError::Missing(Claim::Exp) => "The assertion has no exp.",
            AssertionError::Missing(Claim::Jti) => {
                "The assertion has no jti, which must be a new value in every assertion."
            }
            AssertionError::Audiences => {
                "The aud of the assertion must have exactly one value, such as the issuer."
            }
            AssertionError::Id => {
                "The jti of the assertion is empty, longer than 256 characters or has a control character."
            }
        }
    }
}

/// Supported algorithms: those of RFC 7518 §3.1, RFC 8037 §3.1 and, as another name for Ed25519, RFC 9864 §2.2. `none` and MACs
/// with a shared key are not supported.
pub const ALGORITHMS: [&str; 5] = ["EdDSA", "Ed25519", "ES256", "RS256", "PS256"];

fn algorithm(word: &str) -> Option<AssertionAlgorithm> {
    let known = [
        AssertionAlgorithm::EdDsa,
        AssertionAlgorithm::EdDsa,
        AssertionAlgorithm::Es256,
        AssertionAlgorithm::Rs256,
        AssertionAlgorithm::Ps256,
    ];
    ALGORITHMS.into_iter().zip(known).find(|(name, _)| *name == word).map(|(_, algorithm)| algorithm)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use northgate_core::clock::Timestamp;
    use proptest::prelude::*;

    const CLAIMS: &str = r#"{"iss":"a","sub":"a","aud":"b","exp":1.5,"jti":"c"}"#;

    fn of(header: &str, claims: &str) -> Result<Assertion, AssertionError> {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        parse(&format!("{}.{}.AAAA", part(header), part(claims)))
    }

    proptest! {
        #[test]
        fn no_text_takes_it_down(header in ".{0,30}", claims in "\\PC{0,60}", text in "[ -~]{0,80}") {
            let _ = (of(&header, &claims), parse(&text));
        }
    }

    #[test]
    fn an_assertion_is_taken_apart() {
        let one = of(r#"{"alg":"ES256","typ":"JWT"}"#, CLAIMS).expect("an assertion");
        assert_eq!((&one.audience[..], one.expires_at), ("b", Timestamp::from_millis(1500)));
        let listed = of(r#"{"alg":"EdDSA"}"#, &CLAIMS.replace(r#""b""#, r#"["b"]"#)).expect("an assertion");
        assert_eq!((&listed.audience[..], listed.issued_at), ("b", None));
    }

    #[test]
    fn what_is_not_asymmetric_is_no_algorithm() {
        for alg in ["none", "HS256", "es256", ""] {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(of(&header, CLAIMS).err(), Some(AssertionError::Algorithm), "{alg}");
        }
        for critical in [r#"["exp"]"#, "[]", "null"] {
            let header = format!(r#"{{"alg":"ES256","crit":{critical}}}"#);
            assert_eq!(of(&header, CLAIMS).err(), Some(AssertionError::Critical), "{critical}");
        }
    }

    #[test]
    fn a_claim_that_is_missing_wrong_or_there_twice_is_refused() {
        for (from, to, error) in [
            (r#""jti":"c""#, r#""x":1"#, AssertionError::Missing(Claim::Jti)),
            (r#""jti":"c""#, r#""jti":null"#, AssertionError::Missing(Claim::Jti)),
            (r#""jti":"c""#, r#""jti":1"#, AssertionError::Claims),
            (r#""jti":"c""#, r#""jti":"""#, AssertionError::Id),
            (r#""exp":1.5"#, r#""exp":"1""#, AssertionError::Claims),
            (r#""exp":1.5"#, r#""exp":1e400"#, AssertionError::Claims),
            (r#""exp":1.5"#, r#""x":1.5"#, AssertionError::Missing(Claim::Exp)),
            (r#""exp":1.5"#, r#""exp":1.5,"iat":true"#, AssertionError::Claims),
            (r#""exp":1.5"#, r#""exp":1.5,"nbf":[1]"#, AssertionError::Claims),
            (r#""iss":"a""#, r#""iss":"a","iss":"b""#, AssertionError::Claims),
            (r#""aud":"b""#, r#""x":"b""#, AssertionError::Missing(Claim::Aud)),
            (r#""aud":"b""#, r#""aud":[]"#, AssertionError::Audiences),
            (r#""aud":"b""#, r#""aud":["b","b"]"#, AssertionError::Audiences),
            (r#""aud":"b""#, r#""aud":["b","c"]"#, AssertionError::Audiences),
            (r#""aud":"b""#, r#""aud":[["b"]]"#, AssertionError::Claims),
            (r#""aud":"b""#, r#""aud":{"b":"b"}"#, AssertionError::Claims),
            (r#""aud":"b""#, r#""aud":"b","aud":"b""#, AssertionError::Claims),
        ] {
            let claims = CLAIMS.replace(from, to);
            assert_eq!(of(r#"{"alg":"ES256"}"#, &claims).err(), Some(error), "{claims}");
        }
        for text in ["", "a", "a.b", "..", "e30.e30.?"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
