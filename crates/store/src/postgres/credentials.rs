//! Credentials of an application, as array columns of its row.

use northgate_core::clock::Timestamp;
use northgate_core::credential::{Credential, CredentialId};
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use super::connect::DatabaseError;
use super::rows::{self, Value};
use crate::credential_kind;

/// The values of the columns ids, labels, times, kinds and values.
pub(crate) fn values(credentials: &[Credential]) -> [Value; 5] {
    let kinds = || credentials.iter().map(|credential| credential_kind::write(&credential.kind));
    [
        list(credentials.iter().map(|credential| credential.id.0 as i32)),
        list(credentials.iter().map(|credential| credential.label.clone())),
        list(credentials.iter().map(|credential| rows::millis(credential.created_at))),
        list(kinds().map(|(word, _)| word)),
        list(kinds().map(|(_, value)| value.to_vec())),
    ]
}

fn list<T>(items: impl Iterator<Item = T>) -> Value
where
    Option<Vec<T>>: tokio_postgres::types::ToSql + Sync + Send + 'static,
{
    Box::new(Some(items.collect::<Vec<T>>()).filter(|items| !items.is_empty()))
}

/// The credentials in the five columns from `first` on.
pub(crate) fn read(row: &Row, first: usize) -> Result<Vec<Credential>, DatabaseError> {
    let (ids, labels): (Vec<i32>, Vec<String>) = (column(row, first)?, column(row, first + 1)?);
    let (times, kinds): (Vec<i64>, Vec<String>) = (column(row, first + 2)?, column(row, first + 3)?);
    let values: Vec<Vec<u8>> = column(row, first + 4)?;
    let count = ids.len();
    if [labels.len(), times.len(), kinds.len(), values.len()].iter().any(|length| *length != count) {
        return Err(DatabaseError::Damaged);
    }
    let rest = labels.into_iter().zip(times).zip(kinds.into_iter().zip(values));
    let credentials = ids.into_iter().zip(rest).map(|(id, ((label, at), (word, value)))| {
        Ok(Credential {
            id: CredentialId(id as u32),
            label,
            created_at: Timestamp::from_millis(at.max(0) as u64),
            kind: credential_kind::read(&word, value).ok_or(DatabaseError::Damaged)?,
        })
    });
    credentials.collect()
}

fn column<T: FromSqlOwned>(row: &Row, index: usize) -> Result<Vec<T>, DatabaseError> {
    Ok(row.try_get::<_, Option<Vec<T>>>(index)?.unwrap_or_default())
}
