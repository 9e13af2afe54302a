//! A client assertion as text (RFC 7515 §3.1, RFC 7519): taken apart for the rules, which check it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::application::check_text;
use northgate_core::assertion::Assertion;
use northgate_core::clock::Timestamp;
use northgate_core::credential::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Names that one assertion can be meant for; two are usual.
const MAX_AUDIENCES: usize = 16;

/// Why a text is no assertion. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    #[error("it is not three parts of base64url with a dot between them")]
    Parts,
    #[error("its header is not JSON with an alg")]
    Header,
    #[error("its alg is not one of EdDSA, Ed25519, ES256, RS256 and PS256")]
    Algorithm,
    #[error("its header has crit, and there is no extension that we know")]
    Critical,
    #[error("its claims are not JSON with iss, sub, aud, exp and jti, each once and of its type")]
    Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    nbf: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Some(Vec<String>),
}

/// Takes an assertion apart.
pub fn parse(text: &str) -> Result<Assertion, AssertionError> {
    let (signed, signature) = text.rsplit_once('.').ok_or(AssertionError::Parts)?;
    let (header, claims) = signed.split_once('.').ok_or(AssertionError::Parts)?;
    let header: Header = json(header, AssertionError::Header)?;
    if header.crit.is_some() {
        return Err(AssertionError::Critical);
    }
    let claims: Claims = json(claims, AssertionError::Claims)?;
    let audiences = match claims.aud {
        Audience::One(audience) => vec![audience],
        Audience::Some(audiences) => audiences,
    };
    if check_text(&claims.jti).is_err() || audiences.len() > MAX_AUDIENCES {
        return Err(AssertionError::Claims);
    }
    Ok(Assertion {
        algorithm: algorithm(&header.alg).ok_or(AssertionError::Algorithm)?,
        signed: signed.as_bytes().to_vec(),
        signature: URL_SAFE_NO_PAD.decode(signature).map_err(|_| AssertionError::Parts)?,
        issuer: claims.iss,
        subject: claims.sub,
        audiences,
        expires_at: time(claims.exp),
        not_before: claims.nbf.map(time),
        id: claims.jti,
    })
}

/// The words of RFC 7518 §3.1, RFC 8037 §3.1 and, for the same with Ed25519, RFC 9864 §2.2. `none` and those with a shared
/// key are none of them.
pub const ALGORITHMS: [&str; 5] = ["EdDSA", "Ed25519", "ES256", "RS256", "PS256"];

fn algorithm(word: &str) -> Option<Algorithm> {
    let known = [Algorithm::EdDsa, Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256];
    ALGORITHMS.into_iter().zip(known).find(|(name, _)| *name == word).map(|(_, algorithm)| algorithm)
}

fn json<T: DeserializeOwned>(part: &str, wrong: AssertionError) -> Result<T, AssertionError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| AssertionError::Parts)?;
    serde_json::from_slice(&text).map_err(|_| wrong)
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519 §2). What is before is at that time, and a time that is none is.
fn time(seconds: f64) -> Timestamp {
    // A float becomes the nearest number that there is.
    Timestamp::from_millis((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
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
        assert_eq!((one.audiences, one.expires_at), (vec!["b".to_owned()], Timestamp::from_millis(1500)));
        let some = of(r#"{"alg":"EdDSA"}"#, &CLAIMS.replace(r#""b""#, r#"["b","c"]"#)).expect("an assertion");
        assert_eq!(some.audiences, ["b", "c"]);
    }

    #[test]
    fn what_is_not_asymmetric_is_no_algorithm() {
        for alg in ["none", "HS256", "es256", ""] {
            let header = format!(r#"{{"alg":"{alg}"}}"#);
            assert_eq!(of(&header, CLAIMS).err(), Some(AssertionError::Algorithm), "{alg}");
        }
        let critical = r#"{"alg":"ES256","crit":["exp"]}"#;
        assert_eq!(of(critical, CLAIMS).err(), Some(AssertionError::Critical));
    }

    #[test]
    fn a_claim_that_is_missing_wrong_or_there_twice_is_refused() {
        for (from, to) in [
            (r#""jti":"c""#, r#""x":1"#),
            (r#""exp":1.5"#, r#""exp":"1""#),
            (r#""iss":"a""#, r#""iss":"a","iss":"b""#),
            (r#""jti":"c""#, r#""jti":"""#),
        ] {
            let claims = CLAIMS.replace(from, to);
            assert_eq!(of(r#"{"alg":"ES256"}"#, &claims).err(), Some(AssertionError::Claims), "{claims}");
        }
        for text in ["", "a", "a.b", "..", "e30.e30.?"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
