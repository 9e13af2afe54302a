//! Credentials of applications as rows.

use std::collections::HashMap;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{
    CertificateName, Credential, CredentialId, CredentialKind, NameField, PublicKey,
};
use rusqlite::{Connection, params};

use super::codec::Damaged;
use super::load::OpenError;

const KEY: &str = "key";
const CERTIFICATE: &str = "certificate";

/// Puts these in place of those that the application had.
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
        let (kind, value) = match &credential.kind {
            CredentialKind::Key(key) => (KEY, key.as_spki()),
            CredentialKind::Certificate(thumbprint) => (CERTIFICATE, &thumbprint[..]),
            CredentialKind::Name(name) => (name.field.as_str(), name.value.as_bytes()),
        };
        let created_at = credential.created_at.as_millis();
        insert.execute(params![number.0, credential.id.0, credential.label, created_at, kind, value])?;
    }
    Ok(())
}

/// Reads all; applications have few, and most have none.
pub(crate) fn load(connection: &Connection) -> Result<HashMap<AppNumber, Vec<Credential>>, OpenError> {
    let mut all: HashMap<AppNumber, Vec<Credential>> = HashMap::new();
    let mut select = connection.prepare(
        "SELECT application, id, label, created_at, kind, value FROM credentials ORDER BY application, id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let credential = Credential {
            id: CredentialId(row.get(1)?),
            label: row.get(2)?,
            created_at: Timestamp::from_millis(row.get(3)?),
            kind: read_kind(&row.get::<_, String>(4)?, row.get(5)?)?,
        };
        all.entry(AppNumber(row.get(0)?)).or_default().push(credential);
    }
    Ok(all)
}

fn read_kind(kind: &str, value: Vec<u8>) -> Result<CredentialKind, Damaged> {
    match (kind, NameField::parse(kind)) {
        (KEY, _) => PublicKey::parse(&value).map(CredentialKind::Key).map_err(|_| Damaged),
        (CERTIFICATE, _) => value.try_into().map(CredentialKind::Certificate).map_err(|_| Damaged),
        (_, Some(field)) => {
            let value = String::from_utf8(value).map_err(|_| Damaged)?;
            Ok(CredentialKind::Name(CertificateName { field, value }))
        }
        (_, None) => Err(Damaged),
    }
}
