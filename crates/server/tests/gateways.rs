//! Laws of the files in `deploy/gateways`: the real gateways with these files, Northgate beside them and a platform
//! behind them.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "gateways/caller.rs"]
mod caller;
#[path = "gateways/calls.rs"]
mod calls;
#[path = "gateways/errors.rs"]
mod errors;
#[path = "gateways/gateway.rs"]
mod gateway;
#[path = "gateways/headers.rs"]
mod headers;
#[allow(dead_code)]
#[path = "edge/identity.rs"]
mod identity;
// Shared with other tests that need programs.
#[allow(dead_code)]
#[path = "gateways/installed.rs"]
mod installed;
#[path = "gateways/pasted.rs"]
mod pasted;
#[path = "gateways/paths.rs"]
mod paths;
#[path = "gateways/platform.rs"]
mod platform;
#[path = "gateways/protocols.rs"]
mod protocols;
#[path = "gateways/raw.rs"]
mod raw;
#[path = "gateways/relay.rs"]
mod relay;
// These are shared with the laws of the API, which need more of them.
#[path = "../../store/tests/postgres/server.rs"]
#[allow(dead_code)]
mod server;
#[allow(dead_code)]
#[path = "api/socket.rs"]
mod socket;
#[allow(dead_code)]
#[path = "api/store.rs"]
mod store;
#[path = "gateways/street.rs"]
mod street;
#[allow(dead_code)]
#[path = "api/world.rs"]
mod world;

const STORE: store::Kind = store::Kind::Embedded;
