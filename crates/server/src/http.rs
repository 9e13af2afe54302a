//! What is answered over HTTP.

pub mod admin;
