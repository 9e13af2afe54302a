//! Where applications and grants are kept. A store decides nothing: it does guarded steps and says what happened.

mod clock_jump;
pub mod credential_kind;
pub mod embedded;
pub mod export;
mod policy_row;
pub mod postgres;
