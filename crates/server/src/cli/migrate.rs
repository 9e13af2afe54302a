//! `northgate migrate`: migrates the shared database to this version, beside running nodes.

use std::error::Error;

use clap::{Args, ValueEnum};
use northgate_store::postgres;
use serde_json::json;

use super::global_flags::{DatabaseUrl, GlobalFlags};
use super::output;

#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseUrl,
    /// Distribute the tables over the machines of this engine; all others keep them on one
    #[arg(long, value_name = "ENGINE")]
    distribute: Option<Engine>,
}

/// Engines that need statements of their own to distribute tables.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    Citus,
}

impl Migrate {
    pub async fn run(self, flags: &GlobalFlags) -> Result<(), Box<dyn Error>> {
        let (config, _) = flags.resolve(self.database.setting())?;
        let Some(database) = &config.database else {
            return Err(
                "name the database to migrate with --database-url or database.url; the embedded store \
                        needs no migration, the server does it when it starts"
                    .into(),
            );
        };
        let settings = database.resolve()?;
        let (from, to) = (postgres::migrate(&settings).await?, postgres::VERSION);
        let sentence = match from {
            0 => format!("the database was set up: format {to}"),
            from if from == to => format!("the database has format {to} already; nothing was changed"),
            from if from > to => {
                format!(
                    "the database has the newer format {from}, which works with this version; nothing was changed"
                )
            }
            from => format!("the database was brought from format {from} to format {to}"),
        };
        output::done(flags.form(), &json!({ "from": from, "to": from.max(to) }), &sentence);
        match self.distribute {
            Some(Engine::Citus) => {
                let tables = postgres::distribute_citus(&settings).await?;
                let sentence = match tables {
                    0 => "all tables were distributed already; nothing was changed".to_owned(),
                    tables => format!("{tables} tables were distributed"),
                };
                output::done(flags.form(), &json!({ "distributed": tables }), &sentence);
            }
            None => {}
        }
        Ok(())
    }
}
