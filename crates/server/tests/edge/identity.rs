//! Certificates and keys for tests, and TLS clients that hold or trust them.

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
        std::fs::write(&files.key, &self.key).unwrap();
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

    /// This certificate in the hands of somebody who has only another key.
    pub fn shown_with_the_key_of(&self, other: &Identity) -> Arc<dyn ResolvesClientCert> {
        let key = PrivateKeyDer::from_pem_slice(other.key.as_bytes()).unwrap();
        let key = provider().key_provider.load_private_key(key).unwrap();
        Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![self.certificate()], key)))
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
