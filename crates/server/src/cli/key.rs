//! `northgate key`: the keys that authenticate tokens.

use std::error::Error;

use clap::{Args, Subcommand};
use hyper::Method;

use super::global_flags::GlobalFlags;
use super::output::{self, Form};
use crate::http::admin::answer::Keys;

#[derive(Args)]
pub struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the keys, never their bytes
    List,
    /// Add a new key for new tokens, used after all nodes and gateways have learned it; the previous key stays valid until its
    /// last token has expired
    Rotate {
        /// Use the new key now, because the previous one has leaked
        #[arg(long)]
        at_once: bool,
    },
}

impl Key {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let client = flags.client()?;
        let answer = match self.command {
            Command::List => client.request(Method::GET, "/admin/v1/keys").await?,
            Command::Rotate { at_once } => {
                let rotation = serde_json::json!({ "atOnce": at_once });
                client.request_json(Method::POST, "/admin/v1/keys/rotate", &rotation).await?
            }
        };
        if flags.form() == Form::Json {
            output::line(&answer);
            return Ok(());
        }
        let Keys { keys } = serde_json::from_str(&answer)?;
        let rows: Vec<Vec<String>> = keys
            .into_iter()
            .map(|key| {
                let state = key.state.as_str().to_owned();
                let retire_at = key.retire_at.unwrap_or("-".into());
                vec![key.id.to_string(), state, key.created_at, key.use_from, retire_at]
            })
            .collect();
        output::table(&["KEY", "STATE", "CREATED", "USED FROM", "RETIRES"], &rows, "no keys");
        Ok(())
    }
}
