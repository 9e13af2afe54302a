//! `northgate migrate`: migrates the shared database to this version, beside running nodes.

use std::error::Error;

use clap::Args;
use northgate_store::postgres;

use super::global_flags::{DatabaseUrl, GlobalFlags};
use super::output;

#[derive(Args)]
pub struct Migrate {
    #[command(flatten)]
    database: DatabaseUrl,
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
        let (from, to) = (postgres::migrate(&database.resolve()?).await?, postgres::VERSION);
        output::line(&match from {
            0 => format!("the database was set up: format {to}"),
            from if from == to => format!("the database has format {to} already; nothing was changed"),
            from if from > to => {
                format!(
                    "the database has the newer format {from}, which works with this version; nothing was changed"
                )
            }
            from => format!("the database was brought from format {from} to format {to}"),
        });
        Ok(())
    }
}
