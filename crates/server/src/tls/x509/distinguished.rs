//! Distinguished names, as DER (RFC 5280 §4.1.2.4) and as text (RFC 4514), in one comparable form.

use std::fmt;

use super::Der;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Attribute types with a name: those of RFC 4514 §3, and two that are common in certificates.
const NAMED: [(&str, &str); 11] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.5", "serialNumber"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

/// A distinguished name: sets of types with values, the certificate's last one first.
#[derive(Debug, PartialEq, Eq)]
pub struct Distinguished(Vec<Vec<(String, String)>>);

impl Distinguished {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the contents of a Name.
    pub fn decode(name: &[u8]) -> Option<Distinguished> {
        let mut sets = Vec::new();
        let mut name = Der(name);
        while !name.0.is_empty() {
            let mut set = Der(name.expect(SET)?);
            let mut pairs = Vec::new();
            while !set.0.is_empty() {
                let mut pair = Der(set.expect(SEQUENCE)?);
                let oid = dotted(pair.expect(OBJECT_IDENTIFIER)?)?;
                pairs.push((oid, string(pair.next()?)?));
            }
            pairs.sort();
            sets.push(pairs);
        }
        sets.reverse();
        Some(Distinguished(sets))
    }

    /// Parses the text form. The case of types and spaces around separators do not matter.
    pub fn parse(text: &str) -> Option<Distinguished> {
        let sets: Option<Vec<_>> = split(text, ',').into_iter().map(parse_set).collect();
        Some(Distinguished(sets?))
    }
}

fn parse_set(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        let known = NAMED.iter().find(|(oid, short)| short.eq_ignore_ascii_case(name) || *oid == name);
        let is_oid = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit() || c == '.');
        let oid = known.map(|(oid, _)| *oid).or(is_oid.then_some(name))?;
        Some((oid.to_owned(), unescape(value)?))
    };
    let mut pairs: Vec<_> = split(text, '+').into_iter().map(pair).collect::<Option<_>>()?;
    pairs.sort();
    Some(pairs)
}

/// The parts between unescaped separators.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut begin, mut is_escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        if c == separator && !is_escaped {
            parts.push(&text[begin..at]);
            begin = at + c.len_utf8();
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    parts.push(&text[begin..]);
    parts
}

/// `\,` is a comma and `\C3\A4` an ä. A value is never empty.
fn unescape(text: &str) -> Option<String> {
    let text = text.trim_start();
    let mut bytes = Vec::new();
    let mut kept = 0;
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            kept = if *first == b' ' { kept } else { bytes.len() };
            continue;
        }
        let hex = after.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let hex = hex.and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*after.first()?);
            rest = &after[1..];
        }
        kept = bytes.len();
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok().filter(|value| !value.is_empty())
}

impl fmt::Display for Distinguished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pairs) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            for (index, (oid, value)) in pairs.iter().enumerate() {
                f.write_str(if index > 0 { "+" } else { "" })?;
                let known = NAMED.iter().find(|(known, _)| known == oid);
                write!(f, "{}=", known.map_or(oid.as_str(), |(_, short)| short))?;
                write_escaped(f, value)?;
            }
        }
        Ok(())
    }
}

fn write_escaped(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let last = value.chars().count().saturating_sub(1);
    for (index, c) in value.chars().enumerate() {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => write!(f, "\\{c}")?,
            ' ' if index == 0 || index == last => f.write_str("\\ ")?,
            '#' if index == 0 => f.write_str("\\#")?,
            c if c.is_ascii_control() => write!(f, "\\{:02X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    Ok(())
}

/// An object identifier in dotted form (X.690 §8.19).
fn dotted(bytes: &[u8]) -> Option<String> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut number = 0_u64;
    for byte in bytes {
        number = number.checked_mul(128)? | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                let first = (number / 40).min(2);
                numbers.extend([first, number - 40 * first]);
            } else {
                numbers.push(number);
            }
            number = 0;
        }
    }
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    (!numbers.is_empty()).then(|| numbers.join("."))
}

/// The string types of names: UTF-8, ASCII in two kinds, Latin-1 and UTF-16.
fn string((tag, contents): (u8, &[u8])) -> Option<String> {
    match tag {
        0x0c | 0x13 | 0x16 => String::from_utf8(contents.to_vec()).ok(),
        0x14 => Some(contents.iter().map(|byte| char::from(*byte)).collect()),
        0x1e => {
            let units = contents.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_is_written_in_one_way_however_it_was_written() {
        let one = |text: &str| Distinguished::parse(text).map(|name| name.to_string());
        for same in ["CN=a,O=b", " cn = a , o = b ", "2.5.4.3=a,2.5.4.10=b", "CN=\\61,O=b"] {
            assert_eq!(one(same).as_deref(), Some("CN=a,O=b"), "{same}");
        }
        assert_eq!(one("OU=x+CN=\\#a\\, b\\ ,DC=c").as_deref(), Some("OU=x+CN=\\#a\\, b\\ ,DC=c"));
        assert_eq!(one("CN=Z\\C3\\A4hler").as_deref(), Some("CN=Z\u{e4}hler"));
        for bad in ["", "a", "CN=", "CN=a,", "XX=a", "CN=a\\"] {
            assert_eq!(one(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_was_written_reads_as_itself(
            text in "((CN|o|1\\.2|[a-z]{2}) ?= ?([a-f ,+#=\\\\\"<;\u{e9}0-9]|\\\\,){0,6}[,+]?){1,3}",
        ) {
            if let Some(name) = Distinguished::parse(&text) {
                prop_assert_eq!(Distinguished::parse(&name.to_string()), Some(name));
            }
        }

        #[test]
        fn bytes_that_are_no_name_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Distinguished::decode(&bytes);
        }
    }

    #[test]
    fn an_object_identifier_is_read() {
        assert_eq!(dotted(&[0x55, 4, 3]).as_deref(), Some("2.5.4.3"));
        assert_eq!(dotted(b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01").as_deref(), Some("1.2.840.113549.1.9.1"));
    }
}
