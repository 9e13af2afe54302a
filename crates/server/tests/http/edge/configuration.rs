//! Laws of the configuration: who wins, and the sentence for each kind of wrong value.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Policy, Rotation};
use northgate_server::config::api::{Api, Dialect, V3Login};
use northgate_server::config::layers::Sources;
use northgate_server::config::limits::Limits;
use northgate_server::config::log::{Log, LogFormat, LoggedRequests};
use northgate_server::config::tls::{CertificateFiles, ClientCertificates, MinimumTls, TlsSettings};
use northgate_server::config::verify::{TrustedHeaders, Verify};
use northgate_server::config::{Config, ConfigError};
use tempfile::TempDir;
use tracing::Level;

fn with_environment(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    Config::load(Sources { environment: environment.collect(), ..Sources::default() })
}

fn with_flags(flags: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let flags = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Config::load(Sources { flags, ..Sources::default() })
}

/// A file named northgate.toml, whose folder is replaced by `…` in sentences.
struct File(TempDir);

impl File {
    fn new(text: &str) -> File {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("northgate.toml"), text).unwrap();
        File(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("northgate.toml")
    }

    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(Sources { file: Some(self.path()), ..Sources::default() })
    }

    fn complaint(&self) -> String {
        self.load().unwrap_err().to_string().replace(self.0.path().to_str().unwrap(), "…")
    }
}

#[test]
fn without_any_source_the_defaults_are_those_that_the_manual_names() {
    let config = Config::load(Sources::default()).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(config.data_dir, PathBuf::from("northgate-data"));
    assert_eq!(config.listen, "0.0.0.0:8743".parse().unwrap());
    assert_eq!(config.admin_listen, "127.0.0.1:8744".parse().unwrap());
    assert_eq!(config.keyring, PathBuf::from("northgate-data/keyring.toml"));
    assert_eq!(config.api, Api { dialect: Dialect::Intl, prefix: String::new(), v3_login: V3Login::Off });
    assert_eq!(config.verify, Verify { leeway: seconds(30), trusted_headers: TrustedHeaders::default() });
    let policy = Policy {
        rotation: Rotation::Once,
        retry_window: seconds(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: seconds(3600),
        refresh_lifetime: seconds(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Presented,
    };
    assert_eq!(config.policy, policy);
    let tls = TlsSettings {
        certificates: vec![CertificateFiles {
            chain: "northgate-data/tls/cert.pem".into(),
            key: "northgate-data/tls/key.pem".into(),
        }],
        reload_every: seconds(10),
        client_certificates: ClientCertificates::None,
        minimum: MinimumTls::Tls12,
        tickets: true,
    };
    assert_eq!(config.tls, tls);
    let limits = Limits {
        body: 16_384,
        headers: 16_384,
        header_time: seconds(10),
        body_time: seconds(10),
        handshake_time: seconds(10),
        idle_time: seconds(150),
        connections: 16_384,
        connections_per_source: 4096,
        stop_time: seconds(30),
        commit_queue: 8192,
        closed_grants: 10_000,
        hashes_at_once: 2,
        failures_per_source: 30,
        failures_per_application: 300,
        dpop_proofs: 65_536,
        threads: None,
    };
    assert_eq!(config.limits, limits);
    let log =
        Log { journal: None, format: LogFormat::Text, level: Level::INFO, requests: LoggedRequests::All };
    assert_eq!(config.log, log);
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let file = File::new("data_dir = 'file'\n[policy]\nmax_grants = 2\n[log]\nlevel = 'warn'\n");
    let environment = [("NORTHGATE_POLICY_MAX_GRANTS", "3"), ("NORTHGATE_LOG_LEVEL", "error")];
    let config = Config::load(Sources {
        file: Some(file.path()),
        standard_file: None,
        environment: environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        flags: vec![("log.level".to_owned(), "debug".to_owned())],
    });
    let config = config.unwrap();
    assert_eq!(config.data_dir, PathBuf::from("file"));
    assert_eq!(config.policy.max_grants, 3);
    assert_eq!(config.log.level, Level::DEBUG);
    assert_eq!(config.log.format, LogFormat::Text);
}

#[test]
fn the_description_says_where_each_setting_came_from() {
    let config = with_environment(&[("NORTHGATE_LOG_LEVEL", "warn")]).unwrap();
    assert!(config.describe().contains("log.level = \"warn\"  # from NORTHGATE_LOG_LEVEL\n"));
    assert!(config.describe().contains("log.format = \"text\"  # the default\n"));
}

#[test]
fn the_environment_may_name_the_file_and_the_flag_wins_over_it() {
    let (named, given) = (File::new("data_dir = 'named'"), File::new("data_dir = 'given'"));
    let environment = BTreeMap::from([("NORTHGATE_CONFIG".to_owned(), named.path().display().to_string())]);
    let sources = Sources { environment, ..Sources::default() };
    assert_eq!(Config::load(sources.clone()).unwrap().data_dir, PathBuf::from("named"));
    let sources = Sources { file: Some(given.path()), ..sources };
    assert_eq!(Config::load(sources).unwrap().data_dir, PathBuf::from("given"));
}

#[test]
fn variables_that_are_no_settings_are_ignored() {
    let injected = [("NORTHGATE_SERVICE_HOST", "10.0.0.1"), ("NORTHGATE_PORT", "tcp://10.0.0.1:8743")];
    assert!(with_environment(&injected).is_ok());
}

#[test]
fn lists_in_the_environment_are_separated_by_commas() {
    let config = with_environment(&[
        ("NORTHGATE_TLS_CERTIFICATES", "rsa.pem, ecdsa.pem"),
        ("NORTHGATE_TLS_KEYS", "rsa.key,ecdsa.key"),
        ("NORTHGATE_TLS_TICKETS", "false"),
    ]);
    let config = config.unwrap();
    let pair = |chain: &str, key: &str| CertificateFiles { chain: chain.into(), key: key.into() };
    let expected = [pair("rsa.pem", "rsa.key"), pair("ecdsa.pem", "ecdsa.key")];
    assert_eq!(config.tls.certificates, expected);
    assert!(!config.tls.tickets);
}

#[test]
fn an_unknown_key_in_a_file_is_refused_with_the_nearest_one() {
    let complaint = File::new("[limits]\nheader_tme = '5s'\n").complaint();
    let expected =
        "limits.header_tme (in …/northgate.toml) is not a setting; the nearest one is limits.header_time";
    assert_eq!(complaint, expected);
}

#[test]
fn an_unknown_table_in_a_file_is_refused() {
    let complaint = File::new("listen.port = 1\n").complaint();
    assert_eq!(complaint, "listen.port (in …/northgate.toml) is not a setting; the nearest one is listen");
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_the_line() {
    let complaint = File::new("data_dir = 'a'\nlisten 8743\n").complaint();
    assert!(complaint.starts_with("…/northgate.toml (line 2) is not TOML: "), "{complaint}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let file = Some(PathBuf::from("nowhere.toml"));
    let error = Config::load(Sources { file, ..Sources::default() }).unwrap_err();
    assert_eq!(error.to_string(), "the configuration file nowhere.toml could not be read");
}

#[test]
fn a_wrong_value_in_a_file_stops_with_the_file_and_what_to_write() {
    let complaint = File::new("[policy]\naccess_lifetime = '2 fortnights'\n").complaint();
    let expected = "policy.access_lifetime = \"2 fortnights\" (in …/northgate.toml): \
                    write a number and s, m, h or d, such as \"15m\", from 1s to 30days";
    assert_eq!(complaint, expected);
}

#[test]
fn a_value_of_the_wrong_type_says_what_to_write() {
    let complaint = File::new("listen = 8743\n").complaint();
    let expected = "listen = 8743 (in …/northgate.toml): \
                    write an IP address and a port, such as \"127.0.0.1:8743\" or \"[::]:8743\"";
    assert_eq!(complaint, expected);
}

/// One of each kind, with the whole sentence.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "limits.header_time",
        "0s",
        "limits.header_time = \"0s\" (from the command line): \
         write a number and s, m, h or d, such as \"15m\", from 1s to 10m",
    ),
    // Libraries keep a key set for a quarter of an hour: after a shorter lead they refuse tokens by the new key.
    (
        "keys.lead",
        "14m",
        "keys.lead = \"14m\" (from the command line): \
         write a number and s, m, h or d, such as \"15m\", from 15m to 1day",
    ),
    (
        "verify.leeway",
        "1500ms",
        "verify.leeway = \"1500ms\" (from the command line): \
         write a number and s, m, h or d, such as \"15m\", from 0s to 1h",
    ),
    (
        "verify.trusted_headers",
        "client-cert,x-real-ip",
        "verify.trusted_headers = [\"client-cert\", \"x-real-ip\"] (from the command line): \
         write a list of headers that the gateway sets or removes itself: \"client-cert\", \
         \"x-client-cert-thumbprint\", \"x-forwarded-host\", \"x-forwarded-proto\", or [] for none",
    ),
    (
        "limits.body",
        "16KB",
        "limits.body = \"16KB\" (from the command line): \
         write a number and B, KiB or MiB, such as \"16KiB\", from 1024B to 1024KiB",
    ),
    (
        "policy.max_grants",
        "1025",
        "policy.max_grants = 1025 (from the command line): write a whole number from 1 to 1024",
    ),
    (
        "limits.connections",
        "many",
        "limits.connections = \"many\" (from the command line): write a whole number from 1 to 1000000",
    ),
    ("tls.tickets", "yes", "tls.tickets = \"yes\" (from the command line): write true or false"),
    ("api.dialect", "en", "api.dialect = \"en\" (from the command line): write \"intl\" or \"cn\""),
    (
        "api.prefix",
        "/cvmp/",
        "api.prefix = \"/cvmp/\" (from the command line): \
         write \"\" or a path that starts with / and does not end with it, such as \"/cvmp\"",
    ),
    (
        "listen",
        "localhost:8743",
        "listen = \"localhost:8743\" (from the command line): \
         write an IP address and a port, such as \"127.0.0.1:8743\" or \"[::]:8743\"",
    ),
    (
        "data_dir",
        "",
        "data_dir = \"\" (from the command line): write a directory, such as \"/var/lib/northgate\"",
    ),
    (
        "tls.certificates",
        "a.pem,b.pem",
        "tls.keys = [] (the default): write one key file for each certificate file, which are 2",
    ),
    (
        "tls.client_certificates",
        "require",
        "tls.client_ca = \"\" (the default): \
         write a PEM file with the authorities that tls.client_certificates = \"require\" needs",
    ),
    (
        "proxies.trusted",
        "10.0.0.0/33",
        "proxies.trusted = [\"10.0.0.0/33\"] (from the command line): \
         write a list of addresses and networks, such as [\"10.0.0.0/8\", \"2001:db8::1\"]",
    ),
    (
        "proxies.protocol",
        "on",
        "proxies.protocol = \"on\" (from the command line): write \"off\", or the addresses of the proxies in \
         proxies.trusted: without them, every connection is closed",
    ),
    (
        "database.poll_every",
        "1us",
        "database.poll_every = \"1us\" (from the command line): \
         write a number and ms, s or m, such as \"250ms\", from 10ms to 1m",
    ),
];

#[test]
fn each_kind_of_wrong_value_has_a_sentence_that_says_what_to_write() {
    for (key, value, expected) in WRONG {
        assert_eq!(with_flags(&[(key, value)]).unwrap_err().to_string(), *expected);
    }
}

#[test]
fn a_wrong_variable_is_named() {
    let error = with_environment(&[("NORTHGATE_TLS_MINIMUM", "1.1")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "tls.minimum = \"1.1\" (from NORTHGATE_TLS_MINIMUM): write \"1.2\" or \"1.3\""
    );
}

#[test]
fn names_of_the_private_listener_are_host_names_without_a_port() {
    let config = with_environment(&[("NORTHGATE_ADMIN_HOSTS", "Northgate.internal,b")]).unwrap();
    assert_eq!(config.admin_hosts, ["northgate.internal", "b"]);
    for wrong in ["a:8744", "*.a", "http://a", "a b", "[\"\"]"] {
        let complaint = with_flags(&[("admin_hosts", wrong)]).unwrap_err().to_string();
        assert!(
            complaint
                .ends_with("write a list of host names without a port, such as [\"northgate.internal\"]"),
            "{complaint}"
        );
    }
}
