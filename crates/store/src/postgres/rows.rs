//! Applications, secrets and grants as rows. A new field of one of them belongs here and in a migration.

use std::sync::Arc;
use std::sync::LazyLock;

use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::owner::Owner;
use northgate_core::policy::{Field, Kind, Overrides};
use northgate_core::registry::Revocation;
use northgate_core::secret::{Digest, Kept, Secret, SecretId, Secrets};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connect::DatabaseError;
use super::credentials;
use crate::policy_row;

/// The database's clock at the beginning of the statement, in milliseconds. It is stable, since Citus rejects a volatile function
/// in an update.
pub(crate) const DATABASE_NOW: &str = "(extract(epoch FROM statement_timestamp()) * 1000)::int8";

/// The columns of an application, in the order of [`application_values`] and [`application`].
pub(crate) static APPLICATION: LazyLock<String> =
    LazyLock::new(|| format!("{COLUMNS}, {}", policy_row::columns()));
/// A placeholder for each of them.
pub(crate) static APPLICATION_VALUES: LazyLock<String> = LazyLock::new(|| {
    let placeholders = (1..=POLICY + Field::ALL.len()).map(|number| format!("${number}"));
    placeholders.collect::<Vec<_>>().join(", ")
});

const COLUMNS: &str = "number, app_id, name, state, created_at, revision, allow, tokens_from, owner, \
    credential_ids, credential_labels, credential_times, credential_kinds, credential_values";
/// The first of the columns of the credentials, and of the policy.
const CREDENTIALS: usize = 9;
const POLICY: usize = 14;

/// In the order of [`secret_values`] and [`secret`].
pub(crate) const SECRET: &str =
    "application, id, label, created_at, retire_at, last_used_at, digest, argon2id";
/// As many as those.
pub(crate) const SECRET_VALUES: &str = "$1, $2, $3, $4, $5, $6, $7, $8";

pub(crate) type Value = Box<dyn ToSql + Sync + Send>;

pub(crate) fn application_values(application: &Application) -> Vec<Value> {
    let mut values: Vec<Value> = vec![
        Box::new(number(application.number)),
        Box::new(application.id.as_str().to_owned()),
        Box::new(application.name.clone()),
        Box::new(application.state.as_str()),
        Box::new(millis(application.created_at)),
        Box::new(application.revision as i32),
        Box::new(allow_text(&application.allow)),
        Box::new(application.tokens_from.map(millis)),
        Box::new(application.owner.as_ref().map(|owner| owner.as_str().to_owned())),
    ];
    values.extend(credentials::values(&application.credentials));
    values.extend(Field::ALL.map(|field| policy_value(&application.overrides, field)));
    values
}

fn policy_value(overrides: &Overrides, field: Field) -> Value {
    match (field.kind(), policy_row::kept(overrides, field)) {
        (_, Some(policy_row::Kept::Text(word))) => Box::new(word),
        (_, Some(policy_row::Kept::Number(number))) => Box::new(number),
        // A null has the type of its column.
        (Kind::Word, None) => Box::new(None::<&str>),
        (Kind::Count | Kind::Duration, None) => Box::new(None::<i64>),
    }
}

fn policy(row: &Row) -> Result<Overrides, DatabaseError> {
    let mut overrides = Overrides::default();
    for (field, column) in Field::ALL.into_iter().zip(POLICY..) {
        let kept = match field.kind() {
            Kind::Word => row.try_get::<_, Option<&str>>(column)?.map(policy_row::Kept::Text),
            Kind::Count | Kind::Duration => {
                row.try_get::<_, Option<i64>>(column)?.map(policy_row::Kept::Number)
            }
        };
        policy_row::restore(&mut overrides, field, kept).map_err(|_| DatabaseError::Damaged)?;
    }
    Ok(overrides)
}

pub(crate) fn application(row: &Row) -> Result<Application, DatabaseError> {
    read_application(row).map_err(|cause| {
        let app_id = row.try_get::<_, &str>(1).unwrap_or_default();
        damaged("applications", format!("number {} (appId {app_id:?})", unsigned(row, 0)), cause)
    })
}

fn read_application(row: &Row) -> Result<Application, DatabaseError> {
    let state = match row.try_get(3)? {
        "active" => State::Active,
        "frozen" => State::Frozen,
        _ => return Err(DatabaseError::Damaged),
    };
    Ok(Application {
        number: AppNumber(row.try_get::<_, i32>(0)? as u32),
        id: AppId::parse(row.try_get(1)?).map_err(|_| DatabaseError::Damaged)?,
        name: row.try_get(2)?,
        owner: owner(row, 8)?,
        state,
        created_at: time(row.try_get(4)?),
        tokens_from: row.try_get::<_, Option<i64>>(7)?.map(time),
        revision: row.try_get::<_, i32>(5)? as u32,
        overrides: policy(row)?,
        allow: allow(row, 6)?,
        secrets: Secrets::new(),
        credentials: credentials::read(row, CREDENTIALS)?,
        calls: Arc::default(),
    })
}

pub(crate) fn secret_values(application: AppNumber, secret: &Secret) -> Vec<Value> {
    let (digest, argon2id) = match &secret.kept {
        Kept::Digest(digest) => (Some(digest.as_bytes().to_vec()), None),
        Kept::Argon2id(phc) => (None, Some(phc.clone())),
    };
    vec![
        Box::new(number(application)),
        Box::new(secret.id.0 as i32),
        Box::new(secret.label.clone()),
        Box::new(millis(secret.created_at)),
        Box::new(secret.retire_at.map(millis)),
        Box::new(secret.last_used_at().map(millis)),
        Box::new(digest),
        Box::new(argon2id),
    ]
}

pub(crate) fn secret(row: &Row) -> Result<(AppNumber, Secret), DatabaseError> {
    read_secret(row).map_err(|cause| {
        damaged("secrets", format!("application {} and id {}", unsigned(row, 0), unsigned(row, 1)), cause)
    })
}

fn read_secret(row: &Row) -> Result<(AppNumber, Secret), DatabaseError> {
    let kept = match (row.try_get::<_, Option<&[u8]>>(6)?, row.try_get::<_, Option<String>>(7)?) {
        (Some(digest), None) => {
            Kept::Digest(Digest::from_bytes(digest.try_into().map_err(|_| DatabaseError::Damaged)?))
        }
        (None, Some(phc)) => Kept::Argon2id(phc),
        (_, _) => return Err(DatabaseError::Damaged),
    };
    let id = SecretId(row.try_get::<_, i32>(1)? as u32);
    let secret = Secret::new(id, row.try_get(2)?, time(row.try_get(3)?), kept);
    let times = (row.try_get::<_, Option<i64>>(4)?.map(time), row.try_get::<_, Option<i64>>(5)?.map(time));
    Ok((AppNumber(row.try_get::<_, i32>(0)? as u32), secret.restored(times.0, times.1)))
}

/// A grant from `application, id, generation, refreshed_at, expires_at`.
pub(crate) fn grant(row: &Row) -> Result<(AppNumber, Grant), DatabaseError> {
    let grant = Grant {
        id: GrantId(row.try_get::<_, i64>(1)? as u64),
        generation: row.try_get::<_, i32>(2)? as u32,
        refreshed_at: time(row.try_get(3)?),
        expires_at: time(row.try_get(4)?),
    };
    Ok((AppNumber(row.try_get::<_, i32>(0)? as u32), grant))
}

/// A revocation from `application, id, ends_at, forget_at`.
pub(crate) fn revocation(row: &Row) -> Result<(GrantKey, Revocation), DatabaseError> {
    let revocation = Revocation { ends_at: time(row.try_get(2)?), forget_at: time(row.try_get(3)?) };
    Ok((key(row)?, revocation))
}

/// Names the row, so that an operator finds it. Only decoding a received row leads here.
fn damaged(table: &'static str, key: String, cause: DatabaseError) -> DatabaseError {
    DatabaseError::DamagedRow { table, key, cause: Box::new(cause) }
}

/// A number of 32 bits, for a message; 0 where even that cannot be read.
pub(crate) fn unsigned(row: &Row, column: usize) -> u32 {
    row.try_get::<_, i32>(column).unwrap_or_default() as u32
}

/// A grant's key from `application, id`.
pub(crate) fn key(row: &Row) -> Result<GrantKey, DatabaseError> {
    let application = AppNumber(row.try_get::<_, i32>(0)? as u32);
    Ok(GrantKey { application, id: GrantId(row.try_get::<_, i64>(1)? as u64) })
}

/// The application's number with the same bits.
pub(crate) fn number(number: AppNumber) -> i32 {
    number.0 as i32
}

/// The grant's id with the same bits.
pub(crate) fn id(id: GrantId) -> i64 {
    id.0 as i64
}

/// A key in the database's sort order: every transaction that locks several rows locks them in this order.
pub(crate) fn place(key: GrantKey) -> (i32, i64) {
    (number(key.application), id(key.id))
}

pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millis() as i64
}

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis.max(0) as u64)
}

fn allow_text(allow: &Allow) -> Option<String> {
    Some(allow.texts().join("\n")).filter(|text| !text.is_empty())
}

fn owner(row: &Row, column: usize) -> Result<Option<Owner>, DatabaseError> {
    let text = row.try_get::<_, Option<&str>>(column)?;
    text.map(Owner::parse).transpose().map_err(|_| DatabaseError::Damaged)
}

fn allow(row: &Row, column: usize) -> Result<Allow, DatabaseError> {
    let text = row.try_get::<_, Option<&str>>(column)?.unwrap_or_default();
    Allow::parse(&text.lines().collect::<Vec<_>>()).map_err(|_| DatabaseError::Damaged)
}
