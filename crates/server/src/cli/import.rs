//! `northgate app import`: applications from a file. Idempotent: existing applications stay as they are.

pub(crate) mod rows;

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hyper::Method;
use serde_json::json;

use super::client::Client;
use super::output::{self, Form};
use crate::http::admin::answer::{Imported, ImportedRow, RowResult};
use rows::Row;

/// Rows of one request: some seconds of hashing, after which progress can be printed.
const BATCH: usize = 200;

#[derive(Args)]
pub struct Import {
    /// CSV with the header appId,secret[,name], or JSON objects with these members; - is standard input
    file: PathBuf,
    /// The file's format; without it, its name decides
    #[arg(long)]
    format: Option<Format>,
    /// Print a line for every row, and not only for rows that were not created
    #[arg(long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Format {
    Csv,
    Json,
}

/// The number of rows with each result.
#[derive(Debug, Default, PartialEq)]
struct Summary {
    created: usize,
    unchanged: usize,
    conflict: usize,
    invalid: usize,
}

impl Import {
    pub async fn run(self, client: &Client, form: Form) -> Result<(), Box<dyn Error>> {
        let rows = self.rows()?;
        let mut summary = Summary::default();
        let mut results = Vec::new();
        for batch in rows.chunks(BATCH) {
            let members: Vec<_> = batch.iter().map(|row| &row.members).collect();
            let answer =
                client.request_json(Method::POST, "/admin/v1/import", &json!({ "rows": members })).await?;
            let imported: Imported = serde_json::from_str(&answer)?;
            for (row, result) in batch.iter().zip(&imported.rows) {
                summary.count(result.result);
                if form == Form::Text && (self.verbose || result.result != RowResult::Created) {
                    output::line(&sentence(&row.place, result));
                }
            }
            results.extend(imported.rows);
        }
        let text = if form == Form::Json {
            serde_json::to_string(&Imported { rows: results })?
        } else {
            summary.sentence()
        };
        output::line(&text);
        summary.verdict()
    }

    fn rows(&self) -> Result<Vec<Row>, Box<dyn Error>> {
        let format = self.format.or_else(|| format_of(&self.file));
        let format =
            format.ok_or("the name of the file does not say what it is: give --format csv or json")?;
        let text = if self.file == Path::new("-") {
            io::read_to_string(io::stdin())?
        } else {
            fs::read_to_string(&self.file)
                .map_err(|error| format!("could not read {}: {error}", self.file.display()))?
        };
        match format {
            Format::Csv => rows::csv(&text),
            Format::Json => rows::json(&text),
        }
    }
}

fn format_of(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()?.to_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "json" | "jsonl" | "ndjson" => Some(Format::Json),
        _ => None,
    }
}

fn sentence(place: &str, row: &ImportedRow) -> String {
    let result = word(row.result);
    match &row.reason {
        Some(reason) => format!("{place}: {} {result}: {reason}", row.app_id),
        None => format!("{place}: {} {result}", row.app_id),
    }
}

fn word(result: RowResult) -> &'static str {
    match result {
        RowResult::Created => "created",
        RowResult::Unchanged => "unchanged",
        RowResult::Conflict => "conflict",
        RowResult::Invalid => "invalid",
    }
}

impl Summary {
    fn count(&mut self, result: RowResult) {
        match result {
            RowResult::Created => self.created += 1,
            RowResult::Unchanged => self.unchanged += 1,
            RowResult::Conflict => self.conflict += 1,
            RowResult::Invalid => self.invalid += 1,
        }
    }

    fn sentence(&self) -> String {
        let Summary { created, unchanged, conflict, invalid } = self;
        format!("{created} created, {unchanged} unchanged, {conflict} in conflict, {invalid} invalid")
    }

    fn verdict(&self) -> Result<(), Box<dyn Error>> {
        match self.conflict + self.invalid {
            0 => Ok(()),
            1 => Err("one row was not imported".into()),
            count => Err(format!("{count} rows were not imported").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_says_its_format() {
        assert_eq!(format_of(Path::new("a.CSV")), Some(Format::Csv));
        assert_eq!(format_of(Path::new("a.jsonl")), Some(Format::Json));
        assert_eq!(format_of(Path::new("-")), None);
    }

    #[test]
    fn an_import_succeeds_when_every_row_is_there_afterwards() {
        let mut summary = Summary::default();
        summary.count(RowResult::Created);
        summary.count(RowResult::Unchanged);
        assert!(summary.verdict().is_ok());
        summary.count(RowResult::Conflict);
        assert!(summary.verdict().is_err());
        assert_eq!(summary.sentence(), "1 created, 1 unchanged, 1 in conflict, 0 invalid");
    }
}
