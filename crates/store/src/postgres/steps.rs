//! Refreshes and logouts: each kind is one statement for a whole batch, in one round trip.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures_util::future::join;
use northgate_core::grant::{Grant, GrantKey};
use northgate_core::registry::Revocation;
use northgate_core::store::{Advanced, Closing, Step};
use tokio_postgres::{Client, Statement};

use super::Shared;
use super::batch_worker::{Job, Work};
use super::confirmation::{self, confirm};
use super::connect::DatabaseError;
use super::pool::Session;
use super::rows;

pub(crate) struct Steps(pub Arc<Shared>);

pub(crate) enum StepJob {
    Advance(Job<Step, Advanced>),
    Close(Job<Closing, ()>),
}

pub(crate) struct Statements {
    advance: Statement,
    present: Statement,
    close: Statement,
}

/// Optimistic concurrency: the guard is on the generation. Returned rows were advanced. The places are taken before the update,
/// since Citus rejects volatile functions in one.
const ADVANCE: &str = "
    WITH s AS MATERIALIZED (
        SELECT application, id, was, generation, refreshed_at, expires_at, nextval('grant_order') AS place
        FROM unnest($1::int4[], $2::int8[], $3::int4[], $4::int4[], $5::int8[], $6::int8[])
            AS s (application, id, was, generation, refreshed_at, expires_at)
    )
    UPDATE grants AS g SET generation = s.generation, refreshed_at = s.refreshed_at, expires_at = s.expires_at,
        place = s.place
    FROM s WHERE g.application = s.application AND g.id = s.id AND g.generation = s.was
    RETURNING g.application, g.id";

/// Grants by their keys.
pub(crate) const PRESENT: &str = "
    SELECT g.application, g.id, g.generation, g.refreshed_at, g.expires_at
    FROM unnest($1::int4[], $2::int8[]) AS s (application, id)
    JOIN grants AS g ON g.application = s.application AND g.id = s.id";

/// A deleted application has no revocations. A grant closed twice ends at the earlier time.
fn close() -> String {
    format!(
        "WITH s AS (
            SELECT * FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[])
                AS s (application, id, ends_at, forget_at)
        ), gone AS (
            DELETE FROM grants AS g USING s WHERE g.application = s.application AND g.id = s.id
        )
        INSERT INTO revocations AS r (application, id, ends_at, forget_at, changed_at)
        SELECT s.application, s.id, s.ends_at, s.forget_at, {now} FROM s JOIN applications AS a ON a.number = s.application
        ON CONFLICT (application, id) DO UPDATE SET ends_at = least(r.ends_at, excluded.ends_at),
            forget_at = greatest(r.forget_at, excluded.forget_at), changed_at = excluded.changed_at
        RETURNING application, id",
        now = rows::DATABASE_NOW
    )
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let close = close();
        let (advance, present, close) =
            tokio::try_join!(client.prepare(ADVANCE), client.prepare(PRESENT), client.prepare(&close))?;
        Ok(Statements { advance, present, close })
    }
}

impl Work for Steps {
    type Job = StepJob;
    const NAME: &'static str = "refresh or logout";
    const AT_ONCE: usize = 1_024;

    fn is_abandoned(job: &StepJob) -> bool {
        match job {
            StepJob::Advance(job) => job.answer.is_closed(),
            StepJob::Close(job) => job.answer.is_closed(),
        }
    }

    fn refuse(job: StepJob, error: &Arc<DatabaseError>) {
        match job {
            StepJob::Advance(job) => job.refuse(error),
            StepJob::Close(job) => job.refuse(error),
        }
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<StepJob>,
        again: bool,
    ) -> Result<(), DatabaseError> {
        let Session { client, statements, .. } = session;
        let (batch, confirmation, statements) =
            (Batch::of(jobs), &statements.confirmation, &statements.steps);
        // Pipelined: the database executes them one after the other, each in a transaction of its own.
        let (moved, closed) =
            join(advance(client, statements, &batch.steps), close_all(client, statements, &batch.closings))
                .await;
        let moved = match moved {
            Ok(moved) => self.states(client, (statements, confirmation), &batch, moved).await,
            Err(error) => Err(error),
        };
        for (key, place) in closed.iter().flatten() {
            self.0.published.registry.revoke(*key, batch.closings[place]);
        }
        if closed.is_ok() && !batch.closings.is_empty() {
            self.0.wake_others();
        }
        answer(jobs, &batch, moved.as_ref().ok(), closed.is_ok(), again);
        moved.map(|_| ()).and(closed.map(|_| ()))
    }
}

/// The advanced grants, and the present states of all grants of the batch.
type Moved = (HashSet<Place>, HashMap<Place, Grant>);

impl Steps {
    async fn states(
        &self,
        client: &Client,
        (statements, confirmation): (&Statements, &confirmation::Statements),
        batch: &Batch,
        moved: HashSet<Place>,
    ) -> Result<Moved, DatabaseError> {
        let lost: Vec<Place> = batch.steps.keys().filter(|place| !moved.contains(*place)).copied().collect();
        let mut states = confirmed(client, (&statements.present, confirmation), &lost).await?;
        self.0.stats.lost(lost.len());
        states.extend(moved.iter().map(|place| (*place, batch.steps[place].to)));
        Ok((moved, states))
    }
}

/// A grant's key in the database's sort order.
type Place = (i32, i64);

/// The parameters of one statement of each kind.
struct Batch {
    /// The first step of each grant. Its outcome decides about the others of the same grant.
    steps: BTreeMap<Place, Step>,
    closings: BTreeMap<Place, Revocation>,
}

impl Batch {
    fn of(jobs: &[StepJob]) -> Batch {
        let (mut steps, mut closings) = (BTreeMap::new(), BTreeMap::new());
        for job in jobs {
            match job {
                StepJob::Advance(job) => {
                    steps.entry(place_of(&job.what)).or_insert(job.what);
                }
                StepJob::Close(job) => {
                    let Closing { grant, revocation } = job.what;
                    let both = closings.entry(rows::place(grant)).or_insert(revocation);
                    both.ends_at = both.ends_at.min(revocation.ends_at);
                    both.forget_at = both.forget_at.max(revocation.forget_at);
                }
            }
        }
        Batch { steps, closings }
    }
}

fn place_of(step: &Step) -> Place {
    rows::place(GrantKey { application: step.application, id: step.to.id })
}

/// Advances the grants; returns those whose guard held.
async fn advance(
    client: &Client,
    statements: &Statements,
    steps: &BTreeMap<Place, Step>,
) -> Result<HashSet<Place>, DatabaseError> {
    if steps.is_empty() {
        return Ok(HashSet::new());
    }
    let (applications, ids) = columns(steps.keys());
    let was: Vec<i32> = steps.values().map(|step| step.from as i32).collect();
    let generations: Vec<i32> = steps.values().map(|step| step.to.generation as i32).collect();
    let refreshed: Vec<i64> = steps.values().map(|step| rows::millis(step.to.refreshed_at)).collect();
    let expires: Vec<i64> = steps.values().map(|step| rows::millis(step.to.expires_at)).collect();
    let moved = client
        .query(&statements.advance, &[&applications, &ids, &was, &generations, &refreshed, &expires])
        .await?;
    moved.iter().map(|row| Ok(rows::place(rows::key(row)?))).collect()
}

/// Revokes the grants of existing applications.
async fn close_all(
    client: &Client,
    statements: &Statements,
    closings: &BTreeMap<Place, Revocation>,
) -> Result<Vec<(GrantKey, Place)>, DatabaseError> {
    if closings.is_empty() {
        return Ok(Vec::new());
    }
    let (applications, ids) = columns(closings.keys());
    let ends: Vec<i64> = closings.values().map(|closing| rows::millis(closing.ends_at)).collect();
    let forget: Vec<i64> = closings.values().map(|closing| rows::millis(closing.forget_at)).collect();
    let closed = client.query(&statements.close, &[&applications, &ids, &ends, &forget]).await?;
    closed.iter().map(|row| rows::key(row).map(|key| (key, rows::place(key)))).collect()
}

/// The existing grants among `places`.
pub(crate) async fn present(
    client: &Client,
    statement: &Statement,
    places: &[Place],
) -> Result<HashMap<Place, Grant>, DatabaseError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    let (applications, ids) = columns(places.iter());
    let present = client.query(statement, &[&applications, &ids]).await?;
    let grants = present.iter().map(|row| {
        let (application, grant) = rows::grant(row)?;
        Ok((rows::place(GrantKey { application, id: grant.id }), grant))
    });
    grants.collect()
}

/// The existing grants among `places`, confirmed: a step that lost its guard may mean that the token is refused.
async fn confirmed(
    client: &Client,
    (present_statement, confirmation): (&Statement, &confirmation::Statements),
    places: &[Place],
) -> Result<HashMap<Place, Grant>, DatabaseError> {
    if places.is_empty() {
        return Ok(HashMap::new());
    }
    // Pipelined: the database executes the read first.
    let (grants, confirmed) =
        join(present(client, present_statement, places), confirm(client, confirmation)).await;
    confirmed.and(grants)
}

fn columns<'a>(places: impl Iterator<Item = &'a Place>) -> (Vec<i32>, Vec<i64>) {
    places.copied().unzip()
}

/// Answers the finished jobs; leaves those that failed, and steps whose guard may hold now that the first step of their grant is
/// done.
fn answer(jobs: &mut Vec<StepJob>, batch: &Batch, moved: Option<&Moved>, is_closed: bool, again: bool) {
    let mut first: HashSet<Place> = batch.steps.keys().copied().collect();
    for job in std::mem::take(jobs) {
        match (job, moved) {
            (StepJob::Close(job), _) if is_closed => job.reply(()),
            (job @ StepJob::Close(_), _) | (job @ StepJob::Advance(_), None) => jobs.push(job),
            (StepJob::Advance(job), Some((moved, states))) => {
                let place = place_of(&job.what);
                let state = states.get(&place).copied();
                let is_first = first.remove(&place);
                // A grant in the very state of an attempt that was cut off shows that the attempt succeeded.
                let is_done = moved.contains(&place) || again && state == Some(job.what.to);
                if is_first && is_done {
                    job.reply(Advanced::Advanced);
                } else if !is_first && state.is_some_and(|grant| grant.generation == job.what.from) {
                    jobs.push(StepJob::Advance(job));
                } else {
                    job.reply(Advanced::Lost(state));
                }
            }
        }
    }
}
