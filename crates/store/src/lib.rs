//! Storage of applications and grants. A store decides nothing: it executes guarded steps and returns outcomes.

mod clock_jump;
pub mod credential_kind;
pub mod embedded;
pub mod export;
mod policy_row;
pub mod postgres;
