//! Reads of grants, batched like writes.

use std::collections::HashMap;
use std::sync::Arc;

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantKey};
use tokio_postgres::{Client, Statement};

use super::batch_worker::{Job, Work};
use super::confirmation::confirm;
use super::connect::DatabaseError;
use super::pool::Session;
use super::{rows, steps};

pub(crate) struct Reads;

pub(crate) enum ReadJob {
    One(Job<GrantKey, Option<Grant>>),
    All(Job<AppNumber, Vec<Grant>>),
}

pub(crate) struct Statements {
    one: Statement,
    all: Statement,
}

const ALL: &str = "
    SELECT application, id, generation, refreshed_at, expires_at FROM grants WHERE application = ANY($1::int4[])";

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let (one, all) = tokio::try_join!(client.prepare(steps::PRESENT), client.prepare(ALL))?;
        Ok(Statements { one, all })
    }
}

impl Work for Reads {
    type Job = ReadJob;
    const NAME: &'static str = "read";
    const AT_ONCE: usize = 1_024;
    const WRITES: bool = false;

    fn is_abandoned(job: &ReadJob) -> bool {
        match job {
            ReadJob::One(job) => job.answer.is_closed(),
            ReadJob::All(job) => job.answer.is_closed(),
        }
    }

    fn refuse(job: ReadJob, error: &Arc<DatabaseError>) {
        match job {
            ReadJob::One(job) => job.refuse(error),
            ReadJob::All(job) => job.refuse(error),
        }
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<ReadJob>,
        _again: bool,
    ) -> Result<(), DatabaseError> {
        let (client, statements) = (&session.client, &session.statements.reads);
        let (mut places, mut applications) = (Vec::new(), Vec::new());
        for job in jobs.iter() {
            match job {
                ReadJob::One(job) => places.push(rows::place(job.what)),
                ReadJob::All(job) => applications.push(rows::number(job.what)),
            }
        }
        let (one, all) = tokio::try_join!(
            steps::present(client, &statements.one, &places),
            all_of(client, statements, &applications)
        )?;
        // That a grant is missing may mean that its token is refused.
        if places.iter().any(|place| !one.contains_key(place)) {
            confirm(client, &session.statements.confirmation).await?;
        }
        for job in jobs.drain(..) {
            match job {
                ReadJob::One(job) => {
                    let found = one.get(&rows::place(job.what)).copied();
                    job.reply(found);
                }
                ReadJob::All(job) => {
                    let found = all.get(&job.what).cloned().unwrap_or_default();
                    job.reply(found);
                }
            }
        }
        Ok(())
    }
}

async fn all_of(
    client: &Client,
    statements: &Statements,
    applications: &[i32],
) -> Result<HashMap<AppNumber, Vec<Grant>>, DatabaseError> {
    let mut all: HashMap<AppNumber, Vec<Grant>> = HashMap::new();
    if !applications.is_empty() {
        for row in &client.query(&statements.all, &[&applications]).await? {
            let (application, grant) = rows::grant(row)?;
            all.entry(application).or_default().push(grant);
        }
    }
    Ok(all)
}
