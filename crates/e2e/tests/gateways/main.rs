//! The files in `deploy/gateways` in nginx, Caddy, HAProxy, Traefik and Envoy as they are installed; proxies in front of Northgate;
//! and the example of a gateway that verifies signed tokens offline.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod caller;
mod calls;
mod edge;
mod errors;
mod gateway;
mod gateway_stack;
mod haproxy;
mod headers;
mod key_forms;
mod pasted;
mod paths;
mod platform;
mod protocols;
mod raw;
mod relay;
// The worlds of the listeners' tests, of which these need a part.
#[allow(dead_code)]
#[path = "../../../server/tests/http/support/mod.rs"]
mod support;
mod traces;
mod verifier;

use northgate_testkit::Kind;

const STORE: Kind = Kind::Embedded;
