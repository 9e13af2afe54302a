//! `northgate config`: checks the configuration and prints the settings in force.

use std::error::Error;

use clap::{Args, Subcommand};

use super::global_flags::GlobalFlags;
use super::output;

#[derive(Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every setting with its origin, or the first error
    Check,
}

impl Config {
    pub fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Check => {
                let (config, _) = flags.resolve(Vec::new())?;
                output::line(config.describe().trim_end());
                Ok(())
            }
        }
    }
}
