//! `northgate keyring-key`: the key that seals the keyring in a shared database.

use std::error::Error;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;

use super::global_flags::GlobalFlags;
use super::{output, ownership};
use crate::keys::keyring_key;

#[derive(Args)]
pub struct KeyringKey {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create the key file, to be copied to all nodes before the first of them starts
    Create,
}

impl KeyringKey {
    pub fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Create => {
                let (config, _) = flags.resolve(Vec::new())?;
                make_parent(&config.keyring_key)?;
                let key = keyring_key::KeyringKey::create(&config.keyring_key)?;
                let members = json!({ "file": key.path() });
                output::done(flags.form(), &members, &format!("{} was made", key.path().display()));
                output::remark(
                    "Copy it to every node, and keep a backup of it apart from the database's: if it is lost, all tokens \
                     and all allocated secrets are lost with it.",
                );
                ownership::remark_about(key.path());
                Ok(())
            }
        }
    }
}

/// Creates the directory of the file.
pub fn make_parent(file: &Path) -> Result<(), io::Error> {
    match file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => DirBuilder::new().recursive(true).mode(0o700).create(parent),
        None => Ok(()),
    }
}
