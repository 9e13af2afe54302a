//! Where applications and grants are kept. A store decides nothing: it does guarded steps and says what happened.

pub mod credential_kind;
pub mod embedded;
pub mod moving;
pub mod postgres;
mod clock_jump;
