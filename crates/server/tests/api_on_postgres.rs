//! The laws of `api.rs`, over PostgreSQL.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

#[path = "api/bearer.rs"]
mod bearer;
#[path = "api/bodies.rs"]
mod bodies;
#[path = "api/client_text.rs"]
mod client_text;
#[path = "api/clients.rs"]
mod clients;
#[path = "api/heads.rs"]
mod heads;
#[path = "api/logging.rs"]
mod logging;
#[path = "api/login.rs"]
mod login;
#[path = "api/logout.rs"]
mod logout;
#[path = "api/operating.rs"]
mod operating;
#[path = "api/page.rs"]
mod page;
#[path = "api/proxies.rs"]
mod proxies;
#[path = "api/refresh.rs"]
mod refresh;
#[path = "api/routes.rs"]
mod routes;
#[path = "../../store/tests/postgres/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "api/socket.rs"]
mod socket;
#[path = "api/statuses.rs"]
mod statuses;
#[path = "api/store.rs"]
mod store;
#[path = "api/throttle.rs"]
mod throttle;
#[path = "api/verify.rs"]
mod verify;
#[path = "api/world.rs"]
mod world;

const STORE: store::Kind = store::Kind::Postgres;
