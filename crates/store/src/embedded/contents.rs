//! Detection of foreign writes: compares the database file with its state after the last checkpoint.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// SQLite's header: the format, the number of pages, and change counters.
const HEADER: usize = 100;

/// The state of the database file. Only checkpoints write to the file, one at a time.
pub(crate) struct Contents {
    file: File,
    /// `None` before the first checkpoint.
    noted: Mutex<Option<Noted>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Noted {
    times: Times,
    header: [u8; HEADER],
}

/// Attributes that change with every write: length, and seconds and nanoseconds of the last change.
type Times = (u64, i64, i64);

impl Contents {
    pub fn of(file: File) -> Contents {
        Contents { file, noted: Mutex::new(None) }
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// Runs a checkpoint after any other one. `None` where another program has written to the file: pages of two databases must
    /// not be mixed.
    pub fn write<T>(&self, checkpoint: impl FnOnce() -> T) -> Option<T> {
        self.write_holding(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner), checkpoint)
    }

    /// Runs a checkpoint unless one is under way.
    pub fn try_write(&self, checkpoint: impl FnOnce()) {
        if let Some(mut noted) = self.try_lock() {
            self.write_holding(&mut noted, checkpoint);
        }
    }

    /// Whether another program has written to the file; one `fstat` as long as it has not.
    pub fn are_foreign(&self) -> bool {
        self.try_lock().is_some_and(|mut noted| self.differ(&mut noted))
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Option<Noted>>> {
        match self.noted.try_lock() {
            Ok(noted) => Some(noted),
            Err(TryLockError::Poisoned(noted)) => Some(noted.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn write_holding<T>(&self, noted: &mut Option<Noted>, checkpoint: impl FnOnce() -> T) -> Option<T> {
        if self.differ(noted) {
            return None;
        }
        let done = checkpoint();
        *noted = self.note().ok();
        Some(done)
    }

    /// Times alone may change without a write, on network file systems and by hand, so that the header decides.
    fn differ(&self, noted: &mut Option<Noted>) -> bool {
        let Some(before) = *noted else { return false };
        if self.times().is_ok_and(|times| times == before.times) {
            return false;
        }
        match self.note() {
            Ok(now) if now.header == before.header => *noted = Some(now),
            Ok(_) | Err(_) => return true,
        }
        false
    }

    fn note(&self) -> io::Result<Noted> {
        let mut header = [0; HEADER];
        let times = self.times()?;
        self.file.read_exact_at(&mut header, 0)?;
        Ok(Noted { times, header })
    }

    fn times(&self) -> io::Result<Times> {
        let found = self.file.metadata()?;
        Ok((found.len(), found.mtime(), found.mtime_nsec()))
    }
}
