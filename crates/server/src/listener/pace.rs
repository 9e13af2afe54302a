//! Time limits of a connection: for a request head, between requests, and while the client takes an answer.

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

/// How long an idle connection that makes room may take to say so to its client.
const IDLE_CLOSES_IN: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A head has begun, or the connection is new: `header_time`.
    Head = 0,
    /// A request is being answered: the handlers have their own limits.
    Request = 1,
    /// An answer is on its way out, or nothing is: `idle_time`.
    Idle = 2,
}

/// The phase, shared by the bytes below HTTP, the requests above it, and the table of connections, which closes idle ones.
#[derive(Debug)]
pub(super) struct Pace {
    phase: AtomicU8,
    began: Instant,
    /// When the connection was accepted or its last request ended, in nanoseconds since `began`.
    active_ns: AtomicU64,
    is_closed: AtomicBool,
    closing: Notify,
}

impl Pace {
    /// The pace of a new connection; times of activity are counted from `began`.
    pub fn new(began: Instant) -> Pace {
        let active_ns = AtomicU64::new(began.elapsed().as_nanos() as u64);
        let phase = AtomicU8::new(Phase::Head as u8);
        Pace { phase, began, active_ns, is_closed: AtomicBool::new(false), closing: Notify::new() }
    }

    /// Since when it waits for its client, for the order among connections; `None` while a request is served, and once it closes.
    pub fn idle_since(&self) -> Option<u64> {
        let is_idle = !self.is_serving() && !self.is_closed();
        is_idle.then(|| self.active_ns.load(Ordering::Relaxed))
    }

    /// Whether a request is being served.
    pub fn is_serving(&self) -> bool {
        self.phase() == Phase::Request
    }

    /// How long the connection may take to close in its present phase: what has no request yet is dropped at once.
    pub fn closing_time(&self, stop_time: Duration) -> Duration {
        if !self.is_closed() {
            return stop_time;
        }
        match self.phase() {
            Phase::Request => stop_time,
            Phase::Idle => IDLE_CLOSES_IN,
            Phase::Head => Duration::ZERO,
        }
    }

    /// Asks the connection to close; a request that begins at this moment is served before.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.closing.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Resolves when the connection is to close.
    pub async fn closed(&self) {
        while !self.is_closed() {
            self.closing.notified().await;
        }
    }

    pub fn request_begins(&self) {
        self.enter(Phase::Request);
    }

    pub fn request_ends(&self) {
        self.active_ns.store(self.began.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.enter(Phase::Idle);
    }

    fn enter(&self, phase: Phase) {
        // One task writes it, and the table of connections only guesses by it, so no order between threads is needed.
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Request,
            _ => Phase::Idle,
        }
    }
}

/// A stream whose waiting ends in an error once the client has kept us too long.
pub(super) struct Paced<IO> {
    io: IO,
    pace: Arc<Pace>,
    header_time: Duration,
    idle_time: Duration,
    seen: Phase,
    /// Since when it keeps us waiting in this phase; nothing before it does. So the clock is asked only then.
    since: Option<Instant>,
    /// Set once and moved only when it rings too early or would ring too late: a request costs no timer.
    alarm: Pin<Box<Sleep>>,
}

impl<IO> Paced<IO> {
    pub fn new(io: IO, pace: Arc<Pace>, limits: &Limits) -> Paced<IO> {
        let alarm = Box::pin(tokio::time::sleep(limits.header_time));
        let (header_time, idle_time) = (limits.header_time, limits.idle_time);
        Paced { io, pace, header_time, idle_time, seen: Phase::Head, since: Some(Instant::now()), alarm }
    }

    /// Nothing can be read or written now: wait, until the time for it is over.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let phase = self.pace.phase();
        if phase != self.seen {
            self.seen = phase;
            self.since = None;
        }
        let time = match phase {
            Phase::Request => return Poll::Pending,
            Phase::Head => self.header_time,
            Phase::Idle => self.idle_time,
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
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client kept us waiting too long")))
    }

    /// A client that takes a long answer in pieces is not idle.
    fn progress(&mut self) {
        if self.seen == Phase::Idle {
            self.since = None;
        }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Paced<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Pending => self.wait(cx),
            Poll::Ready(result) => {
                if buffer.filled().len() > before && self.pace.phase() == Phase::Idle {
                    self.pace.enter(Phase::Head);
                    self.seen = Phase::Head;
                    self.since = None;
                }
                Poll::Ready(result)
            }
        }
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Paced<IO> {
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
