//! Connection pool: the sessions of a node, opened at the start, kept open, and lent to the workers.
//!
//! No worker owns a connection, so that all writers share the few that a short database allows.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as FairMutex, Notify, mpsc, oneshot, watch};
use tokio::time::sleep;
use tokio_postgres::Client;

use super::connect::{self, Connected, DatabaseError, connect};
use super::database_error::Outlook;
use super::server::Server;
use super::{ConnectError, Shared, confirmation, health, logins, reads, single_use, steps};

/// How long a worker waits for a session before it checks whether its operations are still wanted.
const TAKE_WITHIN: Duration = Duration::from_millis(500);
/// The first and the longest pause before another attempt to open a session.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(2));

/// A connection with all statements prepared on it.
pub(crate) struct Session {
    pub client: Client,
    pub statements: Statements,
    pub epoch: u64,
    /// Dropped with the session, which notifies its keeper.
    _kept: oneshot::Sender<()>,
}

pub(crate) struct Statements {
    pub steps: steps::Statements,
    pub logins: logins::Statements,
    pub reads: reads::Statements,
    pub single_uses: single_use::Statements,
    pub probe: health::Statements,
    pub confirmation: confirmation::Statements,
}

impl Statements {
    async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        let (steps, logins, reads, single_uses, probe, confirmation) = tokio::try_join!(
            steps::Statements::prepare(client),
            logins::Statements::prepare(client),
            reads::Statements::prepare(client),
            single_use::Statements::prepare(client),
            health::Statements::prepare(client),
            confirmation::Statements::prepare(client)
        )?;
        Ok(Statements { steps, logins, reads, single_uses, probe, confirmation })
    }
}

pub(crate) struct Pool {
    wanted: usize,
    open: AtomicUsize,
    /// The number of keepers that have tried once.
    tried: watch::Sender<usize>,
    lend: mpsc::Sender<Session>,
    /// Lends in the order of requests.
    idle: FairMutex<mpsc::Receiver<Session>>,
    /// Error of the last attempt to open a session; `None` once all are open.
    error: watch::Sender<Option<Arc<DatabaseError>>>,
    /// Backend processes of the open connections, the watch's included. A process with two of them belongs to a pooler.
    backends: Mutex<HashSet<String>>,
}

impl Pool {
    pub fn new(wanted: usize) -> Pool {
        let (lend, idle) = mpsc::channel(wanted.max(1));
        Pool {
            wanted,
            open: AtomicUsize::new(0),
            tried: watch::Sender::new(0),
            lend,
            idle: FairMutex::new(idle),
            error: watch::Sender::new(None),
            backends: Mutex::default(),
        }
    }

    /// Takes a session for exclusive use. Fails at once where none is open and waiting is of no use; where connections are short,
    /// after a short while, since sessions that have just ended may still be counted.
    pub async fn take(&self, server: &Server) -> Result<Session, DatabaseError> {
        let free = async {
            let mut idle = self.idle.lock().await;
            loop {
                match idle.recv().await {
                    Some(session) if session.is_good(server) => return session,
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            }
        };
        let hopeless = async {
            let mut error = self.error.subscribe();
            let is_hopeless = |error: &Option<Arc<DatabaseError>>| {
                let is_lasting = error.as_ref().is_some_and(|error| error.outlook() == Outlook::Lasting);
                is_lasting && self.open() == 0
            };
            error.wait_for(is_hopeless).await.map_or(None, |error| error.clone())
        };
        tokio::select! {
            biased;
            session = free => Ok(session),
            cause = hopeless => Err(DatabaseError::NoConnection(cause)),
            () = sleep(TAKE_WITHIN) => Err(self.none_free()),
        }
    }

    fn none_free(&self) -> DatabaseError {
        match self.error() {
            Some(cause) if self.open() == 0 && cause.is_too_many_connections() => {
                DatabaseError::NoRoom(cause)
            }
            cause => DatabaseError::NoConnection(cause),
        }
    }

    /// Returns a session.
    pub fn put(&self, session: Session) {
        // The channel has room for all, and the next taker drops a closed one.
        let _ = self.lend.try_send(session);
    }

    /// Closes outdated idle sessions, or one more to make room for the watch.
    pub fn sweep(&self, server: &Server, shed: bool) {
        let Ok(mut idle) = self.idle.try_lock() else { return };
        let mut sessions: Vec<Session> = std::iter::from_fn(|| idle.try_recv().ok()).collect();
        sessions.retain(|session| session.is_good(server));
        if shed {
            sessions.pop();
        }
        sessions.into_iter().for_each(|session| self.put(session));
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Reason why sessions are missing, if an attempt to open one has failed.
    pub fn error(&self) -> Option<Arc<DatabaseError>> {
        self.error.borrow().clone()
    }

    /// Records the watch's connection error, which keeps sessions from being opened, too.
    pub fn set_trouble(&self, error: Option<Arc<DatabaseError>>) {
        self.error.send_replace(error);
    }

    /// Waits until each session has been tried once.
    pub async fn tried(&self) {
        let mut tried = self.tried.subscribe();
        let _ = tried.wait_for(|tried| *tried >= self.wanted).await;
    }

    /// Records the server process that serves a connection.
    pub fn claim(self: &Arc<Pool>, backend: &str) -> Result<Backend, DatabaseError> {
        if self.backends().insert(backend.to_owned()) {
            Ok(Backend { pool: Arc::clone(self), id: backend.to_owned() })
        } else {
            Err(DatabaseError::Pooled)
        }
    }

    fn backends(&self) -> MutexGuard<'_, HashSet<String>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened(&self, session: Session) {
        if self.open.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted {
            self.error.send_replace(None);
        }
        self.put(session);
    }

    fn tried_once(&self, is_first: &mut bool) {
        if std::mem::take(is_first) {
            self.tried.send_modify(|tried| *tried += 1);
        }
    }
}

/// A server process that serves one connection of this node.
pub(crate) struct Backend {
    pool: Arc<Pool>,
    id: String,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.pool.backends().remove(&self.id);
    }
}

impl Session {
    pub fn is_good(&self, server: &Server) -> bool {
        !self.client.is_closed() && self.epoch == server.epoch()
    }
}

/// Opens all sessions; an error where none could be opened.
pub(crate) async fn open_all(shared: &Shared) -> Result<(), ConnectError> {
    shared.pool.tried().await;
    let (open, wanted) = (shared.pool.open(), shared.pool.wanted());
    match shared.pool.error() {
        Some(error) if matches!(*error, DatabaseError::Pooled) => Err(ConnectError::Pooled),
        Some(cause) if open == 0 && cause.is_too_many_connections() => {
            Err(ConnectError::TooFewConnections { wanted, cause: Box::new(cause) })
        }
        Some(cause) if open == 0 => Err(ConnectError::Refused(Box::new(cause))),
        Some(error) => {
            tracing::warn!(
                open,
                wanted,
                sqlstate = error.sqlstate(),
                error = &*error as &dyn std::error::Error,
                "connections to the database are missing; the node is not ready until it has all of them"
            );
            Ok(())
        }
        None => Ok(()),
    }
}

/// Keeps one session open, for as long as the store exists.
pub(crate) async fn keep(shared: Arc<Shared>) {
    let (mut pause, mut is_first) = (PAUSES.0, true);
    loop {
        let epoch = shared.server.opened().await;
        let ended = Arc::new(Notify::new());
        match open(&shared, epoch, Arc::clone(&ended)).await {
            Ok((session, backend, gone)) => {
                pause = PAUSES.0;
                shared.pool.opened(session);
                shared.pool.tried_once(&mut is_first);
                until_gone(&shared, epoch, &ended, gone).await;
                drop(backend);
                shared.pool.open.fetch_sub(1, Ordering::Relaxed);
                shared.stats.reconnected();
            }
            Err(error) => {
                if error.is_read_only() {
                    shared.server.leave(epoch);
                }
                shared.health.report("session", &error);
                shared.pool.set_trouble(Some(Arc::new(error)));
                shared.pool.tried_once(&mut is_first);
                sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

type Opened = (Session, Backend, oneshot::Receiver<()>);

async fn open(shared: &Arc<Shared>, epoch: u64, ended: Arc<Notify>) -> Result<Opened, DatabaseError> {
    let Connected { client, identity, .. } =
        connect(&shared.settings, &shared.server, connect::Session::BatchWorker, ended).await?;
    shared.server.check(&identity.server, epoch)?;
    let backend = shared.pool.claim(&identity.backend)?;
    let statements = Statements::prepare(&client).await?;
    let (kept, gone) = oneshot::channel();
    Ok((Session { client, statements, epoch, _kept: kept }, backend, gone))
}

/// Waits until the session is dropped, and has it dropped when it is outdated.
async fn until_gone(shared: &Shared, epoch: u64, ended: &Notify, mut gone: oneshot::Receiver<()>) {
    tokio::select! {
        _ = &mut gone => return,
        () = ended.notified() => {}
        () = shared.server.over(epoch) => {}
    }
    shared.pool.sweep(&shared.server, false);
    let _ = gone.await;
}
