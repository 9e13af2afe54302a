//! The self-signed certificate of `serve --dev`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use crate::config::tls::CertificateFiles;

const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Why there is no development certificate.
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
}

/// Makes an ECDSA P-256 certificate for this machine's own names in `data_dir/tls`, unless there are files already.
pub fn certificate(data_dir: &Path) -> Result<CertificateFiles, DevCertificateError> {
    let files = CertificateFiles::in_data_dir(data_dir);
    if files.chain.exists() && files.key.exists() {
        return Ok(files);
    }
    let (chain, key) = make().map_err(DevCertificateError::Making)?;
    let folder = data_dir.join("tls");
    fs::create_dir_all(&folder).map_err(|cause| DevCertificateError::Writing { path: folder, cause })?;
    write(&files.key, 0o600, &key)?;
    write(&files.chain, 0o644, &chain)?;
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

/// Never over a file that is there: half a pair may be somebody's real key.
fn write(path: &Path, mode: u32, text: &str) -> Result<(), DevCertificateError> {
    let open = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|cause| DevCertificateError::Writing { path: path.to_owned(), cause })
}
