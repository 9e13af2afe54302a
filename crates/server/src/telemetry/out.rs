//! Standard error as it is: a pipe, a file or a socket that may take less than it is given, or nothing.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// How long a descriptor that does not block, and is full, is left alone.
const REST: Duration = Duration::from_millis(10);

/// Writes pieces of whole lines, and knows where a line was cut.
pub(super) struct Out<W> {
    to: W,
    is_cut: bool,
}

impl<W: Write> Out<W> {
    pub fn new(to: W) -> Out<W> {
        Out { to, is_cut: false }
    }

    /// Returns how much of `piece` was taken, which is all of it unless there was an error. After a line that was cut a new
    /// one begins.
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
                // Whoever has the descriptor beside us made it so; a full one is waited for as any other.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(REST),
                Err(_) => break,
            }
        }
        taken
    }
}

/// The descriptor itself: `io::stderr` takes what goes to a closed one for written.
pub(super) fn standard_error() -> io::Result<Box<dyn Write + Send>> {
    if was_closed() {
        return Ok(Box::new(Closed));
    }
    Ok(Box::new(File::from(io::stderr().as_fd().try_clone_to_owned()?)))
}

/// Whether the process was started without a standard error. The runtime of Rust then puts `/dev/null` there, open for
/// reading and writing; whoever discards the log with `2>/dev/null` opens it for writing only.
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
