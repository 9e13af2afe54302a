//! Keys and tokens at rest: the keyring, the key that seals it in a database, and the admin token.

pub mod admin_token;
pub mod keyring_database;
pub mod keyring_file;
pub mod keyring_key;
