//! Logins: core's rule decides which grants give way, on locked rows, for a whole batch in two round trips.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantKey, gives_way};
use northgate_core::registry::Revocation;
use northgate_core::store::{Opened, Opening};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::Shared;
use super::batch_worker::{Job, Work};
use super::connect::DatabaseError;
use super::pool::Session;
use super::rows;

pub(crate) struct Logins(pub Arc<Shared>);

pub(crate) struct Statements {
    applications: Statement,
    grants: Statement,
    remove: Statement,
    revoke: Statement,
    insert: Statement,
}

/// Serialises the logins of one application across nodes.
const LOCK_APPLICATIONS: &str =
    "SELECT number FROM applications WHERE number = ANY($1::int4[]) ORDER BY number FOR UPDATE";

/// Locks the grants as well, so that none is refreshed between the decision and the commit.
const LOCK_GRANTS: &str = "
    SELECT application, id, generation, refreshed_at, expires_at, place FROM grants
    WHERE application = ANY($1::int4[]) ORDER BY application, id FOR UPDATE";

const REMOVE: &str = "
    DELETE FROM grants AS g USING unnest($1::int4[], $2::int8[]) AS s (application, id)
    WHERE g.application = s.application AND g.id = s.id";

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
        let (applications, grants, remove, revoke, insert) = tokio::try_join!(
            client.prepare(LOCK_APPLICATIONS),
            client.prepare(LOCK_GRANTS),
            client.prepare(REMOVE),
            client.prepare(&revoke),
            client.prepare(INSERT)
        )?;
        Ok(Statements { applications, grants, remove, revoke, insert })
    }
}

impl Work for Logins {
    type Job = Job<Opening, Opened>;
    const NAME: &'static str = "login";
    /// Each locks its application and up to `max_grants` rows for two round trips.
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
        let done = match lock(client, statements, &applications).await {
            Ok((known, grants)) => {
                let plan = Plan::of(jobs.iter().map(|job| &job.what), known, grants);
                write(client, statements, &plan).await.map(|()| plan)
            }
            Err(error) => Err(error),
        };
        let plan = match done {
            Ok(plan) => plan,
            Err(error) => {
                if error.keeps_connection() {
                    client.batch_execute("ROLLBACK").await?;
                }
                return Err(error);
            }
        };
        for (key, revocation) in plan.revoked.values() {
            self.0.published.registry.revoke(*key, *revocation);
        }
        if !plan.revoked.is_empty() {
            self.0.wake_others();
        }
        for job in jobs.drain(..) {
            let is_known = plan.known.contains(&job.what.application);
            job.reply(if is_known { Opened::Opened } else { Opened::Unknown });
        }
        Ok(())
    }
}

type Locked = (HashSet<AppNumber>, HashMap<AppNumber, Vec<Grant>>);

/// Locks the existing applications; returns their grants in the order of their last refresh.
async fn lock(
    client: &Client,
    statements: &Statements,
    applications: &[i32],
) -> Result<Locked, DatabaseError> {
    let of: [&(dyn ToSql + Sync); 1] = [&applications];
    let ((), known, grants) = tokio::try_join!(
        biased;
        client.batch_execute("BEGIN"),
        client.query(&statements.applications, &of),
        client.query(&statements.grants, &of)
    )?;
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
    removed: Vec<GrantKey>,
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
        let (removed, inserted) = differences(&before, &after);
        Plan { known, removed, revoked, inserted }
    }
}

/// The grants present only before, and those present only afterwards.
fn differences(
    before: &HashMap<AppNumber, Vec<Grant>>,
    after: &HashMap<AppNumber, Vec<Grant>>,
) -> (Vec<GrantKey>, Vec<(AppNumber, Grant)>) {
    let (mut removed, mut inserted) = (Vec::new(), Vec::new());
    for (application, after) in after {
        let before = before.get(application).map_or(&[][..], Vec::as_slice);
        let is_in = |grants: &[Grant], grant: &Grant| grants.iter().any(|other| other.id == grant.id);
        let gone = before.iter().filter(|grant| !is_in(after, grant));
        removed.extend(gone.map(|grant| GrantKey { application: *application, id: grant.id }));
        let new = after.iter().filter(|grant| !is_in(before, grant));
        inserted.extend(new.map(|grant| (*application, *grant)));
    }
    removed.sort_by_key(|key| rows::place(*key));
    (removed, inserted)
}

async fn write(client: &Client, statements: &Statements, plan: &Plan) -> Result<(), DatabaseError> {
    tokio::try_join!(
        biased;
        remove(client, statements, &plan.removed),
        revoke_all(client, statements, &plan.revoked),
        insert(client, statements, &plan.inserted),
        async { Ok(client.batch_execute("COMMIT").await?) }
    )?;
    Ok(())
}

async fn remove(client: &Client, statements: &Statements, removed: &[GrantKey]) -> Result<(), DatabaseError> {
    if removed.is_empty() {
        return Ok(());
    }
    let (applications, ids): (Vec<i32>, Vec<i64>) = removed.iter().map(|key| rows::place(*key)).unzip();
    client.execute(&statements.remove, &[&applications, &ids]).await?;
    Ok(())
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
