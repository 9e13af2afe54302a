//! Decodes a request's body, JSON or a form, into the members that an operation needs.
//!
//! Clients are sloppy, so that the content type decides the format unless the body plainly contradicts it. Errors have a fixed
//! order: the content type; the body as a whole; a member that is repeated, not a string, longer than 256 characters or has a
//! control character (of several the first in the order of the documentation); and only then a member that is missing, null or
//! empty.

mod form;
mod json;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use northgate_core::text::{TextError, check_text};

use crate::parse_bounds::MEMBERS_MAX;

/// Reason why a body was not decoded, for the log: the client learns only whether something is missing or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the content type is neither JSON nor a form")]
    ContentType,
    #[error("the body is not UTF-8")]
    Utf8,
    #[error("the body is not a JSON object")]
    Json,
    #[error("the body has more than {MEMBERS_MAX} members")]
    TooMany,
    #[error("{0} is repeated")]
    Twice(&'static str),
    #[error("{0} is not a string")]
    NotText(&'static str),
    #[error("{0} {1}")]
    Text(&'static str, TextError),
    #[error("{0} is missing")]
    Missing(&'static str),
}

/// The texts of the members with these names, each of 1 to 256 printable characters. Names are compared case-insensitively, in
/// any order, and other members are ignored.
pub fn decode<'a, const N: usize>(
    names: [&'static str; N],
    content_type: Option<&[u8]>,
    body: &'a [u8],
) -> Result<[Cow<'a, str>; N], DecodeError> {
    let format = format(content_type, body)?;
    let mut members = Members::new(names);
    match format {
        Format::Empty => {}
        Format::Json => json::decode(body, &mut members)?,
        Format::Form => form::decode(body, &mut members)?,
    }
    members.texts()
}

enum Format {
    Empty,
    Json,
    Form,
}

fn format(content_type: Option<&[u8]>, body: &[u8]) -> Result<Format, DecodeError> {
    let media_type = content_type.map(|value| value.split(|byte| *byte == b';').next().unwrap_or(value));
    let is_json = match media_type.map(<[u8]>::trim_ascii) {
        None | Some(b"") => json::looks_like_object(body),
        Some(json) if json.eq_ignore_ascii_case(b"application/json") => !form::looks_like_form(body),
        Some(form) if form.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") => {
            json::looks_like_object(body)
        }
        Some(_) => return Err(DecodeError::ContentType),
    };
    Ok(match (body.is_empty(), is_json) {
        (true, _) => Format::Empty,
        (false, true) => Format::Json,
        (false, false) => Format::Form,
    })
}

/// The value found under a name.
enum Found<'a> {
    Text(Cow<'a, str>),
    /// JSON's null, which counts as missing.
    Null,
    NotText,
    NotUtf8,
    Twice,
}

/// The wanted members, and those found.
struct Members<'a, const N: usize> {
    names: [&'static str; N],
    found: [Option<Found<'a>>; N],
    are_too_many: bool,
}

impl<'a, const N: usize> Members<'a, N> {
    fn new(names: [&'static str; N]) -> Members<'a, N> {
        Members { names, found: [const { None }; N], are_too_many: false }
    }

    /// The index of `name` among the wanted ones.
    fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known.eq_ignore_ascii_case(name))
    }

    fn put(&mut self, position: usize, found: Found<'a>) {
        let place = &mut self.found[position];
        *place = Some(if place.is_none() { found } else { Found::Twice });
    }

    fn texts(self) -> Result<[Cow<'a, str>; N], DecodeError> {
        let mut missing = None;
        let mut texts = [const { Cow::Borrowed("") }; N];
        for ((name, found), text) in self.names.into_iter().zip(self.found).zip(&mut texts) {
            *text = match found {
                Some(Found::Text(text)) => text,
                Some(Found::Null) | None => Cow::Borrowed(""),
                Some(Found::NotText) => return Err(DecodeError::NotText(name)),
                Some(Found::NotUtf8) => return Err(DecodeError::Utf8),
                Some(Found::Twice) => return Err(DecodeError::Twice(name)),
            };
            match check_text(text) {
                Ok(()) => {}
                Err(TextError::Empty) => missing = missing.or(Some(name)),
                Err(error @ (TextError::TooLong | TextError::ControlCharacter)) => {
                    return Err(DecodeError::Text(name, error));
                }
            }
        }
        missing.map_or(Ok(texts), |name| Err(DecodeError::Missing(name)))
    }
}
