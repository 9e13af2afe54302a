//! Form decoder (`application/x-www-form-urlencoded`), tolerant of clients that do not encode.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use super::{DecodeError, Found, Members};
use crate::parse_bounds::MEMBERS_MAX;

/// Whether the body begins with a name and `=`, as no JSON text does.
pub(super) fn looks_like_form(body: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.%+".contains(byte);
    let name = body.iter().take_while(|byte| is_name(byte)).count();
    name > 0 && body.get(name) == Some(&b'=')
}

pub(super) fn decode<'a, const N: usize>(
    body: &'a [u8],
    members: &mut Members<'a, N>,
) -> Result<(), DecodeError> {
    // In a field a line break is %0A; one at the end comes from a file or an old browser.
    let body = body.trim_ascii_end();
    for (number, field) in body.split(|byte| *byte == b'&').enumerate() {
        if number >= MEMBERS_MAX {
            return Err(DecodeError::TooMany);
        }
        let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
        let (name, value) = (&field[..equals], field.get(equals + 1..).unwrap_or_default());
        let position = text(name).and_then(|name| members.position(&name));
        if let Some(position) = position {
            members.put(position, text(value).map_or(Found::NotUtf8, Found::Text));
        }
    }
    Ok(())
}

/// `+` is a space and `%41` an A. A `%` before anything else is itself: many clients do not encode.
fn text(raw: &[u8]) -> Option<Cow<'_, str>> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return std::str::from_utf8(raw).ok().map(Cow::Borrowed);
    }
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect()).ok().map(Cow::Owned)
}
