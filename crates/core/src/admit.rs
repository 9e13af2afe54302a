//! Admission: client authentication by secret, assertion or certificate, then the frozen state and the rate limit.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::app_id::AppId;
use crate::application::{AppNumber, Application};
use crate::assertion::{Assertion, AuthFailure, MAX_ASSERTIONS};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::credential::{CredentialKind, PresentedCertificate};
use crate::policy::Policy;
use crate::possession::Possession;
use crate::secret::SecretText;
use crate::store::{Recorded, SingleUse, StoreError};

/// A client with its appId and its authentication.
pub struct Caller<'a> {
    pub app: &'a AppId,
    pub proof: Proof<'a>,
    /// The certificate on the client's connection.
    pub certificate: Option<&'a PresentedCertificate>,
    /// The client's proof of possession of a key.
    pub possession: Possession,
    pub from: IpAddr,
}

/// Client authentication by one of three methods.
pub enum Proof<'a> {
    Secret(&'a SecretText),
    /// A signed assertion, with the audiences that name this server.
    Assertion(&'a Assertion, &'a [String]),
    /// The certificate on the connection.
    Certificate,
}

impl<'a> Caller<'a> {
    /// A client that authenticates by this secret.
    pub fn with_secret(app: &'a AppId, secret: &'a SecretText, from: IpAddr) -> Caller<'a> {
        let (proof, possession) = (Proof::Secret(secret), Possession::NotAsked);
        Caller { app, proof, certificate: None, possession, from }
    }
}

/// Reason why a client is not admitted.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Unknown application or wrong secret; the answer does not tell them apart.
    #[error("the appId is unknown or the secret is wrong")]
    Rejected,
    /// Rate limit on failures. The secret of this request may not have been compared at all.
    #[error("too many failed attempts; retry in {}s", .0.as_secs_f32())]
    Throttled(Duration),
    /// The same two cases for assertions and certificates.
    #[error("the client did not authenticate")]
    Unproven(#[source] AuthFailure),
    #[error("too many imported secrets wait for verification")]
    Busy,
    #[error("the application is frozen")]
    Frozen,
    /// The rate limit of the application's policy.
    #[error("the application exceeds its rate limit; retry in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
    #[error("the application has used {MAX_ASSERTIONS} assertions that have not expired yet")]
    TooManyAssertions,
    #[error("could not record the use of the assertion")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Admits a client: authentication, then the frozen state, then the rate limit, in this order.
    pub(crate) async fn admit(
        &self,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<(Arc<Application>, Policy), AdmissionError> {
        let application = match &caller.proof {
            Proof::Secret(secret) => self.authenticate(caller.app, secret, caller.from, now).await?,
            Proof::Assertion(assertion, audiences) => {
                let application = self.registry().find(caller.app);
                let checked = assertion.check(caller.app, application.as_deref(), audiences, now);
                self.proved(application, checked, caller, now)?
            }
            Proof::Certificate => {
                let application = self.registry().find(caller.app);
                let checked = check_certificate(application.as_deref(), caller.certificate);
                let application = self.proved(application, checked, caller, now)?;
                if let Some(certificate) = caller.certificate {
                    application.calls.activity.authenticated_until(certificate.expires_at);
                }
                application
            }
        };
        if application.is_frozen() {
            return Err(AdmissionError::Frozen);
        }
        let policy = self.policy(&application);
        application.calls.use_grant(policy.calls_per_minute, now).map_err(AdmissionError::TooManyCalls)?;
        // Last, because it writes: a client above its rate limit causes no write.
        if let Proof::Assertion(assertion, _) = &caller.proof {
            self.record_once(&application, assertion, caller, now).await?;
        }
        Ok((application, policy))
    }

    /// The application, if its credential is right. A wrong credential counts as a failure like a wrong secret; an unknown
    /// application gets the same answer.
    fn proved(
        &self,
        application: Option<Arc<Application>>,
        checked: Result<(), AuthFailure>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdmissionError> {
        match (application, checked) {
            (Some(application), Ok(())) => Ok(application),
            (Some(application), Err(failure)) => {
                Err(self.unproven(failure, Some(application.number), caller, now))
            }
            // Without an application no credential is right; both cases get the same answer.
            (None, checked) => {
                Err(self.unproven(checked.err().unwrap_or(AuthFailure::Signature), None, caller, now))
            }
        }
    }

    fn unproven(
        &self,
        failure: AuthFailure,
        number: Option<AppNumber>,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> AdmissionError {
        match self.failures.failed(caller.app, number, caller.from, now) {
            None => AdmissionError::Unproven(failure),
            Some(wait) => AdmissionError::Throttled(wait),
        }
    }

    /// Records the `jti` of an assertion as a single-use identifier.
    async fn record_once(
        &self,
        application: &Application,
        assertion: &Assertion,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<(), AdmissionError> {
        // Valid by the clock, but its record may be forgotten: the clock was set back.
        if assertion.forget_at() <= self.registry().high_water().get().single_use {
            return Err(self.unproven(AuthFailure::Expired, Some(application.number), caller, now));
        }
        let single_use = SingleUse {
            application: application.number,
            digest: assertion.digest(),
            until: assertion.forget_at(),
            at_most: MAX_ASSERTIONS,
        };
        match self.store.record_once(single_use).await.map_err(AdmissionError::Store)? {
            Recorded::Fresh => Ok(()),
            Recorded::Replayed => {
                Err(self.unproven(AuthFailure::Replayed, Some(application.number), caller, now))
            }
            Recorded::Full => Err(AdmissionError::TooManyAssertions),
            Recorded::Unknown => Err(AdmissionError::Rejected),
        }
    }
}

/// Matches the certificate with the registered ones, or a name in it that a trusted authority signed.
fn check_certificate(
    application: Option<&Application>,
    certificate: Option<&PresentedCertificate>,
) -> Result<(), AuthFailure> {
    let certificate = certificate.ok_or(AuthFailure::NoCertificate)?;
    let credentials = application.map_or(&[][..], |application| &application.credentials);
    let is_registered = credentials.iter().any(|credential| match &credential.kind {
        CredentialKind::Key(_) => false,
        CredentialKind::Certificate(thumbprint) => *thumbprint == certificate.thumbprint,
        CredentialKind::Name(name) => certificate.names.contains(name),
    });
    if is_registered { Ok(()) } else { Err(AuthFailure::Certificate) }
}
