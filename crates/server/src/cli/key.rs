//! `northgate key`: the keys that authenticate tokens.

use std::error::Error;

use clap::{Args, Subcommand};
use hyper::Method;

use super::output;
use super::place::Place;
use crate::http::admin::answer::Keys;

#[derive(Args)]
pub struct Key {
    /// Print the server's answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the keys, never their bytes
    List,
    /// Make a new key for new tokens; the key before stays good until its last token has expired
    Rotate,
}

impl Key {
    pub async fn run(self, place: &Place) -> Result<(), Box<dyn Error>> {
        let client = place.client()?;
        let answer = match self.command {
            Command::List => client.ask(Method::GET, "/admin/keys").await?,
            Command::Rotate => client.ask(Method::POST, "/admin/keys/rotate").await?,
        };
        if self.json {
            output::line(&answer);
            return Ok(());
        }
        let Keys { keys } = serde_json::from_str(&answer)?;
        let rows: Vec<Vec<String>> = keys
            .into_iter()
            .map(|key| {
                let state = match (&key.retire_at, key.is_retired) {
                    (None, _) => "current",
                    (Some(_), false) => "retiring",
                    (Some(_), true) => "retired",
                };
                vec![
                    key.id.to_string(),
                    state.to_owned(),
                    key.created_at,
                    key.retire_at.unwrap_or("-".into()),
                ]
            })
            .collect();
        output::table(&["KEY", "STATE", "CREATED", "RETIRES"], &rows, "no keys");
        Ok(())
    }
}
