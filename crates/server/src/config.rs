//! Configuration: merges four layers into one valid value, or returns an error that says what to write.

pub mod api;
pub mod database;
mod keys;
pub mod layers;
pub mod limits;
pub mod log;
pub mod oauth;
mod parse;
mod policy;
pub mod proxies;
pub mod reload;
pub mod tls;
pub mod traces;
pub mod verify;

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use northgate_core::policy::Policy;
use northgate_core::signing::Algorithms;

use api::Api;
use database::DatabaseSettings;
use layers::{Settings, Sources};
use limits::Limits;
use log::Log;
use oauth::OAuthSettings;
use proxies::Proxies;
use tls::TlsSettings;
use traces::Traces;
use verify::Verify;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Every setting, resolved; `config.default.toml` says what each is for.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory of everything that must survive a restart.
    pub data_dir: PathBuf,
    /// The public listener's address.
    pub listen: SocketAddr,
    /// The private listener's address.
    pub admin_listen: SocketAddr,
    /// More host names of the private listener, in lower case.
    pub admin_hosts: Vec<String>,
    /// The shared database; `None` means the embedded store.
    pub database: Option<DatabaseSettings>,
    /// The keyring file.
    pub keyring: PathBuf,
    /// The file with the key that seals the keyring in a shared database.
    pub keyring_key: PathBuf,
    /// The time from the publication of a new key to its use.
    pub key_lead: Duration,
    /// Algorithms whose keys are published although no policy names them yet.
    pub published_keys: Algorithms,
    /// The application API.
    pub api: Api,
    /// The server's names for OAuth clients.
    pub oauth: OAuthSettings,
    /// The default policy.
    pub policy: Policy,
    /// The rules of `/verify`.
    pub verify: Verify,
    /// Certificates and TLS settings.
    pub tls: TlsSettings,
    /// Trusted proxies.
    pub proxies: Proxies,
    /// Bounds for everything that can grow or wait.
    pub limits: Limits,
    /// The log.
    pub log: Log,
    /// The export of spans.
    pub traces: Traces,
    settings: Settings,
    /// Sentences about variables that look like misspelled settings.
    pub warnings: Vec<String>,
}

impl Config {
    /// Merges all layers, or returns the first bad setting with its origin and what to write.
    pub fn load(sources: Sources) -> Result<Config, ConfigError> {
        Config::check(sources).map_err(ConfigFaults::first)
    }

    /// Merges all layers, or returns all bad settings.
    pub fn check(sources: Sources) -> Result<Config, ConfigFaults> {
        let merged = Settings::merge(sources).map_err(ConfigFaults::from)?;
        let (mut settings, mut faults) = (merged.settings, merged.unknown);
        let format = settings.peek("log.format").ok();
        let is_json = format.is_some_and(|format| format.value.as_str() == Some("json"));
        loop {
            let error = match Config::read(settings.clone(), merged.misspelled.clone()) {
                Ok(config) if faults.is_empty() => return Ok(config),
                Ok(_) => break,
                Err(error) => error,
            };
            // With its default in place of the bad value, the next bad one is found.
            let goes_on = matches!(&error, ConfigError::Invalid { key, .. } if settings.reset(key));
            faults.push(error);
            if !goes_on {
                break;
            }
        }
        Err(ConfigFaults { all: faults, is_json })
    }

    fn read(mut settings: Settings, warnings: Vec<String>) -> Result<Config, ConfigError> {
        let all = settings.clone();
        let data_dir = settings.text("data_dir", "a directory, such as \"/var/lib/northgate\"", not_empty)?;
        let data_dir = PathBuf::from(data_dir);
        let keyring = match settings.path("keyring")? {
            Some(path) => path,
            None => data_dir.join("keyring.toml"),
        };
        let keyring_key = match settings.path("keyring_key")? {
            Some(path) => path,
            None => data_dir.join("keyring.key"),
        };
        let config = Config {
            listen: settings.address("listen")?,
            admin_listen: settings.address("admin_listen")?,
            admin_hosts: settings.host_names("admin_hosts")?,
            database: DatabaseSettings::take(&mut settings)?,
            keyring,
            keyring_key,
            key_lead: settings.duration("keys.lead", 15 * MINUTE..=24 * HOUR)?,
            published_keys: keys::published(&mut settings)?,
            api: Api::take(&mut settings)?,
            oauth: OAuthSettings::take(&mut settings)?,
            policy: policy::take(&mut settings)?,
            verify: Verify::take(&mut settings)?,
            tls: TlsSettings::take(&mut settings, &data_dir)?,
            proxies: Proxies::take(&mut settings)?,
            limits: Limits::take(&mut settings)?,
            log: Log::take(&mut settings)?,
            traces: Traces::take(&mut settings)?,
            data_dir,
            settings: all,
            warnings,
        };
        match settings.left_over() {
            None => Ok(config),
            Some(key) => Err(ConfigError::Unread { key }),
        }
    }

    /// The settings in force: key, value and origin; no secrets.
    pub fn described(&self) -> Vec<[String; 3]> {
        let line = |(key, setting): (&String, &layers::Setting)| {
            [key.clone(), layers::shown(key, &setting.value), setting.origin.to_string()]
        };
        self.settings.iter().map(line).collect()
    }

    /// The same as text, one a line as in a configuration file.
    pub fn describe(&self) -> String {
        describe(&self.settings)
    }
}

fn describe(settings: &Settings) -> String {
    let mut text = String::new();
    for (key, setting) in settings.iter() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} = {}  # {}", layers::shown(key, &setting.value), setting.origin);
    }
    text
}

fn not_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// All reasons why the configuration was refused; at least one.
#[derive(Debug)]
pub struct ConfigFaults {
    pub all: Vec<ConfigError>,
    /// Whether `log.format` asks for JSON.
    pub is_json: bool,
}

impl ConfigFaults {
    /// The first one.
    pub fn first(mut self) -> ConfigError {
        self.all.swap_remove(0)
    }
}

impl From<ConfigError> for ConfigFaults {
    fn from(first: ConfigError) -> ConfigFaults {
        ConfigFaults { all: vec![first], is_json: false }
    }
}

/// Reason why the configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The named file does not exist or cannot be read.
    #[error("the configuration file {} could not be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    /// Other users of the machine can read the password of the database.
    #[error(
        "{} holds the password of the database (database.url) and others can read it (its mode is {mode:03o}): make it \
         private with `chmod 600 {}`, or write the URL into a private file that database.url_file names",
        path.display(), path.display()
    )]
    ExposedPassword { path: PathBuf, mode: u32 },
    /// The file is not TOML.
    #[error("{place} is not TOML: {reason}")]
    NotToml { place: String, reason: String },
    /// An unknown key: a typing error must not silently leave the default in force.
    #[error("{key} ({origin}) is not a setting; the nearest one is {nearest}")]
    Unknown { key: String, origin: String, nearest: String },
    /// A value that cannot be used.
    #[error("{key} = {value} ({origin}): write {instead}")]
    Invalid { key: String, value: String, origin: String, instead: String },
    /// `config.default.toml` has a line without a reader: a bug.
    #[error("nothing reads the setting {key}")]
    Unread { key: String },
    /// `config.default.toml` lacks a line: a bug.
    #[error("the setting {key} has no default")]
    NoDefault { key: String },
}
