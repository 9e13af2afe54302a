//! `northgate config`: whether the configuration is good, and what it comes to.

use std::error::Error;

use clap::{Args, Subcommand};

use super::output;
use super::place::Place;

#[derive(Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every setting with where it comes from, or say what is wrong
    Check,
}

impl Config {
    pub fn run(self, place: &Place) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Check => {
                let (config, _) = place.resolve(Vec::new())?;
                output::line(config.describe().trim_end());
                Ok(())
            }
        }
    }
}
