//! Rows of an import file. Only their form is checked here; the server checks appIds and secrets.

use std::error::Error;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use crate::blanks;

/// A row as it is sent, and its position in the file.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub place: String,
    pub members: Value,
}

/// A member that no row may have: the server refuses the row that has it, by this name.
const TOO_MANY: &str = "a cell too many";

/// The rows of a CSV text. The header names the columns, so that their order does not matter. The server refuses a row with too
/// few or too many cells, as one row: cut short, a secret with a comma would be another one.
pub fn csv(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    // Spreadsheets begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let columns = columns(reader.headers().map_err(csv_sentence)?)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_sentence)?;
        let cells =
            columns.iter().zip(&record).filter(|(member, cell)| **member != "name" || !cell.is_empty());
        let mut members: Map<String, Value> =
            cells.map(|(member, cell)| ((*member).to_owned(), cell.into())).collect();
        if record.len() > columns.len() {
            members.insert(TOO_MANY.to_owned(), Value::Null);
        }
        rows.push(members.into());
    }
    counted(rows)
}

fn columns(header: &StringRecord) -> Result<Vec<&'static str>, Box<dyn Error>> {
    let columns = header.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    for member in ["appId", "secret", "name"] {
        match columns.iter().filter(|column| **column == member).count() {
            1 => {}
            0 if member == "name" => {}
            0 => return Err(format!("the header row has no column {member}: write appId,secret,name").into()),
            _ => return Err(format!("the header row has the column {member} twice").into()),
        }
    }
    Ok(columns)
}

/// The name of an unknown column is not repeated, since it may be a secret: a file without a header row starts with one.
fn column(header: &str) -> Result<&'static str, Box<dyn Error>> {
    match header.trim().to_lowercase().as_str() {
        "appid" | "app_id" => Ok("appId"),
        "secret" => Ok("secret"),
        "name" => Ok("name"),
        _ => Err("the first row must be a header of the columns appId, secret and name, and has another one"
            .into()),
    }
}

/// The sentence of a CSV error; none of them quotes the text.
fn csv_sentence(error: csv::Error) -> String {
    format!("the file is not CSV as expected: {error}")
}

/// The rows of a JSON text: an array of objects, or objects one after the other.
pub fn json(text: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        let value: Value = value.map_err(|error| format!("the file is not JSON as expected: {error}"))?;
        match value {
            Value::Array(values) => rows.extend(values),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                rows.push(value);
            }
        }
    }
    if !rows.iter().all(Value::is_object) {
        return Err("the file must hold JSON objects with the members appId, secret and name".into());
    }
    counted(rows)
}

/// Numbers the rows, counted from 1 below the header. Lines would differ: a quoted cell may span several. A space after a comma
/// would become part of a secret, and no application could log in with the one that people see.
fn counted(rows: Vec<Value>) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut counted = Vec::with_capacity(rows.len());
    for (count, members) in rows.into_iter().enumerate() {
        let place = format!("row {}", count + 1);
        for (name, value) in members.as_object().into_iter().flatten() {
            if let Some(Err(blank)) = value.as_str().map(blanks::check) {
                return Err(format!("{place}: write its {name} without {blank}; nothing was imported").into());
            }
        }
        counted.push(Row { place, members });
    }
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn members(rows: Vec<Row>) -> Vec<Value> {
        rows.into_iter().map(|row| row.members).collect()
    }

    #[test]
    fn a_blank_at_the_end_of_a_cell_is_no_part_of_a_secret() {
        for text in ["appId,secret\na, s\n", "appId,secret\na,s \n", "appId,secret\na,s\u{200b}s\n"] {
            let sentence = csv(text).expect_err("refused").to_string();
            assert!(sentence.starts_with("row 1: write its secret without the "), "{sentence}");
        }
        assert!(json(r#"{"appId": "a", "secret": "s\t"}"#).is_err());
        assert!(csv("appId,secret\na,s s\n").is_ok());
    }

    #[test]
    fn csv_columns_come_in_any_order_and_case() {
        let rows = csv("\u{feff}SECRET,Name,app_id\r\ns1,n1,a1\r\n\"s,2\",,a2\r\n").expect("rows");
        assert_eq!(rows[1].place, "row 2");
        let expected =
            [json!({"appId": "a1", "secret": "s1", "name": "n1"}), json!({"appId": "a2", "secret": "s,2"})];
        assert_eq!(members(rows), expected);
    }

    #[test]
    fn a_secret_keeps_its_spaces_and_quotes_inside() {
        let rows = csv("appId,secret\na,p \"\" s \"q\"\n").expect("rows");
        assert_eq!(members(rows), [json!({"appId": "a", "secret": "p \"\" s \"q\""})]);
    }

    #[test]
    fn a_csv_without_a_good_header_is_refused_without_repeating_it() {
        for text in ["", "app1,hunter2\n", "appId\na\n", "appId,secret,secret\na,b,c\n"] {
            let sentence = csv(text).expect_err(text).to_string();
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }

    #[test]
    fn a_csv_row_with_too_few_or_too_many_cells_is_a_row_that_cannot_be_imported() {
        let rows = csv("appId,secret\na\nb,s,2\nc,s\n").expect("rows");
        let expected = [
            json!({"appId": "a"}),
            json!({"appId": "b", "secret": "s", TOO_MANY: null}),
            json!({"appId": "c", "secret": "s"}),
        ];
        assert_eq!(members(rows), expected);
    }

    #[test]
    fn json_is_an_array_or_lines() {
        let expected =
            [json!({"appId": "a", "secret": "s"}), json!({"appId": "b", "secret": "t", "name": "n"})];
        let array = format!("[{}, {}]", expected[0], expected[1]);
        let lines = format!("{}\n{}\n", expected[0], expected[1]);
        assert_eq!(members(json(&array).expect("rows")), expected);
        assert_eq!(members(json(&lines).expect("rows")), expected);
    }

    #[test]
    fn json_that_holds_no_objects_is_refused() {
        for text in ["{", "[1]", "\"a\"", "{\"appId\":"] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
