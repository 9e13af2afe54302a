//! Loading the registry: all of it at the start, and then the changes.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, pin_mut};
use northgate_core::application::{AppNumber, Application};
use northgate_core::clock::Timestamp;
use northgate_core::grant::GrantKey;
use northgate_core::high_water::Marks;
use northgate_core::registry::{Registry, Revocation};
use northgate_core::secret::Secrets;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::connect::DatabaseError;
use super::forgotten;
use super::rows::{self, APPLICATION, DATABASE_NOW, SECRET};

/// The whole registry.
pub(crate) struct All {
    pub applications: Vec<Application>,
    /// The revocations; no applications.
    pub revocations: Registry,
    /// Damaged rows. Their applications are not among `applications`.
    pub damaged: Vec<DatabaseError>,
    pub forgotten: Marks,
    /// The database's clock before the read.
    pub at: i64,
}

/// The changes since some moment, and those shortly before it.
pub(crate) struct News {
    pub applications: Vec<Application>,
    pub removed: Vec<AppNumber>,
    pub revocations: Vec<(GrantKey, Revocation)>,
    /// Damaged rows. Their applications are not among `applications`.
    pub damaged: Vec<DatabaseError>,
    pub forgotten: Marks,
    /// The database's clock before the read.
    pub at: i64,
}

/// One snapshot for all of it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(crate) async fn all(client: &Client) -> Result<All, DatabaseError> {
    client.batch_execute(BEGIN).await?;
    // Reading millions of rows takes longer than the statement timeout of requests.
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let at = client.query_one(&format!("SELECT {DATABASE_NOW}"), &[]).await?.try_get(0)?;
    let mut found = Found::default();
    each(client, &format!("SELECT {SECRET} FROM secrets ORDER BY application, id"), |row| {
        found.add_secret(row);
        Ok(())
    })
    .await?;
    each(client, &format!("SELECT {application} FROM applications", application = *APPLICATION), |row| {
        found.add_application(row);
        Ok(())
    })
    .await?;
    let revocations = Registry::default();
    each(client, "SELECT application, id, ends_at, forget_at FROM revocations", |row| {
        let (key, revocation) = rows::revocation(row)?;
        revocations.revoke(key, revocation);
        Ok(())
    })
    .await?;
    let forgotten = forgotten::read(client).await?;
    client.batch_execute("COMMIT").await?;
    let Found { applications, damaged, .. } = found;
    Ok(All { applications, revocations, forgotten, damaged, at })
}

/// Applications as their rows come in, the secrets first. One damaged row must not hide the others.
#[derive(Default)]
struct Found {
    /// `None` for an application with a secret that cannot be read.
    secrets: HashMap<AppNumber, Option<Secrets>>,
    applications: Vec<Application>,
    damaged: Vec<DatabaseError>,
}

impl Found {
    fn add_secret(&mut self, row: &Row) {
        match rows::secret(row) {
            Ok((application, secret)) => {
                if let Some(secrets) = self.secrets.entry(application).or_insert(Some(Secrets::new())) {
                    secrets.push(Arc::new(secret));
                }
            }
            Err(damaged) => {
                self.secrets.insert(AppNumber(rows::unsigned(row, 0)), None);
                self.damaged.push(damaged);
            }
        }
    }

    fn add_application(&mut self, row: &Row) {
        match rows::application(row) {
            Ok(mut application) => {
                let secrets = self.secrets.remove(&application.number).unwrap_or(Some(Secrets::new()));
                if let Some(mut secrets) = secrets {
                    secrets.shrink_to_fit();
                    application.secrets = secrets;
                    self.applications.push(application);
                }
            }
            Err(damaged) => self.damaged.push(damaged),
        }
    }
}

async fn each(
    client: &Client,
    select: &str,
    mut take: impl FnMut(&Row) -> Result<(), DatabaseError>,
) -> Result<(), DatabaseError> {
    let rows = client.query_raw(select, std::iter::empty::<&(dyn ToSql + Sync)>()).await?;
    pin_mut!(rows);
    while let Some(row) = rows.next().await {
        take(&row?)?;
    }
    Ok(())
}

/// The prepared statements of a poll.
pub(crate) struct Look {
    at: Statement,
    applications: Statement,
    secrets: Statement,
    removed: Statement,
    revocations: Statement,
    forgotten: Statement,
}

impl Look {
    pub async fn prepare(client: &Client) -> Result<Look, DatabaseError> {
        let at = format!("SELECT {DATABASE_NOW}");
        let applications = format!(
            "SELECT {application} FROM applications WHERE changed_at >= $1",
            application = *APPLICATION
        );
        let secrets = format!(
            "SELECT {SECRET} FROM secrets WHERE application IN (SELECT number FROM applications WHERE changed_at >= $1)
             ORDER BY application, id"
        );
        let removed = "SELECT application FROM removed WHERE changed_at >= $1";
        let revocations =
            "SELECT application, id, ends_at, forget_at FROM revocations WHERE changed_at >= $1";
        let (at, applications, secrets, removed, revocations, forgotten) = tokio::try_join!(
            client.prepare(&at),
            client.prepare(&applications),
            client.prepare(&secrets),
            client.prepare(removed),
            client.prepare(revocations),
            client.prepare(forgotten::SELECT)
        )?;
        Ok(Look { at, applications, secrets, removed, revocations, forgotten })
    }

    /// The changes since `since` by the database's clock, in one round trip.
    pub async fn since(&self, client: &Client, since: i64) -> Result<News, DatabaseError> {
        let since: [&(dyn ToSql + Sync); 1] = [&since];
        let ((), at, applications, secrets, removed, revocations, forgotten, ()) = tokio::try_join!(
            biased;
            client.batch_execute(BEGIN),
            client.query_one(&self.at, &[]),
            client.query(&self.applications, &since),
            client.query(&self.secrets, &since),
            client.query(&self.removed, &since),
            client.query(&self.revocations, &since),
            client.query_one(&self.forgotten, &[]),
            client.batch_execute("COMMIT")
        )?;
        let removed = removed.iter().map(|row| Ok(AppNumber(row.try_get::<_, i32>(0)? as u32)));
        let mut found = Found::default();
        secrets.iter().for_each(|row| found.add_secret(row));
        applications.iter().for_each(|row| found.add_application(row));
        Ok(News {
            applications: found.applications,
            removed: removed.collect::<Result<_, DatabaseError>>()?,
            revocations: revocations.iter().map(rows::revocation).collect::<Result<_, DatabaseError>>()?,
            damaged: found.damaged,
            forgotten: forgotten::marks(&forgotten)?,
            at: at.try_get(0)?,
        })
    }
}

impl All {
    /// Drops the revocations of deleted applications; none is dropped by time, since the clock may be wrong.
    pub fn tidy(registry: &Registry) {
        registry.forget_revocations(Timestamp::from_millis(0), std::time::Duration::ZERO);
    }
}
