//! The store for many nodes: a PostgreSQL database that they share, with all applications and revocations in the memory of
//! each.
//!
//! A node decides, and writes with a guard on what it read. Operations that wait at one moment go to the database together:
//! [`lane`] has the queue and the retries, [`steps`], [`logins`], [`reads`] and [`applications`] the statements. What other
//! nodes change comes in through [`watch`].

mod applications;
mod connect;
mod credentials;
mod figures;
mod keyring;
mod lane;
mod load;
mod logins;
mod moving;
mod published;
mod reads;
mod rows;
mod schema;
mod settings;
mod spends;
mod steps;
mod tls;
mod upkeep;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use northgate_core::application::{AppNumber, Application};
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::registry::Registry;
use northgate_core::store::{
    Advanced, Closing, Created, Deleted, NewApplication, Opened, Opening, Replaced, Spending, Spent, Step,
    Store, StoreError,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use applications::{ApplicationAsk, Applications};
use connect::{Session, Trouble};
use lane::Lane;
use logins::Logins;
use published::Published;
use reads::{ReadAsk, Reads};
use spends::{SpendAsk, Spends};
use steps::{StepAsk, Steps};
use upkeep::Upkeep;
use watch::Watch;

pub use figures::Figures;
pub use keyring::{KeyringPut, SealedKeyring};
pub use moving::{Export, Import, MoveError, PAGE};
pub use schema::{VERSION, migrate};
pub use settings::{Database, PostgresSettings, UrlError};
pub use tls::TlsError;

/// The store of one node. Dropping it ends its connections when what waits is done.
pub struct PostgresStore {
    shared: Arc<Shared>,
    steps: Vec<Lane<Steps>>,
    logins: Vec<Lane<Logins>>,
    reads: Lane<Reads>,
    applications: Lane<Applications>,
    spends: Lane<Spends>,
    background: [AbortHandle; 2],
}

/// Tells the time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// Why a node cannot work with the database.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error(
        "the database cannot be reached or does not let us in: check database-url, and that the server runs"
    )]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database server is too old (version number {found}): PostgreSQL 13 or newer is needed")]
    TooOld { found: String },
    #[error("the database is not set up for Northgate: run `northgate migrate` once")]
    NotMigrated,
    #[error(
        "the database is of an older version (format {found}, this one needs {VERSION}): run `northgate migrate`, beside the nodes that run"
    )]
    Older { found: i32 },
    #[error(
        "the database was migrated by a newer Northgate (format {found}, this one knows up to {VERSION}): use that version"
    )]
    Newer { found: i32 },
    #[error(
        "the database has tables of another program in the same schema: give Northgate a database of its own"
    )]
    Foreign,
    #[error("the database did not do what it was asked")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Trouble> for ConnectError {
    fn from(trouble: Trouble) -> ConnectError {
        match trouble {
            Trouble::Unreachable(cause) => ConnectError::Unreachable(Box::new(cause)),
            Trouble::Silent(_) => ConnectError::Unreachable(Box::new(trouble)),
            Trouble::Refused(cause) => ConnectError::Refused(Box::new(cause)),
            Trouble::Damaged | Trouble::DamagedRow { .. } => ConnectError::Refused(Box::new(trouble)),
        }
    }
}

/// What the lanes and the background share.
pub(crate) struct Shared {
    settings: PostgresSettings,
    published: Published,
    figures: Figures,
    clock: Clock,
    keyring: keyring::Shown,
    /// Wakes the watch when this node changed what others must know.
    changed: Notify,
}

impl Shared {
    /// Lets other nodes look soon. They look anyway.
    fn wake_others(&self) {
        if self.settings.notify {
            self.changed.notify_one();
        }
    }
}

impl PostgresStore {
    /// Reads the registry of a migrated database. `clock` tells which revocations need not be known any more.
    pub async fn connect(settings: PostgresSettings, clock: Clock) -> Result<PostgresStore, ConnectError> {
        schema::check(&connect::connect(&settings, Session::Whole, None).await?).await?;
        let (published, figures) = (Published::default(), Figures::new());
        let shared = Arc::new(Shared {
            settings,
            published,
            figures,
            clock,
            keyring: keyring::Shown::default(),
            changed: Notify::new(),
        });
        let watch = Watch::start(Arc::clone(&shared)).await?;
        shared.figures.looked(std::time::Instant::now());
        let upkeep = Upkeep::new(Arc::clone(&shared));
        let background =
            [tokio::spawn(watch.run()).abort_handle(), tokio::spawn(upkeep.run()).abort_handle()];
        let PostgresSettings { lanes, login_lanes, queue_bound, .. } = shared.settings;
        let each = |bound: usize, lanes: usize| bound.div_ceil(lanes.max(1)).max(1);
        let steps = |_| Lane::start(&shared, each(queue_bound, lanes), Steps(Arc::clone(&shared)));
        let logins = |_| {
            let bound = each(queue_bound.div_ceil(2), login_lanes);
            Lane::start(&shared, bound, Logins(Arc::clone(&shared)))
        };
        Ok(PostgresStore {
            steps: (0..lanes.max(1)).map(steps).collect(),
            logins: (0..login_lanes.max(1)).map(logins).collect(),
            reads: Lane::start(&shared, queue_bound.max(1), Reads),
            applications: Lane::start(&shared, queue_bound.max(1), Applications(Arc::clone(&shared))),
            spends: Lane::start(&shared, queue_bound.max(1), Spends::new(Arc::clone(&shared))),
            background,
            shared,
        })
    }

    /// Figures about the work, for metrics.
    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// How many writes wait for the database at this moment.
    pub fn waiting(&self) -> usize {
        let steps = self.steps.iter().map(Lane::waiting).sum::<usize>();
        steps
            + self.logins.iter().map(Lane::waiting).sum::<usize>()
            + self.applications.waiting()
            + self.spends.waiting()
    }

    /// How many may, logins aside.
    pub fn queue_bound(&self) -> usize {
        self.shared.settings.queue_bound
    }

    /// Whether this node may not know what others changed a while ago, so that it should get no requests.
    pub fn is_behind(&self) -> bool {
        self.shared.figures.registry_lag() > self.shared.settings.behind_after
    }

    fn lane(&self, application: AppNumber) -> &Lane<Steps> {
        &self.steps[application.0 as usize % self.steps.len()]
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.background.iter().for_each(AbortHandle::abort);
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn registry(&self) -> &Registry {
        &self.shared.published.registry
    }

    async fn create(&self, new: NewApplication) -> Result<Created, StoreError> {
        let within = self.shared.settings.answer_within;
        self.applications.ask(new, |ask| ApplicationAsk::Create(ask, None), within).await
    }

    async fn replace(&self, application: Application) -> Result<Replaced, StoreError> {
        self.applications.ask(application, ApplicationAsk::Replace, self.shared.settings.answer_within).await
    }

    async fn delete(&self, number: AppNumber) -> Result<Deleted, StoreError> {
        self.applications.ask(number, ApplicationAsk::Delete, self.shared.settings.answer_within).await
    }

    async fn grant(&self, grant: GrantKey) -> Result<Option<Grant>, StoreError> {
        self.reads.ask(grant, ReadAsk::One, self.shared.settings.answer_within).await
    }

    async fn grants(&self, application: AppNumber) -> Result<Vec<Grant>, StoreError> {
        self.reads.ask(application, ReadAsk::All, self.shared.settings.answer_within).await
    }

    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let lane = &self.logins[opening.application.0 as usize % self.logins.len()];
        lane.ask(opening, |ask| ask, self.shared.settings.answer_within).await
    }

    async fn advance(&self, step: Step) -> Result<Advanced, StoreError> {
        self.lane(step.application).ask(step, StepAsk::Advance, self.shared.settings.answer_within).await
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        let lane = self.lane(closing.grant.application);
        lane.ask(closing, StepAsk::Close, self.shared.settings.answer_within).await
    }
    async fn spend(&self, spending: Spending) -> Result<Spent, StoreError> {
        // Random is enough: it is compared among the uses of one thing.
        let spender = GrantId::random().0 as i64;
        let ask = |ask| SpendAsk { ask, spender };
        self.spends.ask(spending, ask, self.shared.settings.answer_within).await
    }
}
