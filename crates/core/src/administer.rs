//! What an operator does to applications: create, import, set, freeze, unfreeze, delete, secrets, and the keyring.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::Actor;
use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::{Application, State, Tag};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::credential::{Credential, CredentialId, CredentialKind, MAX_CREDENTIALS};
use crate::grant::GrantId;
use crate::keyring::{KeyringError, KeyringRecord};
use crate::owner::Owner;
use crate::policy::{Overrides, Policy, PolicyChange};
use crate::registry::Revocation;
use crate::secret::{Busy, Kept, MAX_SECRETS, Secret, SecretId, SecretText, Secrets};
use crate::store::{Created, Deleted, NewApplication, Replaced, StoreError};

/// An application that an operator asks for.
pub struct Wanted {
    /// The application's existing appId, if it has one; otherwise the server allocates it.
    pub id: Option<AppId>,
    pub name: String,
    pub owner: Option<Owner>,
    /// The application's existing secret, if it has one; otherwise the server allocates it.
    pub secret: Option<SecretText>,
    pub overrides: Overrides,
    pub allow: Allow,
}

/// The result of [`Auth::create`].
pub enum Creation {
    /// With the allocated secret, which is never shown again; `None` where the operator gave one.
    Created(Arc<Application>, Option<SecretText>),
    /// The appId is taken, by an application that has the given secret.
    Same(Arc<Application>),
    /// The appId is taken, by an application with another secret.
    Taken(Arc<Application>),
}

/// A change to one application.
pub enum Change {
    State(State),
    /// Merges the policy change into the overrides; a name, an owner (`Some(None)`: none) and allow rules replace the old ones.
    Set {
        name: Option<String>,
        owner: Option<Option<Owner>>,
        policy: PolicyChange,
        allow: Option<Allow>,
    },
    /// Adds a secret with a label.
    AddSecret(String, Kept),
    /// Refuses a secret after a time.
    RetireSecret(SecretId, Timestamp),
    /// Refuses a secret at once, and revokes all tokens: a grant does not record which secret opened it.
    EndSecret(SecretId),
    /// Revokes all issued tokens. The application may log in again.
    Revoke,
    /// Replaces a not-before that a clock far ahead wrote with one of now.
    RepairNotBefore,
    /// Adds a credential with a label.
    AddCredential(String, CredentialKind),
    /// Refuses a credential at once and removes it.
    RemoveCredential(CredentialId),
}

/// The time from which a new key issues tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseFrom {
    /// After the lead in which every node and gateway learns the key.
    Lead,
    /// After this time and no later, because the previous key has leaked.
    After(Duration),
}

/// Reason why an administrative operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AdministerError {
    #[error("there is no application with this appId")]
    UnknownApplication,
    #[error("the application has no secret {}", .0.0)]
    UnknownSecret(SecretId),
    #[error("the application has {MAX_SECRETS} live secrets and may not have more; retire one first")]
    TooManySecrets,
    #[error("the application has no credential {}", .0.0)]
    UnknownCredential(CredentialId),
    #[error("the application has this credential already, as {}", .0.0)]
    SameCredential(CredentialId),
    #[error("the application has {MAX_CREDENTIALS} credentials and may not have more; remove one first")]
    TooManyCredentials,
    /// With its present state.
    #[error("the application was changed meanwhile")]
    Stale(Arc<Application>),
    #[error("too many secrets wait to be hashed; try again")]
    Busy,
    #[error("could not change the application")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Creates an application, unless its appId is taken.
    #[expect(unused_variables, reason = "the audit trail will record it")]
    pub async fn create(
        &self,
        wanted: Wanted,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Creation, AdministerError> {
        let id = wanted.id.unwrap_or_else(AppId::random);
        if let Some(present) = self.registry().find(&id) {
            return self.compare(present, wanted.secret.as_ref(), now).await;
        }
        let (kept, allocated) = self.keep(&id, wanted.secret.as_ref()).await?;
        let secret = Secret::new(SecretId(1), "first".to_owned(), now, kept);
        let new = NewApplication {
            id,
            name: wanted.name,
            owner: wanted.owner,
            state: State::Active,
            overrides: wanted.overrides,
            allow: wanted.allow,
            created_at: now,
            secrets: iter::once(Arc::new(secret)).collect(),
        };
        match self.store.create(new).await.map_err(AdministerError::Store)? {
            Created::Created(application) => Ok(Creation::Created(application, allocated)),
            Created::Taken(present) => self.compare(present, wanted.secret.as_ref(), now).await,
        }
    }

    /// Adds a secret, given or allocated; returns the allocated one, which is never shown again.
    pub async fn add_secret(
        &self,
        id: &AppId,
        label: String,
        given: Option<&SecretText>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(Arc<Application>, Option<SecretText>), AdministerError> {
        self.add_secret_where(id, None, label, given, actor, now).await
    }

    /// Adds a secret to an application in the state of a tag, where one is given.
    pub async fn add_secret_where(
        &self,
        id: &AppId,
        tag: Option<Tag>,
        label: String,
        given: Option<&SecretText>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(Arc<Application>, Option<SecretText>), AdministerError> {
        let (kept, allocated) = self.keep(id, given).await?;
        let change = Change::AddSecret(label, kept);
        Ok((self.change_where(id, tag, &change, actor, now).await?, allocated))
    }

    /// Changes an application by optimistic concurrency: a lost race is decided again on the present state.
    pub async fn change(
        &self,
        id: &AppId,
        change: &Change,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdministerError> {
        self.change_where(id, None, change, actor, now).await
    }

    /// Changes an application in the state of a tag, where one is given.
    #[expect(unused_variables, reason = "the audit trail will record it")]
    pub async fn change_where(
        &self,
        id: &AppId,
        tag: Option<Tag>,
        change: &Change,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdministerError> {
        let mut present = self.registry().find(id).ok_or(AdministerError::UnknownApplication)?;
        loop {
            if tag.is_some_and(|tag| tag != present.tag()) {
                return Err(AdministerError::Stale(present));
            }
            let changed = changed(&present, change, now, self.issued_until(now))?;
            let kept = self.beyond_not_before(&changed);
            match self.store.replace(changed, kept).await.map_err(AdministerError::Store)? {
                Replaced::Replaced(application) => {
                    if matches!(change, Change::Revoke | Change::EndSecret(_)) {
                        self.close_beyond_not_before(&application).await.map_err(AdministerError::Store)?;
                    }
                    return Ok(application);
                }
                Replaced::Lost(current) => present = current,
                Replaced::Unknown => return Err(AdministerError::UnknownApplication),
            }
        }
    }

    /// Revokes all issued tokens of an application; `None` where the application is gone.
    pub(crate) async fn end_all(
        &self,
        id: &AppId,
        now: Timestamp,
    ) -> Result<Option<Arc<Application>>, StoreError> {
        match self.change(id, &Change::Revoke, &Actor::SYSTEM, now).await {
            Ok(application) => Ok(Some(application)),
            Err(AdministerError::Store(error)) => Err(error),
            // The other errors concern secrets, credentials and a wanted revision, which this change does not have.
            Err(
                AdministerError::UnknownApplication
                | AdministerError::UnknownSecret(_)
                | AdministerError::TooManySecrets
                | AdministerError::UnknownCredential(_)
                | AdministerError::SameCredential(_)
                | AdministerError::TooManyCredentials
                | AdministerError::Stale(_)
                | AdministerError::Busy,
            ) => Ok(None),
        }
    }

    /// Removes an application with all its grants; its tokens stop verifying.
    pub async fn delete(
        &self,
        id: &AppId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdministerError> {
        self.delete_where(id, None, actor, now).await
    }

    /// Removes an application in the state of a tag, where one is given.
    #[expect(unused_variables, reason = "the audit trail will record it")]
    pub async fn delete_where(
        &self,
        id: &AppId,
        tag: Option<Tag>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdministerError> {
        let application = self.registry().find(id).ok_or(AdministerError::UnknownApplication)?;
        if tag.is_some_and(|tag| tag.number != application.number) {
            return Err(AdministerError::Stale(application));
        }
        let revision = tag.map(|tag| tag.revision);
        match self.store.delete(application.number, revision).await.map_err(AdministerError::Store)? {
            Deleted::Deleted => Ok(application),
            Deleted::Lost(present) => Err(AdministerError::Stale(present)),
            Deleted::Unknown => Err(AdministerError::UnknownApplication),
        }
    }

    /// The revocations of grants that a not-before may not reach: they were closed by a clock that was ahead, and their tokens
    /// may say that they were issued after it.
    fn beyond_not_before(&self, application: &Application) -> Vec<(GrantId, Revocation)> {
        let Some(not_before) = application.tokens_from else { return Vec::new() };
        let reached = self.ended(&self.policy(application), not_before).forget_at;
        let all = self.registry().revocations_of(application.number);
        all.into_iter().filter(|(_, revocation)| revocation.forget_at > reached).collect()
    }

    /// Closes the grants that a new not-before does not reach: a clock that was ahead opened or refreshed them.
    async fn close_beyond_not_before(&self, application: &Application) -> Result<(), StoreError> {
        let Some(not_before) = application.tokens_from else { return Ok(()) };
        let grants = self.store.grants(application.number).await?;
        for grant in grants.iter().filter(|grant| grant.refreshed_at > not_before) {
            self.close_ahead(application, grant).await?;
        }
        Ok(())
    }

    /// The rotated keyring; the caller makes it durable and then calls [`Auth::replace_keyring`].
    pub fn rotated_keyring(&self, use_from: UseFrom, now: Timestamp) -> Result<KeyringRecord, KeyringError> {
        let lead = match use_from {
            UseFrom::Lead => self.settings().key_lead,
            UseFrom::After(lead) => lead,
        };
        self.keyring().record().rotated(now, lead, self.longest_lifetime())
    }

    fn longest_lifetime(&self) -> Duration {
        self.longest(|policy| policy.refresh_lifetime.max(policy.access_lifetime))
    }

    /// The longest time for which an access token that is issued now can be valid.
    pub(crate) fn longest_access_lifetime(&self) -> Duration {
        self.longest(|policy| policy.access_lifetime)
    }

    fn longest(&self, lifetime: impl Fn(Policy) -> Duration) -> Duration {
        let policies = self.registry().all().into_iter().map(|application| self.policy(&application));
        let longest = policies.map(&lifetime).fold(lifetime(self.settings().policy), Duration::max);
        longest + self.settings().leeway
    }

    /// The stored form of a secret: a digest of an allocated one, Argon2id of a given one, which may be weak.
    async fn keep(
        &self,
        id: &AppId,
        given: Option<&SecretText>,
    ) -> Result<(Kept, Option<SecretText>), AdministerError> {
        match given {
            Some(secret) => Ok((Kept::Argon2id(self.hashing.hash(secret).await?), None)),
            None => {
                let secret = SecretText::random();
                let digest = self.keyring().pepper().digest(id, &secret);
                Ok((Kept::Digest(digest), Some(secret)))
            }
        }
    }

    async fn compare(
        &self,
        present: Arc<Application>,
        given: Option<&SecretText>,
        now: Timestamp,
    ) -> Result<Creation, AdministerError> {
        let Some(given) = given else { return Ok(Creation::Taken(present)) };
        let is_same = self.matching(&present.id, &present.secrets, given, now).await?.is_some();
        Ok(if is_same { Creation::Same(present) } else { Creation::Taken(present) })
    }
}

/// The application after a change. A pure function, because a lost race decides again.
fn changed(
    present: &Application,
    change: &Change,
    now: Timestamp,
    issued_until: Timestamp,
) -> Result<Application, AdministerError> {
    let mut application = Application { revision: present.revision + 1, ..present.clone() };
    match change {
        Change::State(state) => application.state = *state,
        Change::Set { name, owner, policy, allow } => {
            application.overrides = policy.apply(&present.overrides);
            application.name = name.as_ref().unwrap_or(&present.name).clone();
            application.owner = owner.as_ref().unwrap_or(&present.owner).clone();
            application.allow = allow.as_ref().unwrap_or(&present.allow).clone();
        }
        Change::AddSecret(label, kept) => {
            let last = present.secrets.iter().map(|secret| secret.id.0).max().unwrap_or(0);
            make_room(&mut application.secrets, now)?;
            let secret = Secret::new(SecretId(last + 1), label.clone(), now, kept.clone());
            application.secrets.push(Arc::new(secret));
        }
        Change::RetireSecret(id, at) => retire(&mut application.secrets, *id, *at, now)?,
        Change::EndSecret(id) => {
            retire(&mut application.secrets, *id, now, now)?;
            application.tokens_from = Some(present.revoking_at(issued_until));
        }
        Change::Revoke => application.tokens_from = Some(present.revoking_at(issued_until)),
        Change::RepairNotBefore => application.tokens_from = present.repaired_not_before(now),
        Change::AddCredential(label, kind) => add_credential(&mut application, label, kind, now)?,
        Change::RemoveCredential(id) => {
            let found = application.credentials.iter().position(|credential| credential.id == *id);
            application.credentials.remove(found.ok_or(AdministerError::UnknownCredential(*id))?);
        }
    }
    Ok(application)
}

/// Retires a secret. A secret that retires at once stays retired when a clock that was ahead is set back.
fn retire(
    secrets: &mut [Arc<Secret>],
    id: SecretId,
    at: Timestamp,
    now: Timestamp,
) -> Result<(), AdministerError> {
    let secret = secrets.iter_mut().find(|secret| secret.id == id);
    let secret = secret.ok_or(AdministerError::UnknownSecret(id))?;
    if !secret.is_erased() {
        *secret = Arc::new(if at <= now { secret.erased(at) } else { secret.retired(at) });
    }
    Ok(())
}

/// Drops the oldest retired secrets when a new one needs their place; until then operators see them.
fn make_room(secrets: &mut Secrets, now: Timestamp) -> Result<(), AdministerError> {
    if secrets.len() < MAX_SECRETS {
        return Ok(());
    }
    let retired = secrets.iter().position(|secret| !secret.is_live(now));
    secrets.remove(retired.ok_or(AdministerError::TooManySecrets)?);
    Ok(())
}

/// Appends a credential. Ids count up from the last one present; an id may be used again, since nothing refers to it.
fn add_credential(
    application: &mut Application,
    label: &str,
    kind: &CredentialKind,
    now: Timestamp,
) -> Result<(), AdministerError> {
    let credentials = &mut application.credentials;
    if let Some(same) = credentials.iter().find(|credential| credential.kind == *kind) {
        return Err(AdministerError::SameCredential(same.id));
    }
    if credentials.len() >= MAX_CREDENTIALS {
        return Err(AdministerError::TooManyCredentials);
    }
    let id = CredentialId(credentials.last().map_or(0, |last| last.id.0) + 1);
    credentials.push(Credential { id, label: label.to_owned(), kind: kind.clone(), created_at: now });
    Ok(())
}

impl From<Busy> for AdministerError {
    fn from(_: Busy) -> AdministerError {
        AdministerError::Busy
    }
}
