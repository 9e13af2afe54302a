//! Credentials of applications as rows.

use std::collections::HashMap;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{Credential, CredentialId};
use rusqlite::{Connection, Row, params};

use super::codec::Damaged;
use super::load::{OpenError, number_in};
use crate::credential_kind;

/// Replaces the credentials of the application.
pub(crate) fn write(
    connection: &Connection,
    number: AppNumber,
    credentials: &[Credential],
) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM credentials WHERE application = ?")?.execute([number.0])?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO credentials (application, id, label, created_at, kind, value) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    for credential in credentials {
        let (kind, value) = credential_kind::write(&credential.kind);
        let created_at = credential.created_at.as_millis();
        insert.execute(params![number.0, credential.id.0, credential.label, created_at, kind, value])?;
    }
    Ok(())
}

/// Reads all credentials; applications have few, and most have none.
pub(crate) fn load(connection: &Connection) -> Result<HashMap<AppNumber, Vec<Credential>>, OpenError> {
    let mut all: HashMap<AppNumber, Vec<Credential>> = HashMap::new();
    let mut select = connection.prepare(
        "SELECT application, id, label, created_at, kind, value FROM credentials ORDER BY application, id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let key = || format!("application {} and id {}", number_in(row, 0), number_in(row, 1));
        let (application, credential) = read(row).map_err(|error| error.in_row("credentials", key))?;
        all.entry(application).or_default().push(credential);
    }
    Ok(all)
}

fn read(row: &Row<'_>) -> Result<(AppNumber, Credential), OpenError> {
    let credential = Credential {
        id: CredentialId(row.get(1)?),
        label: row.get(2)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        kind: credential_kind::read(&row.get::<_, String>(4)?, row.get(5)?).ok_or(Damaged)?,
    };
    Ok((AppNumber(row.get(0)?), credential))
}
