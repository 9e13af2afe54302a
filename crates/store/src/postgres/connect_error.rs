//! Connection errors, in sentences with a remedy.

use super::connect::DatabaseError;
use super::schema::VERSION;

/// Reason why a node cannot work with the database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "the database cannot be reached or refuses the connection: check database.url (%25 stands for a % in its password), and \
         that the server runs"
    )]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error(
        "the database is behind a connection pooler that gives each transaction or statement to another connection: set \
         pool_mode = session for this database in PgBouncer, or connect to PostgreSQL itself"
    )]
    Pooled,
    #[error(
        "the database has no connection left for this node beside its first, and {wanted} are wanted: raise the role's \
         CONNECTION LIMIT or max_connections, or lower database.writers and database.login_writers"
    )]
    TooFewConnections {
        wanted: usize,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the database has the encoding {found}: Northgate needs UTF8. Create one with `CREATE DATABASE northgate OWNER northgate \
         ENCODING 'UTF8' TEMPLATE template0`"
    )]
    Encoding { found: String },
    #[error("the database server is too old (version number {found}): PostgreSQL 13 or newer is needed")]
    TooOld { found: String },
    #[error("the database is not set up for Northgate: run `northgate migrate` once")]
    NotMigrated,
    #[error(
        "the database is of an older version (format {found}, this one needs {VERSION}): run `northgate migrate`, beside the nodes that run"
    )]
    Older { found: i32 },
    #[error(
        "the database was migrated by a newer Northgate (format {found}, this one knows up to {VERSION}): use that version"
    )]
    Newer { found: i32 },
    #[error(
        "the database has tables of another program in the same schema: give Northgate a database of its own"
    )]
    Foreign,
    #[error("the database has no Citus: run `CREATE EXTENSION citus` on the coordinator, and connect to it")]
    NoCitus,
    #[error("the database failed to execute the statement")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<DatabaseError> for ConnectError {
    fn from(error: DatabaseError) -> ConnectError {
        match error {
            DatabaseError::Pooled => ConnectError::Pooled,
            DatabaseError::Refused(_) | DatabaseError::Damaged | DatabaseError::DamagedRow { .. } => {
                ConnectError::Refused(Box::new(error))
            }
            DatabaseError::Unreachable(said) => ConnectError::Unreachable(Box::new(said)),
            DatabaseError::Silent(_)
            | DatabaseError::ReadOnly
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::OtherServer
            | DatabaseError::NoServer(_)
            | DatabaseError::NoConnection(_)
            | DatabaseError::NoRoom(_) => ConnectError::Unreachable(Box::new(error)),
        }
    }
}
