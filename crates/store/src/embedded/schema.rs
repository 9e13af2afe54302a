//! The schema of the embedded database, and its migrations.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, ffi};

use super::forgotten;

/// Marks an SQLite file as ours ("NGAT").
pub(crate) const APPLICATION_ID: i32 = 0x4E47_4154;

/// Each entry migrates a file from the version of its index to the next. Entries are never changed, only added.
const MIGRATIONS: [&str; 8] = [V1, V2, V3, V4, V5, V6, forgotten::TABLE, V8];

const V1: &str = "
    CREATE TABLE applications (
        number INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: tokens carry it
        app_id TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('active', 'frozen')),
        created_at INTEGER NOT NULL,               -- all times: milliseconds since the Unix epoch, UTC
        revision INTEGER NOT NULL,
        rotation TEXT, retry_window_ms INTEGER, on_reuse TEXT, logins TEXT,
        max_grants INTEGER, access_lifetime_ms INTEGER, refresh_lifetime_ms INTEGER
    ) STRICT;

    CREATE TABLE secrets (
        application INTEGER NOT NULL REFERENCES applications ON DELETE CASCADE,
        id INTEGER NOT NULL,
        label TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        retire_at INTEGER,
        last_used_at INTEGER,
        digest BLOB,                               -- HMAC-SHA-256 under the keyring's pepper
        argon2id TEXT,                             -- or a PHC string
        PRIMARY KEY (application, id),
        CHECK ((digest IS NULL) != (argon2id IS NULL))
    ) STRICT, WITHOUT ROWID;

    -- One row for all grants of an application, as of some point in the journal that is still there or later.
    CREATE TABLE grants (
        application INTEGER PRIMARY KEY,
        live BLOB NOT NULL,                        -- 28 bytes each: id 8, generation 4, refreshed_at 8, expires_at 8
        closed BLOB NOT NULL                       -- 24 bytes each: id 8, ends_at 8, forget_at 8
    ) STRICT;

    -- One row for each commit: what happened to grants, in order. docs/store.md has the layout of an entry.
    CREATE TABLE journal (
        batch INTEGER PRIMARY KEY,
        entries BLOB NOT NULL
    ) STRICT;
";

const V2: &str = "ALTER TABLE applications ADD COLUMN calls_per_minute INTEGER;";

/// The allow rules, one a line; null for no rules.
const V3: &str = "ALTER TABLE applications ADD COLUMN allow TEXT;";
const V4: &str = "
    ALTER TABLE applications ADD COLUMN bind_tokens TEXT;
    CREATE TABLE credentials (
        application INTEGER NOT NULL REFERENCES applications ON DELETE CASCADE,
        id INTEGER NOT NULL,
        label TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        kind TEXT NOT NULL,                        -- key, certificate, subject, san-dns, san-uri, san-ip or san-email
        value BLOB NOT NULL,                       -- SubjectPublicKeyInfo, SHA-256 of the certificate, or a name in UTF-8
        PRIMARY KEY (application, id)
    ) STRICT, WITHOUT ROWID;

    -- What is good once and was used. Rows go with their minute, also those of applications that are gone.
    CREATE TABLE spent (
        until_minute INTEGER NOT NULL,             -- since the Unix epoch
        application INTEGER NOT NULL,
        digest BLOB NOT NULL,                      -- 16 bytes
        PRIMARY KEY (until_minute, application, digest)
    ) STRICT, WITHOUT ROWID;
";

const V5: &str = "
    ALTER TABLE applications ADD COLUMN access_tokens TEXT;
    ALTER TABLE applications ADD COLUMN dpop TEXT;
";

const V6: &str = "ALTER TABLE applications ADD COLUMN tokens_from INTEGER;";

const V8: &str = "ALTER TABLE applications ADD COLUMN owner TEXT;";

/// The schema version that this program writes.
pub(crate) const VERSION: i32 = MIGRATIONS.len() as i32;

/// Reason why a file cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error(
        "it was written by a newer Northgate (format {found}, this one knows up to {VERSION}): use that version, or restore a backup from before the upgrade"
    )]
    Newer { found: i32 },
    #[error(
        "it was written by an older Northgate (format {found}), and bringing it to format {VERSION} needs room on the disk"
    )]
    Older { found: i32 },
    #[error("it is an SQLite file of another program")]
    Foreign,
    #[error("SQLite cannot use it")]
    Sqlite(#[from] rusqlite::Error),
}

/// Checks that the file is ours and not newer than this program; returns its version, 0 for an empty file.
pub(crate) fn check(connection: &Connection) -> Result<i32, SchemaError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (id, found) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(SchemaError::Foreign);
    }
    if found > VERSION {
        return Err(SchemaError::Newer { found });
    }
    Ok(found)
}

/// Checks that the file needs no migration.
pub(crate) fn check_current(connection: &Connection) -> Result<(), SchemaError> {
    match check(connection)? {
        VERSION => Ok(()),
        found => Err(SchemaError::Older { found }),
    }
}

/// Migrates the file to [`VERSION`], in one transaction.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), SchemaError> {
    let found = check(connection)?;
    if found == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for migration in &MIGRATIONS[found as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

/// Commits a write that changes nothing, to probe the disk.
pub(crate) fn rewrite_version(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", VERSION)
}

/// The file system layer for all connections: it locks the database for this process and keeps the index of the WAL in memory
/// that its connections share. The usual layer maps a file for that, and a write into a hole of a mapped file on a full disk is
/// a SIGBUS: docs/decisions/0053-the-wal-index-is-in-memory.md.
const VFS: &str = "unix-excl";

/// A connection with our settings. Creates the file if it is missing.
pub(crate) fn connect(database: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags_and_vfs(database, flags, VFS)?;
    // The WAL stays when the last connection closes: a start on a full disk finds no room for a new one.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // FULL: a commit returns when its WAL frames are on disk; nothing is answered before that. `checkpoint.rs` times the
    // checkpoints. No memory map, and no temporary files elsewhere.
    connection.execute_batch(
        "PRAGMA mmap_size = 0; PRAGMA temp_store = memory; PRAGMA journal_mode = wal; PRAGMA synchronous = full;
         PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = on;",
    )?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// A read-only connection to the database file alone, for a disk without room for a WAL. Correct only while there is no WAL.
pub(crate) fn connect_without_wal(database: &Path) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for byte in database.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Copies the whole WAL into the database file, and empties the WAL.
pub(crate) fn empty_wal(connection: &Connection) -> rusqlite::Result<()> {
    let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    match is_busy {
        false => Ok(()),
        true => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
    }
}
