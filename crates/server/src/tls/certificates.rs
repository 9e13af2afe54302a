//! The certificates of a listener, each with its key, and the choice among them for each client.

use std::path::PathBuf;
use std::sync::Arc;

use northgate_core::credential::NameField;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm, SignatureScheme};

use crate::clock::unix_time;
use crate::config::tls::CertificateFiles;
use crate::telemetry::with_causes;
use crate::tls::chain;
use crate::tls::notes::{Note, date, seconds};
use crate::tls::pem::{self, PemError};
use crate::tls::x509::{Certificate, names};

/// The certificates of a listener in the order of the configuration, at least one of them in use.
#[derive(Debug)]
pub struct Certificates(Vec<Slot>);

/// One pair of files: the certificate in use, and the error of the files, if they differ from it.
#[derive(Debug)]
struct Slot {
    files: CertificateFiles,
    pair: Option<Arc<Pair>>,
    fault: Option<String>,
}

/// A chain with its key.
#[derive(Debug)]
struct Pair {
    certified: Arc<CertifiedKey>,
    /// Of the leaf, in lower case.
    dns_names: Vec<String>,
    not_before_s: i64,
    /// The first expiry in the chain, which ends all of it.
    not_after_s: i64,
    is_issuers_end: bool,
    /// Certificates in the file that signed none of the others; they are not sent.
    strangers: usize,
}

/// The expiry of a pair of files, for monitoring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateExpiry {
    pub file: PathBuf,
    /// Seconds since 1970; `None` where no certificate of these files is in use.
    pub not_after_s: Option<i64>,
    /// Whether the certificate in use is that of the files.
    pub is_taken: bool,
}

impl CertificateExpiry {
    /// Merges another use of the same file. A metric has one value for each set of labels.
    pub(super) fn add(&mut self, other: &CertificateExpiry) {
        self.not_after_s = [self.not_after_s, other.not_after_s].into_iter().flatten().min();
        self.is_taken &= other.is_taken;
    }
}

/// Reason why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error(transparent)]
    Pem(#[from] PemError),
    #[error("{} is not the key of a certificate in {}", files.key.display(), files.chain.display())]
    OtherKey { files: CertificateFiles },
    #[error("the certificate in {} and the key in {} cannot be used", files.chain.display(), files.key.display())]
    Unusable {
        files: CertificateFiles,
        #[source]
        cause: rustls::Error,
    },
    #[error("a CERTIFICATE section of {} does not parse", path.display())]
    Malformed { path: PathBuf },
    #[error("the certificate in {} expired at {}", path.display(), date(*at_s))]
    Ended { path: PathBuf, at_s: i64 },
    #[error("the certificate in {} is not valid before {}", path.display(), date(*at_s))]
    NotYetValid { path: PathBuf, at_s: i64 },
}

impl Certificates {
    /// Reads each pair by itself; an error if none is usable. An expired one is served and noted: clients that do not check it
    /// keep working, and a restart must not be worse than no restart.
    pub fn read(
        files: &[CertificateFiles],
        provider: &CryptoProvider,
    ) -> Result<Certificates, CertificateError> {
        let (mut slots, mut first_error) = (Vec::new(), None);
        for files in files {
            let (pair, error) = match Pair::read(files, provider) {
                Ok(pair) => (Some(Arc::new(pair)), None),
                Err(error) => (None, Some(error)),
            };
            let fault = error.as_ref().map(|error| with_causes(error));
            first_error = first_error.or(error);
            slots.push(Slot { files: files.clone(), pair, fault });
        }
        match first_error {
            Some(error) if slots.iter().all(|slot| slot.pair.is_none()) => Err(error),
            Some(_) | None => Ok(Certificates(slots)),
        }
    }

    /// The present files; an unusable pair keeps the one in use.
    pub fn renewed(&self, provider: &CryptoProvider, now: UnixTime) -> Certificates {
        Certificates(self.0.iter().map(|slot| slot.renewed(provider, now)).collect())
    }

    /// Whether clients get the same from both.
    pub fn serves_as(&self, other: &Certificates) -> bool {
        let is_same = |(one, other): (&Slot, &Slot)| match (&one.pair, &other.pair) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.0.iter().zip(&other.0).all(is_same)
    }

    /// Notes for the operator.
    pub fn notes(&self, now: UnixTime) -> Vec<Note> {
        let mut notes = Vec::new();
        for Slot { files, pair, fault } in &self.0 {
            if let Some(fault) = fault {
                let instead = match pair {
                    Some(_) => "the one that was read before stays in use",
                    None => "clients get the other certificates",
                };
                notes.push(Note::urgent(format!("a TLS certificate was not taken, {instead}: {fault}")));
            }
            if let Some(pair) = pair {
                let whose = if pair.is_issuers_end { "an issuer's certificate" } else { "the certificate" };
                let what = format!("{whose} in {}", files.chain.display());
                if pair.strangers > 0 {
                    let (count, file) = (pair.strangers, files.chain.display());
                    let text = format!(
                        "certificates in {file} that signed none of the others are not sent ({count}): is an issuer missing?"
                    );
                    notes.push(Note { is_urgent: false, text });
                }
                notes.extend(Note::about_end(&what, pair.not_after_s, now));
                if seconds(now) < pair.not_before_s {
                    notes.push(Note::urgent(format!(
                        "{what} is not valid before {}",
                        date(pair.not_before_s)
                    )));
                }
            }
        }
        notes
    }

    /// Whether one of them has the DNS name `host`; `*` stands for one label (RFC 9525 §6.3).
    pub fn have(&self, host: &str) -> bool {
        let parent = host.split_once('.').map(|(_, parent)| parent);
        let fits = |name: &String| name == host || (parent.is_some() && name.strip_prefix("*.") == parent);
        self.0.iter().filter_map(|slot| slot.pair.as_ref()).any(|pair| pair.dns_names.iter().any(fits))
    }

    pub fn expiries(&self) -> Vec<CertificateExpiry> {
        let expiry = |slot: &Slot| CertificateExpiry {
            file: slot.files.chain.clone(),
            not_after_s: slot.pair.as_ref().map(|pair| pair.not_after_s),
            is_taken: slot.fault.is_none(),
        };
        self.0.iter().map(expiry).collect()
    }

    /// The resolver that chooses for each client.
    pub fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        let mut pairs: Vec<Arc<Pair>> = self.0.iter().filter_map(|slot| slot.pair.clone()).collect();
        pairs.sort_by_key(|pair| rank(pair.certified.key.algorithm()));
        Arc::new(Choice(pairs))
    }
}

impl Slot {
    fn renewed(&self, provider: &CryptoProvider, now: UnixTime) -> Slot {
        let (pair, fault) = match (Pair::read(&self.files, provider), &self.pair) {
            (Ok(fresh), Some(current)) if fresh.certified.cert == current.certified.cert => {
                (self.pair.clone(), None)
            }
            (Ok(fresh), None) => (Some(Arc::new(fresh)), None),
            (Ok(fresh), Some(_)) => match fresh.valid_at(now, &self.files) {
                Ok(()) => (Some(Arc::new(fresh)), None),
                Err(error) => (self.pair.clone(), Some(with_causes(&error))),
            },
            (Err(error), _) => (self.pair.clone(), Some(with_causes(&error))),
        };
        Slot { files: self.files.clone(), pair, fault }
    }
}

impl Pair {
    /// Finds the certificate of the key, wherever it stands in the file, and appends those of its issuers.
    fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Pair, CertificateError> {
        let (certificates, keys) = (pem::certificates(&files.chain)?, pem::keys(&files.key)?);
        let mut unusable = None;
        for key in keys {
            let key = match provider.key_provider.load_private_key(key) {
                Ok(key) => key,
                Err(cause) => {
                    unusable = Some(cause);
                    continue;
                }
            };
            for (own, certificate) in certificates.iter().enumerate() {
                match CertifiedKey::new(vec![certificate.clone()], Arc::clone(&key)).keys_match() {
                    Ok(()) => {
                        let chain = chain::ordered(&certificates, own);
                        let pair = chain.and_then(|ordered| {
                            Pair::of(CertifiedKey::new(ordered.chain, key), ordered.strangers)
                        });
                        return pair.ok_or_else(|| CertificateError::Malformed { path: files.chain.clone() });
                    }
                    Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {}
                    Err(cause) => unusable = Some(cause),
                }
            }
        }
        let files = files.clone();
        Err(match unusable {
            Some(cause) => CertificateError::Unusable { files, cause },
            None => CertificateError::OtherKey { files },
        })
    }

    fn of(certified: CertifiedKey, strangers: usize) -> Option<Pair> {
        let parse = |certificate: &CertificateDer<'_>| {
            let certificate = Certificate::parse(certificate)?;
            Some((certificate.not_before_s, certificate.not_after_s))
        };
        let times: Option<Vec<(i64, i64)>> = certified.cert.iter().map(parse).collect();
        let times = times?;
        let (not_before_s, own_end_s) = *times.first()?;
        let not_after_s = times.iter().map(|(_, end_s)| *end_s).min()?;
        let is_issuers_end = not_after_s < own_end_s;
        let names = names::of(certified.cert.first()?).into_iter();
        let dns_names = names.filter(|name| name.field == NameField::SanDns).map(|name| name.value).collect();
        Some(Pair {
            certified: Arc::new(certified),
            dns_names,
            not_before_s,
            not_after_s,
            is_issuers_end,
            strangers,
        })
    }

    fn valid_at(&self, now: UnixTime, files: &CertificateFiles) -> Result<(), CertificateError> {
        let path = files.chain.clone();
        match self.validity(seconds(now)) {
            Validity::Now => Ok(()),
            Validity::Over => Err(CertificateError::Ended { path, at_s: self.not_after_s }),
            Validity::ToCome => Err(CertificateError::NotYetValid { path, at_s: self.not_before_s }),
        }
    }

    fn validity(&self, now_s: i64) -> Validity {
        match () {
            () if now_s > self.not_after_s => Validity::Over,
            () if now_s < self.not_before_s => Validity::ToCome,
            () => Validity::Now,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Validity {
    Now,
    Over,
    ToCome,
}

/// The order of preference: signing with ECDSA costs a fraction of RSA; Ed25519 costs as little, but few clients support it.
fn rank(algorithm: SignatureAlgorithm) -> usize {
    let preferred = [SignatureAlgorithm::ECDSA, SignatureAlgorithm::RSA];
    preferred.iter().position(|known| *known == algorithm).unwrap_or(preferred.len())
}

/// The first certificate that is valid and whose signature the client can verify.
#[derive(Debug)]
struct Choice(Vec<Arc<Pair>>);

impl Choice {
    fn among(&self, schemes: &[SignatureScheme], now: UnixTime) -> Option<Arc<CertifiedKey>> {
        let is_usable = |pair: &&Arc<Pair>| pair.certified.key.choose_scheme(schemes).is_some();
        let is_valid = |pair: &&Arc<Pair>| pair.validity(seconds(now)) == Validity::Now;
        let usable = || self.0.iter().filter(is_usable);
        let chosen = usable().find(is_valid).or_else(|| usable().next());
        // Without a usable one the handshake fails in rustls, which notifies the client.
        chosen.or(self.0.first()).map(|pair| Arc::clone(&pair.certified))
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // For TLS 1.2, rustls leaves only the schemes here that match one of the client's cipher suites.
        self.among(client.signature_schemes(), unix_time())
    }
}
