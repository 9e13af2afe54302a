//! Confirmation that a read was of the present: a commit after it, with a WAL record of its own.
//!
//! A primary that its standby has left still reads, from rows of the time before the promotion. A commit waits for the synchronous
//! standby, so that one that succeeds shows that no other server had been promoted when the read was executed. Without a
//! synchronous standby it costs one flush of the WAL and shows nothing: there, the tool that promotes fences the former primary.

use tokio_postgres::{Client, Statement};

use super::connect::DatabaseError;

/// `None` on engines that do not have the function.
pub(crate) struct Statements(Option<Statement>);

/// A record that readers of the WAL ignore; it makes the commit wait like that of a write.
const CONFIRM: &str = "SELECT pg_logical_emit_message(true, 'northgate', ''::text)";

impl Statements {
    pub async fn prepare(client: &Client) -> Result<Statements, DatabaseError> {
        match client.prepare(CONFIRM).await {
            Ok(statement) => Ok(Statements(Some(statement))),
            // No such function, no such statement, or no privilege for it.
            Err(error) if error.code().is_some_and(|code| IS_MISSING.contains(&code.code())) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "reads cannot be confirmed");
                Ok(Statements(None))
            }
            Err(error) => Err(error.into()),
        }
    }
}

const IS_MISSING: [&str; 4] = ["42883", "42601", "0A000", "42501"];

/// Commits a record. Pipelined behind a read on the same session, it confirms that read.
pub(crate) async fn confirm(client: &Client, statements: &Statements) -> Result<(), DatabaseError> {
    if let Some(statement) = &statements.0 {
        client.execute(statement, &[]).await?;
    }
    Ok(())
}
