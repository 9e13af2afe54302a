//! What the rules need of a store: guarded operations that say what happened. A store decides nothing.
//!
//! Every operation is durable when it returns, and atomic. A store may join the operations that wait at one moment
//! into one transaction. The rules read, decide and write with a guard on what they read; a lost race comes back as
//! an outcome with the present state, and is decided again.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;

use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::{AppNumber, Application, State};
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantKey};
use crate::high_water::Marks;
use crate::policy::Overrides;
use crate::registry::{Registry, Revocation};
use crate::secret::Secrets;

/// A store of applications and grants.
#[async_trait]
pub trait Store: Send + Sync {
    /// The applications and revocations, as far as they are durable.
    fn registry(&self) -> &Registry;

    /// Adds an application under the next number, unless its appId is taken.
    async fn create(&self, new: NewApplication) -> Result<Created, StoreError>;

    /// Replaces an application by one with the next revision, unless another change was faster. With a later not-before
    /// (`tokens_from`) the application's revocations go: all tokens that they refuse are refused by it.
    async fn replace(&self, application: Application) -> Result<Replaced, StoreError>;

    /// Removes an application with its secrets, grants and revocations.
    async fn delete(&self, number: AppNumber) -> Result<Deleted, StoreError>;

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

    /// Remembers that an application has used something that is good once, unless it is remembered already: of any
    /// number of requests with one digest exactly one is told that it is fresh, on whatever nodes and however close
    /// together, also after a restart. It is remembered until `until` at least, by all clocks that the store looks at,
    /// and may be forgotten after that; at most `at_most` are remembered of one application.
    async fn record_once(&self, single_use: SingleUse) -> Result<Recorded, StoreError>;

    /// Lowers the high-water marks of forgotten time, which an operator does after a clock was ahead. A crash right after it
    /// may leave the higher ones, which refuse more.
    async fn lower_forgotten(&self, to: Marks) -> Result<(), StoreError> {
        self.registry().high_water().lower(to);
        Ok(())
    }
}

/// An application to be created; the store gives it its number.
#[derive(Clone, Debug)]
pub struct NewApplication {
    pub id: AppId,
    pub name: String,
    pub state: State,
    pub overrides: Overrides,
    pub allow: Allow,
    pub created_at: Timestamp,
    pub secrets: Secrets,
}

impl NewApplication {
    /// The application with the number that the store chose.
    pub fn numbered(self, number: AppNumber) -> Application {
        let NewApplication { id, name, state, overrides, allow, created_at, secrets } = self;
        Application {
            number,
            id,
            name,
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

/// What became of [`Store::create`].
#[derive(Debug)]
pub enum Created {
    Created(Arc<Application>),
    /// The appId belongs to this application.
    Taken(Arc<Application>),
}

/// What became of [`Store::replace`].
#[derive(Debug)]
pub enum Replaced {
    Replaced(Arc<Application>),
    /// It was changed in between and looks like this now.
    Lost(Arc<Application>),
    Unknown,
}

/// What became of [`Store::delete`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Deleted,
    Unknown,
}

/// A new grant and what happens to the ones before it.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    pub application: AppNumber,
    pub grant: Grant,
    /// Live grants with the new one; at least 1.
    pub at_most: u32,
    /// Closes all other grants with this revocation.
    pub close_others: Option<Revocation>,
    /// The application's not-before: refresh tokens of grants that were refreshed before are over.
    pub not_before: Option<Timestamp>,
    pub now: Timestamp,
}

/// What became of [`Store::open`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    Opened,
    /// The application was deleted in the meantime.
    Unknown,
}

/// A grant's way to its next state.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub application: AppNumber,
    /// The generation that was read; the guard.
    pub from: u32,
    pub to: Grant,
}

/// What became of [`Store::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advanced {
    Advanced,
    /// The grant is in this state, or gone, and nothing was written.
    Lost(Option<Grant>),
}

/// The end of a grant.
#[derive(Clone, Copy, Debug)]
pub struct Closing {
    pub grant: GrantKey,
    pub revocation: Revocation,
}

/// The use of something that is good once.
#[derive(Clone, Copy, Debug)]
pub struct SingleUse {
    pub application: AppNumber,
    /// Half of a SHA-256 over what makes it one of its kind.
    pub digest: [u8; 16],
    /// When it would not be accepted any more anyway.
    pub until: Timestamp,
    /// How many may be remembered of the application.
    pub at_most: usize,
}

/// What became of [`Store::record_once`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It was not used before, and now it is.
    Fresh,
    /// It was used before.
    Replayed,
    /// So many are remembered that this one cannot be.
    Full,
    /// The application was deleted in the meantime.
    Unknown,
}

/// Why a store did not do what it was asked; nothing was written, or it will be undone or repeated safely.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Too many operations wait already.
    #[error("the store's queue is full")]
    Busy,
    /// The store cannot write or read at present.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn Error + Send + Sync>),
}
