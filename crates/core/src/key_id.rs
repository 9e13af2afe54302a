//! The id of a key in the keyring (`kid`).

/// Identifies a key within the keyring; every token carries the id of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);
