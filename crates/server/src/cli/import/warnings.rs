//! Warnings about rows that can be imported and may still not work. No warning repeats a secret.

use super::rows::Row;

/// The most rows that one warning lists.
const LISTED: usize = 10;

/// Whether a row is concerned.
type Concern = fn(&Row) -> bool;

/// The warnings about `rows`, each once with the rows it concerns.
pub fn warnings(rows: &[Row]) -> Vec<String> {
    let concerns: [(Concern, &str); 2] = [
        (
            is_changed_in_a_form,
            "the secret contains + % or &: clients that send forms must URL-encode it, or the login fails",
        ),
        (
            is_mangled,
            "the appId or the secret looks like a number that a spreadsheet has rounded: compare it with its source",
        ),
    ];
    let warning = |(concerns, sentence): (Concern, &str)| {
        let places: Vec<&str> =
            rows.iter().filter(|row| concerns(row)).map(|row| row.place.as_str()).collect();
        (!places.is_empty()).then(|| format!("warning: {}: {sentence}", list(&places)))
    };
    concerns.into_iter().filter_map(warning).collect()
}

fn list(places: &[&str]) -> String {
    match places.len().checked_sub(LISTED) {
        None | Some(0) => places.join(", "),
        Some(more) => format!("{} and {more} more", places[..LISTED].join(", ")),
    }
}

/// Whether a form without URL-encoding carries another secret: `+` is a space in it, `%` an escape, `&` the end.
fn is_changed_in_a_form(row: &Row) -> bool {
    row.text("secret").is_some_and(|secret| secret.contains(['+', '%', '&']))
}

fn is_mangled(row: &Row) -> bool {
    ["appId", "secret"].into_iter().filter_map(|member| row.text(member)).any(is_rounded)
}

/// Spreadsheets keep 15 digits of a number: `1.23457E+15`, or a long number that ends in zeros.
fn is_rounded(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((number, exponent)) = text.split_once("E+") {
        // A comma is the decimal point of many languages.
        let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, "0"));
        return whole.len() == 1 && digits(whole) && digits(fraction) && digits(exponent);
    }
    text.len() > 15 && digits(text) && text.bytes().skip(15).all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::import::rows::csv;

    #[test]
    fn a_number_that_a_spreadsheet_has_rounded_looks_like_it() {
        for text in ["1.23457E+15", "1E+20", "2,5E+17", "12345678901234500000", "1234567890123450"] {
            assert!(is_rounded(text), "{text}");
        }
        for text in ["", "123456789012345", "1234567890123456", "E+1", "AE+15", "12E+5", "1.E+5", "2f9c1b7e"]
        {
            assert!(!is_rounded(text), "{text}");
        }
    }

    #[test]
    fn a_warning_lists_its_rows_and_no_secret() {
        let rows = csv("appId,secret\na,p+q\nb,good\nc,50%\n1.5E+15,good\n").expect("rows");
        let warnings = warnings(&rows);
        assert!(warnings[0].starts_with("warning: row 1, row 3: the secret contains"), "{warnings:?}");
        assert!(warnings[1].starts_with("warning: row 4: the appId"), "{warnings:?}");
        assert!(warnings.len() == 2 && !warnings.concat().contains("p+q"), "{warnings:?}");
        let many: String = (0..12).map(|n| format!("a{n},p+q\n")).collect();
        let rows = csv(&format!("appId,secret\n{many}")).expect("rows");
        assert!(super::warnings(&rows)[0].contains("row 10 and 2 more: "));
    }
}
