//! The watch: polls other nodes' changes into this node's registry, and chooses the server of all connections.
//!
//! A look reads the rows that changed since the last one, and for a while before that: a transaction gets its time when it writes
//! and becomes visible when it commits. All of it is absolute, so that reading it again is idempotent. Between looks, a
//! notification causes a glance at the latest changes.
//!
//! Each look checks that the server is still the same and takes writes.

use std::collections::HashSet;
use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::clock::CLOCK_TOLERANCE;
use northgate_core::high_water::Marks;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_postgres::{Client, Statement};

use super::connect::{Connected, DatabaseError, Identity, Session, connect, identify};
use super::keyring;
use super::load::{self, All, Look, News};
use super::pool::Backend;
use super::published::Source;
use super::rows;
use super::server::ServerId;
use super::settings::PostgresSettings;
use super::{ConnectError, Shared, schema};
use crate::clock_jump::ClockJumpDetector;

/// How far back a glance goes: it covers recent commits, and the next look finds what it misses.
const GLANCE: Duration = Duration::from_millis(500);
/// Every so many looks one goes further back: a commit can wait long for a standby that is away.
const LONG_LOOK: (u64, Duration) = (240, Duration::from_secs(600));
/// After so long without a look the registry is reloaded; deleted applications are remembered for longer.
const RELOAD_AFTER: Duration = Duration::from_secs(1_800);
/// Enough for some ten million applications.
const RELOAD_WITHIN: Duration = Duration::from_secs(600);
/// Close wake-ups share a glance, and close changes share a notification.
const GATHER: Duration = Duration::from_millis(10);
/// How often expired revocations are forgotten.
const ROUND: Duration = Duration::from_secs(10);
/// Damaged rows that are named in the log; more than a person repairs one by one.
const DAMAGED_ROWS: usize = 256;

pub(crate) struct Watch {
    shared: Arc<Shared>,
    session: Option<Watching>,
    /// The database's clock at the last look, and at the last look or glance.
    looked_at: i64,
    seen_at: i64,
    /// The beginning of the last look, by the monotonic clock.
    last: Instant,
    looks: u64,
    /// The server whose registry was read; a promoted standby may lack what the previous one had.
    read_from: Option<ServerId>,
    clock_jumps: ClockJumpDetector,
    round_at: Instant,
    /// The high-water marks at the last look.
    marks: Marks,
    /// Damaged rows that are in the log already.
    damaged: HashSet<String>,
}

/// How far back a poll goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Look,
    Glance,
}

struct Watching {
    client: Client,
    identity: Identity,
    epoch: u64,
    _backend: Backend,
    look: Look,
    keyring: Statement,
    notified: Arc<Notify>,
}

impl Watch {
    /// Connects to a migrated database, and reads the whole registry.
    pub async fn start(shared: Arc<Shared>) -> Result<Watch, ConnectError> {
        let now = Instant::now();
        let clock_jumps = ClockJumpDetector::begin(now, (shared.clock)());
        let mut watch = Watch {
            shared,
            session: None,
            looked_at: 0,
            seen_at: 0,
            last: now,
            looks: 0,
            read_from: None,
            clock_jumps,
            round_at: now,
            marks: Marks::NOTHING,
            damaged: HashSet::new(),
        };
        let notified = Arc::default();
        let connected =
            connect(&watch.shared.settings, &watch.shared.server, Session::Whole, Arc::clone(&notified));
        let connected = connected.await?;
        schema::check(&connected.client).await?;
        watch.begin(connected, notified).await?;
        watch.look(Depth::Look).await?;
        Ok(watch)
    }

    pub async fn run(mut self) {
        let mut ticks = interval(self.shared.settings.poll_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let shared = Arc::clone(&self.shared);
            let notified = self.session.as_ref().map(|session| Arc::clone(&session.notified));
            let others = async {
                match notified {
                    Some(notified) => notified.notified().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                _ = ticks.tick() => self.attempt(Depth::Look).await,
                () = others => {
                    sleep(GATHER).await;
                    self.attempt(Depth::Glance).await;
                }
                () = shared.changed.notified() => {
                    sleep(GATHER).await;
                    self.wake_others().await;
                }
                () = shared.server.left() => self.attempt(Depth::Look).await,
            }
            self.forget();
        }
    }

    async fn attempt(&mut self, depth: Depth) {
        // After a change of the server, the next one is sought at once.
        for (depth, is_last) in [(depth, false), (Depth::Look, true)] {
            let Err(error) = self.look(depth).await else { return };
            let was = self.session.take();
            self.shared.health.report("watch", &error);
            match was {
                Some(was) => {
                    if error.is_read_only()
                        || matches!(error, DatabaseError::OtherServer | DatabaseError::Pooled)
                    {
                        self.shared.server.leave(was.epoch);
                    }
                    self.shared.server.lost(is_last.then(|| Arc::new(error)));
                }
                None => return self.not_connected(error),
            }
        }
    }

    /// Records a connection error: the node is not ready, and sessions are not opened.
    fn not_connected(&self, error: DatabaseError) {
        if error.is_too_many_connections() {
            self.shared.pool.sweep(&self.shared.server, true);
        }
        let error = Some(Arc::new(error));
        self.shared.server.lost(error.clone());
        self.shared.pool.set_trouble(error);
    }

    async fn wake_others(&mut self) {
        if let Some(session) = &self.session {
            // If this fails or takes too long, other nodes learn with their next look.
            let notify = session.client.batch_execute("NOTIFY northgate");
            let _ = timeout(self.shared.settings.behind_after, notify).await;
        }
    }

    async fn look(&mut self, depth: Depth) -> Result<(), DatabaseError> {
        let epoch = self.shared.server.epoch();
        if self.session.as_ref().is_none_or(|session| session.client.is_closed() || session.epoch != epoch) {
            self.session = None;
            self.shared.stats.reconnected();
            self.reconnect().await?;
        }
        let Some(Watching { client, look, keyring, identity, epoch, .. }) = &self.session else {
            return Ok(());
        };
        let began = Instant::now();
        let since = match depth {
            Depth::Glance => self.seen_at - millis(GLANCE),
            Depth::Look if self.looks.is_multiple_of(LONG_LOOK.0) => self.looked_at - millis(LONG_LOOK.1),
            Depth::Look => self.looked_at - millis(late_commits(&self.shared.settings)),
        };
        let limit = self.shared.settings.silence();
        let looked = timeout(limit, async {
            // Before the look, and outside of its transaction, which is always read-only.
            let same = async { is_same(&identify(client).await?, identity) };
            let shown = keyring::look(client, keyring, &self.shared.keyring);
            tokio::try_join!(biased; same, look.since(client, since), shown)
        });
        let ((), news, ()) = looked.await.unwrap_or(Err(DatabaseError::Silent(limit)))?;
        let epoch = *epoch;
        self.seen_at = news.at;
        match depth {
            Depth::Glance => self.publish(news),
            Depth::Look => {
                self.looks += 1;
                (self.looked_at, self.last) = (news.at, began);
                self.publish(news);
                self.shared.stats.looked(began);
                self.shared.server.looked(epoch);
            }
        }
        Ok(())
    }

    fn publish(&mut self, news: News) {
        news.damaged.iter().for_each(|damaged| self.report(damaged));
        let published = &self.shared.published;
        for application in news.applications {
            published.put(application, Source::Read);
        }
        // Numbers are not reused, so that a deletion is the last change.
        news.removed.into_iter().for_each(|number| published.remove(number));
        for (grant, revocation) in news.revocations {
            published.registry.revoke(grant, revocation);
        }
        let Marks { tokens, single_use } = news.forgotten;
        if tokens < self.marks.tokens || single_use < self.marks.single_use {
            // An operator has corrected them on another node.
            published.registry.high_water().lower(news.forgotten);
        }
        published.registry.high_water().raise(news.forgotten);
        self.marks = news.forgotten;
    }

    /// Logs each damaged row once; later looks read it again.
    fn report(&mut self, damaged: &DatabaseError) {
        let message = damaged.to_string();
        if self.damaged.len() < DAMAGED_ROWS && self.damaged.insert(message) {
            tracing::error!(
                error = damaged as &dyn Error,
                "the database has a damaged row; this node ignores changes of its application until it is corrected"
            );
        }
    }

    async fn reconnect(&mut self) -> Result<(), DatabaseError> {
        self.shared.server.lost(None);
        let notified = Arc::default();
        let Shared { settings, server, .. } = &*self.shared;
        let connected = connect(settings, server, Session::Whole, Arc::clone(&notified)).await?;
        self.begin(connected, notified).await
    }

    /// Switches all connections of this node to this server, and reloads everything where looking back is not enough.
    async fn begin(&mut self, connected: Connected, notified: Arc<Notify>) -> Result<(), DatabaseError> {
        let Connected { client, host, identity } = connected;
        let backend = self.shared.pool.claim(&identity.backend)?;
        let epoch = self.shared.server.join(&identity.server, host);
        self.shared.pool.set_trouble(None);
        if self.shared.settings.notify {
            client.batch_execute("LISTEN northgate").await?;
        }
        let look = Look::prepare(&client).await?;
        let keyring = keyring::prepare(&client).await?;
        let is_other = self.read_from.as_ref() != Some(&identity.server);
        if is_other || self.last.elapsed() > RELOAD_AFTER {
            let loaded = timeout(RELOAD_WITHIN, load::all(&client)).await;
            let All { applications, revocations, forgotten, damaged, at } =
                loaded.unwrap_or(Err(DatabaseError::Silent(RELOAD_WITHIN)))?;
            revocations.high_water().raise(forgotten);
            self.marks = forgotten;
            damaged.iter().for_each(|damaged| self.report(damaged));
            // Nothing is served yet at the start, so that a row can be repaired first.
            if let (0, Some(damaged)) = (self.looked_at, damaged.into_iter().next()) {
                return Err(damaged);
            }
            self.shared.published.replace_all(applications, revocations);
            All::tidy(&self.shared.published.registry);
            (self.looked_at, self.seen_at) = (at, at);
            self.shared.stats.reloaded();
        }
        // From here on only changes are read, whatever the statistics say. Small tables have no other plan than a scan, whose
        // disabled cost is so high that it would be JIT-compiled for each look.
        if let Err(error) = client.batch_execute("SET jit = off; SET enable_seqscan = off").await {
            tracing::debug!(error = &error as &dyn Error, "the database has planner settings of its own");
        }
        self.read_from = Some(identity.server.clone());
        self.session = Some(Watching { client, identity, epoch, _backend: backend, look, keyring, notified });
        Ok(())
    }

    fn forget(&mut self) {
        if self.round_at.elapsed() >= ROUND {
            self.round_at = Instant::now();
            let now = (self.shared.clock)();
            let steady = self.clock_jumps.look(self.round_at, now);
            // Also by the database's clock: otherwise the mark of a node that is far ahead would become everyone's.
            let believed = now.min(rows::time(self.looked_at).plus(CLOCK_TOLERANCE));
            self.shared.published.registry.forget_revocations(believed, steady);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

/// The longest time between a change's `changed_at` and its commit: a statement, a pause, and the commit.
fn late_commits(settings: &PostgresSettings) -> Duration {
    2 * settings.statement_timeout + Duration::from_secs(1)
}

/// Whether a connection is still served by the same server and process, and takes writes.
fn is_same(now: &Identity, then: &Identity) -> Result<(), DatabaseError> {
    if now.server != then.server {
        Err(DatabaseError::OtherServer)
    } else if now.backend != then.backend {
        Err(DatabaseError::Pooled)
    } else if now.is_read_only {
        Err(DatabaseError::ReadOnly)
    } else {
        Ok(())
    }
}
