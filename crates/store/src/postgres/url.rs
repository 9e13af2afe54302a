//! The URL of a database, parsed strictly: a password that is not percent-encoded is recognised, and never printed.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};

use super::tls::{self, Connector, Identity, TlsError, Trust};

/// A database and its user. It contains a password and cannot be printed.
pub struct Database {
    /// One for each host of the URL, in its order.
    pub(crate) hosts: Vec<Config>,
    pub(crate) tls: Connector,
}

/// Reason why a URL does not parse. No sentence repeats any part of it that may belong to a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    #[error("it is empty: write postgres://user:password@host:5432/database")]
    Empty,
    #[error("it is not a PostgreSQL URL: write postgres://user:password@host:5432/database")]
    Scheme,
    // The parser's message alone names no remedy. It may concern any part of the URL, but never repeats the password.
    #[error("it is not a PostgreSQL URL: write postgres://user:password@host:5432/database")]
    Malformed(#[source] tokio_postgres::Error),
    #[error(
        "it has a blank or a line break in it: write the URL alone, in one line, with %20 for a blank in a password"
    )]
    Blank,
    #[error(
        "a character in it must be percent-encoded, most likely in the password: write %40 for @, %2F for /, %23 for #, \
         %3F for ?, %26 for & and %25 for %"
    )]
    NotEncoded,
    #[error("it has a ; in it: separate parameters by &, and write %3B for a ; in a value")]
    Semicolon,
    #[error(
        "it names no host: write postgres://user:password@host:5432/database, or host=/directory for a Unix socket"
    )]
    NoHost,
    #[error("it has the parameter {0}, which Northgate does not know; it knows {known}", known = known())]
    Parameter(String),
    #[error("it has a parameter that Northgate does not know; it knows {known}", known = known())]
    SomeParameter,
    #[error("it names hosts twice: write them before the path or in the parameter host")]
    TwoHosts,
    #[error(
        "sslmode = {0:?} is not known: write disable, prefer, require, verify-ca or verify-full. (allow is left out on \
         purpose: it encrypts only where the server insists; write prefer or require)"
    )]
    SslMode(String),
    #[error(
        "sslmode = {0} needs the certificates of the authority to trust: name their PEM file in \
         database.root_certificates or sslrootcert, or write sslrootcert=system"
    )]
    NoRoots(String),
    #[error("sslrootcert and database.root_certificates both name authorities: leave one out")]
    TwoRoots,
    #[error("a client certificate needs both sslcert and sslkey")]
    HalfIdentity,
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Parameters that this file handles, and those that it passes on.
const OURS: [&str; 7] = ["host", "hostaddr", "port", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const HANDED_ON: [&str; 10] = [
    "user",
    "password",
    "dbname",
    "options",
    "application_name",
    "channel_binding",
    "sslnegotiation",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
];
/// Overruled by settings of Northgate; accepted without effect.
const OVERRULED: [&str; 5] = [
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives_retries",
    "target_session_attrs",
    "load_balance_hosts",
];

fn known() -> String {
    OURS.iter().chain(&HANDED_ON).copied().collect::<Vec<_>>().join(", ")
}

impl Database {
    /// Parses a `postgres://` URL. TLS follows its `sslmode`: `disable`, `prefer` (the default: TLS if the server has it),
    /// `require`, `verify-ca` or `verify-full`. With trusted authorities, from `sslrootcert` or `roots`, the server's certificate
    /// is always checked, and its name too unless `verify-ca` says otherwise.
    pub fn parse(url: &str, roots: Option<&Path>) -> Result<Database, UrlError> {
        let parts = Parts::split(url)?;
        let given = parts.path("sslrootcert");
        if given.is_some() && roots.is_some() {
            return Err(UrlError::TwoRoots);
        }
        let mode = parts.value("sslmode").map(decoded);
        let (mode, trust) = encryption(mode.as_deref(), given.as_deref().or(roots))?;
        let identity = match (parts.path("sslcert"), parts.path("sslkey")) {
            (None, None) => None,
            (Some(chain), Some(key)) => Some(Identity { chain, key }),
            (Some(_), None) | (None, Some(_)) => return Err(UrlError::HalfIdentity),
        };
        let hosts = parts.hosts()?.iter().map(|url| config(url, mode)).collect::<Result<Vec<_>, _>>()?;
        let is_direct = hosts.iter().any(|host| host.get_ssl_negotiation() == SslNegotiation::Direct);
        Ok(Database { tls: tls::connector(&trust, identity.as_ref(), is_direct)?, hosts })
    }
}

fn encryption<'a>(mode: Option<&str>, roots: Option<&'a Path>) -> Result<(SslMode, Trust<'a>), UrlError> {
    let checked = roots.map_or(Trust::Anybody, Trust::Server);
    match (mode, roots) {
        (Some("disable"), _) => Ok((SslMode::Disable, checked)),
        (None | Some("prefer"), _) => Ok((SslMode::Prefer, checked)),
        (Some("require"), _) | (Some("verify-full"), Some(_)) => Ok((SslMode::Require, checked)),
        (Some("verify-ca"), Some(roots)) => Ok((SslMode::Require, Trust::Authority(roots))),
        (Some(mode @ ("verify-ca" | "verify-full")), None) => Err(UrlError::NoRoots(mode.to_owned())),
        (Some(other), _) => Err(UrlError::SslMode(other.to_owned())),
    }
}

/// The settings of one host.
fn config(url: &str, mode: SslMode) -> Result<Config, UrlError> {
    let mut config: Config = url.parse().map_err(UrlError::Malformed)?;
    // PostgreSQL has no TLS over Unix sockets, whatever the mode is.
    let is_local = config.get_hosts().iter().any(|host| matches!(host, Host::Unix(_)));
    config.ssl_mode(if is_local { SslMode::Disable } else { mode });
    // A standby is rejected, also if it was the primary before.
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    if config.get_application_name().is_none() {
        config.application_name("northgate");
    }
    Ok(config)
}

/// A URL split into parts, nothing decoded yet.
struct Parts<'a> {
    /// With the `@` behind them.
    credentials: &'a str,
    authority: &'a str,
    /// With its slash.
    path: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn split(url: &'a str) -> Result<Parts<'a>, UrlError> {
        // Editors of other systems begin a file with a byte order mark and end its lines with CR and LF.
        let url = url.trim().trim_start_matches('\u{feff}').trim();
        if url.is_empty() {
            return Err(UrlError::Empty);
        }
        let rest = without_scheme(url).ok_or(UrlError::Scheme)?;
        if rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}') {
            return Err(UrlError::Blank);
        }
        let (authority, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // Any of these may stand unencoded in a password, and the URL then means something else.
        if rest.contains('#')
            || after.contains('@')
            || authority.matches('@').count() > 1
            || !is_encoded(rest)
        {
            return Err(UrlError::NotEncoded);
        }
        let host_at = authority.find('@').map_or(0, |at| at + 1);
        let (credentials, authority) = authority.split_at(host_at);
        // Other drivers separate parameters by it: a password may follow.
        if authority.contains(';') || after.contains(';') {
            return Err(UrlError::Semicolon);
        }
        let (path, query) = after.split_once('?').unwrap_or((after, ""));
        let mut parts = Parts { credentials, authority, path, parameters: Vec::new() };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            parts.parameters.push(parameter.split_once('=').unwrap_or((parameter, "")));
        }
        parts.check_parameters()?;
        Ok(parts)
    }

    fn check_parameters(&self) -> Result<(), UrlError> {
        let is_known = |key: &str| OURS.iter().chain(&HANDED_ON).chain(&OVERRULED).any(|known| *known == key);
        match self.parameters.iter().find(|(key, _)| !is_known(key)) {
            None => Ok(()),
            // It may be the rest of a password with an unencoded & in it.
            Some(_) if self.value("password").is_some() => Err(UrlError::SomeParameter),
            Some((key, _)) => Err(UrlError::Parameter(decoded(key))),
        }
    }

    /// The last value of a name.
    fn value(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(decoded).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// A URL for each host.
    fn hosts(&self) -> Result<Vec<String>, UrlError> {
        let list = |name| self.value(name).map(|value| value.replace("%2C", ",").replace("%2c", ","));
        let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
        let all = |list: &Option<String>| -> Vec<String> {
            list.iter().flat_map(|list| list.split(',')).map(ToOwned::to_owned).collect()
        };
        let (names, addresses, ports) = (all(&names), all(&addresses), all(&ports));
        let before_path: Vec<&str> = self.authority.split(',').filter(|host| !host.is_empty()).collect();
        if !before_path.is_empty() && !names.is_empty() {
            return Err(UrlError::TwoHosts);
        }
        let count = before_path.len().max(names.len()).max(addresses.len());
        if count == 0 {
            return Err(UrlError::NoHost);
        }
        let urls = (0..count).map(|index| {
            let port = ports.get(index).or_else(|| ports.first());
            self.one_host(before_path.get(index).copied(), names.get(index), addresses.get(index), port)
        });
        Ok(urls.collect())
    }

    fn one_host(
        &self,
        before_path: Option<&str>,
        name: Option<&String>,
        address: Option<&String>,
        port: Option<&String>,
    ) -> String {
        let Parts { credentials, path, .. } = self;
        let mut authority = before_path.unwrap_or_default().to_owned();
        let has_port = authority.rsplit(']').next().is_some_and(|rest| rest.contains(':'));
        let mut parameters: Vec<String> = self
            .parameters
            .iter()
            .filter(|(key, _)| HANDED_ON.contains(key))
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        parameters.extend(name.map(|name| format!("host={name}")));
        parameters.extend(address.map(|address| format!("hostaddr={address}")));
        match port {
            Some(port) if !authority.is_empty() && !has_port => authority = format!("{authority}:{port}"),
            Some(port) if authority.is_empty() => parameters.push(format!("port={port}")),
            Some(_) | None => {}
        }
        format!("postgres://{credentials}{authority}{path}?{}", parameters.join("&"))
    }
}

/// The rest after the scheme, which may be in capitals as in any URL.
fn without_scheme(url: &str) -> Option<&str> {
    ["postgres://", "postgresql://"].iter().find_map(|scheme| {
        let (given, rest) = url.split_at_checked(scheme.len())?;
        given.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Whether each percent sign begins an encoded byte.
fn is_encoded(text: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(at, byte)| *byte != b'%' || is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests;
