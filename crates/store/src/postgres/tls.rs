//! TLS to the database: rustls behind the client library's traits.

mod channel_binding;
mod verifier;

use std::fs::File;
use std::future::Future;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use verifier::{Anybody, Authority};

/// Reason why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read certificates from {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: pem::Error,
    },
    #[error("a certificate in {} cannot be trusted", path.display())]
    Root {
        path: PathBuf,
        #[source]
        cause: rustls::Error,
    },
    #[error(
        "sslrootcert=system: this system has no certificates of authorities; install the package ca-certificates"
    )]
    NoSystemRoots,
    #[error("the authorities cannot be used")]
    Verifier(#[source] rustls::client::VerifierBuilderError),
    #[error("cannot read the private key {} (sslkey)", path.display())]
    Key {
        path: PathBuf,
        #[source]
        cause: pem::Error,
    },
    #[error("{} (sslkey) can be read by others (its mode is {mode:03o}): make it private with `chmod 600 {}`", path.display(), path.display())]
    ExposedKey { path: PathBuf, mode: u32 },
    #[error("the client certificate {} does not belong to its key (sslcert, sslkey)", path.display())]
    Identity {
        path: PathBuf,
        #[source]
        cause: rustls::Error,
    },
    #[error("TLS could not be set up")]
    Setup(#[source] rustls::Error),
}

/// Trusted servers.
pub(crate) enum Trust<'a> {
    /// Any server, as `sslmode=require` means elsewhere: keeps eavesdroppers out, but not impostors.
    Anybody,
    /// Servers with a certificate of these authorities, for any name.
    Authority(&'a Path),
    /// Servers with a certificate of these authorities for their own name.
    Server(&'a Path),
}

/// The client certificate that this node presents.
pub(crate) struct Identity {
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// The word for the authorities that the operating system trusts.
const SYSTEM: &str = "system";

/// The TLS connector of the client library.
#[derive(Clone)]
pub(crate) struct Connector(tokio_rustls::TlsConnector);

/// A connector for one database. `is_direct` is for servers that expect TLS from the first byte on.
pub(crate) fn connector(
    trust: &Trust<'_>,
    identity: Option<&Identity>,
    is_direct: bool,
) -> Result<Connector, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let config = believing(config, trust, provider)?;
    let mut config = match identity {
        None => config.with_no_client_auth(),
        Some(Identity { chain, key }) => {
            let (chain_read, key_read) = (read_certificates(chain)?, read_key(key)?);
            let identity = config.with_client_auth_cert(chain_read, key_read);
            identity.map_err(|cause| TlsError::Identity { path: chain.clone(), cause })?
        }
    };
    if is_direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(Connector(Arc::new(config).into()))
}

fn believing(
    config: ConfigBuilder<ClientConfig, WantsVerifier>,
    trust: &Trust<'_>,
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    Ok(match trust {
        Trust::Server(path) => config.with_root_certificates(read_roots(path)?),
        Trust::Authority(path) if *path == Path::new(SYSTEM) => {
            // These authorities issue certificates to any applicant: the name must match.
            config.with_root_certificates(read_roots(path)?)
        }
        Trust::Authority(path) => {
            let roots = Arc::new(read_roots(path)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
            let verifier = Authority(verifier.map_err(TlsError::Verifier)?);
            config.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        Trust::Anybody => config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
    })
}

fn read_roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if path == Path::new(SYSTEM) {
        // Some may be of a kind that rustls does not support.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) };
    }
    for certificate in read_certificates(path)? {
        roots.add(certificate).map_err(|cause| TlsError::Root { path: path.to_owned(), cause })?;
    }
    Ok(roots)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { path: path.to_owned(), cause };
    let certificates = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if certificates.is_empty() { Err(unreadable(pem::Error::NoItemsFound)) } else { Ok(certificates) }
}

/// Reads the key; refused where others can read it. A key of root may be readable for a group, as Kubernetes mounts secrets.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |cause| TlsError::Key { path: path.to_owned(), cause };
    let file = File::open(path).map_err(|cause| unreadable(pem::Error::Io(cause)))?;
    let metadata = file.metadata().map_err(|cause| unreadable(pem::Error::Io(cause)))?;
    let (mode, refused) = (metadata.mode() & 0o777, if metadata.uid() == 0 { 0o037 } else { 0o077 });
    if mode & refused != 0 {
        return Err(TlsError::ExposedKey { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_reader(BufReader::new(file)).map_err(unreadable)
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for Connector {
    type Stream = Stream<S>;
    type TlsConnect = Handshake;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, domain: &str) -> Result<Handshake, Self::Error> {
        // No name means a Unix socket, over which there is no TLS: the client library asks for a connector all the same.
        let name = if domain.is_empty() { "localhost" } else { domain };
        Ok(Handshake { connector: self.0.clone(), name: ServerName::try_from(name.to_owned())? })
    }
}

/// A handshake with one server.
pub(crate) struct Handshake {
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Handshake {
    type Stream = Stream<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { Ok(Stream(self.connector.connect(self.name, stream).await?)) })
    }
}

/// A TLS connection.
pub(crate) struct Stream<S>(tokio_rustls::client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Stream<S> {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = self.0.get_ref().1.peer_certificates().and_then(<[_]>::first);
        match certificate.and_then(|certificate| channel_binding::end_point(certificate)) {
            Some(end_point) => ChannelBinding::tls_server_end_point(end_point),
            None => ChannelBinding::none(),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
