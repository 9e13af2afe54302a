//! `northgate config`: checks the configuration, and everything else that would stop a start.

use std::error::Error;

use clap::{Args, Subcommand};
use serde_json::json;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use super::reload;
use crate::config;
use crate::preflight;
use crate::telemetry::with_causes;

#[derive(Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print every setting with its origin, and everything that would stop a start
    Check {
        /// Print what a reload of the running server would change, in place of the above
        #[arg(long)]
        diff: bool,
    },
}

impl Config {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        match self.command {
            Command::Check { diff: true } => reload::diff(flags).await,
            Command::Check { diff: false } => {
                let found = Found::of(flags);
                match flags.form() {
                    Form::Json => found.print_json(),
                    Form::Text => found.print(),
                }
                found.result(flags.form())
            }
        }
    }
}

/// What the check found.
struct Found {
    settings: String,
    errors: Vec<String>,
    warnings: Vec<String>,
}

impl Found {
    fn of(flags: &GlobalFlags) -> Found {
        match config::Config::check(flags.sources(Vec::new())) {
            Ok(config) => Found {
                settings: config.describe(),
                errors: preflight::faults(&config),
                warnings: config.warnings,
            },
            Err(faults) => {
                let errors = faults.all.iter().map(|error| with_causes(error)).collect();
                Found { settings: String::new(), errors, warnings: Vec::new() }
            }
        }
    }

    fn print(&self) {
        if !self.settings.is_empty() {
            output::line(self.settings.trim_end());
        }
        self.warnings.iter().for_each(|warning| output::remark(&format!("warning: {warning}")));
    }

    fn print_json(&self) {
        let settings: Vec<&str> = self.settings.lines().collect();
        let found = json!({ "errors": self.errors, "warnings": self.warnings, "settings": settings });
        output::line(&found.to_string());
    }

    /// The errors one by one, the last of them as that of the command.
    fn result(self, form: Form) -> Result<(), Box<dyn Error>> {
        let Some((last, others)) = self.errors.split_last() else { return Ok(()) };
        if form == Form::Text {
            others.iter().for_each(|error| output::remark(&format!("error: {error}")));
        }
        Err(last.clone().into())
    }
}
