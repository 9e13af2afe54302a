//! Reload: what differs between two configurations, and what of it can be taken over by a running server.

use crate::config::layers::shown;
use crate::config::{Config, ConfigError};

/// Settings that are read once, at the start; `config.default.toml` says so of each. A key that ends with a dot stands for its table.
const AT_START: [&str; 10] = [
    "data_dir",
    "listen",
    "admin_listen",
    "keyring",
    "keyring_key",
    "database.",
    "limits.commit_queue",
    "limits.hashes_at_once",
    "limits.threads",
    "traces.",
];

/// A setting with two values, as text; the value of a secret is not shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: String,
    pub from: String,
    pub to: String,
    pub needs_restart: bool,
}

fn is_read_at_start(key: &str) -> bool {
    AT_START.iter().any(|fixed| *fixed == key || fixed.ends_with('.') && key.starts_with(fixed))
}

impl Config {
    /// The settings whose values differ in `next`.
    pub fn changes(&self, next: &Config) -> Vec<Change> {
        let pairs = self.settings.iter().zip(next.settings.iter());
        let changed = pairs.filter(|((_, from), (_, to))| from.value != to.value);
        let change =
            |((key, from), (_, to)): ((&String, &super::layers::Setting), (_, &super::layers::Setting))| {
                Change {
                    key: key.clone(),
                    from: shown(key, &from.value),
                    to: shown(key, &to.value),
                    needs_restart: is_read_at_start(key),
                }
            };
        changed.map(change).collect()
    }

    /// `next` with the settings of this one that are read at the start only.
    pub fn reloaded(&self, next: &Config) -> Result<Config, ConfigError> {
        let mut settings = next.settings.clone();
        for (key, setting) in self.settings.iter().filter(|(key, _)| is_read_at_start(key)) {
            settings.replace(key, setting.clone());
        }
        let mut mixed = Config::read(settings, next.warnings.clone())?;
        // The addresses are those that the listeners got: the system may have chosen the port, and --dev the interface.
        (mixed.listen, mixed.admin_listen) = (self.listen, self.admin_listen);
        mixed.log.journal.clone_from(&self.log.journal);
        Ok(mixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::{DEFAULTS, Sources};

    /// The words in the default file.
    const MARK: &str = "Needs a restart.";

    fn config(flags: &[(&str, &str)]) -> Config {
        let flags = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::load(Sources { flags, ..Sources::default() }).unwrap()
    }

    #[test]
    fn a_reload_takes_over_all_but_what_is_read_at_the_start() {
        let (running, next) = (config(&[]), config(&[("listen", "127.0.0.1:1"), ("limits.body", "32KiB")]));
        let mixed = running.reloaded(&next).unwrap();
        assert_eq!((mixed.listen, mixed.limits.body), (running.listen, 32 * 1024));
        let changes = running.changes(&next);
        let keys: Vec<_> = changes.iter().map(|change| (change.key.as_str(), change.needs_restart)).collect();
        assert_eq!(keys, [("limits.body", false), ("listen", true)]);
        assert_eq!((changes[0].from.as_str(), changes[0].to.as_str()), ("\"16KiB\"", "\"32KiB\""));
        // What needs a restart is still to come at the next reload.
        assert_eq!(
            mixed.changes(&next).iter().map(|change| change.key.as_str()).collect::<Vec<_>>(),
            ["listen"]
        );
    }

    #[test]
    fn a_changed_database_url_is_named_and_not_shown() {
        let url = |password| config(&[("database.url", &format!("postgres://u:{password}@h/d"))]);
        let changes = url("one").changes(&url("two"));
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].from.as_str(), changes[0].to.as_str()), ("\"…\"", "\"…\""));
        assert!(!format!("{:?}", url("one").settings).contains("one"));
    }

    #[test]
    fn the_default_file_says_of_each_setting_whether_it_needs_a_restart() {
        let (mut table, mut comment) = (String::new(), String::new());
        for line in DEFAULTS.lines() {
            if let Some(text) = line.strip_prefix('#') {
                comment.push_str(text);
            } else if let Some(name) = line.strip_prefix('[') {
                table = format!("{}.", name.trim_end_matches(']'));
                let is_marked = comment.contains(MARK);
                assert_eq!(is_marked, is_read_at_start(&format!("{table}any")), "[{name}");
                comment.clear();
            } else if let Some((name, _)) = line.split_once(" = ") {
                let key = format!("{table}{name}");
                let is_marked = comment.contains(MARK) || is_read_at_start(&format!("{table}any"));
                assert_eq!(is_marked, is_read_at_start(&key), "{key}");
                comment.clear();
            } else if line.is_empty() {
                comment.clear();
            }
        }
    }
}
