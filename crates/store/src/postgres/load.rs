//! Reading the registry: all of it at the start, and then what changed.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt, pin_mut};
use northgate_core::application::{AppNumber, Application};
use northgate_core::clock::Timestamp;
use northgate_core::grant::GrantKey;
use northgate_core::registry::{Registry, Revocation};
use northgate_core::secret::Secrets;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::connect::Trouble;
use super::rows::{self, APPLICATION, DATABASE_NOW, SECRET};

/// All that there is.
pub(crate) struct All {
    pub applications: Vec<Application>,
    /// The revocations; no applications.
    pub revocations: Registry,
    /// The database's clock before it was read.
    pub at: i64,
}

/// What changed since some moment, and what lately did so before it.
pub(crate) struct News {
    pub applications: Vec<Application>,
    pub removed: Vec<AppNumber>,
    pub revocations: Vec<(GrantKey, Revocation)>,
    /// The database's clock before it was read.
    pub at: i64,
}

/// One moment for all of it.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

pub(crate) async fn all(client: &Client) -> Result<All, Trouble> {
    client.batch_execute(BEGIN).await?;
    // Reading millions of rows takes longer than a statement of a request may.
    client.batch_execute("SET LOCAL statement_timeout = 0").await?;
    let at = client.query_one(&format!("SELECT {DATABASE_NOW}"), &[]).await?.try_get(0)?;
    let mut secrets: HashMap<AppNumber, Secrets> = HashMap::new();
    each(client, &format!("SELECT {SECRET} FROM secrets ORDER BY application, id"), |row| {
        let (application, secret) = rows::secret(row)?;
        secrets.entry(application).or_default().push(Arc::new(secret));
        Ok(())
    })
    .await?;
    let mut applications = Vec::new();
    each(client, &format!("SELECT {APPLICATION} FROM applications"), |row| {
        let mut application = rows::application(row)?;
        application.secrets = secrets.remove(&application.number).unwrap_or_default();
        application.secrets.shrink_to_fit();
        applications.push(application);
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
    client.batch_execute("COMMIT").await?;
    Ok(All { applications, revocations, at })
}

async fn each(
    client: &Client,
    select: &str,
    mut take: impl FnMut(&Row) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let rows = client.query_raw(select, std::iter::empty::<&(dyn ToSql + Sync)>()).await?;
    pin_mut!(rows);
    while let Some(row) = rows.next().await {
        take(&row?)?;
    }
    Ok(())
}

/// The statements of a look at what changed.
pub(crate) struct Look {
    at: Statement,
    applications: Statement,
    secrets: Statement,
    removed: Statement,
    revocations: Statement,
}

impl Look {
    pub async fn prepare(client: &Client) -> Result<Look, Trouble> {
        let at = format!("SELECT {DATABASE_NOW}");
        let applications = format!("SELECT {APPLICATION} FROM applications WHERE changed_at >= $1");
        let secrets = format!(
            "SELECT {SECRET} FROM secrets WHERE application IN (SELECT number FROM applications WHERE changed_at >= $1)
             ORDER BY application, id"
        );
        let removed = "SELECT application FROM removed WHERE changed_at >= $1";
        let revocations =
            "SELECT application, id, ends_at, forget_at FROM revocations WHERE changed_at >= $1";
        let (at, applications, secrets, removed, revocations) = tokio::try_join!(
            client.prepare(&at),
            client.prepare(&applications),
            client.prepare(&secrets),
            client.prepare(removed),
            client.prepare(revocations)
        )?;
        Ok(Look { at, applications, secrets, removed, revocations })
    }

    /// What changed since `since` by the database's clock, in one round trip.
    pub async fn since(&self, client: &Client, since: i64) -> Result<News, Trouble> {
        let since: [&(dyn ToSql + Sync); 1] = [&since];
        let ((), at, applications, secrets, removed, revocations, ()) = tokio::try_join!(
            biased;
            client.batch_execute(BEGIN),
            client.query_one(&self.at, &[]),
            client.query(&self.applications, &since),
            client.query(&self.secrets, &since),
            client.query(&self.removed, &since),
            client.query(&self.revocations, &since),
            client.batch_execute("COMMIT")
        )?;
        let mut of: HashMap<AppNumber, Secrets> = HashMap::new();
        for row in &secrets {
            let (application, secret) = rows::secret(row)?;
            of.entry(application).or_default().push(Arc::new(secret));
        }
        let applications = applications.iter().map(|row| {
            let mut application = rows::application(row)?;
            application.secrets = of.remove(&application.number).unwrap_or_default();
            Ok(application)
        });
        let removed = removed.iter().map(|row| Ok(AppNumber(row.try_get::<_, i32>(0)? as u32)));
        Ok(News {
            applications: applications.collect::<Result<_, Trouble>>()?,
            removed: removed.collect::<Result<_, Trouble>>()?,
            revocations: revocations.iter().map(rows::revocation).collect::<Result<_, Trouble>>()?,
            at: at.try_get(0)?,
        })
    }
}

impl All {
    /// Drops the revocations of applications that are gone; none goes by the time, since the clock may be wrong.
    pub fn tidy(registry: &Registry) {
        registry.forget_revocations(Timestamp::from_millis(0), std::time::Duration::ZERO);
    }
}
