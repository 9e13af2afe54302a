//! Length and characters of the texts that the API accepts.

/// The longest appId, secret and token that the API promises: `String(256)`, in characters.
pub const MAX_CHARS: usize = 256;

/// Why a text cannot be an appId, a secret or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    #[error("is empty")]
    Empty,
    #[error("is longer than 256 characters")]
    TooLong,
    #[error("has a control character")]
    ControlCharacter,
}

/// Checks that `text` has 1 to [`MAX_CHARS`] characters and no control character.
pub fn check_text(text: &str) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    // Nearly every text is short ASCII, whose bytes suffice. The compiler vectorises a loop over all of them.
    let is_printable = |all, byte| all & matches!(byte, b' '..=b'~');
    if text.len() <= MAX_CHARS && text.bytes().fold(true, is_printable) {
        return Ok(());
    }
    // Characters are counted only where the number of bytes leaves it open.
    if text.len() > MAX_CHARS && text.chars().count() > MAX_CHARS {
        return Err(TextError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(TextError::ControlCharacter);
    }
    Ok(())
}
