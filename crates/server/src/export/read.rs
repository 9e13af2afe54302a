//! Reading the file, line by line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::high_water::Marks;
use northgate_core::keyring::KeyringRecord;
use northgate_store::export::{Counts, Holding, Whole};

use super::line::{Head, Line, Mark};
use super::{FileError, LONGEST_LINE, VERSION};
use crate::keys::keyring_file::document;

/// A file that is being read. Its applications are valid only if its end is.
pub struct Reader {
    lines: Lines,
    sum: Context,
    counts: Counts,
    last_number: AppNumber,
    forgotten: Marks,
    keyring: KeyringRecord,
}

struct Lines {
    file: Box<dyn BufRead + Send>,
    path: PathBuf,
    /// The number of the last line.
    number: u64,
}

/// The next part of the file.
pub enum Next {
    Application(Box<Holding>),
    /// The end of a complete file.
    End(Whole),
}

impl Reader {
    pub fn open(path: &Path) -> Result<Reader, FileError> {
        let file =
            File::open(path).map_err(|cause| FileError::Unreadable { path: path.to_owned(), cause })?;
        Reader::of(path, BufReader::new(file))
    }

    /// Reads a file that is open; its path is for errors.
    pub fn of(path: &Path, file: impl BufRead + Send + 'static) -> Result<Reader, FileError> {
        let mut lines = Lines { file: Box::new(file), path: path.to_owned(), number: 0 };
        let first = lines.read()?;
        let foreign = || FileError::Foreign(path.to_owned());
        let mark: Mark = serde_json::from_slice(&first).map_err(|_| foreign())?;
        if mark.northgate != "export" {
            return Err(foreign());
        }
        if mark.version > VERSION {
            return Err(FileError::Newer { path: path.to_owned(), found: mark.version });
        }
        let head: Head = serde_json::from_slice(&first).map_err(|error| lines.malformed(&error))?;
        let keyring = document::parse(&head.keyring).map_err(|reason| lines.wrong(reason))?;
        let mut sum = Context::new(&SHA256);
        sum.update(&first);
        let last_number = AppNumber(head.last_number);
        let (tokens, single_use) = (head.forgotten_tokens, head.forgotten_single_use);
        let time = Timestamp::from_millis;
        let forgotten = Marks { tokens: time(tokens), single_use: time(single_use) };
        Ok(Reader { lines, sum, counts: Counts::default(), last_number, forgotten, keyring })
    }

    /// The keyring of the installation.
    pub fn keyring(&self) -> &KeyringRecord {
        &self.keyring
    }

    pub fn read(&mut self) -> Result<Next, FileError> {
        let text = self.lines.read()?;
        match serde_json::from_slice(&text).map_err(|error| self.lines.malformed(&error))? {
            Line::Application(line) => {
                self.sum.update(&text);
                let holding = line.holding().map_err(|reason| self.lines.wrong(reason))?;
                self.counts.add(&holding);
                Ok(Next::Application(Box::new(holding)))
            }
            Line::End(end) => {
                if end.sha256 != hex(self.sum.clone().finish().as_ref()) || end.counts() != self.counts {
                    return Err(FileError::Changed(self.lines.path.clone()));
                }
                let (last_number, forgotten) = (self.last_number, self.forgotten);
                Ok(Next::End(Whole { last_number, forgotten, counts: self.counts }))
            }
        }
    }
}

impl Lines {
    /// The next line with its line end; without one, the file is torn.
    fn read(&mut self) -> Result<Vec<u8>, FileError> {
        self.number += 1;
        let mut text = Vec::new();
        let read = (&mut self.file).take(LONGEST_LINE).read_until(b'\n', &mut text);
        read.map_err(|cause| FileError::Unreadable { path: self.path.clone(), cause })?;
        match text.last() {
            Some(b'\n') => Ok(text),
            Some(_) | None if self.number == 1 => Err(FileError::Foreign(self.path.clone())),
            Some(_) | None => Err(FileError::Torn(self.path.clone())),
        }
    }

    /// Without the parser's words, which may quote the file.
    fn malformed(&self, error: &serde_json::Error) -> FileError {
        self.wrong(format!("column {} is not as this version of Northgate writes it", error.column()))
    }

    fn wrong(&self, reason: String) -> FileError {
        FileError::Line { path: self.path.clone(), line: self.number, reason }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
