//! The fields of a form (application/x-www-form-urlencoded), in a body or a query.

use axum::extract::Request;
use percent_encoding::percent_decode;

use crate::http::body::{self, Bounds, Unread};
use crate::parse_bounds::MEMBERS_MAX;

/// The fields. A field that is missing reads as empty, as browsers send it.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

/// Reason why a form was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error(transparent)]
    Body(#[from] Unread),
    #[error("the form is not UTF-8")]
    Utf8,
    #[error("the form has more than {MEMBERS_MAX} fields")]
    TooMany,
}

impl Form {
    pub async fn read(mut request: Request, bounds: Bounds) -> Result<Form, FormError> {
        let received = body::read(&mut request, bounds).await?;
        Form::parse(&received.bytes)
    }

    pub fn parse(text: &[u8]) -> Result<Form, FormError> {
        let mut fields = Vec::new();
        for field in text.split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
            if fields.len() >= MEMBERS_MAX {
                return Err(FormError::TooMany);
            }
            let mut parts = field.splitn(2, |byte| *byte == b'=');
            let mut part = || decoded(parts.next().unwrap_or_default());
            fields.push((part()?, part()?));
        }
        Ok(Form(fields))
    }

    /// The first field of this name, without blanks around it.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.trim())
    }
}

fn decoded(text: &[u8]) -> Result<String, FormError> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().map(|text| text.into_owned()).map_err(|_| FormError::Utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_bounded() {
        let form = Form::parse(b"name=a+b%26c&empty=&name=second").expect("a form");
        assert_eq!((form.get("name"), form.get("empty"), form.get("missing")), ("a b&c", "", ""));
        assert_eq!(Form::parse(b"a=%ff").err(), Some(FormError::Utf8));
        assert_eq!(Form::parse("a=1&".repeat(33).as_bytes()).err(), Some(FormError::TooMany));
    }
}
