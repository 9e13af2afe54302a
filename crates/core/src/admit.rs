//! Admit: who a caller is, by a secret, an assertion or a certificate, and whether it may ask for anything now.

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

/// Who asks for something, and how it shows that it is the one.
pub struct Caller<'a> {
    pub app: &'a AppId,
    pub proof: Proof<'a>,
    /// The certificate on its connection.
    pub certificate: Option<&'a PresentedCertificate>,
    /// Whether it proves to have a key as well.
    pub possession: Possession,
    pub from: IpAddr,
}

/// What shows that a caller is the application that it says it is.
pub enum Proof<'a> {
    Secret(&'a SecretText),
    /// What it has signed for one of the names that we go by.
    Assertion(&'a Assertion, &'a [String]),
    /// The certificate on its connection.
    Certificate,
}

impl<'a> Caller<'a> {
    /// The caller that presents this secret.
    pub fn with_secret(app: &'a AppId, secret: &'a SecretText, from: IpAddr) -> Caller<'a> {
        let (proof, possession) = (Proof::Secret(secret), Possession::NotAsked);
        Caller { app, proof, certificate: None, possession, from }
    }
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The application is unknown or the secret is not one of its own: never said which.
    #[error("the appId or the secret is not right")]
    Rejected,
    /// Too many were wrong before; whether this one is was perhaps not even looked at.
    #[error("too many were wrong; the next one is looked at in {}s", .0.as_secs_f32())]
    Throttled(Duration),
    /// The same for what can be shown instead of a secret.
    #[error("the client did not prove itself")]
    Unproven(#[source] AuthFailure),
    #[error("too many imported secrets wait to be checked")]
    Busy,
    #[error("the application is frozen")]
    Frozen,
    /// It calls more often than its policy allows.
    #[error("the application calls too often; the next call is in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
    #[error("the application has used {MAX_ASSERTIONS} assertions that have not expired yet")]
    TooManyAssertions,
    #[error("could not remember that the assertion was used")]
    Store(#[source] StoreError),
}

impl Auth {
    /// The caller with its policy, if it is recognised, not frozen and not calling too often: asked in this order.
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
                self.proved(application, checked, caller, now)?
            }
        };
        if application.is_frozen() {
            return Err(AdmissionError::Frozen);
        }
        let policy = self.policy(&application);
        application.calls.use_grant(policy.calls_per_minute, now).map_err(AdmissionError::TooManyCalls)?;
        // Last, since it is a write: who calls too often causes none.
        if let Proof::Assertion(assertion, _) = &caller.proof {
            self.record_once(&application, assertion, caller, now).await?;
        }
        Ok((application, policy))
    }

    /// The application, if its credential was found to be right. One that is wrong is a failure like a wrong secret, and
    /// an unknown application is told the same.
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
            // Without an application nothing is found to be right; either way it is the same answer.
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

    /// Makes an assertion one that was used.
    async fn record_once(
        &self,
        application: &Application,
        assertion: &Assertion,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<(), AdmissionError> {
        // By the clock it lasts, and whether it was used is not known any more: the clock was set back.
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

/// Whether a certificate is registered for the application, or a name in it that an authority vouches for.
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
