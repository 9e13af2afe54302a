//! The black-box test book of signed access tokens (RFC 9068), of those that are bound to a key (RFC 9449), of the keys and
//! of the feed of revocations: one test for each MUST that applies to us. Each names the section that it is about.

mod access_token;
mod client;
mod dpop;
mod dpop_at_the_gateway;
mod dpop_once;
mod forged;
mod jwks;
mod proof;
mod revocations;
