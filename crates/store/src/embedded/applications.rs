//! Applications and their secrets as rows.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Rotation};
use northgate_core::secret::{Digest, Kept, Secret, SecretId, Secrets};
use northgate_core::store::NewApplication;
use rusqlite::{Connection, Row, params};

use super::codec::Damaged;
use super::credentials;
use super::load::{OpenError, number_in};

/// Adds an application and learns its number.
pub(crate) fn insert(connection: &Connection, new: NewApplication) -> rusqlite::Result<Application> {
    connection
        .prepare_cached(
            "INSERT INTO applications (app_id, name, state, created_at, revision) VALUES (?, ?, ?, ?, 0)",
        )?
        .execute(params![new.id.as_str(), new.name, new.state.as_str(), millis(new.created_at)])?;
    let number = u32::try_from(connection.last_insert_rowid());
    let number =
        number.map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, connection.last_insert_rowid()))?;
    let application = new.numbered(AppNumber(number));
    update(connection, &application)?;
    Ok(application)
}

/// Writes all that can change of an application.
pub(crate) fn update(connection: &Connection, application: &Application) -> rusqlite::Result<()> {
    let Overrides {
        rotation,
        retry_window,
        on_reuse,
        logins,
        max_grants,
        access_lifetime,
        refresh_lifetime,
        calls_per_minute,
        bind_tokens,
        access_tokens,
        dpop,
    } = application.overrides;
    connection
        .prepare_cached(
            "UPDATE applications SET name = ?2, state = ?3, revision = ?4, rotation = ?5, retry_window_ms = ?6,
             on_reuse = ?7, logins = ?8, max_grants = ?9, access_lifetime_ms = ?10, refresh_lifetime_ms = ?11,
             calls_per_minute = ?12, allow = ?13, bind_tokens = ?14, access_tokens = ?15, dpop = ?16,
             tokens_from = ?17 WHERE number = ?1",
        )?
        .execute(params![
            application.number.0,
            application.name,
            application.state.as_str(),
            application.revision,
            rotation.map(Rotation::as_str),
            retry_window.map(duration_millis),
            on_reuse.map(OnReuse::as_str),
            logins.map(Logins::as_str),
            max_grants,
            access_lifetime.map(duration_millis),
            refresh_lifetime.map(duration_millis),
            calls_per_minute,
            allow_text(&application.allow),
            bind_tokens.map(BindTokens::as_str),
            access_tokens.map(AccessTokens::as_str),
            dpop.map(Dpop::as_str),
            application.tokens_from.map(millis),
        ])?;
    credentials::write(connection, application.number, &application.credentials)?;
    connection
        .prepare_cached("DELETE FROM secrets WHERE application = ?")?
        .execute([application.number.0])?;
    application.secrets.iter().try_for_each(|secret| insert_secret(connection, application.number, secret))
}

fn insert_secret(connection: &Connection, number: AppNumber, secret: &Secret) -> rusqlite::Result<()> {
    let (digest, argon2id) = match &secret.kept {
        Kept::Digest(digest) => (Some(digest.as_bytes()), None),
        Kept::Argon2id(phc) => (None, Some(phc)),
    };
    connection
        .prepare_cached(
            "INSERT INTO secrets (application, id, label, created_at, retire_at, last_used_at, digest, argon2id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            number.0,
            secret.id.0,
            secret.label,
            millis(secret.created_at),
            secret.retire_at.map(millis),
            secret.last_used_at().map(millis),
            digest,
            argon2id,
        ])?;
    Ok(())
}

/// Removes an application and all that belongs to it.
pub(crate) fn delete(connection: &Connection, number: AppNumber) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM grants WHERE application = ?")?.execute([number.0])?;
    connection.prepare_cached("DELETE FROM applications WHERE number = ?")?.execute([number.0])?;
    Ok(())
}

/// Writes when the application's secrets were last used.
pub(crate) fn update_last_used(connection: &Connection, application: &Application) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE secrets SET last_used_at = ? WHERE application = ? AND id = ?")?;
    for secret in &application.secrets {
        update.execute(params![secret.last_used_at().map(millis), application.number.0, secret.id.0])?;
    }
    Ok(())
}

/// Hands over all applications, one after the other: together with their rows they would take twice the memory.
pub(crate) fn load(connection: &Connection, mut take: impl FnMut(Application)) -> Result<(), OpenError> {
    let mut select = connection.prepare(
        "SELECT application, id, label, created_at, retire_at, last_used_at, digest, argon2id FROM secrets
         ORDER BY application, id",
    )?;
    let named = |row: &Row<'_>| {
        let key = || format!("application {} and id {}", number_in(row, 0), number_in(row, 1));
        read_secret(row).map_err(|error| error.in_row("secrets", key))
    };
    let mut secrets = select.query_and_then([], named)?.peekable();
    let mut select = connection.prepare(
        "SELECT number, app_id, name, state, created_at, revision, rotation, retry_window_ms, on_reuse, logins,
         max_grants, access_lifetime_ms, refresh_lifetime_ms, calls_per_minute, allow, bind_tokens, access_tokens,
         dpop, tokens_from FROM applications ORDER BY number",
    )?;
    let mut credentials = credentials::load(connection)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let mut application = read(row)
            .map_err(|error| error.in_row("applications", || format!("number {}", number_in(row, 0))))?;
        application.credentials = credentials.remove(&application.number).unwrap_or_default();
        let is_its_own = |secret: &Result<(AppNumber, Secret), OpenError>| {
            secret.as_ref().is_ok_and(|(number, _)| *number == application.number)
        };
        while let Some(secret) = secrets.next_if(is_its_own) {
            application.secrets.push(Arc::new(secret?.1));
        }
        application.secrets.shrink_to_fit();
        take(application);
    }
    // What is left is an error, or belongs to nobody, which the foreign key rules out.
    let of_nobody = |(number, secret): (AppNumber, Secret)| {
        let key = || format!("application {} and id {}", number.0, secret.id.0);
        Err(OpenError::Damaged.in_row("secrets", key))
    };
    secrets.next().map_or(Ok(()), |left| left.and_then(of_nobody))
}

fn read(row: &Row<'_>) -> Result<Application, OpenError> {
    let state = match row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)? {
        "active" => State::Active,
        "frozen" => State::Frozen,
        _ => return Err(OpenError::Damaged),
    };
    Ok(Application {
        number: AppNumber(row.get(0)?),
        id: AppId::parse(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?).map_err(|_| Damaged)?,
        name: row.get(2)?,
        state,
        created_at: time(row.get(4)?),
        tokens_from: row.get::<_, Option<u64>>(18)?.map(time),
        revision: row.get(5)?,
        overrides: Overrides {
            rotation: word(row, 6, Rotation::parse)?,
            retry_window: row.get::<_, Option<u64>>(7)?.map(Duration::from_millis),
            on_reuse: word(row, 8, OnReuse::parse)?,
            logins: word(row, 9, Logins::parse)?,
            max_grants: row.get(10)?,
            access_lifetime: row.get::<_, Option<u64>>(11)?.map(Duration::from_millis),
            refresh_lifetime: row.get::<_, Option<u64>>(12)?.map(Duration::from_millis),
            calls_per_minute: row.get(13)?,
            bind_tokens: word(row, 15, BindTokens::parse)?,
            access_tokens: word(row, 16, AccessTokens::parse)?,
            dpop: word(row, 17, Dpop::parse)?,
        },
        allow: allow(row, 14)?,
        secrets: Secrets::new(),
        credentials: Vec::new(),
        calls: Arc::default(),
    })
}

/// A rule has no line break in it.
fn allow_text(allow: &Allow) -> Option<String> {
    Some(allow.texts().join("\n")).filter(|text| !text.is_empty())
}

fn allow(row: &Row<'_>, column: usize) -> Result<Allow, OpenError> {
    let text: Option<String> = row.get(column)?;
    let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
    Ok(Allow::parse(&lines).map_err(|_| Damaged)?)
}

fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<Option<T>, OpenError> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(None),
        Some(word) => Ok(Some(parse(&word).ok_or(Damaged)?)),
    }
}

fn read_secret(row: &Row<'_>) -> Result<(AppNumber, Secret), OpenError> {
    let kept = match (row.get::<_, Option<[u8; 32]>>(6)?, row.get::<_, Option<String>>(7)?) {
        (Some(digest), None) => Kept::Digest(Digest::from_bytes(digest)),
        (None, Some(phc)) => Kept::Argon2id(phc),
        (_, _) => return Err(OpenError::Damaged),
    };
    let secret = Secret::new(SecretId(row.get(1)?), row.get(2)?, time(row.get(3)?), kept);
    let times = (row.get::<_, Option<u64>>(4)?.map(time), row.get::<_, Option<u64>>(5)?.map(time));
    Ok((AppNumber(row.get(0)?), secret.restored(times.0, times.1)))
}

fn millis(at: Timestamp) -> u64 {
    at.as_millis()
}

fn duration_millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}
