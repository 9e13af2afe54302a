//! Creating, replacing and deleting applications: one at a time, since operators do it and not clients.

use std::sync::Arc;

use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::{GrantId, GrantKey};
use northgate_core::registry::Revocation;
use northgate_core::secret::Kept;
use northgate_core::store::{Created, Deleted, NewApplication, Replaced};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, GenericClient, Transaction};

use super::Shared;
use super::batch_worker::{Job, Work};
use super::connect::DatabaseError;
use super::pool::Session;
use super::published::Source;
use super::rows::{self, APPLICATION, APPLICATION_VALUES, DATABASE_NOW, SECRET, SECRET_VALUES, Value};

pub(crate) struct Applications(pub Arc<Shared>);

pub(crate) enum ApplicationJob {
    /// With the assigned number, once there is one.
    Create(Job<NewApplication, Created>, Option<AppNumber>),
    Replace(Job<(Application, Vec<(GrantId, Revocation)>), Replaced>),
    /// With the revision that is expected, where one is.
    Delete(Job<(AppNumber, Option<u32>), Deleted>),
}

/// Numbers that are skipped when the sequence yields a known one: an asynchronous failover took the sequence back.
const SKIPPED: i64 = 1_000;

/// Locks the row of an application, so that it stays as it is read.
const LOCK: &str = "SELECT FROM applications WHERE number = $1 FOR UPDATE";

impl Work for Applications {
    type Job = ApplicationJob;
    const NAME: &'static str = "change of an application";
    const AT_ONCE: usize = 1;

    fn is_abandoned(job: &ApplicationJob) -> bool {
        match job {
            ApplicationJob::Create(job, _) => job.answer.is_closed(),
            ApplicationJob::Replace(job) => job.answer.is_closed(),
            ApplicationJob::Delete(job) => job.answer.is_closed(),
        }
    }

    fn refuse(job: ApplicationJob, error: &Arc<DatabaseError>) {
        match job {
            ApplicationJob::Create(job, _) => job.refuse(error),
            ApplicationJob::Replace(job) => job.refuse(error),
            ApplicationJob::Delete(job) => job.refuse(error),
        }
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<ApplicationJob>,
        again: bool,
    ) -> Result<(), DatabaseError> {
        let client = &mut session.client;
        match jobs.first_mut() {
            None => return Ok(()),
            Some(ApplicationJob::Create(job, number)) => {
                let number = match number {
                    Some(number) => *number,
                    None => *number.insert(self.next_number(client).await?),
                };
                let created = self.create(client, job.what.clone().numbered(number)).await?;
                if let (Some(created), Some(ApplicationJob::Create(job, _))) = (created, jobs.pop()) {
                    job.reply(created);
                }
            }
            Some(ApplicationJob::Replace(job)) => {
                let replaced = self.replace(client, &job.what, again).await?;
                if let Some(ApplicationJob::Replace(job)) = jobs.pop() {
                    job.reply(replaced);
                }
            }
            Some(ApplicationJob::Delete(job)) => {
                let deleted = self.delete(client, job.what, again).await?;
                if let Some(ApplicationJob::Delete(job)) = jobs.pop() {
                    job.reply(deleted);
                }
            }
        }
        self.0.wake_others();
        Ok(())
    }
}

impl Applications {
    /// A new number, also after the sequence went back.
    async fn next_number(&self, client: &Client) -> Result<AppNumber, DatabaseError> {
        loop {
            let next: i64 =
                client.query_one("SELECT nextval('application_numbers')", &[]).await?.try_get(0)?;
            let number = AppNumber(u32::try_from(next).map_err(|_| DatabaseError::Damaged)?);
            if self.0.published.registry.application(number).is_none() {
                return Ok(number);
            }
            client.execute("SELECT setval('application_numbers', $1)", &[&(next + SKIPPED)]).await?;
        }
    }

    /// Idempotent: the number identifies the row of an attempt that was cut off.
    async fn create(&self, client: &mut Client, new: Application) -> Result<Option<Created>, DatabaseError> {
        let transaction = client.transaction().await?;
        let insert = format!(
            "INSERT INTO applications ({application}, changed_at) VALUES ({values}, {DATABASE_NOW})
             ON CONFLICT (app_id) DO NOTHING",
            application = *APPLICATION,
            values = *APPLICATION_VALUES
        );
        let is_new = transaction.execute(&insert, &borrowed(&rows::application_values(&new))).await? > 0;
        if is_new {
            write_secrets(&transaction, &new).await?;
            transaction.commit().await?;
            return Ok(Some(Created::Created(self.0.published.put(new, Source::Written))));
        }
        transaction.rollback().await?;
        // The holder of the appId was deleted just now: retry.
        let Some(holder) = read(client, By::Id(&new.id)).await? else { return Ok(None) };
        let (number, holder) = (holder.number, self.0.published.put(holder, Source::Read));
        Ok(Some(if number == new.number { Created::Created(holder) } else { Created::Taken(holder) }))
    }

    async fn replace(
        &self,
        client: &mut Client,
        (to, kept): &(Application, Vec<(GrantId, Revocation)>),
        again: bool,
    ) -> Result<Replaced, DatabaseError> {
        let transaction = client.transaction().await?;
        transaction.execute(LOCK, &[&rows::number(to.number)]).await?;
        let Some(present) = read(&transaction, By::Number(to.number)).await? else {
            return Ok(Replaced::Unknown);
        };
        if present.revision + 1 == to.revision {
            write_secrets(&transaction, to).await?;
            if present.tokens_from < to.tokens_from {
                clear_revocations(&transaction, to.number, kept).await?;
            }
            // Last, so that little time passes between `changed_at` and the commit.
            let update = format!(
                "UPDATE applications SET ({application}, changed_at) = ({values}, {DATABASE_NOW})
                 WHERE number = $1",
                application = *APPLICATION,
                values = *APPLICATION_VALUES
            );
            transaction.execute(&update, &borrowed(&rows::application_values(to))).await?;
            transaction.commit().await?;
            return Ok(Replaced::Replaced(self.publish(to, kept)));
        }
        if again && is_same(&present, to) {
            return Ok(Replaced::Replaced(self.publish(to, kept)));
        }
        Ok(Replaced::Lost(self.0.published.put(present, Source::Read)))
    }

    fn publish(&self, to: &Application, kept: &[(GrantId, Revocation)]) -> Arc<Application> {
        let application = self.0.published.put(to.clone(), Source::Written);
        for (id, revocation) in kept {
            let grant = GrantKey { application: to.number, id: *id };
            self.0.published.registry.revoke(grant, *revocation);
        }
        application
    }

    async fn delete(
        &self,
        client: &mut Client,
        (number, revision): (AppNumber, Option<u32>),
        again: bool,
    ) -> Result<Deleted, DatabaseError> {
        let transaction = client.transaction().await?;
        let key = rows::number(number);
        if let Some(revision) = revision {
            transaction.execute(LOCK, &[&key]).await?;
            if let Some(present) = read(&transaction, By::Number(number)).await?
                && present.revision != revision
            {
                return Ok(Deleted::Lost(self.0.published.put(present, Source::Read)));
            }
        }
        // First, so that it waits for a login that is under way and finds its grant.
        let found = transaction.execute("DELETE FROM applications WHERE number = $1", &[&key]).await?;
        for table in ["secrets", "grants", "revocations", "spent"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE application = $1"), &[&key]).await?;
        }
        if found > 0 {
            let removed =
                format!("INSERT INTO removed (application, changed_at) VALUES ($1, {DATABASE_NOW})");
            transaction.execute(&removed, &[&key]).await?;
        }
        transaction.commit().await?;
        self.0.published.remove(number);
        Ok(if found > 0 || again { Deleted::Deleted } else { Deleted::Unknown })
    }
}

enum By<'a> {
    Number(AppNumber),
    Id(&'a AppId),
}

async fn read(client: &impl GenericClient, by: By<'_>) -> Result<Option<Application>, DatabaseError> {
    let (column, value): (_, Value) = match by {
        By::Number(number) => ("number", Box::new(rows::number(number))),
        By::Id(id) => ("app_id", Box::new(id.as_str().to_owned())),
    };
    let select =
        format!("SELECT {application} FROM applications WHERE {column} = $1", application = *APPLICATION);
    let Some(row) = client.query_opt(&select, &[&*value as _]).await? else { return Ok(None) };
    let mut application = rows::application(&row)?;
    let select = format!("SELECT {SECRET} FROM secrets WHERE application = $1 ORDER BY id");
    for row in client.query(&select, &[&rows::number(application.number)]).await? {
        application.secrets.push(Arc::new(rows::secret(&row)?.1));
    }
    Ok(Some(application))
}

/// Deletes the revocations but for `kept`, which other nodes read again, since they drop all with the not-before.
async fn clear_revocations(
    transaction: &Transaction<'_>,
    number: AppNumber,
    kept: &[(GrantId, Revocation)],
) -> Result<(), DatabaseError> {
    let (number, kept) = (rows::number(number), kept.iter().map(|(id, _)| rows::id(*id)).collect::<Vec<_>>());
    let clear = "DELETE FROM revocations WHERE application = $1 AND id <> ALL($2)";
    transaction.execute(clear, &[&number, &kept]).await?;
    if !kept.is_empty() {
        let touch = format!("UPDATE revocations SET changed_at = {DATABASE_NOW} WHERE application = $1");
        transaction.execute(&touch, &[&number]).await?;
    }
    Ok(())
}

/// Replaces the secrets; the later last use stays, since other nodes know of others.
async fn write_secrets(
    transaction: &Transaction<'_>,
    application: &Application,
) -> Result<(), DatabaseError> {
    let kept: Vec<i32> = application.secrets.iter().map(|secret| secret.id.0 as i32).collect();
    let delete = "DELETE FROM secrets WHERE application = $1 AND id <> ALL ($2)";
    transaction.execute(delete, &[&rows::number(application.number), &kept]).await?;
    let insert = format!(
        "INSERT INTO secrets AS s ({SECRET}) VALUES ({SECRET_VALUES})
         ON CONFLICT (application, id) DO UPDATE SET label = excluded.label, retire_at = excluded.retire_at,
             digest = excluded.digest, argon2id = excluded.argon2id,
             last_used_at = greatest(s.last_used_at, excluded.last_used_at)"
    );
    for secret in &application.secrets {
        transaction.execute(&insert, &borrowed(&rows::secret_values(application.number, secret))).await?;
    }
    Ok(())
}

/// Whether a row is the result of a change that was cut off: two changes to one revision differ in something.
fn is_same(one: &Application, other: &Application) -> bool {
    let secrets = |application: &Application| -> Vec<_> {
        application.secrets.iter().map(|secret| (secret.id, secret.retire_at, secret.label.clone())).collect()
    };
    (one.revision, one.state, &one.name, &one.owner, one.overrides, &one.allow, one.tokens_from)
        == (
            other.revision,
            other.state,
            &other.name,
            &other.owner,
            other.overrides,
            &other.allow,
            other.tokens_from,
        )
        && one.credentials == other.credentials
        && secrets(one) == secrets(other)
        && one.secrets.iter().zip(&other.secrets).all(|(one, other)| match (&one.kept, &other.kept) {
            (Kept::Digest(one), Kept::Digest(other)) => one.matches(other),
            (Kept::Argon2id(one), Kept::Argon2id(other)) => one == other,
            (Kept::Digest(_), Kept::Argon2id(_)) | (Kept::Argon2id(_), Kept::Digest(_)) => false,
        })
}

fn borrowed(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}
