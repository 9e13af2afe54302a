//! Database errors: the cause, and what it means for the statement and for its connection.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::{DbError, Severity, SqlState};

/// Reason why a statement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("the database cannot be reached")]
    Unreachable(#[source] Said),
    #[error("database rejected the statement")]
    Refused(#[source] Said),
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
        cause: Box<DatabaseError>,
    },
    #[error(
        "the database server takes no writes: it is a standby, or default_transaction_read_only is on (SQLSTATE 25006)"
    )]
    ReadOnly,
    #[error(
        "the database server is on timeline {found}, and this node has worked on timeline {newest} of the same system: it is an \
         old primary. If it is to be the primary again, restart the nodes"
    )]
    OldPrimary { found: u32, newest: u32 },
    #[error("the connection is to another database server than the others of this node")]
    OtherServer,
    #[error(
        "a connection pooler gives each transaction to another connection: set pool_mode = session for this database in \
         PgBouncer, or connect to PostgreSQL itself"
    )]
    Pooled,
    #[error("no server takes writes: {}", listed(.0))]
    NoServer(Vec<(String, DatabaseError)>),
    #[error("no connection to the database is free")]
    NoConnection(#[source] Option<Arc<DatabaseError>>),
    #[error("the database has no connection left for the writes of this node")]
    NoRoom(#[source] Arc<DatabaseError>),
}

/// When the same statement may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// At once, on the same connection: it lost a race with another transaction.
    LostRace,
    /// Soon: the server restarts, fails over, or has no room at this moment.
    Passing,
    /// Only after an operator changes something, so that a retry is of no use.
    Lasting,
}

/// The error of the client library with its causes, or of the database with its SQLSTATE.
#[derive(Debug)]
pub(crate) struct Said(tokio_postgres::Error);

impl Error for Said {}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(error) = self.0.as_db_error() else {
            write!(f, "{}", self.0)?;
            let mut cause = self.0.source();
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
            return Ok(());
        };
        write!(f, "{} (SQLSTATE {}", error.message(), error.code().code())?;
        for (name, value) in
            [("table", error.table()), ("constraint", error.constraint()), ("in", error.where_())]
        {
            if let Some(value) = value {
                write!(f, ", {name} {}", value.lines().next().unwrap_or_default())?;
            }
        }
        f.write_str(")")
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> DatabaseError {
        // The session's prepared statement is missing, or exists already: a pooler shares connections.
        let pooled = [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT];
        let is_pooled = error.as_db_error().is_some_and(|error| {
            pooled.contains(error.code()) || error.message().contains("statement pooling mode")
        });
        if is_pooled { DatabaseError::Pooled } else { DatabaseError::Refused(Said(error)) }
    }
}

impl DatabaseError {
    /// The error of a failed connection attempt.
    pub fn connecting(error: tokio_postgres::Error) -> DatabaseError {
        let said = Said(error);
        // The client library has no other sign of it.
        if said.0.code().is_none() && said.to_string().contains("database does not allow writes") {
            return DatabaseError::ReadOnly;
        }
        DatabaseError::Unreachable(said)
    }

    /// The errors of all hosts.
    pub fn none_of(mut hosts: Vec<(String, DatabaseError)>) -> DatabaseError {
        match hosts.pop() {
            Some((_, error)) if hosts.is_empty() => error,
            Some(last) => {
                hosts.push(last);
                DatabaseError::NoServer(hosts)
            }
            None => DatabaseError::NoServer(hosts),
        }
    }

    pub fn outlook(&self) -> Outlook {
        match self {
            DatabaseError::Unreachable(said) | DatabaseError::Refused(said) => said.outlook(),
            DatabaseError::Silent(_) | DatabaseError::OtherServer => Outlook::Passing,
            DatabaseError::Damaged
            | DatabaseError::DamagedRow { .. }
            | DatabaseError::ReadOnly
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::Pooled
            | DatabaseError::NoRoom(_) => Outlook::Lasting,
            DatabaseError::NoServer(hosts) => {
                let is_lasting = hosts.iter().all(|(_, error)| error.outlook() == Outlook::Lasting);
                if is_lasting { Outlook::Lasting } else { Outlook::Passing }
            }
            DatabaseError::NoConnection(cause) => {
                cause.as_ref().map_or(Outlook::Passing, |cause| cause.outlook())
            }
        }
    }

    /// Whether one operation of a batch may be the cause, and the others may succeed without it.
    pub fn may_be_of_one(&self) -> bool {
        match self {
            DatabaseError::Refused(said) => said.0.code().is_none_or(|code| {
                let classes = ["22", "23", "38", "39", "42501", "44", "P0", "XX"];
                classes.iter().any(|class| code.code().starts_with(class))
            }),
            DatabaseError::Damaged | DatabaseError::DamagedRow { .. } => true,
            DatabaseError::Unreachable(_)
            | DatabaseError::Silent(_)
            | DatabaseError::ReadOnly
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::OtherServer
            | DatabaseError::Pooled
            | DatabaseError::NoServer(_)
            | DatabaseError::NoConnection(_)
            | DatabaseError::NoRoom(_) => false,
        }
    }

    /// Whether its connection stays usable, apart from a transaction that may be open on it.
    pub fn keeps_connection(&self) -> bool {
        match self {
            DatabaseError::Refused(said) => said.0.as_db_error().is_some_and(|error| {
                let is_error = error.parsed_severity() == Some(Severity::Error);
                // 0A000: a cached plan that does not fit a table any more.
                is_error
                    && !["08", "0A", "57P", "25006"]
                        .iter()
                        .any(|class| error.code().code().starts_with(class))
            }),
            DatabaseError::Unreachable(_)
            | DatabaseError::Silent(_)
            | DatabaseError::Damaged
            | DatabaseError::DamagedRow { .. }
            | DatabaseError::ReadOnly
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::OtherServer
            | DatabaseError::Pooled
            | DatabaseError::NoServer(_)
            | DatabaseError::NoConnection(_)
            | DatabaseError::NoRoom(_) => false,
        }
    }

    /// Whether the server has become read-only.
    pub fn is_read_only(&self) -> bool {
        matches!(self, DatabaseError::ReadOnly) || self.is_of(&[SqlState::READ_ONLY_SQL_TRANSACTION])
    }

    /// Whether the server, or the role, has no connection left.
    pub fn is_too_many_connections(&self) -> bool {
        let is_one = |error: &DatabaseError| error.is_of(&[SqlState::TOO_MANY_CONNECTIONS]);
        if let DatabaseError::NoServer(hosts) = self {
            hosts.iter().any(|(_, error)| is_one(error))
        } else {
            is_one(self)
        }
    }

    /// Whether the database can never execute such a statement: a feature that an engine lacks, a syntax error, an undefined table or
    /// function. A privilege is another matter, and granted while nodes run.
    pub fn is_unsupported(&self) -> bool {
        let code = self.sqlstate();
        // A cached plan that does not fit a table any more; the next connection makes another.
        let is_stale_plan =
            self.database_error().is_some_and(|error| error.routine() == Some("RevalidateCachedQuery"));
        !is_stale_plan
            && (code.starts_with("0A") || code.starts_with("42"))
            && code != SqlState::INSUFFICIENT_PRIVILEGE.code()
    }

    /// Whether a lock timed out.
    pub fn is_lock_timeout(&self) -> bool {
        self.is_of(&[SqlState::LOCK_NOT_AVAILABLE])
    }

    /// Whether a statement timed out.
    pub fn is_timeout(&self) -> bool {
        matches!(self, DatabaseError::Silent(_)) || self.is_of(&[SqlState::QUERY_CANCELED])
    }

    fn is_of(&self, states: &[SqlState]) -> bool {
        self.database_error().is_some_and(|error| states.contains(error.code()))
    }

    /// The database's error, if it sent one.
    fn database_error(&self) -> Option<&DbError> {
        match self {
            DatabaseError::Unreachable(said) | DatabaseError::Refused(said) => said.0.as_db_error(),
            DatabaseError::NoConnection(cause) => cause.as_ref().and_then(|cause| cause.database_error()),
            DatabaseError::NoRoom(cause) => cause.database_error(),
            DatabaseError::Silent(_)
            | DatabaseError::Damaged
            | DatabaseError::DamagedRow { .. }
            | DatabaseError::ReadOnly
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::OtherServer
            | DatabaseError::Pooled
            | DatabaseError::NoServer(_) => None,
        }
    }

    /// The SQLSTATE; empty where the database did not send one.
    pub fn sqlstate(&self) -> &str {
        match self {
            DatabaseError::ReadOnly => SqlState::READ_ONLY_SQL_TRANSACTION.code(),
            DatabaseError::NoConnection(cause) => cause.as_ref().map_or("", |cause| cause.sqlstate()),
            DatabaseError::NoRoom(cause) => cause.sqlstate(),
            DatabaseError::NoServer(hosts) => {
                let states = hosts.iter().map(|(_, error)| error.sqlstate());
                states.into_iter().find(|state| !state.is_empty()).unwrap_or_default()
            }
            DatabaseError::Unreachable(_)
            | DatabaseError::Refused(_)
            | DatabaseError::Silent(_)
            | DatabaseError::Damaged
            | DatabaseError::DamagedRow { .. }
            | DatabaseError::OldPrimary { .. }
            | DatabaseError::OtherServer
            | DatabaseError::Pooled => self.database_error().map_or("", |error| error.code().code()),
        }
    }

    /// The whole error in one line.
    pub fn summary(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }
}

impl Said {
    fn outlook(&self) -> Outlook {
        if let Some(code) = self.0.code() {
            return outlook(code.code());
        }
        let io = self.0.source().and_then(|cause| cause.downcast_ref::<io::Error>());
        match io.map(io::Error::kind) {
            // An untrusted certificate, or a socket of another program.
            Some(io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied) => Outlook::Lasting,
            Some(_) => Outlook::Passing,
            None if self.0.is_closed() => Outlook::Passing,
            // Authentication, TLS, or an answer that does not parse.
            None => Outlook::Lasting,
        }
    }
}

/// The outlook of an SQLSTATE.
fn outlook(code: &str) -> Outlook {
    match code {
        // Serialization failure, deadlock, lock timeout.
        "40001" | "40P01" | "55P03" => Outlook::LostRace,
        // Read-only: the next connection shows whether another server takes writes. Too many connections, out of memory, a
        // statement or a transaction that took too long.
        "25006" | "53300" | "53200" | "57014" | "25P03" | "25P04" => Outlook::Passing,
        // Lost connections, rolled back transactions; and servers that start, stop or crash.
        _ if ["08", "40", "57P"].iter().any(|class| code.starts_with(class)) => Outlook::Passing,
        _ => Outlook::Lasting,
    }
}

fn listed(hosts: &[(String, DatabaseError)]) -> String {
    let each = hosts.iter().map(|(host, error)| format!("{host}: {}", error.summary()));
    each.collect::<Vec<_>>().join("; ")
}
