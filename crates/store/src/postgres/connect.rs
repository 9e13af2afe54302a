//! One database connection with our settings, and the identity of its server.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage, SimpleQueryRow, Statement};

pub(crate) use super::database_error::DatabaseError;
use super::server::{Server, ServerId};
use super::settings::PostgresSettings;
use super::url::Database;

/// The purpose of a connection, which decides about its query plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// Statements on a few keys each.
    BatchWorker,
    /// Statements that may read whole tables.
    Whole,
}

/// A connection with the identity of its server.
pub(crate) struct Connected {
    pub client: Client,
    pub host: usize,
    pub identity: Identity,
}

/// The identity of a server and of one connection to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub server: ServerId,
    /// The process that serves this connection, and no other one at the same time.
    pub backend: String,
    pub is_read_only: bool,
}

impl PostgresSettings {
    /// How long an answer may take before the connection is given up: the database's own timeouts come earlier.
    pub(crate) fn silence(&self) -> Duration {
        self.statement_timeout + Duration::from_secs(1)
    }
}

/// Prepares a statement that some engines do not have; `None` where the SQLSTATE is one of `missing`, and the log says what cannot be
/// done without it.
pub(crate) async fn prepare_where_supported(
    client: &Client,
    statement: &str,
    missing: &[&str],
    consequence: &str,
) -> Result<Option<Statement>, DatabaseError> {
    match client.prepare(statement).await {
        Ok(statement) => Ok(Some(statement)),
        Err(error) if error.code().is_some_and(|code| missing.contains(&code.code())) => {
            tracing::debug!(error = &error as &dyn Error, "{consequence}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A connection for a command, to the first host that takes writes.
pub(crate) async fn connect_once(settings: &PostgresSettings) -> Result<Client, DatabaseError> {
    Ok(connect(settings, &Server::default(), Session::Whole, Arc::default()).await?.client)
}

/// A new connection to the first host that takes writes, beginning with the one in use. It is closed when the client is dropped.
/// Notifications, and its end, wake `notified`.
pub(crate) async fn connect(
    settings: &PostgresSettings,
    server: &Server,
    session: Session,
    notified: Arc<Notify>,
) -> Result<Connected, DatabaseError> {
    let database = settings.database.current();
    let (count, first) = (database.hosts.len(), server.host());
    let mut failed = Vec::new();
    for host in (first..first + count).map(|host| host % count) {
        // To connect, and to prepare.
        let limit = 2 * settings.connect_timeout;
        let made =
            timeout(limit, connect_to(settings, &database, host, session, Arc::clone(&notified))).await;
        let made = made.unwrap_or(Err(DatabaseError::Silent(limit)));
        match made.and_then(|made| server.admit(&made.identity.server).map(|()| made)) {
            Ok(connected) => return Ok(connected),
            Err(error) => failed.push((name(&database.hosts[host]), error)),
        }
    }
    Err(DatabaseError::none_of(failed))
}

async fn connect_to(
    settings: &PostgresSettings,
    database: &Database,
    host: usize,
    session: Session,
    notified: Arc<Notify>,
) -> Result<Connected, DatabaseError> {
    let mut config = database.hosts[host].clone();
    config.connect_timeout(settings.connect_timeout).tcp_user_timeout(settings.silence());
    let (client, mut connection) =
        config.connect(database.tls.clone()).await.map_err(DatabaseError::connecting)?;
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        // After an error the connection must go, or its statements would wait on.
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(_) = message {
                notified.notify_one();
            }
        }
        notified.notify_one();
    });
    let identity = identify(&client).await?;
    prepare(&client, settings, session).await?;
    // Several transactions came between the two.
    if identify(&client).await?.backend != identity.backend {
        return Err(DatabaseError::Pooled);
    }
    Ok(Connected { client, host, identity })
}

/// Not a prepared statement: a pooler may have it on another connection. Any role may read all of it.
const IDENTIFY: &str = "
    SELECT pg_backend_pid(), current_setting('transaction_read_only'),
        (SELECT system_identifier FROM pg_control_system()),
        CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";
/// For engines that have no WAL of this kind.
const IDENTIFY_OTHERS: &str = "SELECT pg_backend_pid(), current_setting('transaction_read_only')";

/// Identifies the server that serves this connection at this moment.
pub(crate) async fn identify(client: &Client) -> Result<Identity, DatabaseError> {
    let answer = match client.simple_query(IDENTIFY).await {
        Err(error) if error.as_db_error().is_some() => client.simple_query(IDENTIFY_OTHERS).await?,
        answer => answer?,
    };
    let row = answer
        .iter()
        .find_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    let row = row.ok_or(DatabaseError::Damaged)?;
    let text = |column| if column < row.len() { row.get(column).map(ToOwned::to_owned) } else { None };
    Ok(Identity {
        server: ServerId { system: text(2), timeline: timeline(row) },
        backend: text(0).unwrap_or_default(),
        is_read_only: text(1).as_deref() == Some("on"),
    })
}

fn timeline(row: &SimpleQueryRow) -> Option<u32> {
    let text = if row.len() > 3 { row.get(3) } else { None };
    text.and_then(|hex| u32::from_str_radix(hex, 16).ok())
}

async fn prepare(
    client: &Client,
    settings: &PostgresSettings,
    session: Session,
) -> Result<(), DatabaseError> {
    let (statement, lock) = (settings.statement_timeout.as_millis(), settings.lock_timeout.as_millis());
    // Answered writes must survive a crash, whatever the role's defaults are.
    let limits = format!(
        "SET statement_timeout = {statement}; SET lock_timeout = {lock};
         SET idle_in_transaction_session_timeout = {statement};
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    );
    client.batch_execute(&limits).await?;
    match session {
        Session::BatchWorker => {
            // Each key of a batch is looked up in the order of the arrays, whatever the statistics say: a plan that flips would
            // read the whole table, and lock rows in another order than other nodes. Engines without these settings plan so
            // anyway. The planner gives a disabled plan a cost so high that it would be JIT-compiled each time.
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

fn name(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_hosts().first() {
        Some(Host::Tcp(name)) => format!("{name}:{port}"),
        Some(Host::Unix(directory)) => format!("{}:{port}", directory.display()),
        None => {
            config.get_hostaddrs().first().map_or_else(String::new, |address| format!("{address}:{port}"))
        }
    }
}
