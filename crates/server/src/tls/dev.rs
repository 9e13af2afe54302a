//! The self-signed certificate of `serve --dev`.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::config::tls::CertificateFiles;
use crate::private_file::{self, PrivateFileError};

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Reason why there is no development certificate.
#[derive(Debug, thiserror::Error)]
pub enum DevCertificateError {
    #[error("the development certificate could not be made")]
    Making(#[source] rcgen::Error),
    #[error("the development certificate could not be written to {}", path.display())]
    Writing {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error(transparent)]
    Key(#[from] PrivateFileError),
}

/// Creates an ECDSA P-256 certificate for this machine's own names in `data_dir/tls`, unless there is a key already. The key is
/// written last and atomically, so that the next start completes one that was killed.
pub fn certificate(data_dir: &Path) -> Result<CertificateFiles, DevCertificateError> {
    let files = CertificateFiles::in_data_dir(data_dir);
    if files.key.exists() {
        return Ok(files);
    }
    let (chain, key) = make().map_err(DevCertificateError::Making)?;
    let folder = data_dir.join("tls");
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|cause| DevCertificateError::Writing { path: folder, cause })?;
    // Follows a link, as the key does.
    let unwritten = |cause| DevCertificateError::Writing { path: files.chain.clone(), cause };
    fs::write(&files.chain, chain).map_err(unwritten)?;
    private_file::write(&files.key, &key)?;
    Ok(files)
}

fn make() -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut wanted = CertificateParams::new(NAMES.map(str::to_owned))?;
    wanted.distinguished_name.push(DnType::CommonName, "Northgate development");
    wanted.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok((wanted.self_signed(&key)?.pem(), key.serialize_pem()))
}
