//! `docs/openapi.yaml` is true: it names every path and method of the routers and no other, and what a running server
//! answers to whatever schemathesis thinks of is what it says.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "openapi/document.rs"]
mod document;
// Shared with the laws of the process, which need more of it.
#[allow(dead_code)]
#[path = "process/northgate.rs"]
mod northgate;
#[path = "openapi/routes.rs"]
mod routes;
#[path = "openapi/schemathesis.rs"]
mod schemathesis;
#[path = "support/venv.rs"]
mod venv;
