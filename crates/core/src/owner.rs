//! The owner of an application: the team or customer that it belongs to.

use crate::visible::{VisibleError, check_visible};

/// A label of 1 to 256 visible characters, compared as it is written. Operators may be limited to the applications of some owners.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(Box<str>);

impl Owner {
    /// An owner from a request.
    pub fn parse(text: &str) -> Result<Owner, VisibleError> {
        check_visible(text)?;
        Ok(Owner(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
