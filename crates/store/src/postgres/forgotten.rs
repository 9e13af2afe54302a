//! The row of the high-water marks; the statement that deletes forgotten records raises it.

use northgate_core::high_water::Marks;
use tokio_postgres::{Client, GenericClient, Row};

use super::connect::DatabaseError;
use super::rows;

/// One row. Milliseconds since the Unix epoch, by the nodes' clocks and the database's.
pub(super) const TABLE: &str = "
    CREATE TABLE forgotten (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        tokens_until int8 NOT NULL,         -- no revocation of a token that ends later was forgotten
        single_use_until int8 NOT NULL      -- the same of the identifiers in `spent`
    );
    INSERT INTO forgotten (tokens_until, single_use_until) VALUES (0, 0);
";

pub(super) const SELECT: &str = "SELECT tokens_until, single_use_until FROM forgotten";

/// The statement that deletes by `condition` and raises the mark `mark` to the latest `column` among the deleted rows.
pub(super) fn delete(table: &str, condition: &str, column: &str, mark: &str) -> String {
    format!(
        "WITH gone AS (DELETE FROM {table} WHERE {condition} RETURNING {column} AS upto)
         UPDATE forgotten SET {mark} = last.upto FROM (SELECT max(upto) AS upto FROM gone) AS last
         WHERE {mark} < last.upto"
    )
}

/// The marks of a row of [`SELECT`].
pub(super) fn marks(row: &Row) -> Result<Marks, DatabaseError> {
    Ok(Marks { tokens: rows::time(row.try_get(0)?), single_use: rows::time(row.try_get(1)?) })
}

pub(super) async fn read(client: &impl GenericClient) -> Result<Marks, DatabaseError> {
    marks(&client.query_one(SELECT, &[]).await?)
}

/// Writes the marks of an import.
pub(super) async fn write(client: &Client, to: Marks) -> Result<(), DatabaseError> {
    let update = "UPDATE forgotten SET tokens_until = $1, single_use_until = $2";
    client.execute(update, &[&rows::millis(to.tokens), &rows::millis(to.single_use)]).await?;
    Ok(())
}

/// Raises the marks to at least `to`: other nodes must not use forgotten time for the issue time of new tokens.
pub(super) async fn raise(client: &Client, to: Marks) -> Result<(), DatabaseError> {
    let update = "UPDATE forgotten SET tokens_until = greatest(tokens_until, $1),
                  single_use_until = greatest(single_use_until, $2)
                  WHERE tokens_until < $1 OR single_use_until < $2";
    client.execute(update, &[&rows::millis(to.tokens), &rows::millis(to.single_use)]).await?;
    Ok(())
}

/// Lowers the marks to at most `to`.
pub(super) async fn lower(client: &Client, to: Marks) -> Result<(), DatabaseError> {
    let update = "UPDATE forgotten SET tokens_until = least(tokens_until, $1),
                  single_use_until = least(single_use_until, $2)";
    client.execute(update, &[&rows::millis(to.tokens), &rows::millis(to.single_use)]).await?;
    Ok(())
}
