//! The parameters of an OAuth request: a form in the body (RFC 6749 §3.2), each at most once and never from the query.

use axum::extract::Request;
use northgate_core::text::{TextError, check_text};
use percent_encoding::percent_decode;

use super::error::{Code, Denial, denial};
use crate::http::body::{self, Bounds};
use crate::outcome::Outcome;
use crate::parse_bounds::MEMBERS_MAX;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// The parameters with a value: a parameter without one counts as missing.
pub struct Form(Vec<(String, String)>);

/// Reason why a body is not such a form. For the log, and so without any text of the client; the client gets the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the content type is not application/x-www-form-urlencoded")]
    ContentType,
    #[error("a parameter is not UTF-8")]
    Utf8,
    #[error("there are more than {MEMBERS_MAX} parameters")]
    TooMany,
    #[error("a parameter is repeated")]
    Twice,
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    #[error("the parameter {0} {1}")]
    Text(&'static str, TextError),
}

impl Form {
    /// Reads the body of `request`.
    pub async fn read(mut request: Request, bounds: Bounds) -> Result<Form, Denial> {
        let received = body::read(&mut request, bounds).await?;
        let media_type = received.content_type().and_then(|value| value.split(|byte| *byte == b';').next());
        if !media_type.is_some_and(|media_type| media_type.trim_ascii().eq_ignore_ascii_case(FORM)) {
            return Err(FormError::ContentType.into());
        }
        Ok(Form::parse(&received.bytes)?)
    }

    pub fn parse(body: &[u8]) -> Result<Form, FormError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for field in body.trim_ascii_end().split(|byte| *byte == b'&').filter(|field| !field.is_empty()) {
            // Each is compared with those before it.
            if parameters.len() >= MEMBERS_MAX {
                return Err(FormError::TooMany);
            }
            let equals = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
            let (name, value) = (&field[..equals], field.get(equals + 1..).unwrap_or_default());
            let (name, value) = (decoded(name)?, decoded(value)?);
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Twice);
            }
            parameters.push((name, value));
        }
        Ok(Form(parameters))
    }

    /// The value of a parameter, if it has one.
    pub fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a required parameter: 1 to 256 printable characters.
    pub fn text(&self, name: &'static str) -> Result<&str, FormError> {
        let text = self.find(name).ok_or(FormError::Missing(name))?;
        check_text(text).map_err(|error| FormError::Text(name, error))?;
        Ok(text)
    }

    /// The parameter `token`, of any length that fits into the body: a signed one is longer than an opaque one.
    pub fn token(&self) -> Result<&str, FormError> {
        self.find("token").ok_or(FormError::Missing("token"))
    }
}

/// `+` is a space and `%41` an A.
pub fn decoded(raw: &[u8]) -> Result<String, FormError> {
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect()).map_err(|_| FormError::Utf8)
}

impl From<FormError> for Denial {
    fn from(error: FormError) -> Denial {
        let (description, outcome) = match &error {
            FormError::ContentType => {
                ("The body must be application/x-www-form-urlencoded.", Outcome::InvalidInput)
            }
            FormError::Utf8 => ("A parameter is not UTF-8.", Outcome::InvalidInput),
            FormError::TooMany => ("There are more than 32 parameters.", Outcome::InvalidInput),
            FormError::Twice => ("A parameter is there twice.", Outcome::InvalidInput),
            FormError::Missing(_) => ("A mandatory parameter is missing.", Outcome::MissingField),
            FormError::Text(..) => (
                "A parameter is longer than 256 characters or has a control character.",
                Outcome::InvalidInput,
            ),
        };
        denial(Code::InvalidRequest, description, outcome, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_one_without_a_value_is_not_there() {
        let form = Form::parse(b"a=x+y%2B&b=&c&d=%C3%A9\r\n").expect("a form");
        let found = ["a", "b", "c", "d", "A"].map(|name| form.find(name));
        assert_eq!(found, [Some("x y+"), None, None, Some("\u{e9}"), None]);
        assert_eq!(form.text("b"), Err(FormError::Missing("b")));
    }

    #[test]
    fn a_parameter_that_is_there_twice_is_refused_even_if_nobody_knows_it() {
        assert_eq!(Form::parse(b"x=1&y=2&%78=").err(), Some(FormError::Twice));
        assert_eq!(Form::parse(b"x=%ff").err(), Some(FormError::Utf8));
    }

    // Regression: 5,461 parameters cost 93 ms of a core before authentication: each was compared with all before it.
    #[test]
    fn more_than_32_parameters_are_refused() {
        let form = |count: usize| (0..count).map(|n| format!("x{n}=")).collect::<Vec<_>>().join("&");
        assert!(Form::parse(form(32).as_bytes()).is_ok());
        for count in [33, 5_461] {
            assert_eq!(Form::parse(form(count).as_bytes()).err(), Some(FormError::TooMany));
        }
    }
}
