//! PEM files of certificates and private keys, with errors that name what a file contains instead.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::exposure;

/// The longest file that is read: a bundle of all public authorities is a quarter of a MiB.
const LONGEST: u64 = 4 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// The first byte of DER and PKCS#12.
const SEQUENCE: u8 = 0x30;

/// Reason why a file yields no certificate or key.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    #[error("{} could not be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is empty", path.display())]
    Empty { path: PathBuf },
    #[error("{} is longer than {LONGEST} bytes, which no PEM file of certificates is", path.display())]
    TooLong { path: PathBuf },
    #[error("{} is text in UTF-16: save it as ASCII or UTF-8", path.display())]
    Utf16 { path: PathBuf },
    #[error(
        "{} is binary (DER or PKCS#12) and not PEM: convert it, with `openssl x509 -inform der`, `openssl pkey -inform der` \
         or `openssl pkcs12 -nodes`",
        path.display()
    )]
    Binary { path: PathBuf },
    #[error("{} is not in PEM format", path.display())]
    Broken {
        path: PathBuf,
        #[source]
        cause: pem::Error,
    },
    #[error("{} contains no certificate{found}", path.display())]
    NoCertificate { path: PathBuf, found: Found },
    #[error("{} contains no private key{found}", path.display())]
    NoKey { path: PathBuf, found: Found },
    #[error(
        "the private key in {} is encrypted: write it without a passphrase, with `openssl pkey -in … -out …`",
        path.display()
    )]
    Encrypted { path: PathBuf },
    #[error(
        "the private key in {} can be read by others (its mode is {mode:03o}): make it private with `chmod 600 {}`",
        path.display(), path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
}

/// The content of a file with the wrong sections: their labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found(Vec<String>);

/// All certificates of a file, at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read(open(path)?, path)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|cause| PemError::Broken { path: path.to_owned(), cause })?;
    match all.is_empty() {
        true => Err(PemError::NoCertificate { path: path.to_owned(), found: Found::of(&text) }),
        false => Ok(all),
    }
}

/// All private keys of a private file, at least one, in PKCS#8, PKCS#1 or SEC1.
pub fn keys(path: &Path) -> Result<Vec<PrivateKeyDer<'static>>, PemError> {
    let file = open(path)?;
    let unreadable = |cause| PemError::Unreadable { path: path.to_owned(), cause };
    let exposed = exposure::of(&file.metadata().map_err(unreadable)?);
    let text = read(file, path)?;
    if contains(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY") || contains(&text, b"Proc-Type: 4,ENCRYPTED") {
        return Err(PemError::Encrypted { path: path.to_owned() });
    }
    let all: Result<Vec<_>, _> = PrivateKeyDer::pem_slice_iter(&text).collect();
    let all = all.map_err(|cause| PemError::Broken { path: path.to_owned(), cause })?;
    match exposed {
        // A certificate in place of the key may be readable for all, and the error says what it is.
        _ if all.is_empty() => Err(PemError::NoKey { path: path.to_owned(), found: Found::of(&text) }),
        Some(mode) => Err(PemError::Exposed { path: path.to_owned(), mode }),
        None => Ok(all),
    }
}

fn open(path: &Path) -> Result<File, PemError> {
    File::open(path).map_err(|cause| PemError::Unreadable { path: path.to_owned(), cause })
}

/// The normalized text, whatever an editor did to line ends, indentation and the beginning.
fn read(file: File, path: &Path) -> Result<Vec<u8>, PemError> {
    let unreadable = |cause| PemError::Unreadable { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    let path = || path.to_owned();
    match bytes.as_slice() {
        text if text.trim_ascii().is_empty() => Err(PemError::Empty { path: path() }),
        text if text.len() as u64 > LONGEST => Err(PemError::TooLong { path: path() }),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(PemError::Utf16 { path: path() }),
        text @ [SEQUENCE, ..] if !contains(text, b"-----BEGIN ") => Err(PemError::Binary { path: path() }),
        text => Ok(plain(text)),
    }
}

/// Lines end with LF and begin with their first character; concatenated files may have several byte order marks.
fn plain(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let line = |line: &[u8]| {
        let line = line.trim_ascii();
        [line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line), b"\n"].concat()
    };
    lines.flat_map(line).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl Found {
    fn of(text: &[u8]) -> Found {
        let label = |line: &[u8]| {
            let label = line.strip_prefix(b"-----BEGIN ")?.strip_suffix(b"-----")?;
            std::str::from_utf8(label).ok().map(str::to_owned)
        };
        let mut labels: Vec<String> = text.split(|byte| *byte == b'\n').filter_map(label).collect();
        labels.dedup();
        Found(labels)
    }
}

/// Completes the sentence about the missing section.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => write!(f, ": it is not in PEM format"),
            labels => {
                write!(f, ", but {}", labels.join(", "))?;
                let is_other_file =
                    labels.iter().any(|label| label == "CERTIFICATE" || label.ends_with("PRIVATE KEY"));
                if is_other_file {
                    write!(f, ": are the files of tls.certificates and tls.keys exchanged?")?;
                }
                Ok(())
            }
        }
    }
}
