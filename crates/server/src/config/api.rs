//! `[api]`: the dialect and the prefix of the application API.

use crate::config::ConfigError;
use crate::config::layers::Settings;

/// The revision of the application API that answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Intl,
    Cn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The revision that error answers follow.
    pub dialect: Dialect,
    /// Empty, or a path that starts with `/` and does not end with one.
    pub prefix: String,
}

impl Api {
    pub(super) fn take(settings: &mut Settings) -> Result<Api, ConfigError> {
        Ok(Api {
            dialect: settings.choice("api.dialect", &[("intl", Dialect::Intl), ("cn", Dialect::Cn)])?,
            prefix: settings.text(
                "api.prefix",
                "\"\" or a path that starts with / and does not end with it, such as \"/cvmp\"",
                prefix,
            )?,
        })
    }
}

fn prefix(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    let segment = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
    let good = text.is_empty() || text.strip_prefix('/').is_some_and(|path| path.split('/').all(segment));
    good.then(|| text.to_owned())
}
