//! The text of an import file. Only UTF-8 is read; another encoding is named with the way to convert it.

/// The text of `bytes`, without a byte order mark.
///
/// # Errors
///
/// A sentence that names the encoding found and the remedy, if the bytes are not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    if let Some(encoding) = utf_16(&bytes) {
        return Err(remedy(&format!("is {encoding}"), encoding));
    }
    match String::from_utf8(bytes) {
        Ok(mut text) => {
            // Spreadsheets begin a file with a byte order mark.
            if text.starts_with('\u{feff}') {
                text.drain(..'\u{feff}'.len_utf8());
            }
            Ok(text)
        }
        Err(error) => {
            let (wrong, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
            let line = bytes[..wrong].iter().filter(|byte| **byte == b'\n').count() + 1;
            // GB18030 contains GBK. The name of the other family is that of its most common member.
            let (guess, encoding) =
                if is_gbk(bytes) { ("GBK", "GB18030") } else { ("Windows-1252", "WINDOWS-1252") };
            Err(remedy(&format!("is not UTF-8 in line {line}, and probably {guess}"), encoding))
        }
    }
}

fn remedy(found: &str, encoding: &str) -> String {
    format!(
        "the file {found}: save it as UTF-8 (in a spreadsheet \"CSV UTF-8\"), \
         or convert it with iconv -f {encoding} -t UTF-8; nothing was imported"
    )
}

/// UTF-16 by its byte order mark, or by the zero bytes that a header in ASCII has in it.
fn utf_16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [first, 0, ..] if *first != 0 => Some("UTF-16LE"),
        [0, second, ..] if *second != 0 => Some("UTF-16BE"),
        _ => None,
    }
}

/// Whether all bytes above ASCII are the first of a pair as GBK has them.
fn is_gbk(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        if byte.is_ascii() {
            continue;
        }
        let pair = (byte, rest.next());
        if !matches!(pair, (0x81..=0xfe, Some(0x40..=0x7e | 0x80..=0xfe))) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(text(b"\xef\xbb\xbfappId".to_vec()).as_deref(), Ok("appId"));
        assert_eq!(text("appId,水表".into()).as_deref(), Ok("appId,水表"));
    }

    #[test]
    fn another_encoding_is_named_with_the_command_that_converts_it() {
        let utf_16 = |mark: &[u8]| [mark, b"a\0p\0p\0"].concat();
        for (bytes, name) in [
            (utf_16(b"\xff\xfe"), "iconv -f UTF-16 "),
            (utf_16(b""), "iconv -f UTF-16LE "),
            (b"\0a\0p".to_vec(), "iconv -f UTF-16BE "),
            // 水表, and a name with an umlaut before a comma.
            (b"appId,secret,name\na,s,\xcb\xae\xb1\xed\n".to_vec(), "line 2, and probably GBK"),
            (b"appId,secret,name\na,s,Stra\xdfe\n".to_vec(), "line 2, and probably "),
            (b"appId,name,secret\na,Caf\xe9,s\n".to_vec(), "line 2, and probably Windows-1252"),
        ] {
            let sentence = text(bytes).expect_err(name);
            assert!(sentence.contains(name), "{name}: {sentence}");
        }
    }
}
