//! The layers of the configuration: default file, configuration file, environment, flags; later ones win.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::blanks;
use crate::config::ConfigError;
use crate::exposure;
use crate::keys::admin_token;

pub(super) const DEFAULTS: &str = include_str!("../../config.default.toml");
/// The configuration file of packages.
pub const STANDARD_FILE: &str = "/etc/northgate/northgate.toml";
const FILE_VARIABLE: &str = "NORTHGATE_CONFIG";

/// The sources of the configuration, besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file of `--config`; without it, the one that `NORTHGATE_CONFIG` names.
    pub file: Option<PathBuf>,
    /// The file that is read if neither names one, such as [`STANDARD_FILE`].
    pub standard_file: Option<PathBuf>,
    /// Environment variables; variables without the prefix are ignored.
    pub environment: BTreeMap<String, String>,
    /// Flags as dotted key and value, such as `("listen", "127.0.0.1:8743")`.
    pub flags: Vec<(String, String)>,
}

impl Sources {
    /// The sources of this process; only here the configuration reads the real environment.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Sources {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        let standard_file = Some(PathBuf::from(STANDARD_FILE)).filter(|path| path.exists());
        Sources { file, standard_file, environment, flags }
    }
}

/// The origin of a value, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Variable(String),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => write!(f, "the default"),
            Origin::File(path) => write!(f, "in {}", path.display()),
            Origin::Variable(name) => write!(f, "from {name}"),
            Origin::Flag => write!(f, "from the command line"),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// All settings by dotted key. Reading a setting takes it out, so that unread ones are found.
#[derive(Clone)]
pub(super) struct Settings(BTreeMap<String, Setting>);

/// Only the keys: a database URL may hold a password.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The merged layers, with the keys that are no settings and the variables that look like misspelled ones.
pub(super) struct Merged {
    pub settings: Settings,
    pub unknown: Vec<ConfigError>,
    pub misspelled: Vec<String>,
}

impl Settings {
    pub fn merge(sources: Sources) -> Result<Merged, ConfigError> {
        let mut settings = Settings::defaults()?;
        let mut unknown = Vec::new();
        if let Some((path, origin)) = named_file(&sources) {
            check_path(&path, &origin)?;
            unknown = settings.put_file(&path)?;
        }
        settings.put_environment(&sources.environment);
        for (key, text) in sources.flags {
            let value = like(settings.default_of(&key, &Origin::Flag)?, text);
            settings.put(key, value, Origin::Flag)?;
        }
        let misspelled = settings.misspelled(&sources.environment);
        Ok(Merged { settings, unknown, misspelled })
    }

    fn defaults() -> Result<Settings, ConfigError> {
        let leaves = leaves(DEFAULTS, Path::new("config.default.toml"))?;
        let default = |(key, value)| (key, Setting { value, origin: Origin::Default });
        Ok(Settings(leaves.into_iter().map(default).collect()))
    }

    /// Puts the default in place of a bad value; false if it is the default.
    pub fn reset(&mut self, key: &str) -> bool {
        let is_set = self.0.get(key).is_some_and(|setting| setting.origin != Origin::Default);
        let default = Settings::defaults().ok().and_then(|mut defaults| defaults.0.remove(key));
        match default {
            Some(default) if is_set => self.0.insert(key.to_owned(), default).is_some(),
            Some(_) | None => false,
        }
    }

    /// Variables that begin like ours and are none, each with the nearest one. Kubernetes injects `NORTHGATE_SERVICE_HOST`,
    /// `NORTHGATE_PORT_8743_TCP` and others like them for a service of this name.
    fn misspelled(&self, environment: &BTreeMap<String, String>) -> Vec<String> {
        let mut ours: Vec<String> = self.0.keys().map(|key| variable(key)).collect();
        ours.extend([FILE_VARIABLE, admin_token::VARIABLE].map(str::to_owned));
        let is_of_kubernetes = |name: &str| {
            name.starts_with("NORTHGATE_SERVICE_")
                || name == "NORTHGATE_PORT"
                || name.starts_with("NORTHGATE_PORT_")
        };
        let unknown = environment
            .keys()
            .filter(|name| name.starts_with("NORTHGATE_") && !is_of_kubernetes(name) && !ours.contains(name));
        let sentence = |name: &String| {
            let nearest = ours.iter().min_by_key(|known| distance(known, name)).map_or("", String::as_str);
            format!("the variable {name} is not a setting and is ignored; the nearest one is {nearest}")
        };
        unknown.map(sentence).collect()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Setting)> {
        self.0.iter()
    }

    pub fn peek(&self, key: &str) -> Result<Setting, ConfigError> {
        self.0.get(key).cloned().ok_or_else(|| ConfigError::NoDefault { key: key.to_owned() })
    }

    /// Puts another value in the place of one.
    pub fn replace(&mut self, key: &str, setting: Setting) {
        self.0.insert(key.to_owned(), setting);
    }

    pub fn take(&mut self, key: &str) -> Result<Setting, ConfigError> {
        self.0.remove(key).ok_or_else(|| ConfigError::NoDefault { key: key.to_owned() })
    }

    pub fn left_over(mut self) -> Option<String> {
        self.0.pop_first().map(|(key, _)| key)
    }

    /// Returns the keys that are no settings.
    fn put_file(&mut self, path: &Path) -> Result<Vec<ConfigError>, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
        let mut unknown = Vec::new();
        for (key, value) in leaves(&text, path)? {
            if key == "database.url" && value.as_str().is_some_and(has_password) {
                check_private(path)?;
            }
            unknown.extend(self.put(key, value, Origin::File(path.to_owned())).err());
        }
        Ok(unknown)
    }

    /// Looks up known keys instead of reading all variables: Kubernetes injects NORTHGATE_SERVICE_HOST and others like it.
    fn put_environment(&mut self, environment: &BTreeMap<String, String>) {
        for (key, setting) in &mut self.0 {
            let name = variable(key);
            if let Some(text) = environment.get(&name) {
                setting.value = like(&setting.value, text.clone());
                setting.origin = Origin::Variable(name);
            }
        }
    }

    fn put(&mut self, key: String, value: Value, origin: Origin) -> Result<(), ConfigError> {
        self.default_of(&key, &origin)?;
        self.0.insert(key, Setting { value, origin });
        Ok(())
    }

    fn default_of(&self, key: &str, origin: &Origin) -> Result<&Value, ConfigError> {
        self.0.get(key).map(|setting| &setting.value).ok_or_else(|| {
            let nearest = self.0.keys().min_by_key(|known| distance(known, key)).cloned();
            ConfigError::Unknown {
                key: key.to_owned(),
                origin: origin.to_string(),
                nearest: nearest.unwrap_or_default(),
            }
        })
    }
}

/// The configuration file, and the origin of its name.
fn named_file(sources: &Sources) -> Option<(PathBuf, Origin)> {
    let variable = || {
        let path = sources.environment.get(FILE_VARIABLE)?;
        Some((PathBuf::from(path), Origin::Variable(FILE_VARIABLE.to_owned())))
    };
    let flag = sources.file.clone().map(|path| (path, Origin::Flag));
    flag.or_else(variable).or_else(|| Some((sources.standard_file.clone()?, Origin::Default)))
}

fn check_path(path: &Path, origin: &Origin) -> Result<(), ConfigError> {
    let Some(Err(blank)) = path.to_str().map(blanks::check) else { return Ok(()) };
    Err(ConfigError::Invalid {
        key: "config".to_owned(),
        value: format!("{path:?}"),
        origin: origin.to_string(),
        instead: format!("it without {blank}"),
    })
}

/// The value as TOML; a database URL may hold a password and is never shown, nor is an endpoint with more than host and path.
pub(super) fn shown(key: &str, value: &Value) -> String {
    match (key, value.as_str()) {
        ("database.url", Some(url)) if !url.is_empty() => "\"…\"".to_owned(),
        ("traces.endpoint", Some(url)) if url.contains(['@', '?', '#']) => "\"…\"".to_owned(),
        _ => value.to_string(),
    }
}

/// Whether a database URL holds a password: `user:password@`, or a parameter of that name.
fn has_password(url: &str) -> bool {
    let user = url.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(user, _)| user);
    user.is_some_and(|user| user.contains(':')) || url.contains("password=")
}

fn check_private(path: &Path) -> Result<(), ConfigError> {
    let found =
        fs::metadata(path).map_err(|cause| ConfigError::Unreadable { path: path.to_owned(), cause })?;
    match exposure::of(&found) {
        None => Ok(()),
        Some(mode) => Err(ConfigError::ExposedPassword { path: path.to_owned(), mode }),
    }
}

fn variable(key: &str) -> String {
    format!("NORTHGATE_{}", key.replace('.', "_").to_uppercase())
}

/// Text from the environment or a flag, converted to the type of the setting's default. Other text stays text, so that the error
/// of the setting says what to write.
fn like(known: &Value, text: String) -> Value {
    match known {
        Value::Integer(_) => text.parse().map_or(Value::String(text), Value::Integer),
        Value::Boolean(_) => text.parse().map_or(Value::String(text), Value::Boolean),
        Value::Float(_) => text.parse().map_or(Value::String(text), Value::Float),
        Value::Array(_) => {
            // People write lists as "a, b"; any other blank belongs to the value, and is refused with it.
            let parts = text.split(',').enumerate();
            let part = |(nth, part): (usize, &str)| {
                if nth == 0 { part } else { part.trim_start_matches(' ') }.into()
            };
            Value::Array(if text.is_empty() {
                Vec::new()
            } else {
                parts.map(part).map(Value::String).collect()
            })
        }
        Value::String(_) | Value::Datetime(_) | Value::Table(_) => Value::String(text),
    }
}

fn leaves(text: &str, path: &Path) -> Result<Vec<(String, Value)>, ConfigError> {
    let table: Table = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let place = match line {
            Some(line) => format!("{} (line {line})", path.display()),
            None => path.display().to_string(),
        };
        ConfigError::NotToml { place, reason: error.message().to_owned() }
    })?;
    let mut found = Vec::new();
    flatten("", table, &mut found);
    Ok(found)
}

fn flatten(prefix: &str, table: Table, found: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        if let Value::Table(inner) = value {
            flatten(&key, inner, found);
        } else {
            found.push((key, value));
        }
    }
}

/// The Levenshtein distance of two words.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let exchanged = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters_put_in_taken_out_and_exchanged() {
        assert_eq!(distance("listen", "listen"), 0);
        assert_eq!(distance("lisen", "listen"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
