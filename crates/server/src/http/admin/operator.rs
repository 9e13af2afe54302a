//! Authentication of the operator. A handler that takes an [`Operator`] requires the admin token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use northgate_core::actor::Actor;

use super::Admin;
use super::problem::AdminProblem;
use crate::http::observe::{RequestId, peer};

/// Proof that the request carries the admin token, and the actor of the audit trail.
pub struct Operator(pub Actor);

impl FromRequestParts<Arc<Admin>> for Operator {
    type Rejection = AdminProblem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Operator, AdminProblem> {
        let presented = parts.headers.get(AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        match presented {
            Some(token) if admin.token.matches(token) => Ok(Operator(actor(Actor::BREAK_GLASS, parts))),
            Some(_) | None => Err(AdminProblem::unauthorized()),
        }
    }
}

/// The authenticated actor with its request.
pub fn actor(authenticated: Actor, parts: &Parts) -> Actor {
    let request = parts.extensions.get::<RequestId>().map(|id| id.to_string().into());
    authenticated.of_request(request, peer(&parts.extensions).address)
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
