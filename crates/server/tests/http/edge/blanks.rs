//! Laws of values with invisible blanks: rejected wherever settings are read, before they fail far from their cause.

use std::collections::BTreeMap;
use std::path::PathBuf;

use northgate_server::config::layers::Sources;
use northgate_server::config::{Config, ConfigError};

/// Every setting with its default, by the manual itself.
fn settings() -> Vec<(String, toml::Value)> {
    let mut found = Vec::new();
    let defaults: toml::Table = toml::from_str(include_str!("../../../config.default.toml")).unwrap();
    for (name, value) in defaults {
        match value.as_table() {
            Some(inner) => {
                found.extend(inner.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())))
            }
            None => found.push((name, value)),
        }
    }
    found
}

/// The value as a text of the environment or the command line, which is never the empty one.
fn text(value: &toml::Value) -> String {
    match value.as_str() {
        Some("") => "a".to_owned(),
        Some(text) => text.to_owned(),
        None if value.is_array() => "a".to_owned(),
        None => value.to_string(),
    }
}

fn with_flag(key: &str, text: &str) -> Result<Config, ConfigError> {
    Config::load(Sources { flags: vec![(key.to_owned(), text.to_owned())], ..Sources::default() })
}

fn with_variable(key: &str, text: &str) -> Result<Config, ConfigError> {
    let name = format!("NORTHGATE_{}", key.replace('.', "_").to_uppercase());
    Config::load(Sources { environment: BTreeMap::from([(name, text.to_owned())]), ..Sources::default() })
}

fn with_file(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("northgate.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Sources { file: Some(file), ..Sources::default() })
}

// `NORTHGATE_DATA_DIR="/var/lib/northgate "` made a second, empty installation beside the first.
#[test]
fn no_setting_takes_a_value_with_a_blank_at_its_ends_or_an_invisible_character() {
    for (key, value) in settings() {
        let good = text(&value);
        for (bad, blank) in [
            (format!("{good} "), "the space at its end"),
            (format!(" {good}"), "the space at its beginning"),
            (format!("{good}\n"), "the line break at its end"),
            (format!("{good}\r"), "the line break at its end"),
            (format!("{good}\t"), "the tab at its end"),
            (format!("\u{feff}{good}"), "the byte order mark (U+FEFF) at its beginning"),
            (format!("{good}\u{a0}"), "the invisible character U+00A0 at its end"),
            (format!("{good}\u{200b}"), "the invisible character U+200B at its end"),
            (format!("a\u{200d}{good}"), "the invisible character U+200D inside"),
            (format!("a\u{fffd}{good}"), "the bytes that are not UTF-8 inside"),
        ] {
            for refused in [with_flag(&key, &bad), with_variable(&key, &bad)] {
                let said = refused.unwrap_err().to_string();
                assert!(
                    said.starts_with(&key) && said.ends_with(&format!(": write it without {blank}")),
                    "{said}"
                );
            }
        }
    }
}

#[test]
fn no_setting_of_a_file_takes_one_either() {
    for (text, blank) in [
        ("data_dir = 'd '", "the space at its end"),
        ("data_dir = \"d\\n\"", "the line break at its end"),
        ("[tls]\ncertificates = ['a.pem', 'b.pem ']\nkeys = ['a', 'b']", "the space at its end"),
        ("[log]\nlevel = ' info'", "the space at its beginning"),
        ("[limits]\nbody = '16KiB\t'", "the tab at its end"),
        ("[policy]\naccess_lifetime = \"1h\u{200b}\"", "the invisible character U+200B at its end"),
    ] {
        let said = with_file(text).unwrap_err().to_string();
        assert!(said.ends_with(&format!(": write it without {blank}")), "{said}");
    }
    // An editor's byte order mark in front of the file is no part of a value.
    assert!(with_file("\u{feff}data_dir = 'd'\r\n").is_ok());
}

#[test]
fn a_list_may_have_a_space_behind_each_comma_and_no_empty_place() {
    let variables = |chains: &str, keys: &str| {
        let variables = [("NORTHGATE_TLS_CERTIFICATES", chains), ("NORTHGATE_TLS_KEYS", keys)];
        let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Config::load(Sources { environment, ..Sources::default() })
    };
    assert!(variables("a.pem, b.pem", "a.key,b.key").is_ok());
    assert!(variables("", "").is_ok());
    for chains in ["a.pem ,b.pem", "a.pem,b.pem ", " a.pem,b.pem", "a.pem,", "a.pem,,b.pem", "a.pem,\tb.pem"]
    {
        assert!(variables(chains, "a.key,b.key").is_err(), "{chains:?}");
    }
}

#[test]
fn the_name_of_the_file_itself_and_a_database_url_are_refused_and_the_url_is_not_repeated() {
    let file = Some(PathBuf::from("northgate.toml "));
    let said = Config::load(Sources { file, ..Sources::default() }).unwrap_err().to_string();
    assert_eq!(
        said,
        "config = \"northgate.toml \" (from the command line): write it without the space at its end"
    );
    let environment = BTreeMap::from([("NORTHGATE_CONFIG".to_owned(), "northgate.toml\n".to_owned())]);
    let said = Config::load(Sources { environment, ..Sources::default() }).unwrap_err().to_string();
    assert!(said.ends_with("(from NORTHGATE_CONFIG): write it without the line break at its end"), "{said}");
    let said = with_variable("database.url", "postgres://n:hunter2@h/n\n").unwrap_err().to_string();
    assert!(
        said.ends_with("write it without the line break at its end") && !said.contains("hunter2"),
        "{said}"
    );
}
