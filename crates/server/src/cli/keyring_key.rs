//! `northgate keyring-key`: the key that seals the keyring in a shared database.

use std::error::Error;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;

use clap::{Args, Subcommand};

use super::output;
use super::place::Place;
use crate::keyring_key;

#[derive(Args)]
pub struct KeyringKey {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the key file, to be copied to all nodes before the first of them starts
    Create,
}

impl KeyringKey {
    pub fn run(self, place: &Place) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Create => {
                let (config, _) = place.resolve(Vec::new())?;
                if let Some(parent) = config.keyring_key.parent() {
                    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
                }
                let key = keyring_key::KeyringKey::create(&config.keyring_key)?;
                output::line(&format!("{} was made", key.path().display()));
                output::remark(
                    "Copy it to every node, and keep a backup of it apart from the database's: if it is lost, all tokens \
                     and all allocated secrets are lost with it.",
                );
                Ok(())
            }
        }
    }
}
