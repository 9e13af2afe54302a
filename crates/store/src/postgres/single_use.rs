//! Single-use identifiers (`jti`): one row for each, and its owner shows which request was first.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::application::AppNumber;
use northgate_core::store::{Recorded, SingleUse};
use tokio_postgres::{Client, Statement};

use super::Shared;
use super::batch_worker::{Job, Work};
use super::connect::DatabaseError;
use super::pool::Session;
use super::rows::{self, DATABASE_NOW};

/// How long this node relies on its count; other nodes add records, and time removes some.
const COUNT_HOLDS: Duration = Duration::from_secs(10);

pub(crate) struct SingleUses {
    shared: Arc<Shared>,
    /// Records of each application; exceeded at most by what other nodes add within [`COUNT_HOLDS`].
    counts: HashMap<AppNumber, usize>,
    counted_at: Instant,
}

/// A use, and the name of its request, by which a retry recognises a commit that was cut off.
pub(crate) struct SingleUseJob {
    pub job: Job<SingleUse, Recorded>,
    pub spender: i64,
}

pub(crate) struct Statements {
    count: Statement,
    insert: Statement,
    spenders: Statement,
}

const INSERT: &str = "
    INSERT INTO spent (application, digest, until_at, spender)
    SELECT s.application, s.digest, s.until_at, s.spender
    FROM unnest($1::int4[], $2::bytea[], $3::int8[], $4::int8[]) AS s (application, digest, until_at, spender)
    JOIN applications AS a ON a.number = s.application
    ORDER BY s.application, s.digest
    ON CONFLICT (application, digest) DO NOTHING";

/// The first request for each identifier, in the order of the batch; and whether the application exists.
const SPENDERS: &str = "
    SELECT p.spender, a.number IS NOT NULL
    FROM unnest($1::int4[], $2::bytea[]) WITH ORDINALITY AS s (application, digest, place)
    LEFT JOIN spent AS p ON p.application = s.application AND p.digest = s.digest
    LEFT JOIN applications AS a ON a.number = s.application
    ORDER BY s.place";

impl SingleUses {
    pub fn new(shared: Arc<Shared>) -> SingleUses {
        SingleUses { shared, counts: HashMap::new(), counted_at: Instant::now() }
    }

    /// Counts the records of applications whose room is unknown.
    async fn count(
        &mut self,
        client: &Client,
        statements: &Statements,
        jobs: &[SingleUseJob],
    ) -> Result<(), DatabaseError> {
        if self.counted_at.elapsed() >= COUNT_HOLDS {
            self.counts.clear();
            self.counted_at = Instant::now();
        }
        let unsure: HashSet<AppNumber> = jobs
            .iter()
            .map(|job| &job.job.what)
            .filter(|what| self.counts.get(&what.application).is_none_or(|count| *count >= what.at_most))
            .map(|what| what.application)
            .collect();
        // Records that have expired by both clocks take no room.
        let now = rows::millis((self.shared.clock)());
        for application in unsure {
            let row = client.query_one(&statements.count, &[&rows::number(application), &now]).await?;
            self.counts.insert(application, row.try_get::<_, i64>(0)? as usize);
        }
        Ok(())
    }

    /// Inserts rows where there is room. Their identifiers may have been used before all the same.
    async fn insert(
        &mut self,
        client: &Client,
        statements: &Statements,
        jobs: &[SingleUseJob],
    ) -> Result<(), DatabaseError> {
        let (mut applications, mut digests, mut until, mut spenders) = (vec![], vec![], vec![], vec![]);
        for SingleUseJob { job, spender } in jobs {
            let count = self.counts.entry(job.what.application).or_default();
            if *count < job.what.at_most {
                *count += 1;
                applications.push(rows::number(job.what.application));
                digests.push(&job.what.digest[..]);
                until.push(rows::millis(job.what.until));
                spenders.push(*spender);
            }
        }
        if !applications.is_empty() {
            client.execute(&statements.insert, &[&applications, &digests, &until, &spenders]).await?;
        }
        Ok(())
    }
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let count = format!(
            "SELECT count(*) FROM spent WHERE application = $1 AND until_at >= least($2, {DATABASE_NOW})"
        );
        let (count, insert, spenders) =
            tokio::try_join!(client.prepare(&count), client.prepare(INSERT), client.prepare(SPENDERS))?;
        Ok(Statements { count, insert, spenders })
    }
}

impl Work for SingleUses {
    type Job = SingleUseJob;
    const NAME: &'static str = "single use";
    const AT_ONCE: usize = 256;

    fn is_abandoned(job: &SingleUseJob) -> bool {
        job.job.answer.is_closed()
    }

    fn refuse(job: SingleUseJob, error: &Arc<DatabaseError>) {
        job.job.refuse(error);
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<SingleUseJob>,
        _again: bool,
    ) -> Result<(), DatabaseError> {
        let (client, statements) = (&session.client, &session.statements.single_uses);
        self.count(client, statements, jobs).await?;
        self.insert(client, statements, jobs).await?;
        let applications: Vec<i32> = jobs.iter().map(|job| rows::number(job.job.what.application)).collect();
        let digests: Vec<&[u8]> = jobs.iter().map(|job| &job.job.what.digest[..]).collect();
        let found = client.query(&statements.spenders, &[&applications, &digests]).await?;
        let found: Vec<(Option<i64>, bool)> = found
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, DatabaseError>>()?;
        if found.len() != jobs.len() {
            return Err(DatabaseError::Damaged);
        }
        for (SingleUseJob { job, spender }, (first, is_there)) in jobs.drain(..).zip(found) {
            job.reply(match first {
                Some(first) if first == spender => Recorded::Fresh,
                Some(_) => Recorded::Replayed,
                None if is_there => Recorded::Full,
                None => Recorded::Unknown,
            });
        }
        Ok(())
    }
}
