//! JSON object decoder in one pass, borrowing from the body where it has no escapes. Ignored values are skipped without
//! recursion, however deep they are.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{DecodeError, Found, Members};
use crate::parse_bounds::MEMBERS_MAX;

/// Some editors and frameworks write it first.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

pub(super) fn looks_like_object(body: &[u8]) -> bool {
    without_mark(body).trim_ascii_start().starts_with(b"{")
}

pub(super) fn decode<'a, const N: usize>(
    body: &'a [u8],
    members: &mut Members<'a, N>,
) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(without_mark(body)).map_err(|_| DecodeError::Utf8)?;
    let mut json = serde_json::Deserializer::from_str(text);
    let decoded = json.deserialize_map(Object(members));
    if members.are_too_many {
        return Err(DecodeError::TooMany);
    }
    decoded.map_err(|_| DecodeError::Json)?;
    json.end().map_err(|_| DecodeError::Json)
}

fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body)
}

/// The object itself.
struct Object<'m, 'a, const N: usize>(&'m mut Members<'a, N>);

impl<'a, const N: usize> Visitor<'a> for Object<'_, 'a, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        let mut count = 0;
        while let Some(position) = object.next_key_seed(Name(self.0))? {
            count += 1;
            if count > MEMBERS_MAX {
                self.0.are_too_many = true;
                return Err(serde::de::Error::custom("too many members"));
            }
            match position {
                Some(position) => self.0.put(position, object.next_value_seed(Value)?),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The name of a member, as its index among the wanted ones.
struct Name<'m, 'a, const N: usize>(&'m Members<'a, N>);

impl<'a, const N: usize> DeserializeSeed<'a> for Name<'_, '_, N> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, name: D) -> Result<Option<usize>, D::Error> {
        name.deserialize_str(self)
    }
}

impl<const N: usize> Visitor<'_> for Name<'_, '_, N> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.position(name))
    }
}

/// The value of a wanted member.
struct Value;

impl<'a> DeserializeSeed<'a> for Value {
    type Value = Found<'a>;

    fn deserialize<D: Deserializer<'a>>(self, value: D) -> Result<Found<'a>, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Value {
    type Value = Found<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Found<'a>, E> {
        Ok(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Found<'a>, E> {
        Ok(Found::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Found<'a>, E> {
        Ok(Found::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found<'a>, E> {
        Ok(Found::NotText)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found<'a>, E> {
        Ok(Found::NotText)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found<'a>, E> {
        Ok(Found::NotText)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found<'a>, E> {
        Ok(Found::NotText)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut array: A) -> Result<Found<'a>, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Found::NotText)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Found<'a>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Found::NotText)
    }
}
