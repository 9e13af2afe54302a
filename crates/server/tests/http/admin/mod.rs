//! Laws of the admin API and of the command line that speaks to it.

mod applications;
mod attention;
mod clock;
mod command_line;
mod console;
mod credentials;
mod if_match;
mod import;
mod keys;
mod search;
mod secrets;
mod status;
pub mod world;
