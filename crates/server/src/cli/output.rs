//! Output of commands: results to standard output, errors to standard error.

use std::error::Error;
use std::io::{self, Write};

use clap::ValueEnum;
use serde_json::{Value, json};

use super::client::ClientError;
use crate::telemetry::with_causes;

/// How results and errors are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Text,
    Json,
}

/// One line of the result.
pub fn line(text: &str) {
    // A reader of only the first lines of a list closes the pipe, which is not a failure.
    let _ = writeln!(io::stdout(), "{text}");
}

/// A remark for people, kept out of the result.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// What a command has done: members for programs, or a sentence for people.
pub fn done(form: Form, members: &Value, sentence: &str) {
    match form {
        Form::Json => line(&members.to_string()),
        Form::Text => line(sentence),
    }
}

/// An error with its causes: in one sentence, or as a JSON object with `error` and `detail`, where the server has answered
/// with its problem details.
pub fn error(form: Form, error: &(dyn Error + 'static)) {
    match (form, error.downcast_ref::<ClientError>()) {
        (Form::Text, _) => remark(&format!("error: {}", with_causes(error))),
        (Form::Json, Some(ClientError::Refused(problem))) => remark(&json!(problem).to_string()),
        (Form::Json, _) => remark(&json!({ "error": "failed", "detail": with_causes(error) }).to_string()),
    }
}

/// Rows under their headings, or `nothing` if there are none.
pub fn table(headings: &[&str], rows: &[Vec<String>], nothing: &str) {
    match rows {
        [] => line(nothing),
        rows => {
            let headings: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
            aligned(std::iter::once(&headings).chain(rows)).iter().for_each(|text| line(text));
        }
    }
}

/// Names with their values.
pub fn pairs(pairs: &[(&str, String)]) {
    let rows: Vec<Vec<String>> =
        pairs.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    aligned(rows.iter()).iter().for_each(|text| line(text));
}

fn aligned<'a>(rows: impl Iterator<Item = &'a Vec<String>> + Clone) -> Vec<String> {
    let columns = rows.clone().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &'a Vec<String>, column: usize| row.get(column).map_or("", String::as_str);
    let width = |column| rows.clone().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let padded = |row: &'a Vec<String>| {
        let cells = widths.iter().enumerate();
        let text: String =
            cells.map(|(column, width)| format!("{:<width$}  ", cell(row, column), width = *width)).collect();
        text.trim_end().to_owned()
    };
    rows.clone().map(padded).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_in_characters() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["äöü".to_owned(), "c".to_owned()]];
        assert_eq!(aligned(rows.iter()), ["a    b", "äöü  c"]);
    }
}
