//! Certificates and keys for tests, and TLS clients that hold or trust them.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use northgate_server::config::tls::CertificateFiles;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    SignatureAlgorithm, date_time_ymd,
};
use rustls::client::{ResolvesClientCert, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion};

/// A certificate for localhost with its key.
pub struct Identity {
    pub chain: String,
    pub key: String,
    signer: CertificateParams,
}

/// Writes a key as the server wants it: for its owner only.
pub fn write_key(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

impl Identity {
    pub fn ecdsa() -> Identity {
        Identity::self_signed(&PKCS_ECDSA_P256_SHA256, for_localhost())
    }

    pub fn rsa() -> Identity {
        Identity::self_signed(&PKCS_RSA_SHA256, for_localhost())
    }

    /// Its end is long ago, as that of the certificate which clients of this family present.
    pub fn ended() -> Identity {
        let mut wanted = for_localhost();
        wanted.not_before = date_time_ymd(2015, 1, 1);
        wanted.not_after = date_time_ymd(2016, 1, 1);
        Identity::self_signed(&PKCS_ECDSA_P256_SHA256, wanted)
    }

    pub fn authority() -> Identity {
        let mut wanted = CertificateParams::new([]).unwrap();
        wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Identity::self_signed(&PKCS_ECDSA_P256_SHA256, wanted)
    }

    pub fn signed_by(authority: &Identity) -> Identity {
        let key = KeyPair::generate().unwrap();
        let signer = for_localhost();
        let issuer = Issuer::from_params(&authority.signer, KeyPair::from_pem(&authority.key).unwrap());
        let chain = signer.signed_by(&key, &issuer).unwrap().pem();
        Identity { chain, key: key.serialize_pem(), signer }
    }

    fn self_signed(algorithm: &'static SignatureAlgorithm, signer: CertificateParams) -> Identity {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let chain = signer.self_signed(&key).unwrap().pem();
        Identity { chain, key: key.serialize_pem(), signer }
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.chain.as_bytes()).unwrap()
    }

    /// Writes both files, named after `name`, over what is there.
    pub fn write(&self, folder: &Path, name: &str) -> CertificateFiles {
        let files = CertificateFiles {
            chain: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
        };
        std::fs::write(&files.chain, &self.chain).unwrap();
        write_key(&files.key, &self.key);
        files
    }

    /// A client that trusts this certificate only and presents none.
    pub fn trusting(&self) -> Arc<ClientConfig> {
        Arc::new(self.trusting_with(provider(), rustls::ALL_VERSIONS).with_no_client_auth())
    }

    pub fn trusting_version(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        Arc::new(self.trusting_with(provider(), &[version]).with_no_client_auth())
    }

    /// A client that trusts this certificate only and presents that of `who`.
    pub fn trusting_as(
        &self,
        who: &Identity,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let key = PrivateKeyDer::from_pem_slice(who.key.as_bytes()).unwrap();
        let client = self.trusting_with(provider(), &[version]);
        Arc::new(client.with_client_auth_cert(vec![who.certificate()], key).unwrap())
    }

    /// The same certificate as X.509 version 1 has it: without a version and without extensions.
    pub fn certificate_of_version_1(&self) -> CertificateDer<'static> {
        const VERSION: u8 = 0xa0;
        const EXTENSIONS: u8 = 0xa3;
        let der = self.certificate();
        let mut outer = elements(elements(&der)[0].1);
        let mut body = elements(outer[0].1);
        body.retain(|(tag, _)| ![VERSION, EXTENSIONS].contains(tag));
        let body: Vec<u8> = body.into_iter().flat_map(element).collect();
        outer[0].1 = &body;
        let outer: Vec<u8> = outer.into_iter().flat_map(element).collect();
        CertificateDer::from(element((0x30, &outer)))
    }

    /// Shows `certificate`, whosoever it is, with the key of this identity.
    pub fn showing(&self, certificate: CertificateDer<'static>) -> Arc<dyn ResolvesClientCert> {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let key = provider().key_provider.load_private_key(key).unwrap();
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key)))
    }

    pub fn trusting_with(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ConfigBuilder<ClientConfig, WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(provider));
        client.with_protocol_versions(versions).unwrap().with_root_certificates(roots)
    }
}

pub fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn for_localhost() -> CertificateParams {
    CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// The DER elements that follow each other in `der`.
fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let long = usize::from(if *first < 0x80 { 0 } else { first & 0x7f });
        let (length, rest) = rest.split_at(long);
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let (contents, rest) = rest.split_at(if long == 0 { usize::from(*first) } else { length });
        found.push((*tag, contents));
        der = rest;
    }
    found
}

fn element((tag, contents): (u8, &[u8])) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap().to_be_bytes();
    [&[tag, 0x82], &length[..], contents].concat()
}
