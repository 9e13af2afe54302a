//! The admin token, which authorizes use of the admin API: a file in the data directory, or `NORTHGATE_ADMIN_TOKEN`.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::{constant_time, digest};
use northgate_core::secret::SecretText;

use crate::blanks::{self, Blank};
use crate::private_file::{self, PrivateFileError};

/// The environment variable of the token, where no file is wanted.
pub const VARIABLE: &str = "NORTHGATE_ADMIN_TOKEN";

/// The shortest accepted token, against guessing: 16 characters of hex are 64 bits.
const SHORTEST: usize = 16;

/// The digest of the token: enough to compare it, not to reveal it.
pub struct AdminToken {
    digest: digest::Digest,
}

/// Reason why there is no admin token.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{source_of_it} holds no admin token: write {SHORTEST} to 256 visible ASCII characters")]
    Malformed { source_of_it: String },
    #[error("the admin token in {source_of_it}: write it without {blank}")]
    Blank { source_of_it: String, blank: Blank },
    #[error(
        "there is no admin token at {}: name the data directory of the running server with --data-dir, \
         or set {VARIABLE}",
        .0.display()
    )]
    Missing(PathBuf),
}

impl AdminToken {
    /// The token in `given` (the value of [`VARIABLE`]), or else in the data directory, where it is created if it is missing.
    pub fn open_or_create(data_dir: &Path, given: Option<&str>) -> Result<AdminToken, AdminTokenError> {
        match find(data_dir, given) {
            Ok(token) => Ok(AdminToken::of(&token)),
            Err(AdminTokenError::Missing(path)) => {
                // The same 256 random bits as an allocated secret, in the same shape: secret scanners find it.
                let token = SecretText::random();
                private_file::write(&path, &format!("{}\n", token.reveal()))?;
                Ok(AdminToken::of(&token))
            }
            Err(error) => Err(error),
        }
    }

    fn of(token: &SecretText) -> AdminToken {
        AdminToken { digest: digest::digest(&digest::SHA256, token.reveal().as_bytes()) }
    }

    /// Constant-time comparison.
    pub fn matches(&self, presented: &[u8]) -> bool {
        let presented = digest::digest(&digest::SHA256, presented);
        constant_time::verify_slices_are_equal(self.digest.as_ref(), presented.as_ref()).is_ok()
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminToken")
    }
}

/// The token for a client, from the same two places.
pub fn find(data_dir: &Path, given: Option<&str>) -> Result<SecretText, AdminTokenError> {
    if let Some(given) = given.filter(|given| !given.is_empty()) {
        return parse(given, VARIABLE.to_owned());
    }
    read(&data_dir.join("admin-token"))
}

/// The token in a file.
pub fn read(path: &Path) -> Result<SecretText, AdminTokenError> {
    match private_file::read(path)? {
        Some(text) => {
            let source_of_it = path.display().to_string();
            match blanks::one_line(&text) {
                Ok(line) => parse(line, source_of_it),
                Err(blank) => Err(AdminTokenError::Blank { source_of_it, blank }),
            }
        }
        None => Err(AdminTokenError::Missing(path.to_owned())),
    }
}

/// The token in a text.
pub fn parse(text: &str, source_of_it: String) -> Result<SecretText, AdminTokenError> {
    if let Err(blank) = blanks::check(text) {
        return Err(AdminTokenError::Blank { source_of_it, blank });
    }
    let is_token = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
    match SecretText::parse(text) {
        Ok(token) if is_token => Ok(token),
        Ok(_) | Err(_) => Err(AdminTokenError::Malformed { source_of_it }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let first = AdminToken::open_or_create(dir.path(), None).expect("made");
        let text = find(dir.path(), None).expect("found");
        assert!(first.matches(text.reveal().as_bytes()));
        let again = AdminToken::open_or_create(dir.path(), None).expect("found");
        assert!(again.matches(text.reveal().as_bytes()));
    }

    #[test]
    fn no_other_token_matches() {
        let dir = tempfile::tempdir().expect("a directory");
        let token = AdminToken::open_or_create(dir.path(), Some("0123456789abcdef")).expect("given");
        assert!(token.matches(b"0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef "] {
            assert!(!token.matches(other.as_bytes()), "{other}");
        }
        assert_eq!(format!("{token:?}"), "AdminToken");
    }

    #[test]
    fn a_given_token_leaves_no_file() {
        let dir = tempfile::tempdir().expect("a directory");
        AdminToken::open_or_create(dir.path(), Some("0123456789abcdef")).expect("given");
        assert!(matches!(find(dir.path(), None), Err(AdminTokenError::Missing(_))));
    }

    #[test]
    fn a_token_that_is_short_or_cannot_be_sent_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for given in ["short", "0123456789 abcdef", "0123456789abcdéf"] {
            let error = AdminToken::open_or_create(dir.path(), Some(given)).expect_err("refused");
            let sentence = error.to_string();
            assert!(sentence.starts_with(VARIABLE) && !sentence.contains(given), "{sentence}");
        }
    }

    // Regression: the variable was set by `$(cat token)` in one place and from a file in another; the blank at its end made every
    // request 401.
    #[test]
    fn a_token_with_a_blank_at_its_ends_is_refused_and_one_line_end_of_a_file_is_not_part_of_it() {
        let dir = tempfile::tempdir().expect("a directory");
        for given in ["0123456789abcdef\n", " 0123456789abcdef", "0123456789abcdef\u{200b}"] {
            let error = AdminToken::open_or_create(dir.path(), Some(given)).expect_err("refused").to_string();
            let is_said = error.starts_with("the admin token in NORTHGATE_ADMIN_TOKEN: write it without ");
            assert!(is_said && !error.contains("0123"), "{error}");
        }
        let file = dir.path().join("admin-token");
        for (text, is_good) in
            [("0123456789abcdef\r\n", true), ("0123456789abcdef \n", false), ("0123456789abcdef\n\n", false)]
        {
            private_file::write(&file, text).expect("written");
            assert_eq!(find(dir.path(), None).is_ok(), is_good, "{text:?}");
        }
    }
}
