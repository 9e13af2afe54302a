//! Batch worker: a bounded queue, and a task that executes all waiting operations in one batch, on a session of the pool.
//!
//! Conflicts with other transactions and restarts of the server are retried until they succeed or no request waits any more.
//! After a lost connection it is unknown whether the commit happened; every kind of work is idempotent, so that a retry finds
//! out. An error that lasts is answered at once.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use northgate_core::store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::Shared;
use super::connect::DatabaseError;
use super::database_error::Outlook;
use super::health::Progress;
use super::pool::Session;

/// An operation and the channel for its outcome.
pub(crate) struct Job<Q, A> {
    pub what: Q,
    pub answer: oneshot::Sender<Result<A, Arc<DatabaseError>>>,
}

impl<Q, A> Job<Q, A> {
    /// The request may have been given up; the write stays.
    pub fn reply(self, outcome: A) {
        let _ = self.answer.send(Ok(outcome));
    }

    /// Answers with an error: the operation cannot be done at present.
    pub fn refuse(self, error: &Arc<DatabaseError>) {
        let _ = self.answer.send(Err(Arc::clone(error)));
    }
}

/// A kind of work.
pub(crate) trait Work: Send + 'static {
    /// One operation.
    type Job: Send + Sync + 'static;
    /// Its name in the log and in the reason for not being ready.
    const NAME: &'static str;
    /// The most operations in one batch.
    const AT_ONCE: usize;
    /// Whether the stats count it among the writes.
    const WRITES: bool = true;

    /// Whether no request waits for it any more.
    fn is_abandoned(job: &Self::Job) -> bool;

    /// Answers an operation that cannot be done.
    fn refuse(job: Self::Job, error: &Arc<DatabaseError>);

    /// Executes `jobs`, answers those that are done and leaves the others for the next call. After an error the undone ones are
    /// left. `again` says that some of it may have been done before.
    fn perform(
        &mut self,
        session: &mut Session,
        jobs: &mut Vec<Self::Job>,
        again: bool,
    ) -> impl Future<Output = Result<(), DatabaseError>> + Send;
}

/// The sender of a worker's queue. Dropping it ends the worker after the queued work.
pub(crate) struct BatchWorker<W: Work> {
    queue: mpsc::Sender<W::Job>,
    error: Arc<LastError>,
}

/// The last error of a worker.
#[derive(Default)]
struct LastError(Mutex<Option<Arc<DatabaseError>>>);

/// Timeout of an operation whose worker has seen no error.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time")]
struct TooSlow;

/// The first and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

impl<W: Work> BatchWorker<W> {
    pub fn start(shared: &Arc<Shared>, bound: usize, work: W) -> BatchWorker<W> {
        let (sender, queue) = mpsc::channel(bound);
        let error = Arc::new(LastError::default());
        let (shared, progress) = (Arc::clone(shared), shared.health.watch(W::NAME));
        let running = Running {
            shared,
            queue,
            error: Arc::clone(&error),
            work,
            progress,
            pause: PAUSES.0,
            is_unsupported: false,
        };
        tokio::spawn(running.run());
        BatchWorker { queue: sender, error }
    }

    /// Enqueues an operation and waits for its outcome.
    pub async fn submit<Q, A>(
        &self,
        what: Q,
        job: impl FnOnce(Job<Q, A>) -> W::Job,
        within: Duration,
    ) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(job(Job { what, answer })).map_err(|_| StoreError::Busy)?;
        match timeout(within, answered).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(StoreError::Unavailable(error)),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable(self.error.cause())),
        }
    }

    /// The number of waiting operations.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

impl LastError {
    fn set(&self, error: Option<Arc<DatabaseError>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn cause(&self) -> Arc<dyn Error + Send + Sync> {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Arc::clone(error) as _,
            None => Arc::new(TooSlow),
        }
    }
}

struct Running<W: Work> {
    shared: Arc<Shared>,
    queue: mpsc::Receiver<W::Job>,
    error: Arc<LastError>,
    work: W,
    progress: Arc<Progress>,
    pause: Duration,
    /// Whether the database did not support the last statement.
    is_unsupported: bool,
}

impl<W: Work> Running<W> {
    async fn run(mut self) {
        let (mut jobs, mut again) = (Vec::new(), false);
        loop {
            if jobs.is_empty() && self.queue.recv_many(&mut jobs, W::AT_ONCE).await == 0 {
                return;
            }
            while jobs.len() < W::AT_ONCE
                && let Ok(job) = self.queue.try_recv()
            {
                jobs.push(job);
            }
            jobs.retain(|job| !W::is_abandoned(job));
            if jobs.is_empty() {
                again = false;
                self.progress.done();
                continue;
            }
            self.progress.begin();
            again = self.step(&mut jobs, again).await;
        }
    }

    /// Executes a batch; returns whether some of the rest may have been done.
    async fn step(&mut self, jobs: &mut Vec<W::Job>, again: bool) -> bool {
        let error = match self.attempt(jobs, again).await {
            Ok(()) => {
                self.succeeded();
                return false;
            }
            Err(error) => error,
        };
        match error.outlook() {
            Outlook::LostRace | Outlook::Passing => {
                self.failed(error).await;
                true
            }
            Outlook::Lasting if jobs.len() > 1 && error.may_be_of_one() => self.each_alone(jobs, again).await,
            Outlook::Lasting => {
                self.refuse(jobs, error);
                false
            }
        }
    }

    /// Executes the operations one by one, so that one bad operation does not fail the batch.
    async fn each_alone(&mut self, jobs: &mut Vec<W::Job>, again: bool) -> bool {
        let mut left_in_doubt = false;
        for job in std::mem::take(jobs) {
            let mut alone = vec![job];
            match self.attempt(&mut alone, again).await {
                Ok(()) => self.succeeded(),
                Err(error) if error.outlook() == Outlook::Lasting => self.refuse(&mut alone, error),
                Err(error) => {
                    left_in_doubt = true;
                    self.failed(error).await;
                }
            }
            jobs.append(&mut alone);
        }
        left_in_doubt
    }

    async fn attempt(&mut self, jobs: &mut Vec<W::Job>, again: bool) -> Result<(), DatabaseError> {
        let mut session = self.shared.pool.take(&self.shared.server).await?;
        let silence = self.shared.settings.silence();
        let (waiting, began) = (jobs.len(), Instant::now());
        let performed = timeout(silence, self.work.perform(&mut session, jobs, again)).await;
        let performed = performed.unwrap_or(Err(DatabaseError::Silent(silence)));
        match &performed {
            Ok(()) if W::WRITES => self.shared.stats.committed(waiting - jobs.len(), began.elapsed()),
            Ok(()) => {}
            Err(error) if error.is_read_only() => self.shared.server.leave(session.epoch),
            Err(_) => {}
        }
        // After other errors the state of the connection is unknown.
        if performed.as_ref().err().is_none_or(DatabaseError::keeps_connection) {
            self.shared.pool.put(session);
        }
        performed
    }

    fn succeeded(&mut self) {
        self.pause = PAUSES.0;
        self.progress.done();
        self.error.set(None);
        if std::mem::take(&mut self.is_unsupported) {
            self.shared.health.supports(W::NAME);
        }
    }

    fn refuse(&mut self, jobs: &mut Vec<W::Job>, error: DatabaseError) {
        self.shared.health.report(W::NAME, &error);
        self.shared.health.suspect();
        if error.is_unsupported() {
            self.shared.health.set_unsupported(W::NAME, &error);
            self.is_unsupported = true;
        }
        self.progress.done();
        let error = Arc::new(error);
        jobs.drain(..).for_each(|job| W::refuse(job, &error));
    }

    async fn failed(&mut self, error: DatabaseError) {
        self.shared.stats.retried();
        if error.outlook() == Outlook::LostRace && !error.is_lock_timeout() {
            tracing::debug!(error = &error as &dyn Error, "another transaction conflicted");
        } else {
            self.shared.health.report(W::NAME, &error);
        }
        if matches!(error, DatabaseError::Silent(_)) {
            self.shared.health.unconfirmed(&error);
        }
        self.error.set(Some(Arc::new(error)));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
    }
}
