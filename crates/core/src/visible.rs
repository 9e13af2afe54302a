//! Visible characters: new appIds and names contain no character that a reader cannot see or that reorders others.

use std::ops::RangeInclusive;

use crate::text::{TextError, check_text};

/// Reason why a text cannot become an appId or a name. Registered texts stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VisibleError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("begins or ends with a blank: remove it")]
    OuterBlank,
    #[error("has the invisible or bidirectional control character U+{0:04X}: remove it")]
    Invisible(u32),
}

/// Checks that `text` can become an appId or a name.
pub fn check_visible(text: &str) -> Result<(), VisibleError> {
    check_text(text)?;
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Err(VisibleError::OuterBlank);
    }
    match text.chars().find(|c| is_invisible(*c)) {
        Some(c) => Err(VisibleError::Invisible(c.into())),
        None => Ok(()),
    }
}

/// Whether `c` is invisible, or changes how the characters around it are shown: Unicode's `Default_Ignorable_Code_Point`, line
/// separators, annotation marks and the blank letters.
pub fn is_invisible(c: char) -> bool {
    !c.is_ascii() && INVISIBLE.iter().any(|range| range.contains(&c))
}

/// Whether `c` must be escaped where people read it: a control character, or an invisible one.
pub fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

const INVISIBLE: [RangeInclusive<char>; 18] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    // Line and paragraph separator, and the bidirectional controls.
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    // Braille without a dot.
    '\u{2800}'..='\u{2800}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_sees_can_be_a_name() {
        for text in ["a", "Meters of the north", "Zähler 7", "水表", "a ERROR b", "x=\"y\"", "مقياس"]
        {
            assert_eq!(check_visible(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_blank_at_an_end_is_refused_whichever_blank_it_is() {
        for text in [" a", "a ", "\u{a0}a", "a\u{3000}", " ", "\u{2003}a", "a\u{1680}"] {
            assert_eq!(check_visible(text), Err(VisibleError::OuterBlank), "{text:?}");
        }
    }

    // A name with U+202E showed its end backwards, and one with U+200B looked like another application's.
    #[test]
    fn what_nobody_sees_is_refused_wherever_it_stands() {
        for c in
            ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{ad}', '\u{2028}', '\u{e0041}', '\u{3164}']
        {
            for text in [format!("a{c}b"), format!("{c}a"), format!("a{c}")] {
                assert!(check_visible(&text).is_err(), "{text:?}");
            }
            assert_eq!(check_visible(&format!("a{c}b")), Err(VisibleError::Invisible(c.into())));
        }
        assert_eq!(check_visible("a\u{85}b"), Err(VisibleError::Text(TextError::ControlCharacter)));
    }
}
