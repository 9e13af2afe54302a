//! The schema of the PostgreSQL database, and its migrations while nodes of both versions work on it.
//!
//! Everything but the names of applications is keyed by the application's number first, so that a distributed engine can keep an
//! application in one place. docs/store.md says what each table is for.

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

use super::ConnectError;
use super::connect::{DatabaseError, connect_once};
use super::forgotten;
use super::keyring;
use super::settings::PostgresSettings;

/// Each entry migrates a database from the version of its index to the next. Entries are never changed, only added, and must
/// leave nodes of the versions from [`OLDEST`] on working: they add tables, and columns that are nullable or have a default.
const MIGRATIONS: [&str; 5] = [V1, keyring::TABLE, forgotten::TABLE, V4, V5];

/// u32 numbers are kept as int4 with the same bits, and u64 ids as int8: they are compared for equality only.
/// All times are milliseconds since the Unix epoch, UTC; `changed_at` is by the database's clock, all others by the nodes'.
const V1: &str = "
    CREATE TABLE applications (
        number int4 PRIMARY KEY,            -- never given twice: tokens carry it
        app_id text NOT NULL UNIQUE,
        name text NOT NULL,
        state text NOT NULL,
        created_at int8 NOT NULL,
        revision int4 NOT NULL,
        rotation text, retry_window_ms int8, on_reuse text, logins text, max_grants int8,
        access_lifetime_ms int8, refresh_lifetime_ms int8, calls_per_minute int8,
        allow text,                         -- the allow rules, one a line
        bind_tokens text, access_tokens text, dpop text,
        tokens_from int8,                   -- tokens issued before are not good any more
        -- The credentials, at the same place in each; null where there are none.
        credential_ids int4[], credential_labels text[], credential_times int8[],
        credential_kinds text[], credential_values bytea[],
        changed_at int8 NOT NULL
    );
    CREATE INDEX applications_changed ON applications (changed_at);
    CREATE SEQUENCE application_numbers MAXVALUE 2147483647;

    CREATE TABLE secrets (
        application int4 NOT NULL,
        id int4 NOT NULL,
        label text NOT NULL,
        created_at int8 NOT NULL,
        retire_at int8,
        last_used_at int8,
        digest bytea,                       -- HMAC-SHA-256 under the keyring's pepper
        argon2id text,                      -- or a PHC string
        PRIMARY KEY (application, id)
    );

    CREATE TABLE grants (
        application int4 NOT NULL,
        generation int4 NOT NULL,
        id int8 NOT NULL,
        refreshed_at int8 NOT NULL,
        expires_at int8 NOT NULL,
        PRIMARY KEY (application, id)
    );

    CREATE TABLE revocations (
        application int4 NOT NULL,
        id int8 NOT NULL,                   -- of the grant
        ends_at int8 NOT NULL,
        forget_at int8 NOT NULL,
        changed_at int8 NOT NULL,
        PRIMARY KEY (application, id)
    );
    CREATE INDEX revocations_changed ON revocations (changed_at);

    -- What is good once and was used.
    CREATE TABLE spent (
        application int4 NOT NULL,
        digest bytea NOT NULL,
        until_at int8 NOT NULL,
        spender int8 NOT NULL,              -- names the request that used it
        PRIMARY KEY (application, digest)
    );

    CREATE TABLE removed (
        application int4 PRIMARY KEY,
        changed_at int8 NOT NULL
    );
    CREATE INDEX removed_changed ON removed (changed_at);
";

/// The order in which grants were opened and refreshed, by no clock. Earlier rows have none, and come first by their time; a node
/// of the previous version opens grants with it and refreshes without.
const V4: &str = "
    CREATE SEQUENCE grant_order;
    ALTER TABLE grants ADD COLUMN place int8;
    ALTER TABLE grants ALTER COLUMN place SET DEFAULT nextval('grant_order');
";

/// A node of the previous version leaves the owner as it is.
const V5: &str = "ALTER TABLE applications ADD COLUMN owner text";

/// A refresh changes no indexed column. With room on its page the new row version lies beside the old one (a HOT update), no
/// index is touched, and the next visitor of the page prunes it. Other engines have no such setting.
const ROOM_ON_PAGES: &str = "
    ALTER TABLE grants SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1)
";

/// The schema version that this program writes.
pub const VERSION: i32 = MIGRATIONS.len() as i32;
/// The oldest version of the program that works with such a database.
const OLDEST: i32 = 1;
/// The oldest server: `unnest` and row guards are older, but no test runs on anything older.
const SERVER: i32 = 130_000;

/// SQLSTATEs of two processes that create one table at the same moment.
const MADE_AT_ONCE: [SqlState; 3] =
    [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_TABLE, SqlState::DUPLICATE_OBJECT];

/// Checks that the database can be used as it is.
pub(crate) async fn check(client: &Client) -> Result<(), ConnectError> {
    check_server(client).await?;
    check_encoding(client).await?;
    match found(client).await? {
        None => Err(ConnectError::NotMigrated),
        Some((version, _)) if version < VERSION => Err(ConnectError::Older { found: version }),
        Some((version, oldest)) if oldest > VERSION => Err(ConnectError::Newer { found: version }),
        Some(_) => Ok(()),
    }
}

/// Migrates the database to [`VERSION`]; nodes may work on it meanwhile. Returns the previous version, 0 for an empty database.
pub async fn migrate(settings: &PostgresSettings) -> Result<i32, ConnectError> {
    let mut client = connect_once(settings).await?;
    check_server(&client).await?;
    check_encoding(&client).await?;
    begin(&client).await?;
    let transaction = client.transaction().await.map_err(DatabaseError::from)?;
    // Serialises two migrations: no other lock works on every engine.
    let row =
        transaction.query_one("SELECT version, oldest_node FROM northgate_schema WHERE one FOR UPDATE", &[]);
    let row = row.await.map_err(DatabaseError::from)?;
    let (from, oldest): (i32, i32) = (row.get(0), row.get(1));
    if oldest > VERSION {
        return Err(ConnectError::Newer { found: from });
    }
    if from == 0 && has_foreign_tables(&transaction).await? {
        return Err(ConnectError::Foreign);
    }
    for migration in MIGRATIONS.iter().skip(from as usize) {
        transaction.batch_execute(migration).await.map_err(DatabaseError::from)?;
    }
    if from < VERSION {
        let update = "UPDATE northgate_schema SET version = $1, oldest_node = $2 WHERE one";
        transaction.execute(update, &[&VERSION, &OLDEST]).await.map_err(DatabaseError::from)?;
    }
    transaction.commit().await.map_err(DatabaseError::from)?;
    if let Err(error) = client.batch_execute(ROOM_ON_PAGES).await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "the database does not support the table's fill factor"
        );
    }
    Ok(from)
}

/// Creates the row of the schema version, with version 0, if it is missing.
async fn begin(client: &Client) -> Result<(), ConnectError> {
    let begin = "
        CREATE TABLE IF NOT EXISTS northgate_schema (
            one boolean PRIMARY KEY DEFAULT true CHECK (one), version int4 NOT NULL, oldest_node int4 NOT NULL
        )";
    match client.batch_execute(begin).await {
        Ok(()) => {}
        // Another process creates it at this moment: it exists.
        Err(error) if is_of(&error, &MADE_AT_ONCE) => {}
        Err(error) => return Err(DatabaseError::from(error).into()),
    }
    let insert = "INSERT INTO northgate_schema (version, oldest_node) VALUES (0, 0) ON CONFLICT DO NOTHING";
    Ok(client.batch_execute(insert).await.map_err(DatabaseError::from)?)
}

async fn check_server(client: &Client) -> Result<(), ConnectError> {
    let row = client.query_one("SELECT current_setting('server_version_num')", &[]).await;
    let number: String = row.map_err(DatabaseError::from)?.get(0);
    match number.parse::<i32>() {
        Ok(version) if version >= SERVER => Ok(()),
        Ok(_) | Err(_) => Err(ConnectError::TooOld { found: number }),
    }
}

/// Names of applications are any text. A database of another encoding rejects some of it, or takes any bytes.
async fn check_encoding(client: &Client) -> Result<(), ConnectError> {
    let row = client.query_one("SELECT current_setting('server_encoding')", &[]).await;
    let encoding: String = row.map_err(DatabaseError::from)?.get(0);
    if encoding == "UTF8" { Ok(()) } else { Err(ConnectError::Encoding { found: encoding }) }
}

/// The version of the database and the oldest one of nodes that may use it; `None` where `migrate` never ran.
async fn found(client: &Client) -> Result<Option<(i32, i32)>, ConnectError> {
    match client.query_opt("SELECT version, oldest_node FROM northgate_schema WHERE one", &[]).await {
        Ok(row) => Ok(row.map(|row| (row.get(0), row.get(1))).filter(|(version, _)| *version > 0)),
        Err(error) if is_of(&error, &[SqlState::UNDEFINED_TABLE]) => Ok(None),
        Err(error) => Err(DatabaseError::from(error).into()),
    }
}

async fn has_foreign_tables(transaction: &Transaction<'_>) -> Result<bool, ConnectError> {
    let names = "SELECT count(*) FROM information_schema.tables WHERE table_schema = current_schema()
                 AND table_name IN ('applications', 'secrets', 'grants', 'revocations', 'spent', 'removed', 'keyring', 'forgotten')";
    let row = transaction.query_one(names, &[]).await.map_err(DatabaseError::from)?;
    Ok(row.get::<_, i64>(0) > 0)
}

fn is_of(error: &tokio_postgres::Error, codes: &[SqlState]) -> bool {
    error.code().is_some_and(|code| codes.contains(code))
}
