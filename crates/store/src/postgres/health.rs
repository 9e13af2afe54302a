//! Readiness probe: whether the database accepts writes, as the writes themselves and a periodic probe find it.
//!
//! The probe executes every kind of write on every table with a condition that no row meets, and checks the privileges on the
//! sequences: it needs the privileges, the locks and a server that takes writes, and leaves no row behind, dead or alive. A full
//! disk or a trigger needs a row to show, and so shows first in a real write; from then on the probe also writes a row and rolls
//! it back, until that works. None of this is a commit that waits for a standby. So once a second, and after a batch that the
//! database did not answer, the probe commits a record: a primary that its standby has left shows no other sign to a node without
//! writes, and reads what was true before it was left.

use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Statement};

use super::Shared;
use super::confirmation::confirm;
use super::connect::{DatabaseError, prepare_where_supported};
use super::database_error::Outlook;
use super::pool::Session;

/// The interval of the probe; while writes fail, the least pause between two.
const EVERY: Duration = Duration::from_millis(250);
/// The interval of the probe's commits.
const CONFIRM_EVERY: Duration = Duration::from_secs(1);
/// How much longer than other statements such a commit may take; meanwhile the node is not ready.
const CONFIRM_PATIENCE: u32 = 5;
/// How long a write may be under way before the node reports it. A batch takes milliseconds, and the probe less.
const SLOW: Duration = Duration::from_secs(1);
const SLOW_PROBE: Duration = Duration::from_millis(500);
/// How often one cause is logged as a warning.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Distinct causes in that time; more are not logged as warnings.
const REPORTED_MAX: usize = 64;
/// How long a statement that the database does not support keeps the node from being ready. Then the next request tries it again.
const UNSUPPORTED_FOR: Duration = Duration::from_secs(30);

/// The health of writes.
#[derive(Default)]
pub(crate) struct Health {
    /// Error of the last probe.
    refused: Mutex<Option<String>>,
    /// Operations whose statement the database does not support, since when.
    unsupported: Mutex<HashMap<&'static str, (String, Instant)>>,
    /// A write was rejected, and no row has been written since.
    is_suspect: AtomicBool,
    /// The next probe has to commit a record: a batch was not answered, or the last record is a second old.
    is_unconfirmed: AtomicBool,
    wake: Notify,
    under_way: Mutex<Vec<Arc<Progress>>>,
    reported: Mutex<Vec<(String, Instant)>>,
}

/// The progress of one worker, or of the probe.
pub(crate) struct Progress {
    name: &'static str,
    slow: Duration,
    /// The time since which it has unfinished work.
    since: Mutex<Option<Instant>>,
}

impl Progress {
    /// Work has begun, unless it had begun before.
    pub fn begin(&self) {
        lock(&self.since).get_or_insert_with(Instant::now);
    }

    /// Some work is done, or none is left.
    pub fn done(&self) {
        *lock(&self.since) = None;
    }
}

impl Health {
    /// The progress of another worker.
    pub fn watch(&self, name: &'static str) -> Arc<Progress> {
        self.watch_for(name, SLOW)
    }

    fn watch_for(&self, name: &'static str, slow: Duration) -> Arc<Progress> {
        let progress = Arc::new(Progress { name, slow, since: Mutex::new(None) });
        lock(&self.under_way).push(Arc::clone(&progress));
        progress
    }

    /// Records that a write was rejected for a lasting reason: the probe finds out whether all of them are.
    pub fn suspect(&self) {
        self.is_suspect.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Records that the database did not answer a batch in time: perhaps its standby has left it, and then only a commit tells.
    pub fn unconfirmed(&self, error: &DatabaseError) {
        self.is_unconfirmed.store(true, Ordering::Relaxed);
        self.set_refused(Some(format!("the database has not confirmed a commit: {}", error.summary())));
        self.wake.notify_one();
    }

    /// Records that the database does not support the statement of `work`. The probe has other statements, and may succeed.
    pub fn set_unsupported(&self, work: &'static str, error: &DatabaseError) {
        lock(&self.unsupported).insert(work, (error.summary(), Instant::now()));
    }

    /// Records that `work` succeeded.
    pub fn supports(&self, work: &'static str) {
        lock(&self.unsupported).remove(work);
    }

    /// Logs a warning with its cause, rate-limited.
    pub fn report(&self, work: &'static str, error: &DatabaseError) {
        let cause = format!("{work} {}", error.summary());
        let is_new = {
            let mut reported = lock(&self.reported);
            reported.retain(|(_, at)| at.elapsed() < REPORT_EVERY);
            let is_new = reported.len() < REPORTED_MAX && reported.iter().all(|(known, _)| *known != cause);
            if is_new {
                reported.push((cause, Instant::now()));
            }
            is_new
        };
        let (error, sqlstate) = (error as &dyn Error, error.sqlstate());
        if is_new {
            tracing::warn!(work, sqlstate, error, "the database failed to execute an operation");
        } else {
            tracing::debug!(work, sqlstate, error, "the database failed to execute an operation");
        }
    }

    /// Reason why writes fail at present.
    pub fn why_not(&self) -> Option<String> {
        if let Some(reason) = &*lock(&self.refused) {
            return Some(reason.clone());
        }
        let unsupported = lock(&self.unsupported);
        let latest = unsupported.iter().find(|(_, (_, at))| at.elapsed() < UNSUPPORTED_FOR);
        if let Some((work, (cause, _))) = latest {
            return Some(format!(
                "the database does not support an operation of this node ({work}): {cause}"
            ));
        }
        drop(unsupported);
        let slow = |progress: &Arc<Progress>| {
            let age =
                lock(&progress.since).map(|since| since.elapsed()).filter(|age| *age > progress.slow)?;
            Some((age, progress.name))
        };
        let (age, name) = lock(&self.under_way).iter().filter_map(slow).max()?;
        Some(format!("the database has not finished a write ({name}) for {:.1} s", age.as_secs_f32()))
    }

    fn set_refused(&self, reason: Option<String>) {
        let mut refused = lock(&self.refused);
        if refused.is_some() && reason.is_none() {
            tracing::info!("the database accepts writes again");
        }
        *refused = reason;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The probe's writes; `None` on engines that do not support such a statement.
pub(crate) struct Statements(Option<Statement>);

/// Northgate's writes: tables, the columns of a new row, and an update that changes nothing.
const TABLES: [(&str, &str, &str); 8] = [
    ("applications", "number, app_id, name, state, created_at, revision, changed_at", "number = number"),
    ("secrets", "application, id, label, created_at", "id = id"),
    ("grants", "application, id, generation, refreshed_at, expires_at", "generation = generation"),
    ("revocations", "application, id, ends_at, forget_at, changed_at", "ends_at = ends_at"),
    ("spent", "application, digest, until_at, spender", ""),
    ("removed", "application, changed_at", ""),
    ("keyring", "one, version, sealed", "version = version"),
    ("forgotten", "", "tokens_until = tokens_until"),
];
/// Tables whose rows are never deleted.
const KEPT: [&str; 2] = ["keyring", "forgotten"];
const SEQUENCES: [&str; 2] = ["grant_order", "application_numbers"];

/// Each kind of write on each table, matching no row.
fn probe() -> String {
    let mut parts = Vec::new();
    for (table, columns, same) in TABLES {
        if !columns.is_empty() {
            let row = columns.split(", ").map(|column| format!("t.{column}")).collect::<Vec<_>>().join(", ");
            parts.push(format!(
                "i_{table} AS (INSERT INTO {table} ({columns}) SELECT {row} FROM {table} AS t WHERE false)"
            ));
        }
        if !same.is_empty() {
            parts.push(format!("u_{table} AS (UPDATE {table} SET {same} WHERE false)"));
        }
        if !KEPT.contains(&table) {
            parts.push(format!("d_{table} AS (DELETE FROM {table} WHERE false)"));
        }
    }
    // Takes the next number only where the privilege check is not supported, so that none is lost.
    let numbers = SEQUENCES.map(|sequence| {
        format!(
            "SELECT nextval('{sequence}') WHERE NOT has_sequence_privilege('{sequence}', 'USAGE, UPDATE')"
        )
    });
    format!("WITH {} {}", parts.join(", "), numbers.join(" UNION ALL "))
}

/// A row in each table that requests write to, of an application outside of the sequence; always rolled back.
const TRIAL: &str = "
    BEGIN;
    INSERT INTO grants (application, id, generation, refreshed_at, expires_at)
        SELECT -1, pg_backend_pid(), 0, 0, 0;
    UPDATE grants SET generation = 1, refreshed_at = 1, expires_at = 1 WHERE application = -1 AND id = pg_backend_pid();
    DELETE FROM grants WHERE application = -1 AND id = pg_backend_pid();
    INSERT INTO revocations (application, id, ends_at, forget_at, changed_at) SELECT -1, pg_backend_pid(), 0, 0, 0;
    INSERT INTO spent (application, digest, until_at, spender) SELECT -1, pg_backend_pid()::text::bytea, 0, 0;
    ROLLBACK";

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let (probe, missing) = (probe(), ["42601", "0A000"]);
        let statement = prepare_where_supported(client, &probe, &missing, "the database cannot be probed");
        Ok(Statements(statement.await?))
    }
}

/// Probes for as long as the store exists.
pub(crate) async fn run(shared: Arc<Shared>) {
    let progress = shared.health.watch_for("probe", SLOW_PROBE);
    let mut confirmed = Instant::now();
    loop {
        tokio::select! {
            () = sleep(EVERY) => {}
            () = shared.health.wake.notified() => {}
        }
        if confirmed.elapsed() >= CONFIRM_EVERY {
            shared.health.is_unconfirmed.store(true, Ordering::Relaxed);
            confirmed = Instant::now();
        }
        match attempt(&shared, &progress).await {
            // A batch that was not answered meanwhile asks for another probe.
            Ok(()) if shared.health.is_unconfirmed.load(Ordering::Relaxed) => {}
            Ok(()) => shared.health.set_refused(None),
            Err(Failed { error, locked }) => {
                shared.health.report("probe", &error);
                // Lost connections and races say nothing about writes. The pool reports missing sessions.
                let is_session = matches!(error, DatabaseError::NoConnection(_) | DatabaseError::NoRoom(_));
                let is_answer =
                    error.outlook() == Outlook::Lasting || error.is_lock_timeout() || error.is_timeout();
                if is_answer && !is_session {
                    let by = locked.map_or_else(String::new, |locked| format!(": {locked}"));
                    shared
                        .health
                        .set_refused(Some(format!("the database refuses writes: {}{by}", error.summary())));
                }
                sleep(EVERY).await;
            }
        }
    }
}

struct Failed {
    error: DatabaseError,
    /// The locked table, and the process that holds the lock.
    locked: Option<String>,
}

async fn attempt(shared: &Shared, progress: &Progress) -> Result<(), Failed> {
    let taken = shared.pool.take(&shared.server).await;
    let session = taken.map_err(|error| Failed { error, locked: None })?;
    let limit = shared.settings.silence();
    let is_suspect = shared.health.is_suspect.swap(false, Ordering::Relaxed);
    let is_unconfirmed = shared.health.is_unconfirmed.swap(false, Ordering::Relaxed);
    progress.begin();
    let mut done =
        timeout(limit, probe_with(&session, is_suspect)).await.unwrap_or(Err(DatabaseError::Silent(limit)));
    if is_unconfirmed && done.is_ok() {
        done = until_confirmed(shared, &session, limit).await;
    }
    progress.done();
    let Err(error) = done else {
        shared.pool.put(session);
        return Ok(());
    };
    if is_suspect {
        shared.health.is_suspect.store(true, Ordering::Relaxed);
    }
    if is_unconfirmed {
        shared.health.is_unconfirmed.store(true, Ordering::Relaxed);
    }
    if error.is_read_only() {
        shared.server.leave(session.epoch);
    }
    let mut locked = None;
    if error.keeps_connection() && session.client.batch_execute("ROLLBACK").await.is_ok() {
        if error.is_lock_timeout() {
            locked = locked_by(&session.client).await;
        }
        shared.pool.put(session);
    }
    Err(Failed { error, locked })
}

/// Waits longer than for other statements, unless the node changes over to another server: a server process that waits for its
/// standby does not notice that its client has gone, and each new attempt would leave another one behind.
async fn until_confirmed(shared: &Shared, session: &Session, limit: Duration) -> Result<(), DatabaseError> {
    let mut confirming = pin!(confirm(&session.client, &session.statements.confirmation));
    for _ in 0..CONFIRM_PATIENCE {
        match timeout(limit, confirming.as_mut()).await {
            Ok(done) => return done,
            Err(_) if session.is_good(&shared.server) => {}
            Err(_) => break,
        }
    }
    Err(DatabaseError::Silent(limit * CONFIRM_PATIENCE))
}

async fn probe_with(session: &Session, is_suspect: bool) -> Result<(), DatabaseError> {
    if let Some(statement) = &session.statements.probe.0 {
        session.client.execute(statement, &[]).await?;
    }
    if is_suspect {
        session.client.batch_execute(TRIAL).await?;
    }
    Ok(())
}

/// The holder of a lock that blocks writes to a table. Any role may read it.
async fn locked_by(client: &Client) -> Option<String> {
    let names = TABLES.map(|(table, ..)| format!("'{table}'")).join(", ");
    let locks = format!(
        "SELECT c.relname, l.pid, l.mode FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
         WHERE l.granted AND l.pid <> pg_backend_pid() AND c.relname IN ({names})
             AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') LIMIT 1"
    );
    let row = client.query_opt(&locks, &[]).await.ok()??;
    let (table, pid, mode): (&str, i32, &str) =
        (row.try_get(0).ok()?, row.try_get(1).ok()?, row.try_get(2).ok()?);
    let locked = format!("table {table} is locked by process {pid} of the database ({mode})");
    tracing::warn!(table, pid, mode, "a table is locked, and writes wait for it");
    Some(locked)
}
