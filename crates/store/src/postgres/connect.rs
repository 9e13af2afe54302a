//! One connection to the database, with our settings on it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client};

use super::settings::PostgresSettings;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// Statements on a few keys each.
    Lane,
    /// Statements that may read whole tables.
    Whole,
}

/// Why the database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the database cannot be reached")]
    Unreachable(#[source] tokio_postgres::Error),
    #[error("the database did not do it")]
    Refused(#[from] tokio_postgres::Error),
    #[error("the database did not answer within {}s", .0.as_secs_f32())]
    Silent(Duration),
    #[error("a value of the database is damaged")]
    Damaged,
    #[error(
        "the row of table {table} with {key} is damaged: correct it, or restore the database from a backup"
    )]
    DamagedRow {
        table: &'static str,
        key: String,
        #[source]
        cause: Box<Trouble>,
    },
}

impl Trouble {
    /// Whether the connection is as good as before and the same may succeed at once: another transaction was in the way.
    pub fn is_a_lost_race(&self) -> bool {
        let Trouble::Refused(error) = self else { return false };
        let races = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
        ];
        error.code().is_some_and(|code| races.contains(code))
    }
}

impl PostgresSettings {
    /// How long an answer may take before the connection is given up: the database should have said so itself.
    pub(crate) fn silence(&self) -> Duration {
        self.statement_timeout + Duration::from_secs(1)
    }
}

/// A new connection. It is closed when the client is dropped. Notifications, if any, wake `notified`.
pub(crate) async fn connect(
    settings: &PostgresSettings,
    session: Session,
    notified: Option<Arc<Notify>>,
) -> Result<Client, Trouble> {
    // Each host may take its time, and then the settings.
    let limit = settings.connect_timeout * (settings.database.config.get_hosts().len() as u32 + 1);
    let made = timeout(limit, async {
        let mut config = settings.database.config.clone();
        config.connect_timeout(settings.connect_timeout).tcp_user_timeout(settings.silence());
        let connected = config.connect(settings.database.tls.clone()).await;
        let (client, mut connection) = connected.map_err(Trouble::Unreachable)?;
        tokio::spawn(async move {
            let mut messages = poll_fn(move |context| connection.poll_message(context));
            // After an error the connection must go, or whoever waits for it would wait on.
            while let Some(Ok(message)) = messages.next().await {
                if let (AsyncMessage::Notification(_), Some(notified)) = (message, &notified) {
                    notified.notify_one();
                }
            }
        });
        prepare(&client, settings, session).await?;
        Ok(client)
    });
    made.await.unwrap_or(Err(Trouble::Silent(limit)))
}

async fn prepare(client: &Client, settings: &PostgresSettings, session: Session) -> Result<(), Trouble> {
    let (statement, lock) = (settings.statement_timeout.as_millis(), settings.lock_timeout.as_millis());
    // Whoever hears an answer must find it after a crash, whatever the role's defaults are.
    let limits = format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {statement};
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    );
    client.batch_execute(&limits).await?;
    match session {
        Session::Lane => {
            // Each key of a batch is looked up in the order of the arrays, whatever the statistics say: a plan that
            // flips would read the whole table, and lock rows in another order than other nodes. Engines that do not
            // know these settings plan so anyway. A plan that has to do with what is off looks so dear that it would be
            // compiled each time.
            let plans = "SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";
            if let Err(error) = client.batch_execute(plans).await {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "the database has planner settings of its own"
                );
            }
        }
        Session::Whole => {}
    }
    Ok(())
}
