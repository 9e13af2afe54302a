//! Logins: core's rule decides which grants give way, for a whole batch in one transaction.
//!
//! Logins of one application are serialised by the lock on its row; grants are read without locks (optimistic concurrency). A grant
//! that gives way is removed with a guard on the generation that was read. If it was refreshed meanwhile, the transaction is rolled
//! back and the batch decided again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantId, GrantKey, gives_way};
use northgate_core::registry::Revocation;
use northgate_core::store::{Opened, Opening};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::Shared;
use super::batch_worker::{Job, Work};
use super::connect::DatabaseError;
use super::pool::Session;
use super::rows;

pub(crate) struct Logins {
    pub shared: Arc<Shared>,
    /// Applications whose guard was lost in this batch. Their grants are locked in the next attempt, so that an application that
    /// refreshes all the time holds up a batch once.
    contended: BTreeSet<i32>,
}

pub(crate) struct Statements {
    applications: Statement,
    lock: Statement,
    grants: Statement,
    remove: Statement,
    revoke: Statement,
    insert: Statement,
}

/// Explicit, since the database's default may be stricter: grants are read in a snapshot that is taken after the lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Serialises the logins of one application across nodes.
const LOCK_APPLICATIONS: &str =
    "SELECT number FROM applications WHERE number = ANY($1::int4[]) ORDER BY number FOR UPDATE";

/// Locks the grants of one contended application. A distributed engine locks rows of one shard only.
const LOCK_GRANTS: &str = "SELECT id FROM grants WHERE application = $1 ORDER BY id FOR UPDATE";

const GRANTS: &str = "
    SELECT application, id, generation, refreshed_at, expires_at, place FROM grants WHERE application = ANY($1::int4[])";

/// The guard is on the generation; a null removes the grant in any.
const REMOVE: &str = "
    DELETE FROM grants AS g USING unnest($1::int4[], $2::int8[], $3::int4[]) AS s (application, id, generation)
    WHERE g.application = s.application AND g.id = s.id AND (s.generation IS NULL OR g.generation = s.generation)
    RETURNING g.application, g.id";

const INSERT: &str = "
    INSERT INTO grants (application, id, generation, refreshed_at, expires_at)
    SELECT * FROM unnest($1::int4[], $2::int8[], $3::int4[], $4::int8[], $5::int8[])";

fn revoke() -> String {
    format!(
        "INSERT INTO revocations AS r (application, id, ends_at, forget_at, changed_at)
         SELECT application, id, ends_at, forget_at, {now}
         FROM unnest($1::int4[], $2::int8[], $3::int8[], $4::int8[]) AS s (application, id, ends_at, forget_at)
         ON CONFLICT (application, id) DO UPDATE SET ends_at = least(r.ends_at, excluded.ends_at),
             forget_at = greatest(r.forget_at, excluded.forget_at), changed_at = excluded.changed_at",
        now = rows::DATABASE_NOW
    )
}

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let revoke = revoke();
        let (applications, lock, grants, remove, revoke, insert) = tokio::try_join!(
            client.prepare(LOCK_APPLICATIONS),
            client.prepare(LOCK_GRANTS),
            client.prepare(GRANTS),
            client.prepare(REMOVE),
            client.prepare(&revoke),
            client.prepare(INSERT)
        )?;
        Ok(Statements { applications, lock, grants, remove, revoke, insert })
    }
}

impl Logins {
    pub fn new(shared: Arc<Shared>) -> Logins {
        Logins { shared, contended: BTreeSet::new() }
    }
}

impl Work for Logins {
    type Job = Job<Opening, Opened>;
    const NAME: &'static str = "login";
    /// Each locks its application for two or three round trips.
    const AT_ONCE: usize = 256;

    fn is_abandoned(job: &Self::Job) -> bool {
        job.answer.is_closed()
    }

    fn refuse(job: Self::Job, error: &Arc<DatabaseError>) {
        job.refuse(error);
    }

    async fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<Self::Job>,
        _again: bool,
    ) -> Result<(), DatabaseError> {
        let (client, statements) = (&session.client, &session.statements.logins);
        let mut applications: Vec<i32> = jobs.iter().map(|job| rows::number(job.what.application)).collect();
        applications.sort_unstable();
        applications.dedup();
        let plan = loop {
            match attempt(client, statements, jobs, &applications, &self.contended).await {
                Ok(Attempt::Committed(plan)) => break plan,
                // Ends: an application that is locked cannot lose again.
                Ok(Attempt::Lost(applications)) => {
                    client.batch_execute("ROLLBACK").await?;
                    self.shared.stats.lost(applications.len());
                    self.contended.extend(applications);
                }
                Err(error) => {
                    if error.keeps_connection() {
                        client.batch_execute("ROLLBACK").await?;
                    }
                    return Err(error);
                }
            }
        };
        self.contended.clear();
        for (key, revocation) in plan.revoked.values() {
            self.shared.published.registry.revoke(*key, *revocation);
        }
        if !plan.revoked.is_empty() {
            self.shared.wake_others();
        }
        for job in jobs.drain(..) {
            let is_known = plan.known.contains(&job.what.application);
            job.reply(if is_known { Opened::Opened } else { Opened::Unknown });
        }
        Ok(())
    }
}

enum Attempt {
    Committed(Plan),
    /// A grant that gives way was refreshed or closed meanwhile: the applications to decide again. The transaction is open.
    Lost(BTreeSet<i32>),
}

async fn attempt(
    client: &Client,
    statements: &Statements,
    jobs: &[Job<Opening, Opened>],
    applications: &[i32],
    contended: &BTreeSet<i32>,
) -> Result<Attempt, DatabaseError> {
    let (known, grants) = lock(client, statements, applications, contended).await?;
    let plan = Plan::of(jobs.iter().map(|job| &job.what), known, grants);
    let lost = write(client, statements, &plan).await?;
    Ok(if lost.is_empty() { Attempt::Committed(plan) } else { Attempt::Lost(lost) })
}

type Locked = (HashSet<AppNumber>, HashMap<AppNumber, Vec<Grant>>);

/// Locks the existing applications; returns their grants in the order of their last refresh.
async fn lock(
    client: &Client,
    statements: &Statements,
    applications: &[i32],
    contended: &BTreeSet<i32>,
) -> Result<Locked, DatabaseError> {
    let of: [&(dyn ToSql + Sync); 1] = [&applications];
    let grants = async {
        match contended.is_empty() {
            true => client.query(&statements.grants, &of).await.map(Some),
            false => Ok(None),
        }
    };
    let begin = client.batch_execute(BEGIN);
    let ((), known, grants) =
        tokio::try_join!(biased; begin, client.query(&statements.applications, &of), grants)?;
    let grants = match grants {
        Some(grants) => grants,
        None => {
            for application in contended {
                client.execute(&statements.lock, &[application]).await?;
            }
            client.query(&statements.grants, &of).await?
        }
    };
    let known = known.iter().map(number).collect::<Result<_, _>>()?;
    let mut placed: HashMap<AppNumber, Vec<(Option<i64>, Grant)>> = HashMap::new();
    for row in &grants {
        let (application, grant) = rows::grant(row)?;
        placed.entry(application).or_default().push((row.try_get(5)?, grant));
    }
    let in_order = |mut placed: Vec<(Option<i64>, Grant)>| {
        placed.sort_by_key(|(place, grant)| (*place, grant.refreshed_at));
        placed.into_iter().map(|(_, grant)| grant).collect()
    };
    Ok((known, placed.into_iter().map(|(application, placed)| (application, in_order(placed))).collect()))
}

fn number(row: &Row) -> Result<AppNumber, DatabaseError> {
    Ok(AppNumber(row.try_get::<_, i32>(0)? as u32))
}

/// The writes of a batch of logins.
struct Plan {
    known: HashSet<AppNumber>,
    /// With the generation that gives way; none where the grant is revoked, which ends it in any.
    removed: Vec<(GrantKey, Option<u32>)>,
    revoked: BTreeMap<(i32, i64), (GrantKey, Revocation)>,
    inserted: Vec<(AppNumber, Grant)>,
}

impl Plan {
    /// Applies the openings one after the other.
    fn of<'a>(
        openings: impl Iterator<Item = &'a Opening>,
        known: HashSet<AppNumber>,
        before: HashMap<AppNumber, Vec<Grant>>,
    ) -> Plan {
        let mut after = before.clone();
        let mut revoked = BTreeMap::new();
        for opening in openings.filter(|opening| known.contains(&opening.application)) {
            let present = after.entry(opening.application).or_default();
            // An attempt that was cut off has opened it.
            if present.iter().any(|grant| grant.id == opening.grant.id) {
                continue;
            }
            let leaving = match opening.close_others {
                Some(_) => present.iter().map(|grant| grant.id).collect(),
                None => gives_way(present, opening),
            };
            present.retain(|grant| !leaving.contains(&grant.id));
            present.push(opening.grant);
            if let Some(revocation) = opening.close_others {
                let keys = leaving.into_iter().map(|id| GrantKey { application: opening.application, id });
                revoked.extend(keys.map(|key| (rows::place(key), (key, revocation))));
            }
        }
        let (gone, inserted) = differences(&before, &after);
        let is_revoked = |key: &GrantKey| revoked.contains_key(&rows::place(*key));
        let guarded =
            gone.into_iter().map(|(key, generation)| (key, (!is_revoked(&key)).then_some(generation)));
        let removed = guarded.collect();
        Plan { known, removed, revoked, inserted }
    }
}

type Removed = Vec<(GrantKey, u32)>;

/// The grants present only before, with their generation, and those present only afterwards.
fn differences(
    before: &HashMap<AppNumber, Vec<Grant>>,
    after: &HashMap<AppNumber, Vec<Grant>>,
) -> (Removed, Vec<(AppNumber, Grant)>) {
    let (mut removed, mut inserted) = (Vec::new(), Vec::new());
    for (application, after) in after {
        let before = before.get(application).map_or(&[][..], Vec::as_slice);
        let is_in = |grants: &[Grant], grant: &Grant| grants.iter().any(|other| other.id == grant.id);
        let gone = before.iter().filter(|grant| !is_in(after, grant));
        let key = |id: GrantId| GrantKey { application: *application, id };
        removed.extend(gone.map(|grant| (key(grant.id), grant.generation)));
        let new = after.iter().filter(|grant| !is_in(before, grant));
        inserted.extend(new.map(|grant| (*application, *grant)));
    }
    removed.sort_by_key(|(key, _)| rows::place(*key));
    (removed, inserted)
}

/// Writes and commits the plan, unless a guard is lost: then returns the applications concerned.
async fn write(
    client: &Client,
    statements: &Statements,
    plan: &Plan,
) -> Result<BTreeSet<i32>, DatabaseError> {
    // Without a guard the commit need not wait for the outcome.
    let is_guarded = plan.removed.iter().any(|(_, generation)| generation.is_some());
    let commit = async || -> Result<(), DatabaseError> { Ok(client.batch_execute("COMMIT").await?) };
    let (lost, (), (), ()) = tokio::try_join!(
        biased;
        remove(client, statements, &plan.removed),
        revoke_all(client, statements, &plan.revoked),
        insert(client, statements, &plan.inserted),
        async { if is_guarded { Ok(()) } else { commit().await } }
    )?;
    if is_guarded && lost.is_empty() {
        commit().await?;
    }
    Ok(lost)
}

/// Returns the applications of grants whose guard did not hold.
async fn remove(
    client: &Client,
    statements: &Statements,
    removed: &[(GrantKey, Option<u32>)],
) -> Result<BTreeSet<i32>, DatabaseError> {
    if removed.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (applications, ids): (Vec<i32>, Vec<i64>) = removed.iter().map(|(key, _)| rows::place(*key)).unzip();
    let generations: Vec<Option<i32>> =
        removed.iter().map(|(_, generation)| generation.map(|generation| generation as i32)).collect();
    let gone = client.query(&statements.remove, &[&applications, &ids, &generations]).await?;
    let gone = gone.iter().map(rows::key).collect::<Result<HashSet<GrantKey>, _>>()?;
    let lost = removed.iter().filter(|(key, generation)| generation.is_some() && !gone.contains(key));
    Ok(lost.map(|(key, _)| rows::number(key.application)).collect())
}

async fn revoke_all(
    client: &Client,
    statements: &Statements,
    revoked: &BTreeMap<(i32, i64), (GrantKey, Revocation)>,
) -> Result<(), DatabaseError> {
    if revoked.is_empty() {
        return Ok(());
    }
    let (applications, ids): (Vec<i32>, Vec<i64>) = revoked.keys().copied().unzip();
    let (ends, forget): (Vec<i64>, Vec<i64>) = revoked
        .values()
        .map(|(_, revocation)| (rows::millis(revocation.ends_at), rows::millis(revocation.forget_at)))
        .unzip();
    client.execute(&statements.revoke, &[&applications, &ids, &ends, &forget]).await?;
    Ok(())
}

async fn insert(
    client: &Client,
    statements: &Statements,
    inserted: &[(AppNumber, Grant)],
) -> Result<(), DatabaseError> {
    if inserted.is_empty() {
        return Ok(());
    }
    let applications: Vec<i32> = inserted.iter().map(|(application, _)| rows::number(*application)).collect();
    let ids: Vec<i64> = inserted.iter().map(|(_, grant)| rows::id(grant.id)).collect();
    let generations: Vec<i32> = inserted.iter().map(|(_, grant)| grant.generation as i32).collect();
    let refreshed: Vec<i64> = inserted.iter().map(|(_, grant)| rows::millis(grant.refreshed_at)).collect();
    let expires: Vec<i64> = inserted.iter().map(|(_, grant)| rows::millis(grant.expires_at)).collect();
    client.execute(&statements.insert, &[&applications, &ids, &generations, &refreshed, &expires]).await?;
    Ok(())
}
