//! `[api]`: the dialect, the prefix and the versions of the application API.

use crate::config::ConfigError;
use crate::config::layers::Settings;

/// The revision of the application API that answers follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Intl,
    Cn,
}

/// Whether there is the login of version 3, and what it answers to an unknown key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum V3Login {
    Off,
    /// 200 with the documented code.
    On,
    /// 401 as to a wrong secret, so that no client learns which keys exist.
    Concealing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The revision that error answers follow.
    pub dialect: Dialect,
    /// Empty, or a path that starts with `/` and does not end with one.
    pub prefix: String,
    pub v3_login: V3Login,
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
            v3_login: settings.choice(
                "api.v3_login",
                &[("off", V3Login::Off), ("on", V3Login::On), ("concealing", V3Login::Concealing)],
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
