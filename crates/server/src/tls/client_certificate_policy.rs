//! Client certificate policy (mutual TLS): not requested, requested, or required.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError as Refusal, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use crate::config::tls::ClientCertificates;
use crate::tls::notes::Note;
use crate::tls::pem::{self, PemError};
use crate::tls::x509::Certificate;

/// The policy with its loaded authorities.
#[derive(Debug)]
pub struct ClientCertificatePolicy {
    verifier: Arc<dyn ClientCertVerifier>,
    authorities: Option<Arc<dyn ClientCertVerifier>>,
    fingerprint: [u8; 32],
    file: Option<PathBuf>,
    /// Expiry of each authority, in seconds since 1970.
    ends_s: Vec<i64>,
}

/// Reason why client certificates cannot be verified.
#[derive(Debug, thiserror::Error)]
pub enum ClientCertificateError {
    #[error("the authorities of client certificates are not usable")]
    Unreadable(#[source] PemError),
    #[error("an authority of client certificates in {} cannot be used", path.display())]
    Authority {
        path: PathBuf,
        #[source]
        cause: Error,
    },
    #[error("client certificates cannot be checked against {}", path.display())]
    Verifier {
        path: PathBuf,
        #[source]
        cause: VerifierBuilderError,
    },
}

impl ClientCertificatePolicy {
    /// Reads the authorities, if there are any.
    pub fn read(
        wanted: &ClientCertificates,
        provider: &Arc<CryptoProvider>,
    ) -> Result<ClientCertificatePolicy, ClientCertificateError> {
        let (mut fingerprint, mut ends_s) = (Context::new(&SHA256), Vec::new());
        let (verifier, authorities) = match wanted {
            ClientCertificates::None => (WebPkiClientVerifier::no_client_auth(), None),
            ClientCertificates::Request { authorities } => {
                fingerprint.update(b"request");
                let authorities = authorities.as_deref();
                let known = authorities
                    .map(|path| known(path, provider, &mut fingerprint, &mut ends_s))
                    .transpose()?;
                let anybody = AnyOrNone(provider.signature_verification_algorithms);
                (Arc::new(anybody) as Arc<dyn ClientCertVerifier>, known)
            }
            ClientCertificates::Require { authorities } => {
                fingerprint.update(b"require");
                let known = known(authorities, provider, &mut fingerprint, &mut ends_s)?;
                (Arc::clone(&known), Some(known))
            }
        };
        let mut digest = [0; 32];
        digest.copy_from_slice(fingerprint.finish().as_ref());
        let file = wanted.authorities().map(Path::to_owned);
        Ok(ClientCertificatePolicy { verifier, authorities, fingerprint: digest, file, ends_s })
    }

    /// Notes for the operator about the expiry of authorities.
    pub fn notes(&self, now: UnixTime) -> Vec<Note> {
        let what = |file: &PathBuf| format!("an authority of client certificates in {}", file.display());
        let ends =
            |what: String| self.ends_s.iter().filter_map(move |end_s| Note::about_end(&what, *end_s, now));
        self.file.as_ref().map(what).into_iter().flat_map(ends).collect()
    }

    /// The file of the authorities, and the first expiry among them.
    pub fn first_end(&self) -> Option<(PathBuf, i64)> {
        Some((self.file.clone()?, *self.ends_s.iter().min()?))
    }

    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.verifier.clone()
    }

    /// The verifier of the authorities.
    pub fn authorities(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.authorities.clone()
    }

    /// Changes whenever the set of accepted clients does. A resumed session is not verified again, so that tickets are bound to
    /// it.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    pub fn same_as(&self, other: &ClientCertificatePolicy) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// Accepts certificates that lead to an authority in the file.
fn known(
    authorities: &Path,
    provider: &Arc<CryptoProvider>,
    fingerprint: &mut Context,
    ends_s: &mut Vec<i64>,
) -> Result<Arc<dyn ClientCertVerifier>, ClientCertificateError> {
    let path = || authorities.to_owned();
    let mut roots = RootCertStore::empty();
    for authority in pem::certificates(authorities).map_err(ClientCertificateError::Unreadable)? {
        fingerprint.update(&authority);
        ends_s.extend(Certificate::parse(&authority).map(|authority| authority.not_after_s));
        roots.add(authority).map_err(|cause| ClientCertificateError::Authority { path: path(), cause })?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|cause| ClientCertificateError::Verifier { path: path(), cause })
}

/// Accepts any certificate, expired or self-signed, or none. Its users ask the registry of applications or the authorities for
/// its meaning; possession of the key is verified.
#[derive(Debug)]
struct AnyOrNone(WebPkiSupportedAlgorithms);

impl ClientCertVerifier for AnyOrNone {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

impl AnyOrNone {
    /// Takes the key out of the certificate itself, because rustls's own verification refuses certificates of version 1 and with
    /// unknown extensions, which old clients have.
    fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let certificate = Certificate::parse(certificate).ok_or(Refusal::BadEncoding)?;
        let fits = |algorithm: &&&'static dyn SignatureVerificationAlgorithm| {
            algorithm.public_key_alg_id().as_ref() == certificate.key_algorithm
        };
        let algorithms = self.0.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
        let algorithm = algorithms.flat_map(|(_, algorithms)| algorithms.iter()).find(fits);
        let algorithm = algorithm.ok_or(Refusal::BadSignature)?;
        algorithm
            .verify_signature(certificate.key, message, signed.signature())
            .map_err(|_| Refusal::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }
}
