//! The black-box test book of signed access tokens (RFC 9068), of those that are bound to a key (RFC 9449), of the keys and
//! of the feed of revocations: one test for each MUST that applies to us. Each names the section that it is about.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "jwt_api/access_token.rs"]
mod access_token;
#[path = "jwt_api/client.rs"]
mod client;
#[path = "jwt_api/dpop.rs"]
mod dpop;
#[path = "jwt_api/dpop_at_the_gateway.rs"]
mod dpop_at_the_gateway;
#[path = "jwt_api/dpop_once.rs"]
mod dpop_once;
#[path = "jwt_api/forged.rs"]
mod forged;
#[path = "jwt_api/jwks.rs"]
mod jwks;
#[path = "jwt_api/proof.rs"]
mod proof;
#[path = "jwt_api/revocations.rs"]
mod revocations;
#[path = "jwt_api/verifier.rs"]
mod verifier;
// Worlds of other books, of which this one needs only a part.
#[allow(dead_code)]
#[path = "process/northgate.rs"]
mod northgate;
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
