//! Where applications and grants are kept. A store decides nothing: it does guarded steps and says what happened.

mod credential_kind;
pub mod embedded;
pub mod postgres;
mod steady;
