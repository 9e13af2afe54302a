//! Export file: a whole installation as JSON lines, to move it from one store to another.
//!
//! The first line names the format and holds the keyring. The last line holds the totals and the SHA-256 of all lines before it,
//! so that a torn or changed file is detected.

pub mod line;
mod policy;
mod read;
mod write;

use std::io;
use std::path::PathBuf;

use crate::private_file::PrivateFileError;

pub use read::{Next, Reader};
pub use write::Writer;

/// The version of the format that this program writes, and the newest that it reads.
const VERSION: u32 = 3;

/// The longest line. An application with all possible revocations takes less, 64 bytes each.
const LONGEST_LINE: u64 = 256 << 20;

/// Reason why a file is not an installation, or was not imported.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("could not write {}", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Private(#[from] PrivateFileError),
    #[error("{} is no file of `northgate export`", .0.display())]
    Foreign(PathBuf),
    #[error("{} was written by a newer Northgate (format {found}, this one knows up to {VERSION}): use that version", path.display())]
    Newer { path: PathBuf, found: u32 },
    #[error("{} is incomplete: export again", .0.display())]
    Torn(PathBuf),
    #[error("{} was changed or damaged after it was written: its digest does not match", .0.display())]
    Changed(PathBuf),
    #[error("line {line} of {} cannot be used: {reason}", path.display())]
    Line { path: PathBuf, line: u64, reason: String },
}
