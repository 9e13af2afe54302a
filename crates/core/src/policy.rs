//! Policy: what an operator may choose for one application, and the defaults for all others.

use std::time::Duration;

use crate::signing::Algorithm;

/// What a refresh does to the refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Each refresh gives the next refresh token; the one presented is used up.
    Once,
    /// The refresh token stays the same until it expires; a refresh writes nothing (RFC 9700 §2.2.2 allows it to
    /// confidential clients).
    Reusable,
}

/// What happens to a grant whose used-up refresh token is presented again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReuse {
    /// The request is refused and the grant lives on.
    Deny,
    /// The request is refused and the grant is closed.
    Close,
}

/// What a login does to the application's earlier grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// They stay, up to `max_grants`; then the least recently refreshed one gives way.
    Many,
    /// They are closed; their access tokens end after [`LAST_ONLY_OVERLAP`].
    LastOnly,
}

/// When an access token is bound to a certificate (RFC 8705 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindTokens {
    /// When the client authenticated by it.
    Authenticated,
    /// Whenever there is one on the client's connection, whatever the client authenticated by.
    Presented,
}

/// What access tokens that OAuth issues look like. The application API issues opaque ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// Only Northgate can say what they are.
    Opaque,
    /// Signed, so that a gateway can check them on its own (RFC 9068).
    Jwt(Algorithm),
}

/// Whether access tokens that OAuth issues are bound to a key of the application (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dpop {
    /// Never: a request with a proof is refused, since its client takes the token for a bound one.
    Off,
    /// When a proof comes with the request.
    Presented,
    /// Always: a request without a proof is refused.
    Required,
}

/// How long access tokens of earlier logins live on under [`Logins::LastOnly`], as the platform documents it for its
/// device API: requests that are under way when the login happens still succeed.
pub const LAST_ONLY_OVERLAP: Duration = Duration::from_secs(30);

/// The largest `max_grants`: it bounds the memory that one application can take.
pub const MAX_GRANTS_LIMIT: u32 = 1024;

/// The policy that holds for an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub rotation: Rotation,
    /// How long the direct predecessor of a refresh token is answered with the same successor again.
    pub retry_window: Duration,
    pub on_reuse: OnReuse,
    pub logins: Logins,
    /// Live grants of one application, 1 to [`MAX_GRANTS_LIMIT`].
    pub max_grants: u32,
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
    /// Logins, refreshes and logouts in a minute, and as many calls verified; 0 is no limit. At most
    /// [`Rate::MAX`](crate::throttle::Rate::MAX).
    pub calls_per_minute: u32,
    pub bind_tokens: BindTokens,
    pub access_tokens: AccessTokens,
    pub dpop: Dpop,
}

/// What an operator set for one application; what is `None` follows the defaults of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub rotation: Option<Rotation>,
    pub retry_window: Option<Duration>,
    pub on_reuse: Option<OnReuse>,
    pub logins: Option<Logins>,
    pub max_grants: Option<u32>,
    pub access_lifetime: Option<Duration>,
    pub refresh_lifetime: Option<Duration>,
    pub calls_per_minute: Option<u32>,
    pub bind_tokens: Option<BindTokens>,
    pub access_tokens: Option<AccessTokens>,
    pub dpop: Option<Dpop>,
}

impl Overrides {
    /// The policy that results from these over `defaults`.
    pub fn over(&self, defaults: &Policy) -> Policy {
        Policy {
            rotation: self.rotation.unwrap_or(defaults.rotation),
            retry_window: self.retry_window.unwrap_or(defaults.retry_window),
            on_reuse: self.on_reuse.unwrap_or(defaults.on_reuse),
            logins: self.logins.unwrap_or(defaults.logins),
            max_grants: self.max_grants.unwrap_or(defaults.max_grants),
            access_lifetime: self.access_lifetime.unwrap_or(defaults.access_lifetime),
            refresh_lifetime: self.refresh_lifetime.unwrap_or(defaults.refresh_lifetime),
            calls_per_minute: self.calls_per_minute.unwrap_or(defaults.calls_per_minute),
            bind_tokens: self.bind_tokens.unwrap_or(defaults.bind_tokens),
            access_tokens: self.access_tokens.unwrap_or(defaults.access_tokens),
            dpop: self.dpop.unwrap_or(defaults.dpop),
        }
    }

    /// These with everything that `newer` sets put over them.
    pub fn merge(&self, newer: &Overrides) -> Overrides {
        Overrides {
            rotation: newer.rotation.or(self.rotation),
            retry_window: newer.retry_window.or(self.retry_window),
            on_reuse: newer.on_reuse.or(self.on_reuse),
            logins: newer.logins.or(self.logins),
            max_grants: newer.max_grants.or(self.max_grants),
            access_lifetime: newer.access_lifetime.or(self.access_lifetime),
            refresh_lifetime: newer.refresh_lifetime.or(self.refresh_lifetime),
            calls_per_minute: newer.calls_per_minute.or(self.calls_per_minute),
            bind_tokens: newer.bind_tokens.or(self.bind_tokens),
            access_tokens: newer.access_tokens.or(self.access_tokens),
            dpop: newer.dpop.or(self.dpop),
        }
    }
}

impl Rotation {
    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Rotation::Once => "once",
            Rotation::Reusable => "reusable",
        }
    }

    /// The rotation that `word` names.
    pub fn parse(word: &str) -> Option<Rotation> {
        [Rotation::Once, Rotation::Reusable].into_iter().find(|rotation| rotation.as_str() == word)
    }
}

impl OnReuse {
    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            OnReuse::Deny => "deny",
            OnReuse::Close => "close",
        }
    }

    /// The reaction that `word` names.
    pub fn parse(word: &str) -> Option<OnReuse> {
        [OnReuse::Deny, OnReuse::Close].into_iter().find(|reaction| reaction.as_str() == word)
    }
}

impl Logins {
    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Logins::Many => "many",
            Logins::LastOnly => "last-only",
        }
    }

    /// The rule that `word` names.
    pub fn parse(word: &str) -> Option<Logins> {
        [Logins::Many, Logins::LastOnly].into_iter().find(|rule| rule.as_str() == word)
    }
}

impl BindTokens {
    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            BindTokens::Authenticated => "authenticated",
            BindTokens::Presented => "presented",
        }
    }

    /// The rule that `word` names.
    pub fn parse(word: &str) -> Option<BindTokens> {
        [BindTokens::Authenticated, BindTokens::Presented].into_iter().find(|rule| rule.as_str() == word)
    }
}

impl AccessTokens {
    pub const ALL: [AccessTokens; 3] =
        [AccessTokens::Opaque, AccessTokens::Jwt(Algorithm::EdDsa), AccessTokens::Jwt(Algorithm::Es256)];

    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            AccessTokens::Opaque => "opaque",
            AccessTokens::Jwt(Algorithm::EdDsa) => "jwt-eddsa",
            AccessTokens::Jwt(Algorithm::Es256) => "jwt-es256",
        }
    }

    /// The kind that `word` names.
    pub fn parse(word: &str) -> Option<AccessTokens> {
        AccessTokens::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl Dpop {
    pub const ALL: [Dpop; 3] = [Dpop::Off, Dpop::Presented, Dpop::Required];

    /// The word for it in settings, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Dpop::Off => "off",
            Dpop::Presented => "presented",
            Dpop::Required => "required",
        }
    }

    /// The rule that `word` names.
    pub fn parse(word: &str) -> Option<Dpop> {
        Dpop::ALL.into_iter().find(|rule| rule.as_str() == word)
    }
}
