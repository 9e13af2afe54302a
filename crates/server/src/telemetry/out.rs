//! Raw standard error: a pipe, a file or a socket that may accept a part of a write, or nothing.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Pause after a full non-blocking descriptor.
const REST: Duration = Duration::from_millis(10);

/// Writes pieces of whole lines, and remembers where a line was cut.
pub(super) struct Out<W> {
    to: W,
    is_cut: bool,
}

impl<W: Write> Out<W> {
    pub fn new(to: W) -> Out<W> {
        Out { to, is_cut: false }
    }

    /// Returns the number of bytes taken of `piece`: all of them unless there was an error. After a cut line a new one begins.
    pub fn write(&mut self, piece: &[u8]) -> usize {
        if piece.is_empty() || (self.is_cut && self.push(b"\n") == 0) {
            return 0;
        }
        self.is_cut = false;
        let taken = self.push(piece);
        self.is_cut = piece[..taken].last().is_some_and(|last| *last != b'\n');
        taken
    }

    fn push(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            match self.to.write(&bytes[taken..]) {
                Ok(0) => break,
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Another holder of the descriptor made it non-blocking; a full one is waited for as any other.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(REST),
                Err(_) => break,
            }
        }
        taken
    }
}

/// The descriptor itself: `io::stderr` counts writes to a closed one as successful.
pub(super) fn standard_error() -> io::Result<Box<dyn Write + Send>> {
    if was_closed() {
        return Ok(Box::new(Closed));
    }
    Ok(Box::new(File::from(io::stderr().as_fd().try_clone_to_owned()?)))
}

/// Whether standard error is the stream to the journal that `JOURNAL_STREAM` names: its device and inode (systemd.exec(5)).
pub(super) fn is_journal(stream: &str) -> bool {
    let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
    let Ok(found) = file.and_then(|file| file.metadata()) else { return false };
    stream == format!("{}:{}", found.dev(), found.ino())
}

/// Whether the process was started without standard error. Rust's runtime then opens `/dev/null` there for reading and writing;
/// an operator's `2>/dev/null` opens it for writing only.
fn was_closed() -> bool {
    let is_null = fs::read_link("/proc/self/fd/2").is_ok_and(|file| file == Path::new("/dev/null"));
    let about = fs::read_to_string("/proc/self/fdinfo/2").unwrap_or_default();
    let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
    is_null && flags.is_some_and(|flags| flags.trim().ends_with('2'))
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
