//! Rows of an import file. Only their form is checked here; the server checks appIds and secrets.

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};

use super::quotes;
use crate::blanks;

/// A row and its position in the file.
#[derive(Debug, PartialEq)]
pub struct Row {
    pub place: String,
    pub members: Value,
    /// The reason why the row is not sent. The other rows are imported without it.
    pub refused: Option<String>,
}

impl Row {
    /// The text of a member.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member)?.as_str()
    }

    /// The row at position `count` from 0, refused if a value of it contains characters that cannot be seen: a space after a comma
    /// would become part of a secret, and no application could log in with the visible one.
    fn new(count: usize, members: Value) -> Row {
        let invisible = members.as_object().into_iter().flatten().find_map(|(name, value)| {
            let blank = blanks::check(value.as_str()?).err()?;
            let quoted =
                if value.as_str()?.trim_start().starts_with('"') { ", before its quote" } else { "" };
            // Only the names of known members are repeated.
            let name = COLUMNS.into_iter().find(|column| column == name).unwrap_or("value");
            Some(format!("write its {name} without {blank}{quoted}"))
        });
        let form = "a row is a JSON object with the members appId, secret and name";
        let refused = if members.is_object() { invisible } else { Some(form.to_owned()) };
        Row { place: format!("row {}", count + 1), members, refused }
    }
}

const COLUMNS: [&str; 3] = ["appId", "secret", "name"];

/// A member that no row may have: the server refuses the row that has it, by this name.
const TOO_MANY: &str = "a cell too many";

/// The rows of a CSV text. The header names the columns, so that their order does not matter. The server refuses a row with too
/// few or too many cells, as one row: cut short, a secret with a comma would be another one.
///
/// Rows are counted from 1 below the header. Lines would differ: a quoted cell may span several.
///
/// # Errors
///
/// A sentence, if the header or the quotes do not let the rows be told apart.
pub fn csv(text: &str) -> Result<Vec<Row>, String> {
    let delimiter = delimiter(text);
    quotes::check(text, delimiter)?;
    let mut reader = ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text.as_bytes());
    let columns = columns(reader.headers().map_err(csv_sentence)?)?;
    let mut rows = Vec::new();
    for (count, record) in reader.records().enumerate() {
        let record = record.map_err(csv_sentence)?;
        // Spreadsheets write rows that were emptied as delimiters.
        if record.iter().all(str::is_empty) {
            continue;
        }
        let cells =
            columns.iter().zip(&record).filter(|(member, cell)| **member != "name" || !cell.is_empty());
        let mut members: Map<String, Value> =
            cells.map(|(member, cell)| ((*member).to_owned(), cell.into())).collect();
        if record.len() > columns.len() {
            members.insert(TOO_MANY.to_owned(), Value::Null);
        }
        rows.push(Row::new(count, members.into()));
    }
    Ok(rows)
}

/// The first of comma, semicolon and tab in the header. Spreadsheets write `;` where the comma is the decimal point.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or_default();
    header.bytes().find(|byte| b",;\t".contains(byte)).unwrap_or(b',')
}

fn columns(header: &StringRecord) -> Result<Vec<&'static str>, String> {
    let known: Vec<Option<&'static str>> = header.iter().map(column).collect();
    // The first row of a file without a header is an application with its secret: it is repeated only if it has both columns.
    let is_header = ["appId", "secret"].iter().all(|member| known.contains(&Some(*member)));
    let unknown = || match header.iter().zip(&known).find(|(_, column)| column.is_none()) {
        Some((name, _)) if is_header => format!(
            "the header row has the unknown column {name:?}: remove it, or write appId, secret or name; nothing was imported"
        ),
        _ => "the first row must be a header of the columns appId, secret and name, and has another one"
            .to_owned(),
    };
    let columns = known.iter().copied().collect::<Option<Vec<_>>>().ok_or_else(unknown)?;
    for member in COLUMNS {
        match columns.iter().filter(|column| **column == member).count() {
            1 => {}
            0 if member == "name" => {}
            0 => return Err(format!("the header row has no column {member}: write appId,secret,name")),
            _ => return Err(format!("the header row has the column {member} twice")),
        }
    }
    Ok(columns)
}

fn column(header: &str) -> Option<&'static str> {
    match header.trim().to_lowercase().as_str() {
        "appid" | "app_id" => Some("appId"),
        "secret" => Some("secret"),
        "name" => Some("name"),
        _ => None,
    }
}

/// The sentence of a CSV error; none of them quotes the text.
fn csv_sentence(error: csv::Error) -> String {
    format!("the file is not CSV as expected: {error}")
}

/// The rows of a JSON text: an array of objects, or objects one after the other.
///
/// # Errors
///
/// A sentence with the line, if the text is not JSON. In JSON Lines such a line is one refused row.
pub fn json(text: &str) -> Result<Vec<Row>, String> {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        match value {
            Ok(Value::Array(rows)) => values.extend(rows),
            Ok(row) => values.push(row),
            Err(error) => {
                let sentence = format!("the file is not JSON as expected: {error}");
                return json_lines(text).ok_or(sentence);
            }
        }
    }
    Ok(values.into_iter().enumerate().map(|(count, members)| Row::new(count, members)).collect())
}

/// The rows of JSON Lines, read singly. `None` if the text has another form.
fn json_lines(text: &str) -> Option<Vec<Row>> {
    let lines = || text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    // An object may span lines: then a line does not tell where a row begins.
    if lines().count() < 2
        || !lines().all(|(_, line)| line.trim_start().starts_with('{') && line.trim_end().len() > 1)
    {
        return None;
    }
    let row = |(count, (number, line)): (usize, (usize, &str))| match serde_json::from_str(line) {
        Ok(members) => Row::new(count, members),
        Err(error) => Row {
            refused: Some(format!("line {} is not JSON, at column {}", number + 1, error.column())),
            ..Row::new(count, Value::Null)
        },
    };
    Some(lines().enumerate().map(row).collect())
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
        let text = "appId,secret\na, s\nb,s \nc,s\u{200b}s\nd,\u{a0}s\ne, \"s\"\nf,s s\n";
        let refused: Vec<_> = csv(text).expect("rows").into_iter().map(|row| row.refused).collect();
        let expected = [
            Some("write its secret without the space at its beginning"),
            Some("write its secret without the space at its end"),
            Some("write its secret without the invisible character U+200B inside"),
            Some("write its secret without the invisible character U+00A0 at its beginning"),
            Some("write its secret without the space at its beginning, before its quote"),
            None,
        ];
        assert_eq!(refused, expected.map(|reason| reason.map(str::to_owned)));
        let rows = json(r#"[{"appId": "a", "secret": "s\t"}, {"appId": "b", "secret": "s"}]"#).expect("rows");
        assert!(rows[0].refused.is_some() && rows[1].refused.is_none());
    }

    #[test]
    fn csv_columns_come_in_any_order_and_case() {
        let rows = csv("SECRET,Name,app_id\r\ns1,n1,a1\r\n\"s,2\",,a2\r\n").expect("rows");
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
    fn a_semicolon_or_a_tab_separates_as_well() {
        for text in ["appId;secret\na;s,1\n", "appId\tsecret\na\ts,1\n"] {
            assert_eq!(members(csv(text).expect("rows")), [json!({"appId": "a", "secret": "s,1"})]);
        }
    }

    #[test]
    fn an_unknown_column_is_named_and_a_secret_in_the_place_of_a_header_is_not() {
        let sentence = csv("appId,secret,Phone\na,s,1\n").expect_err("refused");
        assert!(sentence.contains("unknown column \"Phone\""), "{sentence}");
        let sentence = csv("secret,hunter2\n").expect_err("refused");
        assert!(!sentence.contains("hunter2"), "{sentence}");
    }

    #[test]
    fn a_row_that_was_emptied_is_left_out_and_counted() {
        let rows = csv("appId,secret\n,\na,s\n").expect("rows");
        assert_eq!((rows.len(), rows[0].place.as_str()), (1, "row 2"));
    }

    #[test]
    fn a_json_row_that_is_wrong_refuses_no_other() {
        for text in [
            "[1, {\"appId\": \"a\", \"secret\": \"s\"}]",
            "{\"appId\": \n{\"appId\": \"a\", \"secret\": \"s\"}",
        ] {
            let rows = json(text).expect(text);
            let refused: Vec<bool> = rows.iter().map(|row| row.refused.is_some()).collect();
            assert_eq!(refused, [true, false], "{text}");
        }
        let line = json("{\"appId\": \n{}\n").expect("rows")[0].refused.clone();
        assert!(line.as_ref().is_some_and(|reason| reason.starts_with("line 1 is not JSON")), "{line:?}");
    }

    #[test]
    fn a_text_that_is_not_json_is_refused() {
        for text in ["{", "{\"appId\":", "[{\"appId\": \"a\"", "{\n\"appId\": \"a\",\n}"] {
            assert!(json(text).is_err(), "{text}");
        }
    }
}
