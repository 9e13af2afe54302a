//! Applications and their secrets as rows.

use std::sync::Arc;

use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::owner::Owner;
use northgate_core::policy::{Field, Overrides};
use northgate_core::secret::{Digest, Kept, Secret, SecretId, Secrets};
use northgate_core::store::NewApplication;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row, params};

use super::codec::Damaged;
use super::credentials;
use super::load::{OpenError, number_in};
use crate::policy_row::{self, column};

/// Inserts an application; SQLite assigns its number.
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

/// Updates everything that can change of an application.
pub(crate) fn update(connection: &Connection, application: &Application) -> rusqlite::Result<()> {
    // From the eighth parameter on, a column for each field of the policy.
    let policy = (8..).zip(Field::ALL).map(|(number, field)| format!("{} = ?{number}", column(field)));
    let update = format!(
        "UPDATE applications SET name = ?2, state = ?3, revision = ?4, allow = ?5, tokens_from = ?6, owner = ?7, {} WHERE number = ?1",
        policy.collect::<Vec<_>>().join(", ")
    );
    let mut update = connection.prepare_cached(&update)?;
    let values = Field::ALL.map(|field| match policy_row::kept(&application.overrides, field) {
        Some(policy_row::Kept::Text(word)) => Value::from(word.to_owned()),
        Some(policy_row::Kept::Number(number)) => Value::from(number),
        None => Value::Null,
    });
    update.raw_bind_parameter(1, application.number.0)?;
    update.raw_bind_parameter(2, &application.name)?;
    update.raw_bind_parameter(3, application.state.as_str())?;
    update.raw_bind_parameter(4, application.revision)?;
    update.raw_bind_parameter(5, allow_text(&application.allow))?;
    update.raw_bind_parameter(6, application.tokens_from.map(millis))?;
    update.raw_bind_parameter(7, application.owner.as_ref().map(Owner::as_str))?;
    for (number, value) in (8..).zip(values) {
        update.raw_bind_parameter(number, value)?;
    }
    update.raw_execute()?;
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

/// Deletes an application and everything that belongs to it.
pub(crate) fn delete(connection: &Connection, number: AppNumber) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM grants WHERE application = ?")?.execute([number.0])?;
    connection.prepare_cached("DELETE FROM applications WHERE number = ?")?.execute([number.0])?;
    Ok(())
}

/// Updates the last use of the application's secrets.
pub(crate) fn update_last_used(connection: &Connection, application: &Application) -> rusqlite::Result<()> {
    let mut update =
        connection.prepare_cached("UPDATE secrets SET last_used_at = ? WHERE application = ? AND id = ?")?;
    for secret in &application.secrets {
        update.execute(params![secret.last_used_at().map(millis), application.number.0, secret.id.0])?;
    }
    Ok(())
}

/// Passes the applications on one after the other: together with their rows they would take twice the memory.
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
    let mut select = connection.prepare(&format!(
        "SELECT number, app_id, name, state, created_at, revision, allow, tokens_from, owner, {} FROM applications ORDER BY number",
        policy_row::columns()
    ))?;
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
    // The rest are read errors, or secrets without an application, which the foreign key rules out.
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
        owner: owner(row, 8)?,
        state,
        created_at: time(row.get(4)?),
        tokens_from: row.get::<_, Option<u64>>(7)?.map(time),
        revision: row.get(5)?,
        overrides: policy(row)?,
        allow: allow(row, 6)?,
        secrets: Secrets::new(),
        credentials: Vec::new(),
        calls: Arc::default(),
    })
}

/// The rules, one a line; a rule contains no line break.
fn allow_text(allow: &Allow) -> Option<String> {
    Some(allow.texts().join("\n")).filter(|text| !text.is_empty())
}

fn owner(row: &Row<'_>, column: usize) -> Result<Option<Owner>, OpenError> {
    let text: Option<String> = row.get(column)?;
    Ok(text.map(|text| Owner::parse(&text)).transpose().map_err(|_| Damaged)?)
}

fn allow(row: &Row<'_>, column: usize) -> Result<Allow, OpenError> {
    let text: Option<String> = row.get(column)?;
    let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
    Ok(Allow::parse(&lines).map_err(|_| Damaged)?)
}

/// The columns of the policy follow the nine others.
fn policy(row: &Row<'_>) -> Result<Overrides, OpenError> {
    let mut overrides = Overrides::default();
    for (field, column) in Field::ALL.into_iter().zip(9..) {
        let kept = match row.get_ref(column)? {
            ValueRef::Null => None,
            ValueRef::Integer(number) => Some(policy_row::Kept::Number(number)),
            ValueRef::Text(text) => {
                Some(policy_row::Kept::Text(std::str::from_utf8(text).map_err(|_| Damaged)?))
            }
            ValueRef::Real(_) | ValueRef::Blob(_) => return Err(Damaged.into()),
        };
        policy_row::restore(&mut overrides, field, kept).map_err(|_| Damaged)?;
    }
    Ok(overrides)
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

fn time(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}
