//! TLS handshakes, and the reasons of failed ones.

use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::listener::opening::{self, Opening};
use crate::listener::socket::Socket;
use crate::tls::Tls;

/// Reason of a failed handshake. The words are stable: alerts depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    ProtocolVersion,
    NoSharedCipher,
    NoSharedAlpn,
    ServerCertificateRefused,
    ClientCertificateMissing,
    ClientCertificateRefused,
    ClientAlert,
    MalformedMessage,
    PlainHttp,
    NotTls,
    TimedOut,
    ClosedByClient,
    /// The client sent nothing: a TCP health check, or a port scan.
    NoData,
    Other,
}

impl HandshakeFailure {
    /// In the order of the enum, so that `failure as usize` is an index.
    pub const ALL: [HandshakeFailure; 14] = [
        HandshakeFailure::ProtocolVersion,
        HandshakeFailure::NoSharedCipher,
        HandshakeFailure::NoSharedAlpn,
        HandshakeFailure::ServerCertificateRefused,
        HandshakeFailure::ClientCertificateMissing,
        HandshakeFailure::ClientCertificateRefused,
        HandshakeFailure::ClientAlert,
        HandshakeFailure::MalformedMessage,
        HandshakeFailure::PlainHttp,
        HandshakeFailure::NotTls,
        HandshakeFailure::TimedOut,
        HandshakeFailure::ClosedByClient,
        HandshakeFailure::NoData,
        HandshakeFailure::Other,
    ];

    /// The word in log lines and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            HandshakeFailure::ProtocolVersion => "protocol_version",
            HandshakeFailure::NoSharedCipher => "no_shared_cipher",
            HandshakeFailure::NoSharedAlpn => "no_shared_alpn",
            HandshakeFailure::ServerCertificateRefused => "server_certificate_refused",
            HandshakeFailure::ClientCertificateMissing => "client_certificate_missing",
            HandshakeFailure::ClientCertificateRefused => "client_certificate_refused",
            HandshakeFailure::ClientAlert => "client_alert",
            HandshakeFailure::MalformedMessage => "malformed_message",
            HandshakeFailure::PlainHttp => "plain_http",
            HandshakeFailure::NotTls => "not_tls",
            HandshakeFailure::TimedOut => "timed_out",
            HandshakeFailure::ClosedByClient => "closed_by_client",
            HandshakeFailure::NoData => "no_data",
            HandshakeFailure::Other => "other",
        }
    }

    /// The same as a sentence, with a remedy if there is one.
    pub(super) fn explained(self) -> &'static str {
        match self {
            HandshakeFailure::ProtocolVersion => {
                "the client speaks no TLS version from tls.minimum on; update the client"
            }
            HandshakeFailure::NoSharedCipher => {
                "the client shares no cipher suite, key exchange group or signature scheme with the server's certificates"
            }
            HandshakeFailure::NoSharedAlpn => "the client offers by ALPN neither http/1.1 nor http/1.0",
            HandshakeFailure::ServerCertificateRefused => {
                "the client refused the server's certificate; check its chain, names and dates, and the client's trust store"
            }
            HandshakeFailure::ClientCertificateMissing => {
                "the client sent no certificate, which tls.client_certificates = \"require\" demands"
            }
            HandshakeFailure::ClientCertificateRefused => {
                "the client's certificate is malformed, does not lead to tls.client_ca, or is not its own"
            }
            HandshakeFailure::ClientAlert => "the client ended the handshake with an alert",
            HandshakeFailure::MalformedMessage => "the client broke the TLS protocol",
            HandshakeFailure::PlainHttp => "the client spoke plain HTTP; correct its URL to https",
            HandshakeFailure::NotTls => "the client did not speak TLS",
            HandshakeFailure::TimedOut => "the handshake took longer than limits.handshake_time",
            HandshakeFailure::ClosedByClient => "the client closed the connection",
            HandshakeFailure::NoData => "the client closed the connection before its first byte",
            HandshakeFailure::Other => "the handshake failed",
        }
    }

    fn of(cause: &io::Error) -> HandshakeFailure {
        match cause.get_ref().and_then(|source| source.downcast_ref::<Error>()) {
            Some(error) => HandshakeFailure::of_tls(error),
            None => HandshakeFailure::ClosedByClient,
        }
    }

    /// rustls may add errors and alerts, so that both matches need a wildcard.
    #[allow(clippy::wildcard_enum_match_arm)]
    fn of_tls(error: &Error) -> HandshakeFailure {
        match error {
            Error::PeerIncompatible(incompatible) => match incompatible {
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
                    HandshakeFailure::ProtocolVersion
                }
                _ => HandshakeFailure::NoSharedCipher,
            },
            Error::NoApplicationProtocol => HandshakeFailure::NoSharedAlpn,
            Error::NoCertificatesPresented => HandshakeFailure::ClientCertificateMissing,
            Error::InvalidCertificate(_) => HandshakeFailure::ClientCertificateRefused,
            Error::AlertReceived(alert) => match alert {
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::UnknownCA
                // The client could not verify the signature of the certificate or by its key.
                | AlertDescription::DecryptError
                | AlertDescription::UnrecognisedName => HandshakeFailure::ServerCertificateRefused,
                AlertDescription::ProtocolVersion => HandshakeFailure::ProtocolVersion,
                AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
                    HandshakeFailure::NoSharedCipher
                }
                AlertDescription::CloseNotify | AlertDescription::UserCanceled => {
                    HandshakeFailure::ClosedByClient
                }
                _ => HandshakeFailure::ClientAlert,
            },
            Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::InvalidMessage(_)
            | Error::PeerMisbehaved(_)
            | Error::PeerSentOversizedRecord
            | Error::DecryptError => HandshakeFailure::MalformedMessage,
            _ => HandshakeFailure::Other,
        }
    }
}

/// A failed handshake, and the last bytes to send.
pub(super) struct Refused {
    pub why: HandshakeFailure,
    /// The open connection, and the last bytes to send on it.
    last: Option<(TcpStream, Vec<u8>)>,
}

impl Refused {
    fn closed(why: HandshakeFailure) -> Refused {
        Refused { why, last: None }
    }

    /// Closes in stages until the deadline: closing with unread bytes would reset the connection before the client has read the
    /// alert.
    pub async fn close(self, deadline: Instant) {
        if let Some((stream, bytes)) = self.last {
            let _ = timeout_at(deadline, opening::finish(stream, &bytes)).await;
        }
    }
}

/// Does the TLS handshake.
pub(super) async fn handshake(
    tls: &Tls,
    stream: TcpStream,
    deadline: Instant,
) -> Result<TlsStream<Socket>, Refused> {
    let opening = match timeout_at(deadline, opening::look(&stream)).await {
        Ok(Ok(opening)) => opening,
        Ok(Err(_)) => return Err(Refused::closed(HandshakeFailure::ClosedByClient)),
        Err(_) => return Err(Refused::closed(HandshakeFailure::TimedOut)),
    };
    let (why, last) = match opening {
        Opening::Tls => return secure(tls, stream, deadline).await,
        Opening::Nothing => return Err(Refused::closed(HandshakeFailure::NoData)),
        Opening::Other => (HandshakeFailure::NotTls, Vec::new()),
        Opening::PlainHttp => (HandshakeFailure::PlainHttp, opening::HTTPS_ONLY.to_vec()),
        Opening::OldTls(version) => (HandshakeFailure::ProtocolVersion, opening::version_alert(version)),
    };
    Err(Refused { why, last: Some((stream, last)) })
}

async fn secure(tls: &Tls, stream: TcpStream, deadline: Instant) -> Result<TlsStream<Socket>, Refused> {
    let accepting = TlsAcceptor::from(tls.server()).accept(Socket(stream)).into_fallible();
    match timeout_at(deadline, accepting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err((cause, Socket(stream)))) => {
            debug!("TLS handshake failed: {cause}");
            Err(Refused { why: HandshakeFailure::of(&cause), last: Some((stream, Vec::new())) })
        }
        Err(_) => Err(Refused::closed(HandshakeFailure::TimedOut)),
    }
}
