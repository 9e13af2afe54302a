//! `northgate restore`: a backup in place of the database of a server that is stopped.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output;
use super::place::Place;

#[derive(Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
}

impl Restore {
    pub fn run(self, place: &Place) -> Result<(), Box<dyn Error>> {
        let (config, _) = place.resolve(Vec::new())?;
        restore(&config.data_dir, &self.file)?;
        output::line(&format!("{} was restored into {}", self.file.display(), config.data_dir.display()));
        if !config.keyring.try_exists()? {
            output::remark(&format!(
                "Put the keyring back, too: there is none at {}.",
                config.keyring.display()
            ));
        }
        Ok(())
    }
}

fn restore(_data_dir: &Path, _backup: &Path) -> Result<(), Box<dyn Error>> {
    Err("this build cannot restore yet".into())
}
