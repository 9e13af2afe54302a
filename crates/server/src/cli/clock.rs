//! `northgate clock`: stored times that lie far ahead of the server's clock.

use std::error::Error;

use clap::{Args, Subcommand};
use hyper::Method;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use crate::http::admin::clock::{AheadLine, ClockReport};

#[derive(Args)]
pub struct Clock {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the stored times that lie far ahead: a clock was wrong when they were written, or is behind now
    Check,
    /// Correct them, after the clock is right again
    Repair {
        /// Confirm: the server's clock is right now
        #[arg(long)]
        yes: bool,
    },
}

impl Clock {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let client = flags.client()?;
        let is_repair = matches!(self.command, Command::Repair { .. });
        let answer = match self.command {
            Command::Check => client.request(Method::GET, "/admin/v1/clock").await?,
            Command::Repair { yes: true } => client.request(Method::POST, "/admin/v1/clock/repair").await?,
            Command::Repair { yes: false } => {
                let report: ClockReport =
                    serde_json::from_str(&client.request(Method::GET, "/admin/v1/clock").await?)?;
                return Err(format!(
                    "the server's clock says {}: where that is right, repeat it with --yes; by a clock that is behind, revoked \
                     tokens would become good again",
                    report.now
                )
                .into());
            }
        };
        if flags.form() == Form::Json {
            output::line(&answer);
            return Ok(());
        }
        let report: ClockReport = serde_json::from_str(&answer)?;
        if is_repair {
            output::remark(&format!("{} set right.", report.set_right));
        }
        show(&report);
        Ok(())
    }
}

fn show(report: &ClockReport) {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row =
        |line: &AheadLine| vec![line.what.clone(), or_none(&line.app_id), or_none(&line.id), line.at.clone()];
    let rows: Vec<Vec<String>> = report.ahead.iter().map(row).collect();
    let none = format!("nothing lies more than {} s ahead of {}", report.tolerance_s, report.now);
    output::table(&["WHAT", "APPID", "ID", "AT"], &rows, &none);
    if report.total > report.ahead.len() {
        output::remark(&format!("{} more.", report.total - report.ahead.len()));
    }
    if report.ahead.iter().any(|line| line.what == "key") {
        output::remark("`northgate key rotate` makes a key that is used in its time.");
    }
}
