//! A worker: a bounded queue, and a task that takes all that waits and does it in one go, on a session of the pool.
//!
//! What another transaction or a restart of the server was in the way of is tried again until it succeeds or no request
//! waits for it any more. Whether a commit that was cut off happened is not known; every kind of work is such that doing it
//! again finds out. What the database refuses for a reason that lasts is answered at once.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use northgate_core::store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::Shared;
use super::connect::Trouble;
use super::health::Progress;
use super::pool::Session;
use super::trouble::Outlook;

/// An operation and where its outcome goes.
pub(crate) struct Ask<Q, A> {
    pub what: Q,
    pub answer: oneshot::Sender<Result<A, Arc<Trouble>>>,
}

impl<Q, A> Ask<Q, A> {
    /// The request may have been given up; what was done stays done.
    pub fn tell(self, outcome: A) {
        let _ = self.answer.send(Ok(outcome));
    }

    /// It cannot be done at present.
    pub fn refuse(self, trouble: &Arc<Trouble>) {
        let _ = self.answer.send(Err(Arc::clone(trouble)));
    }
}

/// What a worker does.
pub(crate) trait Work: Send + 'static {
    /// One operation.
    type Ask: Send + Sync + 'static;
    /// Its name in the log and in the reason for not being ready.
    const NAME: &'static str;
    /// Operations that are done in one go at most.
    const AT_ONCE: usize;
    /// Whether the figures count it among the writes.
    const WRITES: bool = true;

    /// Whether no request waits for it any more.
    fn is_abandoned(ask: &Self::Ask) -> bool;

    /// Answers an operation that cannot be done.
    fn refuse(ask: Self::Ask, trouble: &Arc<Trouble>);

    /// Does `asks`, answers those that are done and leaves the others, to be done next. After an error those are left that
    /// were not done. `again` says that something of it may have been done before.
    fn perform(
        &mut self,
        session: &mut Session,
        asks: &mut Vec<Self::Ask>,
        again: bool,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The end at which operations come in. Dropping it ends the worker when it has done what waits.
pub(crate) struct BatchWorker<W: Work> {
    queue: mpsc::Sender<W::Ask>,
    trouble: Arc<LastTrouble>,
}

/// What kept a worker from its work last.
#[derive(Default)]
struct LastTrouble(Mutex<Option<Arc<Trouble>>>);

/// Why an answer did not come in time where the worker has not heard of any trouble.
#[derive(Debug, thiserror::Error)]
#[error("the database did not do it in time")]
struct TooSlow;

/// The first and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(500));

impl<W: Work> BatchWorker<W> {
    pub fn start(shared: &Arc<Shared>, bound: usize, work: W) -> BatchWorker<W> {
        let (sender, queue) = mpsc::channel(bound);
        let trouble = Arc::new(LastTrouble::default());
        let (shared, progress) = (Arc::clone(shared), shared.health.watch(W::NAME));
        let running =
            Running { shared, queue, trouble: Arc::clone(&trouble), work, progress, pause: PAUSES.0 };
        tokio::spawn(running.run());
        BatchWorker { queue: sender, trouble }
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
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(trouble))) => Err(StoreError::Unavailable(trouble)),
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
    progress: Arc<Progress>,
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
                self.progress.done();
                continue;
            }
            self.progress.begin();
            again = self.step(&mut asks, again).await;
        }
    }

    /// Does what can be done of `asks`; whether something of the rest may have been done.
    async fn step(&mut self, asks: &mut Vec<W::Ask>, again: bool) -> bool {
        let trouble = match self.attempt(asks, again).await {
            Ok(()) => {
                self.succeeded();
                return false;
            }
            Err(trouble) => trouble,
        };
        match trouble.outlook() {
            Outlook::LostRace | Outlook::Passing => {
                self.failed(trouble).await;
                true
            }
            Outlook::Lasting if asks.len() > 1 && trouble.may_be_of_one() => {
                self.each_alone(asks, again).await
            }
            Outlook::Lasting => {
                self.refuse(asks, trouble);
                false
            }
        }
    }

    /// One operation of a batch must not take the others with it.
    async fn each_alone(&mut self, asks: &mut Vec<W::Ask>, again: bool) -> bool {
        let mut left_in_doubt = false;
        for ask in std::mem::take(asks) {
            let mut alone = vec![ask];
            match self.attempt(&mut alone, again).await {
                Ok(()) => self.succeeded(),
                Err(trouble) if trouble.outlook() == Outlook::Lasting => self.refuse(&mut alone, trouble),
                Err(trouble) => {
                    left_in_doubt = true;
                    self.failed(trouble).await;
                }
            }
            asks.append(&mut alone);
        }
        left_in_doubt
    }

    async fn attempt(&mut self, asks: &mut Vec<W::Ask>, again: bool) -> Result<(), Trouble> {
        let mut session = self.shared.pool.take(&self.shared.server).await?;
        let silence = self.shared.settings.silence();
        let (waiting, began) = (asks.len(), Instant::now());
        let performed = timeout(silence, self.work.perform(&mut session, asks, again)).await;
        let performed = performed.unwrap_or(Err(Trouble::Silent(silence)));
        match &performed {
            Ok(()) if W::WRITES => self.shared.figures.committed(waiting - asks.len(), began.elapsed()),
            Ok(()) => {}
            Err(trouble) if trouble.is_read_only() => self.shared.server.leave(session.epoch),
            Err(_) => {}
        }
        // In other cases the state of the connection is not known.
        if performed.as_ref().err().is_none_or(Trouble::keeps_connection) {
            self.shared.pool.put(session);
        }
        performed
    }

    fn succeeded(&mut self) {
        self.pause = PAUSES.0;
        self.progress.done();
        self.trouble.set(None);
    }

    fn refuse(&mut self, asks: &mut Vec<W::Ask>, trouble: Trouble) {
        self.shared.health.report(W::NAME, &trouble);
        self.shared.health.suspect();
        self.progress.done();
        let trouble = Arc::new(trouble);
        asks.drain(..).for_each(|ask| W::refuse(ask, &trouble));
    }

    async fn failed(&mut self, trouble: Trouble) {
        self.shared.figures.retried();
        if trouble.outlook() == Outlook::LostRace && !trouble.is_lock_timeout() {
            tracing::debug!(error = &trouble as &dyn Error, "another transaction was in the way");
        } else {
            self.shared.health.report(W::NAME, &trouble);
        }
        self.trouble.set(Some(Arc::new(trouble)));
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSES.1);
    }
}
