//! `[verify]`: rules for calls on the platform.

use std::time::Duration;

use toml::Value;

use crate::config::layers::Settings;
use crate::config::{ConfigError, HOUR};
use crate::http::gateway::GatewayHeader;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verify {
    /// The leeway after the expiry in which an access token is still accepted.
    pub leeway: Duration,
    pub trusted_headers: TrustedHeaders,
}

/// Headers that `/verify` trusts, because the gateway sets or removes them in every request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrustedHeaders {
    pub client_cert: bool,
    pub client_cert_thumbprint: bool,
    pub forwarded_host: bool,
    pub forwarded_proto: bool,
}

impl Verify {
    pub(super) fn take(settings: &mut Settings) -> Result<Verify, ConfigError> {
        let instead = "a list of headers that the gateway sets or removes itself: \"client-cert\", \
                       \"x-client-cert-thumbprint\", \"x-forwarded-host\", \"x-forwarded-proto\", or [] for none";
        Ok(Verify {
            leeway: settings.duration("verify.leeway", Duration::ZERO..=HOUR)?,
            trusted_headers: settings.value("verify.trusted_headers", instead, TrustedHeaders::parse)?,
        })
    }
}

impl TrustedHeaders {
    fn parse(value: &Value) -> Option<TrustedHeaders> {
        let mut trusted = TrustedHeaders::default();
        for name in value.as_array()? {
            *trusted.named(name.as_str()?)? = true;
        }
        Some(trusted)
    }

    fn named(&mut self, name: &str) -> Option<&mut bool> {
        let is = |header: GatewayHeader| name.eq_ignore_ascii_case(header.name());
        match name {
            _ if is(GatewayHeader::ClientCert) => Some(&mut self.client_cert),
            _ if is(GatewayHeader::XClientCertThumbprint) => Some(&mut self.client_cert_thumbprint),
            _ if is(GatewayHeader::XForwardedHost) => Some(&mut self.forwarded_host),
            _ if is(GatewayHeader::XForwardedProto) => Some(&mut self.forwarded_proto),
            _ => None,
        }
    }
}
