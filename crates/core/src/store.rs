//! The store interface: guarded operations with outcomes. A store decides nothing.
//!
//! Every operation is atomic, and durable when it returns. A store may group-commit waiting operations in one transaction. The
//! rules use optimistic concurrency: they read, decide, and write with a guard on what they read; a lost race returns the present
//! state, and is decided again.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::{AppNumber, Application, State};
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId, GrantKey};
use crate::high_water::Marks;
use crate::owner::Owner;
use crate::policy::Overrides;
use crate::registry::{Registry, Revocation};
use crate::secret::Secrets;

/// A store of applications and grants.
#[async_trait]
pub trait Store: Send + Sync {
    /// The durable applications and revocations.
    fn registry(&self) -> &Registry;

    /// Adds an application under the next number, unless its appId is taken.
    async fn create(&self, new: NewApplication) -> Result<Created, StoreError>;

    /// Replaces an application by one with the next revision, unless another change was faster. A later not-before
    /// (`tokens_from`) drops the application's revocations, which reject tokens from before it, but for `kept`.
    async fn replace(
        &self,
        application: Application,
        kept: Vec<(GrantId, Revocation)>,
    ) -> Result<Replaced, StoreError>;

    /// Removes an application with its secrets, grants and revocations, unless it has left `revision`, where one is given.
    async fn delete(&self, number: AppNumber, revision: Option<u32>) -> Result<Deleted, StoreError>;

    /// The durable state of a grant.
    async fn grant(&self, grant: GrantKey) -> Result<Option<Grant>, StoreError>;

    /// All grants of an application.
    async fn grants(&self, application: AppNumber) -> Result<Vec<Grant>, StoreError>;

    /// Adds a grant; others give way by [`crate::grant::gives_way`] or are closed. A store keeps the order in which grants
    /// were opened and advanced, whatever their times say.
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError>;

    /// Moves a grant to its next state, unless it has left the generation that the step starts from.
    async fn advance(&self, step: Step) -> Result<Advanced, StoreError>;

    /// Removes a grant if it is there, and revokes its access tokens either way.
    async fn close(&self, closing: Closing) -> Result<(), StoreError>;

    /// Records a single-use identifier (`jti`), unless it is recorded already. Of any number of requests with one digest exactly
    /// one sees [`Recorded::Fresh`], on whatever nodes and however close together, also after a restart. The record lives until
    /// `until` at least, by all clocks of the store; at most `at_most` are recorded of one application.
    async fn record_once(&self, single_use: SingleUse) -> Result<Recorded, StoreError>;

    /// Lowers the high-water marks of forgotten records; an operator does so after a clock was ahead. A crash right after it may
    /// leave the higher marks, which refuse more.
    async fn lower_forgotten(&self, to: Marks) -> Result<(), StoreError> {
        self.registry().high_water().lower(to);
        Ok(())
    }
}

/// An application to be created; the store assigns its number.
#[derive(Clone, Debug)]
pub struct NewApplication {
    pub id: AppId,
    pub name: String,
    pub owner: Option<Owner>,
    pub state: State,
    pub overrides: Overrides,
    pub allow: Allow,
    pub created_at: Timestamp,
    pub secrets: Secrets,
}

impl NewApplication {
    /// The application with its assigned number.
    pub fn numbered(self, number: AppNumber) -> Application {
        let NewApplication { id, name, owner, state, overrides, allow, created_at, secrets } = self;
        Application {
            number,
            id,
            name,
            owner,
            state,
            overrides,
            allow,
            created_at,
            tokens_from: None,
            revision: 0,
            secrets,
            credentials: Vec::new(),
            calls: Arc::default(),
        }
    }
}

/// The result of [`Store::create`].
#[derive(Debug)]
pub enum Created {
    Created(Arc<Application>),
    /// The appId belongs to this application.
    Taken(Arc<Application>),
}

/// The result of [`Store::replace`].
#[derive(Debug)]
pub enum Replaced {
    Replaced(Arc<Application>),
    /// Another change was faster; this is the present application.
    Lost(Arc<Application>),
    Unknown,
}

/// The result of [`Store::delete`].
#[derive(Debug)]
pub enum Deleted {
    Deleted,
    /// It was changed meanwhile; this is the present application.
    Lost(Arc<Application>),
    Unknown,
}

/// A new grant, and the fate of the earlier ones.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub application: AppNumber,
    pub grant: Grant,
    /// The most live grants, the new one included; at least 1.
    pub at_most: u32,
    /// Closes all other grants with this revocation.
    pub close_others: Option<Revocation>,
    /// The application's not-before: grants that were refreshed earlier are over.
    pub not_before: Option<Timestamp>,
    pub now: Timestamp,
}

/// The result of [`Store::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Opened,
    /// The application was deleted in the meantime.
    Unknown,
}

/// The step of a grant to its next state.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub application: AppNumber,
    /// The generation that was read: the guard.
    pub from: u32,
    pub to: Grant,
}

/// The result of [`Store::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    Advanced,
    /// The guard failed and nothing was written; the present state, or `None` if the grant is gone.
    Lost(Option<Grant>),
}

/// The end of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    pub grant: GrantKey,
    pub revocation: Revocation,
}

/// A single-use identifier to record.
#[derive(Clone, Copy, Debug)]
pub struct SingleUse {
    pub application: AppNumber,
    /// Half of a SHA-256 over what identifies it.
    pub digest: [u8; 16],
    /// The time from which it would be rejected as expired.
    pub until: Timestamp,
    /// The most identifiers recorded of the application.
    pub at_most: usize,
}

/// The result of [`Store::record_once`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// First use; it is recorded now.
    Fresh,
    /// It was recorded before.
    Replayed,
    /// The application's records have reached their bound.
    Full,
    /// The application was deleted in the meantime.
    Unknown,
}

/// Reason why an operation failed; nothing was written, or it will be undone or repeated safely.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many operations wait.
    #[error("the store's queue is full")]
    Busy,
    /// The store cannot write or read at present.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
}
