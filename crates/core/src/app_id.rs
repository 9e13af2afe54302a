//! AppId: the public name of an application, the `appId` of the API and the `client_id` of OAuth.

use std::fmt;
use std::sync::Arc;

use crate::random;
use crate::text::{TextError, check_text};

/// The public name of an application, 1 to 256 printable characters. Copies share the text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

impl AppId {
    /// Parses an appId.
    pub fn parse(text: &str) -> Result<AppId, TextError> {
        check_text(text)?;
        Ok(AppId(text.into()))
    }

    /// A new appId in the shape of the platform's own: 28 characters `[A-Za-z0-9]`.
    pub fn random() -> AppId {
        AppId(random::text::<28>().into())
    }

    /// The appId as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for AppId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_id_has_1_to_256_printable_characters() {
        assert_eq!(AppId::parse(""), Err(TextError::Empty));
        assert!(AppId::parse(&"é".repeat(256)).is_ok());
        assert_eq!(AppId::parse(&"é".repeat(257)), Err(TextError::TooLong));
        assert_eq!(AppId::parse("a\0b"), Err(TextError::ControlCharacter));
    }

    #[test]
    fn an_allocated_app_id_needs_no_encoding() {
        let id = AppId::random();
        assert_eq!(id.as_str().len(), 28);
        assert!(id.as_str().chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
