//! Log escaping in both formats: no client's text can forge a line or a field, or hide a part of one.

use std::fmt::Write;

use northgate_core::visible::is_hidden;

/// Appends `text` as a JSON string, with every control, line separator, bidirectional and invisible character escaped, also those
/// that JSON would allow.
pub(super) fn quoted(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if is_hidden(c) => escaped(line, c),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Quotes the text appended to `line` from `begin` on, unless it is one unambiguous word.
pub(super) fn quote_unless_plain(line: &mut String, begin: usize) {
    let is_plain = |c: char| match c {
        '"' | '=' => false,
        c if c.is_ascii() => c.is_ascii_graphic(),
        c => !c.is_whitespace() && !is_hidden(c),
    };
    let text = &line[begin..];
    if text.is_empty() || !text.chars().all(is_plain) {
        let text = line.split_off(begin);
        quoted(line, &text);
    }
}

/// Escapes hidden characters in the text appended to `line` from `begin` on: a message stays on its line.
pub(super) fn escape_hidden(line: &mut String, begin: usize) {
    if line[begin..].contains(is_hidden) {
        let text = line.split_off(begin);
        for c in text.chars() {
            if is_hidden(c) { escaped(line, c) } else { line.push(c) }
        }
    }
}

/// JSON's escape; beyond U+FFFF a surrogate pair.
fn escaped(line: &mut String, c: char) {
    match c {
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        '\t' => line.push_str("\\t"),
        c => {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_text_is_json_without_a_hidden_character_and_says_the_same() {
        let text = "a\"\\\n\u{7f}\u{85}\u{2028}\u{202e}\u{200b}\u{e0041}é水 b";
        let mut line = String::new();
        quoted(&mut line, text);
        assert_eq!(line, r#""a\"\\\n\u007f\u0085\u2028\u202e\u200b\udb40\udc41é水 b""#);
        assert_eq!(serde_json::from_str::<String>(&line).expect("JSON"), text);
    }
}
