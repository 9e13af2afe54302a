//! Timeouts of a connection: for a request head, between requests, and while the client reads an answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use crate::config::limits::Limits;

/// How long an evicted idle connection may take to notify its client.
const IDLE_CLOSES_IN: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No byte has come yet: `header_time`.
    New = 0,
    /// A head has begun: `header_time`.
    Head = 1,
    /// A request is being answered: the handlers have their own timeouts.
    Request = 2,
    /// An answer is being sent, or nothing happens: `idle_time`.
    Idle = 3,
    /// The same after an error answer: the client may still send a body that is not read.
    Refused = 4,
    /// The client has closed its side: `idle_time`.
    Ended = 5,
}

/// The phase of a connection, shared by the stream below HTTP, the requests above it, and the table of connections, which evicts
/// idle ones.
#[derive(Debug)]
pub struct Activity {
    phase: AtomicU8,
    began: Instant,
    /// The time of acceptance or of the end of the last request, in nanoseconds since `began`.
    active_ns: AtomicU64,
    is_closed: AtomicBool,
    closing: Notify,
    /// The client closed its side, or the connection broke, while a request was being answered.
    gone: Notify,
}

impl Activity {
    /// Resolves once the client of the request under way has closed its side.
    pub async fn peer_gone(&self) {
        self.gone.notified().await;
    }

    /// Whether the client may still send bytes that are not read: after a refused head, or after an error answer.
    pub(super) fn is_unread(&self) -> bool {
        matches!(self.phase(), Phase::Head | Phase::Refused)
    }

    /// The activity of a new connection; times of activity are counted from `began`.
    pub(crate) fn new(began: Instant) -> Activity {
        let active_ns = AtomicU64::new(began.elapsed().as_nanos() as u64);
        let phase = AtomicU8::new(Phase::New as u8);
        Activity {
            phase,
            began,
            active_ns,
            is_closed: AtomicBool::new(false),
            closing: Notify::new(),
            gone: Notify::new(),
        }
    }

    /// The time since which it is idle, for the order among connections; `None` while a request is served, and once it closes.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = !self.is_serving() && !self.is_closed();
        is_idle.then(|| self.active_ns.load(Ordering::Relaxed))
    }

    /// Whether a request is being served.
    pub(super) fn is_serving(&self) -> bool {
        self.phase() == Phase::Request
    }

    /// How long the connection may take to close in its present phase: without a request it is dropped at once.
    pub(super) fn closing_time(&self, stop_time: Duration) -> Duration {
        if !self.is_closed() {
            return stop_time;
        }
        match self.phase() {
            Phase::Request => stop_time,
            Phase::Idle | Phase::Refused | Phase::Ended => IDLE_CLOSES_IN,
            Phase::New | Phase::Head => Duration::ZERO,
        }
    }

    /// Asks the connection to close; a request that begins at this moment is served first.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.closing.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Resolves when the connection is to close.
    pub(super) async fn closed(&self) {
        while !self.is_closed() {
            self.closing.notified().await;
        }
    }

    pub(super) fn request_begins(&self) {
        self.enter(Phase::Request);
    }

    pub(super) fn request_ends(&self, is_error: bool) {
        self.active_ns.store(self.began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.enter(if is_error { Phase::Refused } else { Phase::Idle });
    }

    fn enter(&self, phase: Phase) {
        // One task writes it, and the table of connections only guesses by it, so that no ordering between threads is needed.
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::New,
            1 => Phase::Head,
            2 => Phase::Request,
            3 => Phase::Idle,
            4 => Phase::Refused,
            _ => Phase::Ended,
        }
    }
}

/// A stream with timeouts: reads and writes fail once the client has kept the server waiting too long.
pub(super) struct TimeoutStream<IO> {
    io: IO,
    activity: Arc<Activity>,
    header_time: Duration,
    idle_time: Duration,
    /// Whether the end of the client's side is hidden from hyper while its request is answered: hyper would drop the answer.
    hides_end: bool,
    seen: Phase,
    /// The time since which the client keeps the server waiting in this phase. The clock is read only when it does.
    since: Option<Instant>,
    /// Set once and moved only when it rings too early or would ring too late: a request costs no timer.
    alarm: Pin<Box<Sleep>>,
}

impl<IO> TimeoutStream<IO> {
    pub fn new(io: IO, activity: Arc<Activity>, limits: &Limits, hides_end: bool) -> TimeoutStream<IO> {
        TimeoutStream {
            io,
            activity,
            header_time: limits.header_time,
            idle_time: limits.idle_time,
            hides_end,
            seen: Phase::New,
            since: Some(Instant::now()),
            alarm: Box::pin(tokio::time::sleep(limits.header_time)),
        }
    }

    /// Waits for readiness, until the timeout.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let phase = self.activity.phase();
        if phase != self.seen {
            self.seen = phase;
            self.since = None;
        }
        let time = match phase {
            Phase::Request => return Poll::Pending,
            Phase::New | Phase::Head => self.header_time,
            Phase::Idle | Phase::Refused | Phase::Ended => self.idle_time,
        };
        let due = *self.since.get_or_insert_with(Instant::now) + time;
        if due < self.alarm.deadline() {
            self.alarm.as_mut().reset(due);
        }
        ready!(self.alarm.as_mut().poll(cx));
        if self.alarm.deadline() < due {
            self.alarm.as_mut().reset(due);
            ready!(self.alarm.as_mut().poll(cx));
        }
        // The client has closed: it has until `idle_time`.
        self.activity.enter(Phase::Ended);
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client kept us waiting too long")))
    }

    /// A client that reads a long answer in pieces is not idle.
    fn progress(&mut self) {
        if matches!(self.seen, Phase::Idle | Phase::Refused) {
            self.since = None;
        }
    }

    /// The inner stream.
    pub fn into_inner(self) -> IO {
        self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for TimeoutStream<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Poll::Ready(result) = Pin::new(&mut self.io).poll_read(cx, buffer) else { return self.wait(cx) };
        if result.is_err() || buffer.filled().len() == before {
            match self.activity.phase() {
                Phase::Request if self.hides_end => {
                    self.activity.gone.notify_one();
                    return Poll::Pending;
                }
                Phase::Request => {}
                Phase::New | Phase::Head | Phase::Idle | Phase::Refused | Phase::Ended => {
                    self.activity.enter(Phase::Ended);
                }
            }
            return Poll::Ready(result);
        }
        match self.activity.phase() {
            Phase::New => {
                self.activity.enter(Phase::Head);
                self.seen = Phase::Head;
            }
            Phase::Idle | Phase::Refused | Phase::Ended => {
                self.activity.enter(Phase::Head);
                self.seen = Phase::Head;
                self.since = None;
            }
            Phase::Head | Phase::Request => {}
        }
        Poll::Ready(result)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for TimeoutStream<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, bytes) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(result) => {
                self.progress();
                Poll::Ready(result)
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(result) => Poll::Ready(result),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_shutdown(cx) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(result) => Poll::Ready(result),
        }
    }
}
