//! The black-box test book of OAuth 2.0: one test for each MUST that applies to us, bytes on a real socket. Each names the
//! section that it is about.

mod assertion;
mod assertion_claims;
mod authentication;
mod certificate;
mod client_cert;
mod client_credentials;
mod introspect;
mod key;
mod metadata;
mod refresh;
mod request;
mod revoke;
