//! Northgate, the token service: everything but `main`, so that tests can run it in their own process.

pub mod clock;
pub mod config;
