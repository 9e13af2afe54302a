//! Headers between gateways, Northgate and the platform: the one list of the headers that `/verify` reads and of those that
//! identify the caller.
//!
//! Each file in `deploy/gateways` sets or removes every header whose [`Source`] is not the client, in every spelling.
//! `e2e/tests/gateways` tries each header of this list against each file.

use axum::http::{HeaderMap, HeaderValue};

/// A header that `/verify` reads, or that identifies the caller to the platform or to Northgate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayHeader {
    AppKey,
    XAppKey,
    Authorization,
    AccessToken,
    Dpop,
    Traceparent,
    Tracestate,
    Host,
    XOriginalMethod,
    XOriginalUri,
    XForwardedMethod,
    XForwardedUri,
    XForwardedHost,
    XForwardedProto,
    XForwardedFor,
    XRealIp,
    Forwarded,
    XClientCertThumbprint,
    ClientCert,
    ClientCertChain,
    XNorthgateAppId,
    XNorthgateScope,
    XNorthgateExpiresAt,
    XNorthgateRefusal,
}

/// The writer of a header. A gateway lets only its own value pass, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The client: its credentials, and its trace.
    Client,
    /// The gateway: the call and the connection that it came over.
    Gateway,
    /// Northgate's answer to the gateway.
    Northgate,
}

/// A repeated header, of which two readers may take different values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

impl GatewayHeader {
    pub const ALL: [GatewayHeader; 24] = [
        GatewayHeader::AppKey,
        GatewayHeader::XAppKey,
        GatewayHeader::Authorization,
        GatewayHeader::AccessToken,
        GatewayHeader::Dpop,
        GatewayHeader::Traceparent,
        GatewayHeader::Tracestate,
        GatewayHeader::Host,
        GatewayHeader::XOriginalMethod,
        GatewayHeader::XOriginalUri,
        GatewayHeader::XForwardedMethod,
        GatewayHeader::XForwardedUri,
        GatewayHeader::XForwardedHost,
        GatewayHeader::XForwardedProto,
        GatewayHeader::XForwardedFor,
        GatewayHeader::XRealIp,
        GatewayHeader::Forwarded,
        GatewayHeader::XClientCertThumbprint,
        GatewayHeader::ClientCert,
        GatewayHeader::ClientCertChain,
        GatewayHeader::XNorthgateAppId,
        GatewayHeader::XNorthgateScope,
        GatewayHeader::XNorthgateExpiresAt,
        GatewayHeader::XNorthgateRefusal,
    ];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            GatewayHeader::AppKey => "app_key",
            GatewayHeader::XAppKey => "x-app-key",
            GatewayHeader::Authorization => "authorization",
            GatewayHeader::AccessToken => "access_token",
            GatewayHeader::Dpop => "dpop",
            GatewayHeader::Traceparent => "traceparent",
            GatewayHeader::Tracestate => "tracestate",
            GatewayHeader::Host => "host",
            GatewayHeader::XOriginalMethod => "x-original-method",
            GatewayHeader::XOriginalUri => "x-original-uri",
            GatewayHeader::XForwardedMethod => "x-forwarded-method",
            GatewayHeader::XForwardedUri => "x-forwarded-uri",
            GatewayHeader::XForwardedHost => "x-forwarded-host",
            GatewayHeader::XForwardedProto => "x-forwarded-proto",
            GatewayHeader::XForwardedFor => "x-forwarded-for",
            GatewayHeader::XRealIp => "x-real-ip",
            GatewayHeader::Forwarded => "forwarded",
            GatewayHeader::XClientCertThumbprint => "x-client-cert-thumbprint",
            GatewayHeader::ClientCert => "client-cert",
            GatewayHeader::ClientCertChain => "client-cert-chain",
            GatewayHeader::XNorthgateAppId => "x-northgate-app-id",
            GatewayHeader::XNorthgateScope => "x-northgate-scope",
            GatewayHeader::XNorthgateExpiresAt => "x-northgate-expires-at",
            GatewayHeader::XNorthgateRefusal => "x-northgate-refusal",
        }
    }

    pub const fn source(self) -> Source {
        match self {
            GatewayHeader::AppKey
            | GatewayHeader::XAppKey
            | GatewayHeader::Authorization
            | GatewayHeader::AccessToken
            | GatewayHeader::Dpop
            | GatewayHeader::Traceparent
            | GatewayHeader::Tracestate
            | GatewayHeader::Host => Source::Client,
            GatewayHeader::XOriginalMethod
            | GatewayHeader::XOriginalUri
            | GatewayHeader::XForwardedMethod
            | GatewayHeader::XForwardedUri
            | GatewayHeader::XForwardedHost
            | GatewayHeader::XForwardedProto
            | GatewayHeader::XForwardedFor
            | GatewayHeader::XRealIp
            | GatewayHeader::Forwarded
            | GatewayHeader::XClientCertThumbprint
            | GatewayHeader::ClientCert
            | GatewayHeader::ClientCertChain => Source::Gateway,
            GatewayHeader::XNorthgateAppId
            | GatewayHeader::XNorthgateScope
            | GatewayHeader::XNorthgateExpiresAt
            | GatewayHeader::XNorthgateRefusal => Source::Northgate,
        }
    }

    pub fn is_in(self, headers: &HeaderMap) -> bool {
        headers.contains_key(self.name())
    }

    /// All values, in their order.
    pub fn values(self, headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
        headers.get_all(self.name()).iter()
    }

    /// The value, unless the header is repeated.
    pub fn single(self, headers: &HeaderMap) -> Result<Option<&HeaderValue>, Repeated> {
        let mut values = self.values(headers);
        let value = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(value) }
    }
}
