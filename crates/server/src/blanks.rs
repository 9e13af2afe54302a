//! Rejects blanks at the ends of values, and invisible characters: a path, a URL or a secret with one of them fails later and far
//! from its cause.

use std::fmt;

/// A character that does not belong in a value, and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blank {
    character: char,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    End,
    Inside,
}

/// Accepts a value without whitespace at its ends and without invisible characters. Spaces inside are visible.
pub fn check(text: &str) -> Result<(), Blank> {
    let is_odd = |character: &char| character.is_whitespace() || is_invisible(*character);
    let found = |character, place| Err(Blank { character, place });
    if let Some(character) = text.chars().next().filter(is_odd) {
        return found(character, Place::Beginning);
    }
    if let Some(character) = text.chars().next_back().filter(is_odd) {
        return found(character, Place::End);
    }
    match text.chars().find(|character| is_invisible(*character)) {
        Some(character) => found(character, Place::Inside),
        None => Ok(()),
    }
}

/// The one line of a file or of standard input: exactly one line end is removed, and the rest passes [`check`].
pub fn one_line(text: &str) -> Result<&str, Blank> {
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    check(line).map(|()| line)
}

/// Control characters, Unicode's default-ignorable ones, line separators, and the replacement for bytes that are not UTF-8.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffd}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The part to remove: "the space at its end".
impl fmt::Display for Blank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.character {
            ' ' => write!(f, "the space")?,
            '\t' => write!(f, "the tab")?,
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => write!(f, "the line break")?,
            '\u{feff}' => write!(f, "the byte order mark (U+FEFF)")?,
            '\u{fffd}' => write!(f, "the bytes that are not UTF-8")?,
            other => write!(f, "the invisible character U+{:04X}", u32::from(other))?,
        }
        match self.place {
            Place::Beginning => write!(f, " at its beginning"),
            Place::End => write!(f, " at its end"),
            Place::Inside => write!(f, " inside"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(text: &str) -> String {
        check(text).err().map(|blank| blank.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_value_looks_as_it_is() {
        for good in ["", "a", "a b", "it's my data", "Wasserz\u{e4}hler", "\u{6c34}\u{8868}", "=", "a\u{a0}b"]
        {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for (bad, expected) in [
            (" a", "the space at its beginning"),
            ("a ", "the space at its end"),
            (" ", "the space at its beginning"),
            ("a\t", "the tab at its end"),
            ("a\n", "the line break at its end"),
            ("a\r", "the line break at its end"),
            ("a\nb", "the line break inside"),
            ("\u{feff}a", "the byte order mark (U+FEFF) at its beginning"),
            ("a\u{a0}", "the invisible character U+00A0 at its end"),
            ("a\u{3000}", "the invisible character U+3000 at its end"),
            ("a\u{200b}b", "the invisible character U+200B inside"),
            ("a\u{202e}b", "the invisible character U+202E inside"),
            ("a\0", "the invisible character U+0000 at its end"),
            ("a\u{fffd}b", "the bytes that are not UTF-8 inside"),
        ] {
            assert_eq!(sentence(bad), expected, "{bad:?}");
        }
    }

    #[test]
    fn exactly_one_line_end_is_taken_off() {
        for text in ["a", "a\n", "a\r\n"] {
            assert_eq!(one_line(text), Ok("a"));
        }
        for text in ["a\n\n", "a \n", "\na", "a\nb\n", "a\r", "a\n\r", " a\n", "\u{feff}a\n"] {
            assert!(one_line(text).is_err(), "{text:?}");
        }
    }
}
