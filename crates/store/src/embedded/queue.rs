//! The bounded queue between the requests and the writer: load shedding at its end, group commit at its head.

use std::error::Error;
use std::sync::{Arc, PoisonError};
#[cfg(not(test))]
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::GrantId;
use northgate_core::registry::Revocation;
use northgate_core::store::{
    Advanced, Closing, Created, Deleted, NewApplication, Opened, Opening, Recorded, Replaced, SingleUse,
    Step, StoreError,
};
// The unit tests of this crate model the commit path: interleaving_tests.rs.
#[cfg(test)]
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

/// The channel for the outcome of a write, sent when it is durable.
pub(crate) type Answer<A> = oneshot::Sender<Result<A, StoreError>>;

/// How long the writer awaits the batch: for each expected write about the time in which a core handles a request, and in all not
/// longer than some commits take.
const AWAIT_EACH: Duration = Duration::from_micros(50);
const AWAIT_MAX: Duration = Duration::from_millis(4);

/// A write that waits for its commit, and the channel of its answer.
pub(crate) enum Write {
    // Boxed, since they are rare and large, and every write is moved.
    Create(Box<NewApplication>, Answer<Created>),
    Replace(Box<(Application, Vec<(GrantId, Revocation)>)>, Answer<Replaced>),
    /// With the revision that is expected, where one is.
    Delete(AppNumber, Option<u32>, Answer<Deleted>),
    Open(Opening, Answer<Opened>),
    Advance(Step, Answer<Advanced>),
    Close(Closing, Answer<()>),
    RecordOnce(SingleUse, Answer<Recorded>),
}

impl Write {
    /// Answers with an error; nothing was written.
    pub fn refuse(self, cause: &Arc<dyn Error + Send + Sync>) {
        let error = StoreError::Unavailable(Arc::clone(cause));
        // The client may have hung up.
        let _ = match self {
            Write::Create(_, answer) => answer.send(Err(error)).is_ok(),
            Write::Replace(_, answer) => answer.send(Err(error)).is_ok(),
            Write::Delete(_, _, answer) => answer.send(Err(error)).is_ok(),
            Write::Open(_, answer) => answer.send(Err(error)).is_ok(),
            Write::Advance(_, answer) => answer.send(Err(error)).is_ok(),
            Write::Close(_, answer) => answer.send(Err(error)).is_ok(),
            Write::RecordOnce(_, answer) => answer.send(Err(error)).is_ok(),
        };
    }
}

/// Writes that wait for the writer. At its bound the queue rejects at once (load shedding), logins from half of it on: an application
/// that cannot refresh logs in, which would add to the overload, and an operator must get through.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    came: Condvar,
    bound: usize,
}

struct Waiting {
    writes: Vec<Write>,
    /// Whether a write was rejected since the last batch was taken. Waiting for more would then reject more.
    is_short_of_room: bool,
    /// The number of writes at which the writer is woken.
    wanted: usize,
    is_closed: bool,
}

/// The state in which the writer finds the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Writes,
    /// Empty for the whole time.
    Nothing,
    /// Empty and closed.
    Closed,
}

impl Queue {
    pub fn new(bound: usize) -> Queue {
        let waiting = Waiting { writes: Vec::new(), is_short_of_room: false, wanted: 1, is_closed: false };
        Queue { waiting: Mutex::new(waiting), came: Condvar::new(), bound }
    }

    /// Enqueues a write, or rejects it with [`StoreError::Busy`].
    pub fn push(&self, write: Write) -> Result<(), StoreError> {
        let room = self.room_for(&write);
        let mut waiting = self.waiting();
        let has_room = !waiting.is_closed && waiting.writes.len() < room;
        let is_wanted = if has_room {
            waiting.writes.push(write);
            waiting.writes.len() == waiting.wanted
        } else {
            !std::mem::replace(&mut waiting.is_short_of_room, true)
        };
        drop(waiting);
        if is_wanted {
            self.came.notify_one();
        }
        if has_room { Ok(()) } else { Err(StoreError::Busy) }
    }

    /// Waits up to `patience` for a write.
    pub fn wait(&self, patience: Duration) -> Found {
        let is_silent = |waiting: &mut Waiting| waiting.writes.is_empty() && !waiting.is_closed;
        let waited = self.came.wait_timeout_while(self.waiting(), patience, is_silent);
        let (waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match (waiting.writes.is_empty(), waiting.is_closed) {
            (false, _) => Found::Writes,
            (true, true) => Found::Closed,
            (true, false) => Found::Nothing,
        }
    }

    /// Group commit: waits briefly for the expected batch, so that one fsync covers it.
    ///
    /// A commit costs as much as some ten requests, whatever its size. The writer sleeps once: it is woken when the batch is there.
    pub fn await_batch(&self, expected_batch: usize) {
        // The queue holds no more.
        let expected_batch = expected_batch.min(self.bound);
        if expected_batch <= 1 {
            return;
        }
        let patience = AWAIT_MAX.min(AWAIT_EACH * expected_batch as u32);
        let mut waiting = self.waiting();
        waiting.wanted = expected_batch;
        let is_worth_it = |waiting: &mut Waiting| {
            waiting.writes.len() < expected_batch && !waiting.is_short_of_room && !waiting.is_closed
        };
        let gathered = self.came.wait_timeout_while(waiting, patience, is_worth_it);
        let (mut waiting, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        waiting.wanted = 1;
    }

    /// Takes all writes that wait.
    pub fn take(&self) -> Vec<Write> {
        let mut waiting = self.waiting();
        waiting.is_short_of_room = false;
        std::mem::take(&mut waiting.writes)
    }

    /// The number of waiting writes.
    pub fn len(&self) -> usize {
        self.waiting().writes.len()
    }

    /// The most waiting writes.
    pub fn bound(&self) -> usize {
        self.bound
    }

    /// The most waiting writes with which this one is accepted.
    fn room_for(&self, write: &Write) -> usize {
        match write {
            Write::Open(..) => self.bound.div_ceil(2),
            Write::Create(..)
            | Write::Replace(..)
            | Write::Delete(..)
            | Write::Advance(..)
            | Write::Close(..)
            | Write::RecordOnce(..) => self.bound,
        }
    }

    pub fn close(&self) {
        self.waiting().is_closed = true;
        self.came.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::clock::Timestamp;
    use northgate_core::grant::{Grant, GrantId};
    use shuttle::thread;

    const NOW: Timestamp = Timestamp::from_millis(0);
    const GRANT: Grant = Grant { id: GrantId(1), generation: 0, refreshed_at: NOW, expires_at: NOW };

    fn login(queue: &Queue) -> bool {
        let application = AppNumber(1);
        let (close_others, not_before) = (None, None);
        let opening = Opening { application, grant: GRANT, at_most: 1, close_others, not_before, now: NOW };
        queue.push(Write::Open(opening, oneshot::channel().0)).is_ok()
    }

    fn refresh(queue: &Queue) -> bool {
        let step = Step { application: AppNumber(1), from: 0, to: GRANT };
        queue.push(Write::Advance(step, oneshot::channel().0)).is_ok()
    }

    fn delete(queue: &Queue) -> bool {
        queue.push(Write::Delete(AppNumber(1), None, oneshot::channel().0)).is_ok()
    }

    /// In tests the queue's locks are shuttle's, which work under it only.
    fn check(law: fn()) {
        shuttle::check_random(law, 1);
    }

    #[test]
    fn logins_leave_half_of_the_room_to_everything_else() {
        check(|| {
            let queue = Queue::new(5);
            let taken = std::iter::repeat_with(|| login(&queue)).take_while(|is_taken| *is_taken).count();
            assert_eq!(taken, 3);
            assert!(refresh(&queue) && !login(&queue) && delete(&queue));
            assert!(!refresh(&queue) && !delete(&queue) && !login(&queue));
            assert_eq!(queue.len(), queue.bound());
            assert_eq!(queue.take().len(), queue.bound());
            assert!(login(&queue));
        });
    }

    #[test]
    fn a_queue_for_one_takes_a_login() {
        check(|| assert!(login(&Queue::new(1))));
    }

    #[test]
    fn an_expected_batch_is_taken_together() {
        shuttle::check_random(
            || {
                let queue = Arc::new(Queue::new(8));
                let coming = Arc::clone(&queue);
                let expected_batch = thread::spawn(move || assert!((0..3).all(|_| refresh(&coming))));
                // Waiting in the model has no timeout.
                queue.await_batch(3);
                assert_eq!(queue.wait(Duration::MAX), Found::Writes);
                assert_eq!(queue.take().len(), 3);
                expected_batch.join().unwrap();
            },
            100,
        );
    }

    #[test]
    fn the_writer_awaits_no_rejected_writes() {
        shuttle::check_random(
            || {
                let queue = Arc::new(Queue::new(4));
                let coming = Arc::clone(&queue);
                // Two logins find room.
                let expected_batch = thread::spawn(move || {
                    (0..3).map(|_| login(&coming)).filter(|is_taken| *is_taken).count()
                });
                queue.await_batch(3);
                assert_eq!(queue.wait(Duration::MAX), Found::Writes);
                let taken = queue.take().len();
                assert_eq!(expected_batch.join().unwrap(), taken + queue.take().len());
            },
            100,
        );
    }

    #[test]
    fn a_stop_ends_the_wait_for_a_batch() {
        shuttle::check_random(
            || {
                let queue = Arc::new(Queue::new(8));
                let stopping = Arc::clone(&queue);
                let stop = thread::spawn(move || {
                    assert!(refresh(&stopping));
                    stopping.close();
                });
                queue.await_batch(3);
                assert_eq!(queue.wait(Duration::MAX), Found::Writes);
                assert_eq!(queue.take().len(), 1);
                assert_eq!(queue.wait(Duration::MAX), Found::Closed);
                stop.join().unwrap();
            },
            100,
        );
    }
}
