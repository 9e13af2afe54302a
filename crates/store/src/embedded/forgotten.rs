//! The row of the high-water marks; the transaction that deletes forgotten records raises it.

use northgate_core::clock::Timestamp;
use northgate_core::high_water::Marks;
use rusqlite::{Connection, params};

/// One row. Milliseconds since the Unix epoch.
pub(crate) const TABLE: &str = "
    CREATE TABLE forgotten (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        tokens_until INTEGER NOT NULL,             -- no revocation of a token that ends later was forgotten
        single_use_until INTEGER NOT NULL          -- the same of the identifiers in `spent`
    ) STRICT;
    INSERT INTO forgotten VALUES (1, 0, 0);
";

/// Writes the marks.
pub(crate) fn write(connection: &Connection, marks: Marks) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE forgotten SET tokens_until = ?, single_use_until = ?")?
        .execute(params![marks.tokens.as_millis(), marks.single_use.as_millis()])?;
    Ok(())
}

/// Reads the marks.
pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Marks> {
    connection.query_row("SELECT tokens_until, single_use_until FROM forgotten", [], |row| {
        let (tokens, single_use) = (row.get(0)?, row.get(1)?);
        Ok(Marks { tokens: Timestamp::from_millis(tokens), single_use: Timestamp::from_millis(single_use) })
    })
}
