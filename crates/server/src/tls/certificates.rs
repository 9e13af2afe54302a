//! Certificates from files, and which of them a client gets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};

use crate::config::tls::CertificateFiles;
use crate::tls::x509::Certificate;

/// The certificates of a listener, the preferred one first.
#[derive(Debug)]
pub struct Certificates(Vec<Loaded>);

#[derive(Debug)]
struct Loaded {
    files: CertificateFiles,
    pair: Arc<CertifiedKey>,
    not_before_s: i64,
    not_after_s: i64,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("{} could not be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is not in PEM format", path.display())]
    NotPem {
        path: PathBuf,
        #[source]
        cause: pem::Error,
    },
    #[error("{} has no certificate in it", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} has no private key in it", path.display())]
    NoKey { path: PathBuf },
    #[error("{} is not the key of the certificate in {}", files.key.display(), files.chain.display())]
    OtherKey { files: CertificateFiles },
    #[error("the certificate in {} and the key in {} cannot be used", files.chain.display(), files.key.display())]
    Unusable {
        files: CertificateFiles,
        #[source]
        cause: rustls::Error,
    },
    #[error("what {} calls a certificate is none", path.display())]
    Malformed { path: PathBuf },
    #[error("the certificate in {} ended at {}", path.display(), date(*at_s))]
    Ended { path: PathBuf, at_s: i64 },
    #[error("the certificate in {} is not valid before {}", path.display(), date(*at_s))]
    NotYetValid { path: PathBuf, at_s: i64 },
}

impl Certificates {
    /// Reads each chain with its key and checks that they belong together.
    pub fn read(
        files: &[CertificateFiles],
        provider: &CryptoProvider,
    ) -> Result<Certificates, CertificateError> {
        let loaded: Result<Vec<Loaded>, _> =
            files.iter().map(|files| Loaded::read(files, provider)).collect();
        let mut loaded = loaded?;
        loaded.sort_by_key(|loaded| rank(loaded.pair.key.algorithm()));
        Ok(Certificates(loaded))
    }

    /// Says which certificate is over, or not valid yet.
    pub fn valid_at(&self, now: UnixTime) -> Result<(), CertificateError> {
        let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        for loaded in &self.0 {
            let path = || loaded.files.chain.clone();
            if now_s > loaded.not_after_s {
                return Err(CertificateError::Ended { path: path(), at_s: loaded.not_after_s });
            }
            if now_s < loaded.not_before_s {
                return Err(CertificateError::NotYetValid { path: path(), at_s: loaded.not_before_s });
            }
        }
        Ok(())
    }

    /// When the first of them ends, in seconds since 1970.
    pub fn expires_at_s(&self) -> i64 {
        self.0.iter().map(|loaded| loaded.not_after_s).min().unwrap_or(i64::MAX)
    }

    /// Whether the chains are the same; then so are the keys, because each fits its chain.
    pub fn same_as(&self, other: &Certificates) -> bool {
        let chains = |certificates: &'_ Certificates| -> Vec<Vec<CertificateDer<'static>>> {
            certificates.0.iter().map(|loaded| loaded.pair.cert.clone()).collect()
        };
        chains(self) == chains(other)
    }

    /// Chooses among them for each client.
    pub fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        Arc::new(BySignature(self.0.iter().map(|loaded| loaded.pair.clone()).collect()))
    }
}

impl Loaded {
    fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Loaded, CertificateError> {
        let chain = read_chain(&files.chain)?;
        let key = read_key(&files.key)?;
        let malformed = || CertificateError::Malformed { path: files.chain.clone() };
        let leaf = Certificate::parse(chain.first().ok_or_else(malformed)?).ok_or_else(malformed)?;
        let (not_before_s, not_after_s) = (leaf.not_before_s, leaf.not_after_s);
        let pair = CertifiedKey::from_der(chain, key, provider).map_err(|cause| {
            let files = files.clone();
            if cause == rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                CertificateError::OtherKey { files }
            } else {
                CertificateError::Unusable { files, cause }
            }
        })?;
        Ok(Loaded { files: files.clone(), pair: Arc::new(pair), not_before_s, not_after_s })
    }
}

/// All certificates of a PEM file, at least one.
pub fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|cause| CertificateError::NotPem { path: path.to_owned(), cause })?;
    if chain.is_empty() {
        return Err(CertificateError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    match PrivateKeyDer::from_pem_slice(&read(path)?) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(CertificateError::NoKey { path: path.to_owned() }),
        Err(cause) => Err(CertificateError::NotPem { path: path.to_owned(), cause }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|cause| CertificateError::Unreadable { path: path.to_owned(), cause })
}

/// Signing with ECDSA costs a fraction of RSA; Ed25519 costs as little, but few clients know it and so it is tried last.
fn rank(algorithm: SignatureAlgorithm) -> usize {
    let preferred = [SignatureAlgorithm::ECDSA, SignatureAlgorithm::RSA];
    preferred.iter().position(|known| *known == algorithm).unwrap_or(preferred.len())
}

fn date(at_s: i64) -> String {
    let since_1970 = Duration::from_secs(u64::try_from(at_s).unwrap_or(0));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_1970).to_string()
}

/// The first certificate whose signature the client can check.
#[derive(Debug)]
struct BySignature(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for BySignature {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // For TLS 1.2, rustls leaves only the schemes here that go with one of the client's cipher suites.
        let usable = |pair: &&Arc<CertifiedKey>| pair.key.choose_scheme(client.signature_schemes()).is_some();
        // Without a usable one the handshake fails in rustls, which tells the client why.
        self.0.iter().find(usable).or(self.0.first()).cloned()
    }
}
