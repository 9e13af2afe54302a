//! Northgate, the token service: everything but `main`, so that tests can run it in their own process.

mod admin_address;
mod blanks;
pub mod cli;
pub mod clock;
mod clock_watch;
pub mod config;
pub mod export;
pub mod exposure;
pub mod http;
pub mod http_client;
pub mod jose;
pub mod jwt;
pub mod keys;
pub mod listener;
pub mod metrics;
pub mod operator_input;
pub mod outcome;
mod parse_bounds;
mod policy_text;
pub mod preflight;
mod private_file;
mod rfc3339;
pub mod serve;
pub mod telemetry;
pub mod tls;
pub mod unauthenticated;
pub mod version;
