//! A lane: one connection, a bounded queue before it, and a task that takes all that waits and does it in one go.
//!
//! What fails is tried again until it succeeds or nobody waits for it any more. Whether a commit that was cut off happened
//! is not known; every kind of work is such that doing it again finds out.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use northgate_core::store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use super::Shared;
use super::connect::{Session, Trouble, connect};

/// An operation and where its outcome goes.
pub(crate) struct Ask<Q, A> {
    pub what: Q,
    pub answer: oneshot::Sender<A>,
}

impl<Q, A> Ask<Q, A> {
    /// Whoever asked may have hung up; what was done stays done.
    pub fn tell(self, outcome: A) {
        let _ = self.answer.send(outcome);
    }
}

/// What a lane does.
pub(crate) trait Work: Send + 'static {
    /// One operation.
    type Ask: Send + Sync + 'static;
    /// Its statements, prepared on a connection.
    type Statements: Send + Sync;
    /// Operations that are done in one go at most.
    const AT_ONCE: usize;
    /// Whether the figures count it among the writes.
    const WRITES: bool = true;

    fn prepare(client: &Client) -> impl Future<Output = Result<Self::Statements, Trouble>> + Send;

    /// Whether nobody waits for it any more.
    fn is_abandoned(ask: &Self::Ask) -> bool;

    /// Does `asks`, answers those that are done and leaves the others, to be done next. After an error all are left.
    /// `again` says that something of it may have been done before.
    fn perform(
        &mut self,
        client: &mut Client,
        statements: &Self::Statements,
        asks: &mut Vec<Self::Ask>,
        again: bool,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The end at which operations come in. Dropping it ends the lane when it has done what waits.
pub(crate) struct Lane<W: Work> {
    queue: mpsc::Sender<W::Ask>,
    trouble: Arc<LastTrouble>,
}

/// What kept a lane from its work last.
#[derive(Default)]
struct LastTrouble(Mutex<Option<Arc<Trouble>>>);

/// Why an answer did not come in time where the lane has not heard of any trouble.
#[derive(Debug, thiserror::Error)]
#[error("the database did not do it in time")]
struct TooSlow;

/// The first and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

impl<W: Work> Lane<W> {
    pub fn start(shared: &Arc<Shared>, bound: usize, work: W) -> Lane<W> {
        let (sender, queue) = mpsc::channel(bound);
        let trouble = Arc::new(LastTrouble::default());
        let shared = Arc::clone(shared);
        let running =
            Running { shared, queue, trouble: Arc::clone(&trouble), work, session: None, pause: PAUSES.0 };
        tokio::spawn(running.run());
        Lane { queue: sender, trouble }
    }

    /// The outcome of an operation, as soon as the database has it.
    pub async fn ask<Q, A>(
        &self,
        what: Q,
        ask: impl FnOnce(Ask<Q, A>) -> W::Ask,
        within: Duration,
    ) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(ask(Ask { what, answer })).map_err(|_| StoreError::Busy)?;
        match timeout(within, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(self.trouble.cause())),
        }
    }

    /// How many operations wait.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl LastTrouble {
    fn set(&self, trouble: Option<Arc<Trouble>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn cause(&self) -> Arc<dyn Error + Send + Sync> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => Arc::clone(trouble) as _,
            None => Arc::new(TooSlow),
        }
    }
}

struct Running<W: Work> {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<W::Ask>,
    trouble: Arc<LastTrouble>,
    work: W,
    session: Option<(Client, W::Statements)>,
    pause: Duration,
}

impl<W: Work> Running<W> {
    async fn run(mut self) {
        let (mut asks, mut again) = (Vec::new(), false);
        loop {
            if asks.is_empty() && self.queue.recv_many(&mut asks, W::AT_ONCE).await == 0 {
                return;
            }
            while asks.len() < W::AT_ONCE
                && let Ok(ask) = self.queue.try_recv()
            {
                asks.push(ask);
            }
            asks.retain(|ask| !W::is_abandoned(ask));
            if asks.is_empty() {
                again = false;
                continue;
            }
            match self.attempt(&mut asks, again).await {
                Ok(()) => {
                    again = false;
                    self.pause = PAUSES.0;
                    self.trouble.set(None);
                }
                Err(trouble) => {
                    again = true;
                    self.failed(trouble).await;
                }
            }
        }
    }

    async fn attempt(&mut self, asks: &mut Vec<W::Ask>, again: bool) -> Result<(), Trouble> {
        let (mut client, statements) = match self.session.take() {
            Some(session) if !session.0.is_closed() => session,
            before => {
                if before.is_some() {
                    self.shared.figures.reconnected();
                }
                let client = connect(&self.shared.settings, Session::Lane, None).await?;
                let statements = W::prepare(&client).await?;
                (client, statements)
            }
        };
        let silence = self.shared.settings.silence();
        let (waiting, began) = (asks.len(), Instant::now());
        let performed = timeout(silence, self.work.perform(&mut client, &statements, asks, again)).await;
        let performed = performed.unwrap_or(Err(Trouble::Silent(silence)));
        // Whatever else happened, nobody knows what state the connection is in.
        if performed.as_ref().err().is_none_or(Trouble::is_a_lost_race) {
            self.session = Some((client, statements));
        } else {
            self.shared.figures.reconnected();
        }
        if performed.is_ok() && W::WRITES {
            self.shared.figures.committed(waiting - asks.len(), began.elapsed());
        }
        performed
    }

    async fn failed(&mut self, trouble: Trouble) {
        self.shared.figures.retried();
        if trouble.is_a_lost_race() {
            tracing::debug!(error = &trouble as &dyn Error, "another transaction was in the way");
        } else {
            tracing::warn!(
                error = &trouble as &dyn Error,
                "the database did not do a batch; it is tried again"
            );
        }
        self.trouble.set(Some(Arc::new(trouble)));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
    }
}
