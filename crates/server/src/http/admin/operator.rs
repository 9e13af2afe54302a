//! Authentication of the operator. A handler that takes an [`Operator`] requires the admin token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Admin;
use super::problem::AdminProblem;

/// Proof that the request carries the admin token.
pub struct Operator;

impl FromRequestParts<Arc<Admin>> for Operator {
    type Rejection = AdminProblem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Operator, AdminProblem> {
        let presented = parts.headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        match presented {
            Some(token) if admin.token.matches(token) => Ok(Operator),
            Some(_) | None => Err(AdminProblem::unauthorized()),
        }
    }
}

/// The token of `Bearer <token>`; RFC 9110 lets the scheme be written in any case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_the_scheme_in_any_case() {
        assert_eq!(bearer(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"bearer  abc"), Some(&b"abc"[..]));
        assert_eq!(bearer(b"Basic abc"), None);
        assert_eq!(bearer(b"Bearer"), None);
    }
}
