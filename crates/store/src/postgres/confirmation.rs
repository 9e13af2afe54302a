//! Confirmation that a read was of the present: a commit after it, with a WAL record of its own.
//!
//! A primary that its standby has left still reads, from rows of the time before the promotion. A commit waits for the synchronous
//! standby, so that one that succeeds shows that no other server had been promoted when the read was executed. Without a
//! synchronous standby it costs one flush of the WAL and shows nothing: there, the tool that promotes fences the former primary.

use tokio_postgres::{Client, Statement};

use super::connect::{DatabaseError, prepare_where_supported};

/// `None` on engines that do not have the function.
pub(crate) struct Statements(Option<Statement>);

/// A record that readers of the WAL ignore; it makes the commit wait like that of a write.
const CONFIRM: &str = "SELECT pg_logical_emit_message(true, 'northgate', ''::text)";

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        // No such function, no such statement, or no privilege for it.
        let missing = ["42883", "42601", "0A000", "42501"];
        let statement = prepare_where_supported(client, CONFIRM, &missing, "reads cannot be confirmed");
        Ok(Statements(statement.await?))
    }
}

/// Commits a record. Pipelined behind a read on the same session, it confirms that read.
pub(crate) async fn confirm(client: &Client, statements: &Statements) -> Result<(), DatabaseError> {
    if let Some(statement) = &statements.0 {
        client.execute(statement, &[]).await?;
    }
    Ok(())
}
