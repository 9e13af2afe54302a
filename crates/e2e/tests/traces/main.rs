//! Traces with the OpenTelemetry collector: what arrives there of the requests of a running program.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod collector;
mod tracing;
