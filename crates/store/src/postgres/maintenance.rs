//! Maintenance in small steps: writes the last use of secrets, and deletes expired rows.
//!
//! Nothing depends on it: the number of grants is bounded anyway. An index on the expiry of grants would make every refresh write
//! it, so each node finds expired rows by walking through the applications, a range at a time, from a start of its own.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::application::Application;
use northgate_core::clock::{CLOCK_TOLERANCE, Timestamp};
use northgate_core::high_water::Marks;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::Shared;
use super::connect::DatabaseError;
use super::database_error::Outlook;
use super::forgotten;
use super::rows::{self, DATABASE_NOW};
use crate::clock_jump::ClockJumpDetector;

/// The interval, and the size of a step.
const EVERY: Duration = Duration::from_secs(1);
const LAST_USED_AT_ONCE: usize = 1_024;
const APPLICATIONS_AT_ONCE: i64 = 512;
/// How long a row must have expired: longer than the clock skew of nodes.
const MARGIN: Duration = Duration::from_secs(86_400);
/// The same for single-use records: they are valid for minutes, and there may be many.
const SINGLE_USE_MARGIN: Duration = Duration::from_secs(600);
/// How long a deleted application is remembered for nodes that were away.
const REMEMBER_REMOVED: Duration = Duration::from_secs(86_400);

pub(crate) struct Maintenance {
    shared: Arc<Shared>,
    /// The first number that the walk has not reached.
    next: i32,
    clock_jumps: ClockJumpDetector,
    /// The high-water marks that every node can read.
    shown: Marks,
}

impl Maintenance {
    pub fn new(shared: Arc<Shared>) -> Maintenance {
        let clock_jumps = ClockJumpDetector::begin(Instant::now(), (shared.clock)());
        // Any start will do, if it differs from node to node.
        let applications = shared.published.registry.all();
        let place = std::process::id() as usize % applications.len().max(1);
        let next = applications.get(place).map_or(i32::MIN, |application| rows::number(application.number));
        Maintenance { shared, next, clock_jumps, shown: Marks::NOTHING }
    }

    pub async fn run(mut self) {
        loop {
            sleep(EVERY).await;
            let limit = self.shared.settings.silence();
            let done = timeout(limit, self.round()).await.unwrap_or(Err(DatabaseError::Silent(limit)));
            let Err(error) = done else { continue };
            if error.outlook() == Outlook::Lasting {
                self.shared.health.report("maintenance", &error);
            } else {
                tracing::debug!(error = &error as &dyn Error, "maintenance is postponed");
            }
        }
    }

    async fn round(&mut self) -> Result<(), DatabaseError> {
        let session = self.shared.pool.take(&self.shared.server).await?;
        let done = self.round_with(&session.client).await;
        if done.as_ref().err().is_none_or(DatabaseError::keeps_connection) {
            self.shared.pool.put(session);
        }
        done
    }

    async fn round_with(&mut self, client: &Client) -> Result<(), DatabaseError> {
        let used = self.shared.published.registry.take_used(LAST_USED_AT_ONCE);
        if let Err(error) = write_last_used(client, &used).await {
            used.iter().for_each(|application| self.shared.published.registry.mark_used(application.number));
            return Err(error);
        }
        let marks = self.shared.published.registry.high_water().get();
        if marks != self.shown {
            forgotten::raise(client, marks).await?;
            self.shown = marks;
        }
        let now = (self.shared.clock)();
        let steady = self.clock_jumps.look(Instant::now(), now);
        if steady >= self.shared.settings.steady_for {
            self.next = sweep(client, self.next, now).await?;
        }
        Ok(())
    }
}

async fn write_last_used(client: &Client, used: &[Arc<Application>]) -> Result<(), DatabaseError> {
    let (mut applications, mut ids, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for application in used {
        for secret in &application.secrets {
            if let Some(at) = secret.last_used_at() {
                applications.push(rows::number(application.number));
                ids.push(secret.id.0 as i32);
                times.push(rows::millis(at));
            }
        }
    }
    if applications.is_empty() {
        return Ok(());
    }
    let update = "
        UPDATE secrets AS s SET last_used_at = u.at
        FROM unnest($1::int4[], $2::int4[], $3::int8[]) AS u (application, id, at)
        WHERE s.application = u.application AND s.id = u.id
            AND (coalesce(s.last_used_at, 0) < u.at OR s.last_used_at > u.at + $4)";
    // A time further ahead was written by a wrong clock.
    let tolerance = CLOCK_TOLERANCE.as_millis() as i64;
    client.execute(update, &[&applications, &ids, &times, &tolerance]).await?;
    Ok(())
}

/// Deletes rows that have expired by this node's clock and the database's, of the applications from `next` on. Returns the start
/// of the next sweep.
async fn sweep(client: &Client, next: i32, now: Timestamp) -> Result<i32, DatabaseError> {
    let range = "SELECT max(number), count(*) FROM
                 (SELECT number FROM applications WHERE number >= $1 ORDER BY number LIMIT $2) AS range";
    let range = client.query_one(range, &[&next, &APPLICATIONS_AT_ONCE]).await?;
    let (last, count): (Option<i32>, i64) = (range.try_get(0)?, range.try_get(1)?);
    let is_end = count < APPLICATIONS_AT_ONCE;
    // The last range also covers rows without an application, behind all others.
    let last = if is_end { i32::MAX } else { last.unwrap_or(i32::MAX) };
    let is_over =
        |column| format!("application BETWEEN $1 AND $2 AND {column} < least($3, {DATABASE_NOW} - $4)");
    let grants = format!("DELETE FROM grants WHERE {}", is_over("expires_at"));
    let revocations = forgotten::delete("revocations", &is_over("forget_at"), "forget_at", "tokens_until");
    let single_uses = forgotten::delete("spent", &is_over("until_at"), "until_at", "single_use_until");
    for (delete, margin) in [(grants, MARGIN), (revocations, MARGIN), (single_uses, SINGLE_USE_MARGIN)] {
        let margin = margin.as_millis() as i64;
        client.execute(&delete, &[&next, &last, &(now.as_millis() as i64 - margin), &margin]).await?;
    }
    let removed = format!("DELETE FROM removed WHERE changed_at < {DATABASE_NOW} - $1");
    client.execute(&removed, &[&(REMEMBER_REMOVED.as_millis() as i64)]).await?;
    Ok(if is_end { i32::MIN } else { last.saturating_add(1) })
}
