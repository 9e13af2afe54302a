use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Kind, Lines, Lost, WAITING_BYTES};

/// A bound far above what the thread needs.
const PATIENCE: Duration = Duration::from_secs(60);

const ENOSPC: i32 = 28;

/// The result of one call of `write`.
enum Call {
    Takes(usize),
    Fails(i32),
    WouldBlock,
}

/// A descriptor with scripted results, which then accepts everything.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    calls: VecDeque<Call>,
    taken: Vec<u8>,
    /// Whether a call came after the scripted ones.
    is_over: bool,
}

impl Told {
    fn to(calls: impl IntoIterator<Item = Call>) -> Told {
        Told(Arc::new(Mutex::new(Script { calls: calls.into_iter().collect(), ..Script::default() })))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().taken.clone()).unwrap()
    }

    fn is_over(&self) -> bool {
        self.0.lock().unwrap().is_over
    }
}

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut script = self.0.lock().unwrap();
        let count = match script.calls.pop_front() {
            None => {
                script.is_over = true;
                bytes.len()
            }
            Some(Call::Takes(count)) => count.min(bytes.len()),
            Some(Call::Fails(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(Call::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        };
        script.taken.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn notice(lost: Lost) -> Vec<u8> {
    format!("lost {} {} {}\n", lost.audit, lost.request, lost.other).into_bytes()
}

/// The output after three lines that are written as one piece, with the line about the loss.
fn arrives(calls: impl IntoIterator<Item = Call>) -> (String, Lost) {
    let (lines, told) = (Arc::new(Lines::default()), Told::to(calls));
    lines.add(b"one\n", Kind::Request);
    lines.add(b"two\n", Kind::Audit);
    lines.add(b"three\n", Kind::Other);
    lines.write_to(told.clone(), notice).unwrap();
    // Not earlier: after `finish` the thread makes one attempt, and this one would meet the rest of the scripted failures.
    while !told.is_over() {
        std::thread::yield_now();
    }
    lines.finish(PATIENCE);
    (told.text(), lines.lost())
}

// Regression: the log's disk was full. Thousands of lines were gone, audit lines too, and the counter stood at 0.
#[test]
fn lines_that_are_not_taken_are_counted_by_kind_and_told_when_lines_are_taken_again() {
    let (text, lost) = arrives([Call::Fails(ENOSPC)]);
    assert_eq!(lost, Lost { audit: 1, request: 1, other: 1 });
    assert_eq!(text, "lost 1 1 1\n");
}

#[test]
fn a_line_that_was_cut_is_lost_and_the_next_one_begins_anew() {
    let (text, lost) = arrives([Call::Takes(5), Call::Fails(ENOSPC), Call::Fails(ENOSPC)]);
    assert_eq!(lost, Lost { audit: 1, request: 0, other: 1 });
    assert_eq!(text, "one\nt\nlost 1 0 1\n");
}

#[test]
fn short_writes_and_a_descriptor_that_does_not_block_lose_nothing() {
    let calls = [Call::Takes(1), Call::WouldBlock, Call::WouldBlock, Call::Takes(6), Call::Fails(4)];
    let (text, lost) = arrives(calls);
    assert_eq!((text.as_str(), lost), ("one\ntwo\nthree\n", Lost::default()));
}

/// A reader that reads nothing until the test drops the other end.
struct Stuck(Receiver<()>);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_reads_nothing_stops_nobody_and_the_loss_is_counted() {
    let (hold, held) = channel();
    let lines = Arc::new(Lines::default());
    lines.write_to(Stuck(held), notice).unwrap();
    let line = [b'x'; 1024];
    // The bytes of one write, those that wait, and more.
    for _ in 0..=2 * WAITING_BYTES / line.len() {
        lines.add(&line, Kind::Audit);
    }
    assert!(lines.lost().audit > 0);
    drop(hold);
    lines.finish(PATIENCE);
}

// Regression: with a full pipe the process waited for its log for ever, and no signal ended it.
#[test]
fn the_end_does_not_wait_for_a_reader_that_reads_nothing() {
    let (_hold, held) = channel();
    let lines = Arc::new(Lines::default());
    lines.write_to(Stuck(held), notice).unwrap();
    lines.add(b"a line\n", Kind::Other);
    lines.finish(Duration::from_millis(1));
}
