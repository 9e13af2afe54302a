//! `northgate app import`: applications from a file. Idempotent: existing applications stay as they are.

mod encoding;
mod quotes;
pub(crate) mod rows;
mod warnings;

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use hyper::Method;
use northgate_core::visible::is_hidden;
use serde_json::json;

use super::client::Client;
use super::output::{self, Form};
use crate::http::admin::answer::{Imported, ImportedRow, RowResult};
use rows::Row;

/// Rows of one request: some seconds of hashing, after which progress can be printed.
const BATCH: usize = 200;

#[derive(Args)]
pub struct Import {
    /// CSV in UTF-8 with the header appId,secret[,name], or JSON objects with these members; - is standard input
    file: PathBuf,
    /// The file's format; without it, its name decides
    #[arg(long)]
    format: Option<Format>,
    /// Print a line for every row, and not only for rows that were not imported
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
        warnings::warnings(&rows).iter().for_each(|warning| output::remark(warning));
        let progress = Progress { total: rows.len(), shown: io::stderr().is_terminal() };
        let mut summary = Summary::default();
        let mut results = Vec::new();
        for batch in rows.chunks(BATCH) {
            progress.show(results.len());
            let imported = send(client, batch).await?;
            progress.clear();
            for (row, result) in batch.iter().zip(&imported) {
                summary.count(result.result);
                if form == Form::Text && (self.verbose || !result.result.is_there()) {
                    output::line(&sentence(&row.place, result));
                }
            }
            results.extend(imported);
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
        let mut bytes = Vec::new();
        if self.file == Path::new("-") {
            io::stdin().read_to_end(&mut bytes)?;
        } else {
            bytes = fs::read(&self.file)
                .map_err(|error| format!("could not read {}: {error}", self.file.display()))?;
        }
        let text = encoding::text(bytes)?;
        Ok(match format {
            Format::Csv => rows::csv(&text)?,
            Format::Json => rows::json(&text)?,
        })
    }
}

/// Imports the rows of a batch that are not refused already. The results are in the order of the batch.
async fn send(client: &Client, batch: &[Row]) -> Result<Vec<ImportedRow>, Box<dyn Error>> {
    let members: Vec<_> = batch.iter().filter(|row| row.refused.is_none()).map(|row| &row.members).collect();
    let mut imported = Vec::new();
    if !members.is_empty() {
        let body = json!({ "rows": members });
        let answer = client.request_json(Method::POST, "/admin/v1/import", &body).await?;
        imported = serde_json::from_str::<Imported>(&answer)?.rows;
    }
    if imported.len() != members.len() {
        return Err("the server has answered for another number of rows: repeat the import".into());
    }
    let mut imported = imported.into_iter();
    Ok(batch.iter().filter_map(|row| refused(row).or_else(|| imported.next())).collect())
}

fn refused(row: &Row) -> Option<ImportedRow> {
    let app_id = row.text("appId").unwrap_or_default().to_owned();
    let reason = row.refused.clone()?;
    Some(ImportedRow { app_id, result: RowResult::Invalid, reason: Some(reason) })
}

/// The number of rows done, on standard error if that is a terminal.
struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    fn show(&self, done: usize) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{done} of {} rows", self.total);
        }
    }

    /// Removes the line, so that lines of the result do not continue it.
    fn clear(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
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
    let app_id = visible(&row.app_id);
    match &row.reason {
        Some(reason) => format!("{place}: {app_id} {result}: {reason}"),
        None => format!("{place}: {app_id} {result}"),
    }
}

/// The appId with its invisible characters as escapes: that of a refused row may contain characters that move the cursor.
fn visible(app_id: &str) -> String {
    let mut visible = String::new();
    for character in app_id.chars() {
        if is_hidden(character) {
            visible.extend(character.escape_unicode());
        } else {
            visible.push(character);
        }
    }
    visible
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
    fn a_printed_app_id_shows_its_invisible_characters() {
        assert_eq!(visible("水表 \"a\"\u{1b}[2J\u{200b}"), "水表 \"a\"\\u{1b}[2J\\u{200b}");
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
