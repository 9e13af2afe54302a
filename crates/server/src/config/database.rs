//! `[database]`: the PostgreSQL database that many nodes share, or none for the embedded store.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use northgate_store::postgres::{Database, PostgresSettings, Source, UrlError};

use crate::blanks::{self, Blank};
use crate::config::layers::Settings;
use crate::config::parse::invalid;
use crate::config::{ConfigError, HOUR, MINUTE};
use crate::private_file::{self, PrivateFileError};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// A clock that jumps does so when a machine starts; after this time it counts as reliable.
const STEADY_FOR: Duration = HOUR;

/// Settings of the shared database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseSettings {
    url: Url,
    roots: Option<PathBuf>,
    writers: u32,
    login_writers: u32,
    queue: u32,
    connect_timeout: Duration,
    statement_timeout: Duration,
    lock_timeout: Duration,
    answer_within: Duration,
    poll_every: Duration,
    behind_after: Duration,
    notify: bool,
}

/// The source of the URL, which may hold a password and does not print.
#[derive(Clone, PartialEq, Eq)]
enum Url {
    Given(String),
    InFile(PathBuf),
}

/// Reason why the named database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the URL in {setting} cannot be used")]
    Url {
        setting: String,
        #[source]
        cause: UrlError,
    },
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{} (database.url_file) is not there: write the database's URL into it, and make it private", .0.display())]
    NoFile(PathBuf),
    #[error("{} (database.url_file): write the URL without {blank}", path.display())]
    Blank { path: PathBuf, blank: Blank },
}

impl DatabaseSettings {
    /// `None` where no database is named.
    pub(super) fn take(settings: &mut Settings) -> Result<Option<DatabaseSettings>, ConfigError> {
        let written = settings.peek("database.url_file")?;
        let url = settings.text("database.url", "a URL in quotes", |text| Some(text.to_owned()))?;
        let file = settings.path("database.url_file")?;
        let mut taken = |url| {
            Ok::<_, ConfigError>(DatabaseSettings {
                url,
                roots: settings.path("database.root_certificates")?,
                writers: settings.count("database.writers", 1..=64)?,
                login_writers: settings.count("database.login_writers", 1..=64)?,
                queue: settings.count("database.queue", 1..=1_000_000)?,
                connect_timeout: settings.instant("database.connect_timeout", SECOND..=MINUTE)?,
                statement_timeout: settings
                    .instant("database.statement_timeout", 100 * MILLISECOND..=MINUTE)?,
                lock_timeout: settings.instant("database.lock_timeout", 10 * MILLISECOND..=MINUTE)?,
                answer_within: settings.instant("database.answer_within", SECOND..=MINUTE)?,
                poll_every: settings.instant("database.poll_every", 10 * MILLISECOND..=MINUTE)?,
                behind_after: settings.instant("database.behind_after", 100 * MILLISECOND..=HOUR)?,
                notify: settings.flag("database.notify")?,
            })
        };
        match (url.is_empty(), file) {
            (true, None) => taken(Url::Given(url)).map(|_| None),
            (false, None) => taken(Url::Given(url)).map(Some),
            (true, Some(file)) => taken(Url::InFile(file)).map(Some),
            (false, Some(_)) => {
                Err(invalid("database.url_file", &written, "\"\", because database.url is given as well"))
            }
        }
    }

    /// The number of connections of a node: its writers, and four for reads, the watch, single-use records and maintenance.
    pub fn connections(&self) -> u32 {
        self.writers + self.login_writers + 4
    }

    /// The store's settings. The store reads the URL and its files again for each connection, so that they can be rotated.
    pub fn resolve(&self) -> Result<PostgresSettings, DatabaseError> {
        let settings = self.clone();
        Ok(PostgresSettings {
            database: Source::read_by(move || settings.database())?,
            writers: self.writers as usize,
            login_writers: self.login_writers as usize,
            queue_bound: self.queue as usize,
            connect_timeout: self.connect_timeout,
            statement_timeout: self.statement_timeout,
            lock_timeout: self.lock_timeout,
            answer_within: self.answer_within,
            poll_every: self.poll_every,
            behind_after: self.behind_after,
            notify: self.notify,
            steady_for: STEADY_FOR,
        })
    }

    fn database(&self) -> Result<Database, DatabaseError> {
        let parsed = Database::parse(&self.url.read()?, self.roots.as_deref());
        parsed.map_err(|cause| DatabaseError::Url { setting: self.url.setting(), cause })
    }
}

impl Url {
    /// The name of the setting, for a message.
    fn setting(&self) -> String {
        match self {
            Url::Given(_) => "database.url".to_owned(),
            Url::InFile(path) => format!("{} (database.url_file)", path.display()),
        }
    }

    fn read(&self) -> Result<String, DatabaseError> {
        match self {
            Url::Given(url) => Ok(url.clone()),
            Url::InFile(path) => {
                let text = private_file::read(path)?.ok_or_else(|| DatabaseError::NoFile(path.clone()))?;
                let blank = |blank| DatabaseError::Blank { path: path.clone(), blank };
                blanks::one_line(&text).map(str::to_owned).map_err(blank)
            }
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url")
    }
}
