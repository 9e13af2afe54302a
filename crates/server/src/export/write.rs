//! Writing the export file; it gets its name only when it is complete.

use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use northgate_core::application::AppNumber;
use northgate_core::high_water::Marks;
use northgate_core::keyring::KeyringRecord;
use northgate_store::export::{Counts, Holding};
use serde::Serialize;

use super::line::{ApplicationLine, End, Head, Line};
use super::{FileError, VERSION};
use crate::keys::keyring_file::document;
use crate::private_file::Draft;

const NOTE: &str = "All of a Northgate installation, keyring included: who reads this can make tokens. Remove it \
                    when it was imported.";

/// A file that is being written, mode 0600.
pub struct Writer {
    draft: Draft,
    path: PathBuf,
    sum: Context,
    counts: Counts,
}

impl Writer {
    pub fn begin(
        path: &Path,
        keyring: &KeyringRecord,
        last_number: AppNumber,
        forgotten: Marks,
    ) -> Result<Writer, FileError> {
        let draft =
            Draft::create(path).map_err(|cause| FileError::Unwritable { path: path.to_owned(), cause })?;
        let (sum, counts) = (Context::new(&SHA256), Counts::default());
        let mut writer = Writer { draft, path: path.to_owned(), sum, counts };
        writer.line(&Head {
            northgate: "export".to_owned(),
            version: VERSION,
            note: NOTE.to_owned(),
            last_number: last_number.0,
            forgotten_tokens: forgotten.tokens.as_millis(),
            forgotten_single_use: forgotten.single_use.as_millis(),
            keyring: document::format(keyring),
        })?;
        Ok(writer)
    }

    pub fn add(&mut self, holding: &Holding) -> Result<(), FileError> {
        self.counts.add(holding);
        self.line(&Line::Application(Box::new(ApplicationLine::of(holding))))
    }

    /// Publishes the file under its name. Returns its totals.
    pub fn finish(mut self) -> Result<Counts, FileError> {
        let sha256 = super::read::hex(self.sum.clone().finish().as_ref());
        self.line(&Line::End(End::new(self.counts, sha256)))?;
        self.draft.publish().map_err(|cause| FileError::Unwritable { path: self.path, cause })?;
        Ok(self.counts)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), FileError> {
        let unwritable = |cause| FileError::Unwritable { path: self.path.clone(), cause };
        let mut text = serde_json::to_vec(line).map_err(|error| unwritable(error.into()))?;
        text.push(b'\n');
        self.sum.update(&text);
        self.draft.write(&text).map_err(unwritable)
    }
}
