//! `docs/openapi.yaml` is true: it names every path and method of the routers and no other, and what a running server
//! answers to whatever schemathesis thinks of is what it says.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod document;
mod routes;
mod schemathesis;
