//! Distribution of the tables over the machines of a Citus cluster.

use tokio_postgres::Client;

use super::ConnectError;
use super::connect::{DatabaseError, connect_once};
use super::settings::PostgresSettings;

/// Tables that grow with the grants. All rows of an application are on one machine, and those of the three tables on the same.
pub(crate) const DISTRIBUTED: [&str; 3] = ["grants", "revocations", "spent"];
/// Tables with a copy on each machine. The first is what the others are joined with.
pub(crate) const REFERENCE: [&str; 6] =
    ["applications", "secrets", "removed", "keyring", "forgotten", "northgate_schema"];

/// Distributes the tables of a migrated database; returns how many were not distributed before. May be repeated.
pub async fn distribute_citus(settings: &PostgresSettings) -> Result<usize, ConnectError> {
    let client = connect_once(settings).await?;
    let has = "SELECT to_regproc('create_distributed_table') IS NOT NULL";
    let has: bool = client.query_one(has, &[]).await.map_err(DatabaseError::from)?.get(0);
    if !has {
        return Err(ConnectError::NoCitus);
    }
    let reference = REFERENCE.map(|table| (table, format!("SELECT create_reference_table('{table}')")));
    let distributed = DISTRIBUTED.map(|table| {
        let with = if table == DISTRIBUTED[0] { "default" } else { DISTRIBUTED[0] };
        let create =
            format!("SELECT create_distributed_table('{table}', 'application', colocate_with => '{with}')");
        (table, create)
    });
    let mut changed = 0;
    for (table, statement) in reference.into_iter().chain(distributed) {
        if !is_distributed(&client, table).await? {
            client.batch_execute(&statement).await.map_err(DatabaseError::from)?;
            changed += 1;
        }
    }
    Ok(changed)
}

async fn is_distributed(client: &Client, table: &str) -> Result<bool, DatabaseError> {
    let query = "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = $1::text::regclass)";
    Ok(client.query_one(query, &[&table]).await?.try_get(0)?)
}
