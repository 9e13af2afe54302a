//! How to reach the database and how long to wait for it.

use std::path::Path;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use super::tls::{self, Connector, TlsError};

/// What one node does with the database.
pub struct PostgresSettings {
    pub database: Database,
    /// Connections that write refreshes and logouts. An application belongs to one, so that a node never waits for its
    /// own locks.
    pub lanes: usize,
    /// Connections that write logins, which take two round trips.
    pub login_lanes: usize,
    /// Operations that may wait for the database; for logins there is half as much room.
    pub queue_bound: usize,
    /// How long a connection to one host may take to be made.
    pub connect_timeout: Duration,
    /// How long the database may work on one statement, and a transaction may stand still.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long a request waits for the database, retries included, before it hears that the store is unavailable.
    pub answer_within: Duration,
    /// How often the registry is read for what other nodes changed. It bounds how late a node knows of it.
    pub poll_every: Duration,
    /// How old the last look may be before the node is behind.
    pub behind_after: Duration,
    /// Whether nodes wake each other with LISTEN and NOTIFY, so that mostly they need not wait for the next look.
    pub notify: bool,
    /// For how long the clock must not have jumped before expired rows are removed on its word.
    pub steady_for: Duration,
}

/// Which database, and as whom. It holds a password and cannot be printed.
pub struct Database {
    pub(crate) config: Config,
    pub(crate) tls: Connector,
}

/// Why a URL names no database.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    // Not the parser's own words alone: they may be about any part of the URL, but never repeat the password.
    #[error("it is no URL of a database: write postgres://user:password@host:5432/database")]
    Malformed(#[source] tokio_postgres::Error),
    #[error("sslmode = {0:?} is not known: write disable, prefer, require or verify-full")]
    SslMode(String),
    #[error("sslmode = verify-full needs a file with the certificates of the authority to trust")]
    NoRoots,
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl Database {
    /// The database of a `postgres://` URL. TLS is as `sslmode` in it says: `disable`, `prefer` (the default: TLS if the
    /// server has it), `require`, or `verify-full`. With `roots`, a PEM file, the server's certificate is always checked.
    pub fn parse(url: &str, roots: Option<&Path>) -> Result<Database, UrlError> {
        let (url, mode) = take_ssl_mode(url);
        let mut config: Config = url.parse().map_err(UrlError::Malformed)?;
        config.ssl_mode(match mode.as_deref() {
            None | Some("prefer") => SslMode::Prefer,
            Some("disable") => SslMode::Disable,
            Some("require") => SslMode::Require,
            Some("verify-full") if roots.is_none() => return Err(UrlError::NoRoots),
            Some("verify-full") => SslMode::Require,
            Some(other) => return Err(UrlError::SslMode(other.to_owned())),
        });
        // Of several hosts the one that takes writes, also after a standby was promoted.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("northgate");
        }
        Ok(Database { config, tls: tls::connector(roots)? })
    }
}

/// The URL without its `sslmode`, of which the client library does not know all.
fn take_ssl_mode(url: &str) -> (String, Option<String>) {
    let Some((place, parameters)) = url.split_once('?') else { return (url.to_owned(), None) };
    let (modes, others): (Vec<&str>, Vec<&str>) =
        parameters.split('&').partition(|parameter| parameter.starts_with("sslmode="));
    let mode = modes.last().and_then(|mode| mode.split_once('=')).map(|(_, mode)| mode.to_owned());
    (format!("{place}?{}", others.join("&")), mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<SslMode, String> {
        match Database::parse(url, None) {
            Ok(database) => Ok(database.config.get_ssl_mode()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn tls_is_as_the_url_says() {
        assert_eq!(parsed("postgres://u@h/d"), Ok(SslMode::Prefer));
        assert_eq!(parsed("postgres://u@h/d?sslmode=disable&connect_timeout=3"), Ok(SslMode::Disable));
        assert_eq!(parsed("postgres://u@h,i/d?connect_timeout=3&sslmode=require"), Ok(SslMode::Require));
        assert!(
            parsed("postgres://u@h/d?sslmode=verify-full").is_err_and(|error| error.contains("needs a file"))
        );
        assert!(parsed("postgres://u@h/d?sslmode=allow").is_err_and(|error| error.contains("write disable")));
    }

    #[test]
    fn what_is_no_url_is_told_without_its_password() {
        let told = parsed("postgres://user:hunter2@host:port/database").unwrap_err();
        assert!(told.contains("write postgres://") && !told.contains("hunter2"), "{told}");
    }
}
