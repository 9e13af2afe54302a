//! The watch: what other nodes change comes to this node's registry, at the latest with the next look.
//!
//! A look reads what carries a time of change since the last one, and a while before that: a transaction gets its time
//! when it writes and shows when it commits. All that is read is absolute, so that it may be read any number of times.
//! Between those, a notification is worth a glance at what is quite new.
//!
//! The watch also chooses the server that all connections of this node are to, and each look checks that it still is the
//! same and takes writes.

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

/// How far back a glance goes: it is about what committed just now, and what it misses comes with the next look.
const GLANCE: Duration = Duration::from_millis(500);
/// Once in so many looks, how far back one goes: a commit can wait long for a standby that is away.
const LONG_LOOK: (u64, Duration) = (240, Duration::from_secs(600));
/// After so long without a look the registry is read anew; what was removed is remembered for longer.
const RELOAD_AFTER: Duration = Duration::from_secs(1_800);
/// Some ten million applications.
const RELOAD_WITHIN: Duration = Duration::from_secs(600);
/// Wake-ups that come closely after each other share a glance, and changes a notification.
const GATHER: Duration = Duration::from_millis(10);
/// How often the registry is looked through for revocations to forget.
const ROUND: Duration = Duration::from_secs(10);
/// Damaged rows that are named in the log; more than a person repairs one by one.
const DAMAGED_ROWS: usize = 256;

pub(crate) struct Watch {
    shared: Arc<Shared>,
    session: Option<Watching>,
    /// The database's clock at the last look, and at the last look or glance.
    looked_at: i64,
    seen_at: i64,
    /// When the last look began, by this node's time.
    last: Instant,
    looks: u64,
    /// The server whose registry was read; after a standby was promoted it may lack what the last one had.
    read_from: Option<ServerId>,
    clock_jumps: ClockJumpDetector,
    round_at: Instant,
    /// The high-water marks at the last look.
    marks: Marks,
    /// Messages about damaged rows that are in the log already.
    damaged: HashSet<String>,
}

/// How far back is looked.
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
    /// Connects to a database that is set up, and reads the whole registry.
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
        // Where the server is not the one any more, the next one is looked for at once.
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

    /// What keeps the watch from connecting is why this node is not ready, and why sessions are not opened.
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
            // Where this fails or takes too long, they see it with their next look.
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
            // Before the look, and outside of its transaction, which is read-only anywhere.
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
        // A number is not given again, so that what is removed was removed last.
        news.removed.into_iter().for_each(|number| published.remove(number));
        for (grant, revocation) in news.revocations {
            published.registry.revoke(grant, revocation);
        }
        let Marks { tokens, single_use } = news.forgotten;
        if tokens < self.marks.tokens || single_use < self.marks.single_use {
            // An operator has set them right on another node.
            published.registry.high_water().lower(news.forgotten);
        }
        published.registry.high_water().raise(news.forgotten);
        self.marks = news.forgotten;
    }

    /// Writes each damaged row to the log once; looks that follow read it again.
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

    /// Takes all connections of this node to this server, and reads everything where looking back is not enough.
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
        // From here on only what changed is read, whatever the statistics say of how much that is. Small tables have no
        // other plan than a scan, which looks so dear then that it would be compiled for each look.
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
            // The database's clock has its say, too: the mark of a node that is far ahead would be everybody's.
            let believed = now.min(rows::time(self.looked_at).plus(CLOCK_TOLERANCE));
            self.shared.published.registry.forget_revocations(believed, steady);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    duration.as_millis() as i64
}

/// How long a transaction may take from the time that it gives its change to its commit: a statement, a pause, and the commit.
fn late_commits(settings: &PostgresSettings) -> Duration {
    2 * settings.statement_timeout + Duration::from_secs(1)
}

/// Whether a connection is still served by the server and the process that it was made to, and takes writes.
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
