//! The id of a key in the keyring (`kid`).

/// Names a key within the keyring; every token carries the id of the key that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub u16);
