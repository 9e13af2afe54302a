//! Credentials of a call: the application and the token in its headers.

use axum::http::HeaderMap;
use northgate_core::app_id::AppId;

use super::style::Style;
use crate::http::gateway::{GatewayHeader, Repeated};

/// The credentials of a call.
pub(crate) struct Credentials<'h> {
    /// Always present in the platform's style; in OAuth's the token names the application.
    pub app_key: Option<AppId>,
    pub scheme: Scheme,
    pub access_token: &'h str,
}

/// The authentication scheme of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    /// With a proof of possession beside it (RFC 9449 §7.1).
    Dpop,
}

/// Reason why the headers of a call name no application or token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unnamed {
    #[error("there is no app_key")]
    NoAppKey,
    #[error("the app_key is no appId, or there are two")]
    BadAppKey,
    #[error("there is no access token")]
    NoToken,
    #[error("there are two access tokens")]
    TwoTokens,
}

impl Credentials<'_> {
    /// Reads the credentials in the headers of a call.
    pub fn read(headers: &HeaderMap, style: Style) -> Result<Credentials<'_>, Unnamed> {
        let app_key = match (app_key(headers), style) {
            (Err(Unnamed::NoAppKey), Style::OAuth) => None,
            (app_key, Style::Platform | Style::OAuth) => Some(app_key?),
        };
        let (scheme, access_token) = access_token(headers)?;
        Ok(Credentials { app_key, scheme, access_token })
    }
}

/// nginx drops names with an underscore by default; with a hyphen the header passes.
fn app_key(headers: &HeaderMap) -> Result<AppId, Unnamed> {
    let named = |header: GatewayHeader| header.values(headers).filter(|value| !value.is_empty());
    let mut values = named(GatewayHeader::AppKey).chain(named(GatewayHeader::XAppKey));
    let value = values.next().ok_or(Unnamed::NoAppKey)?;
    // Of two different ones, the gateway and the platform might take the other one.
    if values.any(|other| other != value) {
        return Err(Unnamed::BadAppKey);
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Unnamed::BadAppKey)?;
    AppId::parse(text).map_err(|_| Unnamed::BadAppKey)
}

/// `Authorization`, or else `access_token`.
fn access_token(headers: &HeaderMap) -> Result<(Scheme, &str), Unnamed> {
    match only(headers, GatewayHeader::Authorization)? {
        Some(authorization) => {
            let (scheme, token) = authorization.split_once(' ').ok_or(Unnamed::NoToken)?;
            let known = [("bearer", Scheme::Bearer), ("dpop", Scheme::Dpop)];
            let known = known.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
            let (_, scheme) = known.ok_or(Unnamed::NoToken)?;
            Ok((scheme, token.trim_matches(' ')))
        }
        None => Ok((Scheme::Bearer, only(headers, GatewayHeader::AccessToken)?.ok_or(Unnamed::NoToken)?)),
    }
}

/// An empty header counts as missing: Caddy passes on missing headers as empty ones.
fn only(headers: &HeaderMap, header: GatewayHeader) -> Result<Option<&str>, Unnamed> {
    let value = header.single(headers).map_err(|Repeated| Unnamed::TwoTokens)?;
    let value = value.filter(|value| !value.is_empty());
    value.map(|value| value.to_str().map_err(|_| Unnamed::NoToken)).transpose()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_token_is_found_however_clients_write_it() {
        for value in ["Bearer t", "bearer t", "BEARER  t", "Bearer   t "] {
            assert_eq!(
                access_token(&headers(&[("authorization", value)])),
                Ok((Scheme::Bearer, "t")),
                "{value}"
            );
        }
        assert_eq!(access_token(&headers(&[("access_token", "t")])), Ok((Scheme::Bearer, "t")));
        let beside_nothing = [("authorization", ""), ("access_token", "t")];
        assert_eq!(access_token(&headers(&beside_nothing)), Ok((Scheme::Bearer, "t")));
        assert_eq!(access_token(&headers(&[("authorization", "dpop t")])), Ok((Scheme::Dpop, "t")));
    }

    #[test]
    fn a_token_that_could_be_another_is_none() {
        let bad: [(&[_], _); 6] = [
            (&[], Unnamed::NoToken),
            (&[("authorization", "Basic t")], Unnamed::NoToken),
            (&[("authorization", "t")], Unnamed::NoToken),
            (&[("authorization", "Bearer t"), ("authorization", "Bearer u")], Unnamed::TwoTokens),
            (&[("authorization", "Basic t"), ("access_token", "u")], Unnamed::NoToken),
            (&[("access_token", "t"), ("access_token", "u")], Unnamed::TwoTokens),
        ];
        for (lines, error) in bad {
            assert_eq!(access_token(&headers(lines)), Err(error), "{lines:?}");
        }
    }

    #[test]
    fn the_app_key_has_two_names_and_one_value() {
        let app_id = |text| AppId::parse(text).map_err(|_| Unnamed::BadAppKey);
        assert_eq!(app_key(&headers(&[("app_key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("x-app-key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("app_key", "a"), ("x-app-key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("app_key", "a"), ("x-app-key", "b")])), Err(Unnamed::BadAppKey));
        assert_eq!(app_key(&headers(&[("app_key", "")])), Err(Unnamed::NoAppKey));
        assert_eq!(app_key(&headers(&[])), Err(Unnamed::NoAppKey));
    }
}
