//! The black-box test book of OAuth 2.0: one test for each MUST that applies to us, bytes on a real socket. Each names the
//! section that it is about.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "oauth/assertion.rs"]
mod assertion;
#[path = "oauth/assertion_claims.rs"]
mod assertion_claims;
#[path = "oauth/authentication.rs"]
mod authentication;
#[path = "oauth/certificate.rs"]
mod certificate;
#[path = "oauth/client_cert.rs"]
mod client_cert;
#[path = "oauth/client_credentials.rs"]
mod client_credentials;
#[allow(dead_code)]
#[path = "edge/identity.rs"]
mod identity;
#[path = "oauth/introspect.rs"]
mod introspect;
#[path = "oauth/key.rs"]
mod key;
#[path = "oauth/metadata.rs"]
mod metadata;
#[path = "oauth/refresh.rs"]
mod refresh;
#[path = "oauth/request.rs"]
mod request;
#[path = "oauth/revoke.rs"]
mod revoke;
// The world of the application API, of which this book needs only a part.
#[allow(dead_code)]
#[path = "api/socket.rs"]
mod socket;
#[allow(dead_code)]
#[path = "api/world.rs"]
mod world;

#[path = "../../store/tests/postgres/server.rs"]
#[allow(dead_code)]
mod server;
#[allow(dead_code)]
#[path = "api/store.rs"]
mod store;

const STORE: store::Kind = store::Kind::Embedded;
