//! Export from the database, as of one moment while nodes work on; and import into an empty database, all of it or nothing.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use northgate_core::application::AppNumber;
use northgate_core::high_water::Marks;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::connect::{DatabaseError, connect_once};
use super::forgotten;
use super::keyring::SealedKeyring;
use super::rows::{self, APPLICATION, APPLICATION_VALUES, DATABASE_NOW, SECRET, SECRET_VALUES, Value};
use super::settings::PostgresSettings;
use super::{ConnectError, schema};
use crate::export::{Counts, Holding, Whole};

/// Applications in memory at a time, with a few hundred KiB of grants each at the very most.
pub const PAGE: usize = 256;

/// No statement timeout, since no request waits.
const PATIENTLY: &str = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0";

/// Reason why an installation was not exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the database holds an installation already: import into one that was only migrated")]
    NotEmpty,
    #[error("the database has no keyring: no node has ever started on it")]
    NoKeyring,
    #[error("the database holds {found:?} after the import of {expected:?}; nothing was imported")]
    Incomplete { found: Counts, expected: Counts },
}

impl From<DatabaseError> for ExportError {
    fn from(error: DatabaseError) -> ExportError {
        ExportError::Connect(error.into())
    }
}

impl From<tokio_postgres::Error> for ExportError {
    fn from(error: tokio_postgres::Error) -> ExportError {
        DatabaseError::from(error).into()
    }
}

/// A snapshot of the database, read page by page.
pub struct Export {
    client: Client,
    /// The number of the last application that was read.
    after: i64,
}

impl Export {
    pub async fn begin(settings: &PostgresSettings) -> Result<Export, ExportError> {
        let client = connect_once(settings).await?;
        schema::check(&client).await?;
        client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        client.batch_execute(PATIENTLY).await?;
        Ok(Export { client, after: i64::MIN })
    }

    pub async fn keyring(&self) -> Result<SealedKeyring, ExportError> {
        super::keyring::read(&self.client).await?.ok_or(ExportError::NoKeyring)
    }

    /// The highest number that an application ever had, or a higher one.
    pub async fn last_number(&self) -> Result<AppNumber, ExportError> {
        let row = self.client.query_one("SELECT last_value, is_called FROM application_numbers", &[]).await?;
        let (last, is_given): (i64, bool) = (row.try_get(0)?, row.try_get(1)?);
        Ok(AppNumber(if is_given { last as u32 } else { 0 }))
    }

    /// The high-water marks.
    pub async fn high_water(&self) -> Result<Marks, ExportError> {
        Ok(forgotten::read(&self.client).await?)
    }

    /// The next applications in the order of their numbers; empty after the last one.
    pub async fn page(&mut self) -> Result<Vec<Holding>, ExportError> {
        let select = format!(
            "SELECT {application} FROM applications WHERE number > $1::int8 ORDER BY number LIMIT {PAGE}",
            application = *APPLICATION
        );
        let mut page = Vec::new();
        for row in self.client.query(&select, &[&self.after]).await? {
            let application = rows::application(&row)?;
            page.push(Holding { application, grants: Vec::new(), revocations: Vec::new() });
        }
        let Some(last) = page.last() else { return Ok(page) };
        self.after = i64::from(rows::number(last.application.number));
        self.fill(&mut page).await?;
        Ok(page)
    }

    async fn fill(&self, page: &mut [Holding]) -> Result<(), ExportError> {
        let places: HashMap<AppNumber, usize> =
            page.iter().enumerate().map(|(place, holding)| (holding.application.number, place)).collect();
        let numbers: Vec<i32> = page.iter().map(|holding| rows::number(holding.application.number)).collect();
        let of = |number| places.get(&number).copied().ok_or(DatabaseError::Damaged);
        let secrets =
            format!("SELECT {SECRET} FROM secrets WHERE application = ANY ($1) ORDER BY application, id");
        for row in self.client.query(&secrets, &[&numbers]).await? {
            let (number, secret) = rows::secret(&row)?;
            page[of(number)?].application.secrets.push(Arc::new(secret));
        }
        let grants = "SELECT application, id, generation, refreshed_at, expires_at FROM grants
                      WHERE application = ANY ($1) ORDER BY application, place NULLS FIRST, refreshed_at";
        for row in self.client.query(grants, &[&numbers]).await? {
            let (number, grant) = rows::grant(&row)?;
            page[of(number)?].grants.push(grant);
        }
        let revocations = "SELECT application, id, ends_at, forget_at FROM revocations
                           WHERE application = ANY ($1) ORDER BY application, id";
        for row in self.client.query(revocations, &[&numbers]).await? {
            let (key, revocation) = rows::revocation(&row)?;
            page[of(key.application)?].revocations.push((key.id, revocation));
        }
        Ok(())
    }
}

/// An import under way. Dropped before it is finished, it leaves an empty database.
pub struct Import {
    client: Client,
}

impl Import {
    /// Locks a database on which no node has ever started. Of several at once the first goes on.
    pub async fn begin(settings: &PostgresSettings, keyring: &SealedKeyring) -> Result<Import, ExportError> {
        let client = connect_once(settings).await?;
        schema::check(&client).await?;
        client.batch_execute("BEGIN").await?;
        client.batch_execute(PATIENTLY).await?;
        let insert = "INSERT INTO keyring (version, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        let is_first = client.execute(insert, &[&keyring.version, &keyring.sealed]).await? > 0;
        if !is_first || count(&client).await? != Counts::default() {
            return Err(ExportError::NotEmpty);
        }
        Ok(Import { client })
    }

    pub async fn add(&self, page: &[Holding]) -> Result<(), ExportError> {
        let insert = format!(
            "INSERT INTO applications ({application}, changed_at) VALUES ({values}, {DATABASE_NOW})",
            application = *APPLICATION,
            values = *APPLICATION_VALUES
        );
        let values = page.iter().map(|holding| rows::application_values(&holding.application));
        self.insert(&insert, values.collect()).await?;
        let insert = format!("INSERT INTO secrets ({SECRET}) VALUES ({SECRET_VALUES})");
        let values = page.iter().flat_map(|Holding { application, .. }| {
            application.secrets.iter().map(|secret| rows::secret_values(application.number, secret))
        });
        self.insert(&insert, values.collect()).await?;
        self.insert_grants(page).await?;
        self.insert_revocations(page).await
    }

    /// Commits the import, if it is complete.
    pub async fn finish(self, expected: &Whole) -> Result<(), ExportError> {
        let found = count(&self.client).await?;
        if found != expected.counts {
            return Err(ExportError::Incomplete { found, expected: expected.counts });
        }
        if expected.last_number.0 > 0 {
            let last = i64::from(expected.last_number.0);
            self.client.execute("SELECT setval('application_numbers', $1)", &[&last]).await?;
        }
        forgotten::write(&self.client, expected.forgotten).await?;
        Ok(self.client.batch_execute("COMMIT").await?)
    }

    /// Inserts rows, pipelined.
    async fn insert(&self, insert: &str, rows: Vec<Vec<Value>>) -> Result<(), ExportError> {
        let statement = self.client.prepare(insert).await?;
        try_join_all(rows.iter().map(async |values| {
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
            self.client.execute(&statement, &values).await
        }))
        .await?;
        Ok(())
    }

    async fn insert_grants(&self, page: &[Holding]) -> Result<(), ExportError> {
        let (mut applications, mut ids, mut generations) = (Vec::new(), Vec::new(), Vec::new());
        let (mut refreshed, mut expires) = (Vec::new(), Vec::new());
        for Holding { application, grants, .. } in page {
            for grant in grants {
                applications.push(rows::number(application.number));
                ids.push(rows::id(grant.id));
                generations.push(grant.generation as i32);
                refreshed.push(rows::millis(grant.refreshed_at));
                expires.push(rows::millis(grant.expires_at));
            }
        }
        let insert = "INSERT INTO grants (application, id, generation, refreshed_at, expires_at)
                      SELECT * FROM unnest($1::int4[], $2::int8[], $3::int4[], $4::int8[], $5::int8[])";
        self.client.execute(insert, &[&applications, &ids, &generations, &refreshed, &expires]).await?;
        Ok(())
    }

    async fn insert_revocations(&self, page: &[Holding]) -> Result<(), ExportError> {
        let (mut applications, mut ids) = (Vec::new(), Vec::new());
        let (mut ends, mut forget) = (Vec::new(), Vec::new());
        for Holding { application, revocations, .. } in page {
            for (id, revocation) in revocations {
                applications.push(rows::number(application.number));
                ids.push(rows::id(*id));
                ends.push(rows::millis(revocation.ends_at));
                forget.push(rows::millis(revocation.forget_at));
            }
        }
        let insert = format!(
            "INSERT INTO revocations (application, id, ends_at, forget_at, changed_at)
             SELECT u.application, u.id, u.ends, u.forget, {DATABASE_NOW}
             FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[]) AS u (application, id, ends, forget)"
        );
        self.client.execute(&insert, &[&applications, &ids, &ends, &forget]).await?;
        Ok(())
    }
}

async fn count(client: &Client) -> Result<Counts, ExportError> {
    let count = "SELECT (SELECT count(*) FROM applications), (SELECT count(*) FROM secrets),
                 (SELECT count(*) FROM grants), (SELECT count(*) FROM revocations)";
    let row = client.query_one(count, &[]).await?;
    let at = |column| Ok::<_, ExportError>(row.try_get::<_, i64>(column)? as u64);
    Ok(Counts { applications: at(0)?, secrets: at(1)?, grants: at(2)?, revocations: at(3)? })
}
