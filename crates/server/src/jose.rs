//! JOSE: JWS in compact form (RFC 7515), JWK (RFC 7517) and the members of JWTs (RFC 7519), for tokens, assertions and proofs.

pub mod jwk;
pub mod jws;
pub mod members;
