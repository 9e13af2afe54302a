//! Quotes of a CSV text. A CSV reader takes an unclosed quote to the end of the file as one cell, silently.

/// Where the scan is: at the beginning of a cell, in one without quotes, between its quotes, or after them.
enum At {
    Beginning,
    Plain,
    Quoted { opened: usize },
    Closed { opened: usize },
}

/// Checks that each quoted cell ends with its quote.
///
/// # Errors
///
/// A sentence with the line, counted from 1, for a quote that is not closed or that text follows.
pub fn check(text: &str, delimiter: u8) -> Result<(), String> {
    let mut at = At::Beginning;
    let mut line = 1;
    for byte in text.bytes() {
        at = match (at, byte) {
            (At::Beginning, b'"') => At::Quoted { opened: line },
            (At::Quoted { opened }, b'"') => At::Closed { opened },
            // Two quotes inside are one, and the cell goes on.
            (At::Closed { opened }, b'"') => At::Quoted { opened },
            (At::Quoted { opened }, _) => At::Quoted { opened },
            (_, b'\n' | b'\r') => At::Beginning,
            (_, byte) if byte == delimiter => At::Beginning,
            (At::Closed { .. }, _) => return Err(after(line)),
            (At::Beginning | At::Plain, _) => At::Plain,
        };
        line += usize::from(byte == b'\n');
    }
    match at {
        At::Quoted { opened } => Err(format!(
            "the quote in line {opened} is not closed: close it, and write a quote inside a cell twice; \
             nothing was imported"
        )),
        At::Beginning | At::Plain | At::Closed { .. } => Ok(()),
    }
}

fn after(line: usize) -> String {
    format!(
        "line {line} has text after a closing quote: write a quote inside a cell twice; nothing was imported"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_closes_its_cell() {
        for text in ["a,\"b\"\r\n\"c\",d", "a,\"b \"\"c\"\"\"\n", "a,b \"c\n", "\"\"", "\"a\nb\",c\n"] {
            assert_eq!(check(text, b','), Ok(()), "{text}");
        }
        assert_eq!(check("\"a\";b", b';'), Ok(()));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_reported_with_its_line() {
        let sentence = check("a,b\nc,\"d\ne,f\n", b',').expect_err("refused");
        assert!(sentence.starts_with("the quote in line 2 is not closed"), "{sentence}");
        let sentence = check("a,b\nc,\"d\"\"\ne,f\n", b',').expect_err("refused");
        assert!(sentence.starts_with("the quote in line 2 is not closed"), "{sentence}");
        let sentence = check("a,b\nc,\"d\"e\n", b',').expect_err("refused");
        assert!(sentence.starts_with("line 2 has text after a closing quote"), "{sentence}");
    }
}
