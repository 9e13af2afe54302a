//! `northgate reload`: lets the running server take over a changed configuration.

use std::error::Error;

use clap::Args;
use hyper::Method;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use crate::http::admin::reload::{Difference, ReloadRequest, Reloaded};

#[derive(Args)]
pub struct Reload;

impl Reload {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let (answer, reloaded) = ask(flags, false).await?;
        if flags.form() == Form::Json {
            output::line(&answer);
            return Ok(());
        }
        print(&reloaded, "nothing changed");
        Ok(())
    }
}

/// Shows what a reload would change.
pub async fn diff(flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
    let (answer, reloaded) = ask(flags, true).await?;
    if flags.form() == Form::Json {
        output::line(&answer)
    } else {
        print(&reloaded, "a reload would change nothing")
    }
    Ok(())
}

async fn ask(flags: &GlobalFlags, dry_run: bool) -> Result<(String, Reloaded), Box<dyn Error>> {
    let body = serde_json::to_value(ReloadRequest { dry_run })?;
    let answer = flags.client()?.request_json(Method::POST, "/admin/v1/reload", &body).await?;
    let reloaded = serde_json::from_str(&answer)?;
    Ok((answer, reloaded))
}

fn print(reloaded: &Reloaded, nothing: &str) {
    let line = |difference: &Difference, note: &str| {
        let Difference { setting, from, to } = difference;
        output::line(&format!("{setting}: {from} -> {to}{note}"));
    };
    reloaded.changed.iter().for_each(|difference| line(difference, ""));
    reloaded.needs_restart.iter().for_each(|difference| line(difference, "  (needs a restart)"));
    if reloaded.changed.is_empty() && reloaded.needs_restart.is_empty() {
        output::line(nothing);
    }
}
