//! Request bodies of the admin API: JSON with known members only, and validated texts.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::owner::Owner;
use northgate_core::secret::SecretText;
use northgate_core::visible::check_visible;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::problem::AdminProblem;
use super::{Admin, LONGEST_BODY};
use crate::http::body::{self, Bounds};

/// A JSON body of at most `LONGEST` bytes; an empty one stands for `{}`. The content type does not matter: only an operator gets
/// here.
pub struct Body<T, const LONGEST: usize = LONGEST_BODY>(pub T);

impl<T: DeserializeOwned, const LONGEST: usize> FromRequest<Arc<Admin>> for Body<T, LONGEST> {
    type Rejection = AdminProblem;

    async fn from_request(
        mut request: Request,
        admin: &Arc<Admin>,
    ) -> Result<Body<T, LONGEST>, AdminProblem> {
        let bounds = Bounds { size: LONGEST, time: admin.config.load().limits.body_time };
        let bytes = body::read(&mut request, bounds).await.map_err(AdminProblem::body)?.bytes;
        parse(&bytes).map(Body)
    }
}

/// The members of a JSON body.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, AdminProblem> {
    let text = if bytes.is_empty() { &b"{}"[..] } else { bytes };
    // serde would accept an array of the members' values as well.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(AdminProblem::invalid("the body is not a JSON object"));
    }
    serde_json::from_slice(text)
        .map_err(|error| AdminProblem::invalid(format!("the body is not as expected: {error}")))
}

/// A name or a label: 1 to 256 visible characters.
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let text = String::deserialize(deserializer)?;
        check_visible(&text).map_err(|error| D::Error::custom(format!("a name or label {error}")))?;
        Ok(Text(text))
    }
}

/// The appId of a new application.
pub struct GivenId(pub AppId);

impl<'de> Deserialize<'de> for GivenId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GivenId, D::Error> {
        let text = String::deserialize(deserializer)?;
        check_visible(&text).map_err(|error| D::Error::custom(format!("the appId {error}")))?;
        AppId::parse(&text).map(GivenId).map_err(|error| D::Error::custom(format!("the appId {error}")))
    }
}

/// The owner of an application.
pub struct GivenOwner(pub Owner);

impl<'de> Deserialize<'de> for GivenOwner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GivenOwner, D::Error> {
        let text = String::deserialize(deserializer)?;
        Owner::parse(&text).map(GivenOwner).map_err(|error| D::Error::custom(format!("the owner {error}")))
    }
}

/// Tells `null`, which removes a value, from a member that is missing (RFC 7396).
pub fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Allow rules.
pub struct GivenAllow(pub Allow);

impl<'de> Deserialize<'de> for GivenAllow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GivenAllow, D::Error> {
        Allow::parse(&Vec::<String>::deserialize(deserializer)?).map(GivenAllow).map_err(D::Error::custom)
    }
}

/// The existing secret of an application. Errors do not repeat it.
pub struct GivenSecret(pub SecretText);

impl<'de> Deserialize<'de> for GivenSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GivenSecret, D::Error> {
        // Through a value, since serde would quote a number in the place of the secret's text.
        match Value::deserialize(deserializer)? {
            Value::String(text) => SecretText::parse(&text)
                .map(GivenSecret)
                .map_err(|error| D::Error::custom(format!("the secret {error}"))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                Err(D::Error::custom("the secret is not a text"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_refused_is_not_repeated() {
        for json in ["31337", "[\"31337\"]", "\"\"", &format!("\"{}\"", "31337".repeat(52))] {
            let error = serde_json::from_str::<GivenSecret>(json).err().expect("refused").to_string();
            assert!(error.starts_with("the secret ") && !error.contains("31337"), "{error}");
        }
    }
}
