//! Lines on their way to standard error: gathered in memory, written by a thread of their own in large pieces.
//!
//! A request only copies its line. A reader who is too slow loses lines, which are counted; it stops nobody.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes that wait for a slow reader: some 20,000 lines. Beyond it lines are dropped and counted.
const WAITING_BYTES: usize = 4 << 20;

/// How long lines are gathered before they are written: a busy server writes a hundred pieces a second at most.
const GATHER: Duration = Duration::from_millis(10);

/// Where lines go.
#[derive(Default)]
pub struct Lines {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    is_closed: bool,
}

/// The thread that writes; dropping it writes out what waits.
pub(super) struct Writing {
    lines: Arc<Lines>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// Takes a line, which ends with its newline, or counts it as dropped.
    pub fn add(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.bytes.len() + line.len() > WAITING_BYTES {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if waiting.bytes.is_empty() {
            self.arrived.notify_one();
        }
        waiting.bytes.extend_from_slice(line);
    }

    /// Lines that were dropped since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes lines to `to` as they come, until they are closed.
    fn write(&self, mut to: impl Write) {
        let mut piece = Vec::new();
        loop {
            let is_idle = |waiting: &mut Waiting| waiting.bytes.is_empty() && !waiting.is_closed;
            let waited = self.arrived.wait_while(self.waiting(), is_idle);
            let mut waiting = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut waiting.bytes, &mut piece);
            let is_closed = waiting.is_closed;
            drop(waiting);
            // There is nobody left to tell when standard error is closed.
            let _ = to.write_all(&piece).and_then(|()| to.flush());
            piece.clear();
            if is_closed {
                return;
            }
            std::thread::sleep(GATHER);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writing {
    pub fn start(lines: Arc<Lines>, to: impl Write + Send + 'static) -> std::io::Result<Writing> {
        let written = Arc::clone(&lines);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || written.write(to))?;
        Ok(Writing { lines, thread: Some(thread) })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.lines.waiting().is_closed = true;
        self.lines.arrived.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, channel};

    /// A reader that reads nothing until the test lets go of the other end.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_reads_nothing_stops_nobody_and_the_loss_is_counted() {
        let (hold, held) = channel();
        let lines = Arc::new(Lines::default());
        let writing = Writing::start(Arc::clone(&lines), Stuck(held)).expect("a thread");
        let line = [b'x'; 1024];
        // What one write has taken along, what waits, and more.
        for _ in 0..=2 * WAITING_BYTES / line.len() {
            lines.add(&line);
        }
        assert!(lines.dropped() > 0);
        drop(hold);
        drop(writing);
    }
}
