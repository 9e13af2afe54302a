//! `northgate restore`: replaces the database of a stopped server by a backup.

use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use northgate_store::embedded;
use serde_json::json;

use super::global_flags::GlobalFlags;
use super::{output, ownership};

#[derive(Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
}

impl Restore {
    pub fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let (config, _) = flags.resolve(Vec::new())?;
        if config.database.is_some() {
            return Err(
                "a shared database is restored by its own means; this is for the embedded store".into()
            );
        }
        let kept = embedded::restore(&config.data_dir, &self.file)?;
        let members = json!({ "file": self.file, "dataDir": config.data_dir, "kept": kept });
        let sentence = format!("{} was restored into {}", self.file.display(), config.data_dir.display());
        output::done(flags.form(), &members, &sentence);
        if let Some(kept) = kept {
            output::remark(&format!("The database that was there is now in {}.", kept.display()));
        }
        ownership::remark_about(&config.data_dir);
        if !config.keyring.try_exists()? {
            output::remark(&format!(
                "Put the keyring back, too: {} does not exist.",
                config.keyring.display()
            ));
        }
        Ok(())
    }
}
