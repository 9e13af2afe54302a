//! The watch: what other nodes change comes to this node's registry, at the latest with the next look.
//!
//! A look reads what carries a time of change since the last one, and a while before that: a transaction gets its time
//! when it writes and shows when it commits. All that is read is absolute, so that it may be read any number of times.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::Shared;
use super::connect::{Session, Trouble, connect};
use super::load::{self, All, Look, News};
use super::published::From;
use super::settings::PostgresSettings;
use crate::steady::Steady;

/// Once in so many looks, how far back one goes: a commit can wait long for a standby that is away.
const LONG_LOOK: (u64, Duration) = (240, Duration::from_secs(600));
/// After so long without a look the registry is read anew; what was removed is remembered for longer.
const RELOAD_AFTER: Duration = Duration::from_secs(1_800);
/// Wake-ups that come closely after each other share a look.
const GATHER: Duration = Duration::from_millis(10);
/// How often the registry is looked through for revocations to forget.
const ROUND: Duration = Duration::from_secs(10);

pub(crate) struct Watch {
    shared: Arc<Shared>,
    session: Option<Watching>,
    /// The database's clock at the last look.
    seen_at: i64,
    looked_at: Instant,
    looks: u64,
    /// Which line of the database's history this is; another one after a standby was promoted.
    history: Option<String>,
    steady: Steady,
    round_at: Instant,
}

struct Watching {
    client: Client,
    look: Look,
    notified: Arc<Notify>,
}

impl Watch {
    /// Reads the whole registry.
    pub async fn start(shared: Arc<Shared>) -> Result<Watch, Trouble> {
        let now = Instant::now();
        let steady = Steady::begin(now, (shared.clock)());
        let mut watch = Watch {
            shared,
            session: None,
            seen_at: 0,
            looked_at: now,
            looks: 0,
            history: None,
            steady,
            round_at: now,
        };
        watch.connect().await?;
        Ok(watch)
    }

    pub async fn run(mut self) {
        let every = self.shared.settings.poll_every;
        loop {
            let (notified, is_ours) = (
                self.session.as_ref().map(|session| Arc::clone(&session.notified)),
                Arc::clone(&self.shared),
            );
            let others = async {
                match notified {
                    Some(notified) => notified.notified().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = sleep(every) => {}
                () = others => sleep(GATHER).await,
                () = is_ours.changed.notified() => self.wake_others().await,
            }
            let limit = self.shared.settings.silence();
            let looked = timeout(limit, self.look()).await.unwrap_or(Err(Trouble::Silent(limit)));
            if let Err(trouble) = looked {
                self.session = None;
                tracing::warn!(error = &trouble as &dyn Error, "cannot see what other nodes change");
            }
            self.forget();
        }
    }

    async fn wake_others(&mut self) {
        if let Some(session) = &self.session {
            // If this fails they see it with their next look.
            let _ = session.client.batch_execute("NOTIFY northgate").await.is_ok();
        }
    }

    async fn look(&mut self) -> Result<(), Trouble> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            self.shared.figures.reconnected();
            self.connect().await?;
        }
        let Some(Watching { client, look, .. }) = &self.session else { return Ok(()) };
        let began = Instant::now();
        self.looks += 1;
        let back = match LONG_LOOK {
            (every, long) if self.looks.is_multiple_of(every) => long,
            (_, _) => late_commits(&self.shared.settings),
        };
        let news = look.since(client, self.seen_at - back.as_millis() as i64).await?;
        self.seen_at = news.at;
        self.looked_at = began;
        self.publish(news);
        self.shared.figures.looked(began);
        Ok(())
    }

    fn publish(&self, news: News) {
        let published = &self.shared.published;
        for application in news.applications {
            published.put(application, From::Read);
        }
        // A number is not given again, so that what is removed was removed last.
        news.removed.into_iter().for_each(|number| published.remove(number));
        for (grant, revocation) in news.revocations {
            published.registry.revoke(grant, revocation);
        }
    }

    /// Connects, and reads everything where looking back is not enough.
    async fn connect(&mut self) -> Result<(), Trouble> {
        let notified = Arc::new(Notify::new());
        let client = connect(&self.shared.settings, Session::Whole, Some(Arc::clone(&notified))).await?;
        if self.shared.settings.notify {
            client.batch_execute("LISTEN northgate").await?;
        }
        let look = Look::prepare(&client).await?;
        let history = history(&client).await;
        if self.seen_at == 0 || history != self.history || self.looked_at.elapsed() > RELOAD_AFTER {
            let All { applications, revocations, at } = load::all(&client).await?;
            self.shared.published.replace_all(applications, revocations);
            All::tidy(&self.shared.published.registry);
            self.seen_at = at;
            self.shared.figures.reloaded();
        }
        self.history = history;
        self.session = Some(Watching { client, look, notified });
        Ok(())
    }

    fn forget(&mut self) {
        if self.round_at.elapsed() >= ROUND {
            self.round_at = Instant::now();
            let now = (self.shared.clock)();
            let steady = self.steady.look(self.round_at, now);
            self.shared.published.registry.forget_revocations(now, steady);
        }
    }
}

/// How long a transaction may take from the time that it gives its change to its commit: a statement, a pause, and the commit.
fn late_commits(settings: &PostgresSettings) -> Duration {
    2 * settings.statement_timeout + Duration::from_secs(1)
}

/// The timeline of a PostgreSQL server: a promoted standby begins another, and may lack what the last one had. Engines that
/// lose nothing in a fail-over have none.
async fn history(client: &Client) -> Option<String> {
    let timeline = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";
    client.query_one(timeline, &[]).await.ok()?.try_get(0).ok()
}
