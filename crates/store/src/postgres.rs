//! The store for many nodes: a shared PostgreSQL database, with all applications and revocations in the memory of each node.
//!
//! A node decides, and writes with a guard on what it read (optimistic concurrency). Operations that wait at one moment go to the
//! database in one batch: [`batch_worker`] has the queue and the retries, [`steps`], [`logins`], [`reads`] and [`applications`]
//! the statements. [`watch`] reads the changes of other nodes.

mod applications;
mod batch_worker;
mod citus;
mod confirmation;
mod connect;
mod connect_error;
mod credentials;
mod database_error;
mod export;
mod forgotten;
mod health;
mod keyring;
mod load;
mod logins;
mod maintenance;
mod pool;
mod published;
mod readiness;
mod reads;
mod rows;
mod schema;
mod server;
mod settings;
mod single_use;
mod stats;
mod steps;
mod tls;
mod url;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use northgate_core::application::{AppNumber, Application};
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::high_water::Marks;
use northgate_core::registry::{Registry, Revocation};
use northgate_core::store::{
    Advanced, Closing, Created, Deleted, NewApplication, Opened, Opening, Recorded, Replaced, SingleUse,
    Step, Store, StoreError,
};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use applications::{ApplicationJob, Applications};
use batch_worker::BatchWorker;
use health::Health;
use logins::Logins;
use maintenance::Maintenance;
use pool::Pool;
use published::Published;
use reads::{ReadJob, Reads};
use server::Server;
use single_use::{SingleUseJob, SingleUses};
use steps::{StepJob, Steps};
use watch::Watch;

pub use citus::distribute_citus;
pub use connect_error::ConnectError;
pub use export::{Export, ExportError, Import, PAGE};
pub use keyring::{KeyringPut, SealedKeyring};
pub use schema::{VERSION, migrate};
pub use settings::{PostgresSettings, Source};
pub use stats::Stats;
pub use tls::TlsError;
pub use url::{Database, UrlError};

/// The store of one node. Dropping it ends its connections when the queued work is done.
pub struct PostgresStore {
    shared: Arc<Shared>,
    steps: Vec<BatchWorker<Steps>>,
    logins: Vec<BatchWorker<Logins>>,
    reads: BatchWorker<Reads>,
    applications: BatchWorker<Applications>,
    single_uses: BatchWorker<SingleUses>,
    background: Vec<AbortHandle>,
}

/// Source of the current time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// State that the workers and the background tasks share.
pub(crate) struct Shared {
    settings: PostgresSettings,
    published: Published,
    stats: Stats,
    clock: Clock,
    keyring: keyring::Shown,
    server: Server,
    pool: Arc<Pool>,
    health: Health,
    /// Wakes the watch when this node changed what others must learn.
    changed: Notify,
}

impl Shared {
    /// Notifies other nodes. Without the notification they learn of a change with their next poll.
    fn wake_others(&self) {
        if self.settings.notify {
            self.changed.notify_one();
        }
    }
}

impl PostgresStore {
    /// Reads the registry of a migrated database. `clock` decides which revocations have expired.
    pub async fn connect(settings: PostgresSettings, clock: Clock) -> Result<PostgresStore, ConnectError> {
        // One for each worker: reads, applications and single-use records have one each. The watch has its own connection.
        let sessions = settings.writers.max(1) + settings.login_writers.max(1) + 3;
        let shared = Arc::new(Shared {
            settings,
            published: Published::default(),
            stats: Stats::new(),
            clock,
            keyring: keyring::Shown::default(),
            server: Server::default(),
            pool: Arc::new(Pool::new(sessions)),
            health: Health::default(),
            changed: Notify::new(),
        });
        let watch = Watch::start(Arc::clone(&shared)).await?;
        let mut background: Vec<AbortHandle> =
            (0..sessions).map(|_| tokio::spawn(pool::keep(Arc::clone(&shared))).abort_handle()).collect();
        let opened = pool::open_all(&shared).await;
        background.push(tokio::spawn(watch.run()).abort_handle());
        background.push(tokio::spawn(Maintenance::new(Arc::clone(&shared)).run()).abort_handle());
        background.push(tokio::spawn(health::run(Arc::clone(&shared))).abort_handle());
        if let Err(error) = opened {
            background.iter().for_each(AbortHandle::abort);
            return Err(error);
        }
        let PostgresSettings { writers, login_writers, queue_bound, .. } = shared.settings;
        let each = |bound: usize, writers: usize| bound.div_ceil(writers.max(1)).max(1);
        let steps = |_| BatchWorker::start(&shared, each(queue_bound, writers), Steps(Arc::clone(&shared)));
        let logins = |_| {
            let bound = each(queue_bound.div_ceil(2), login_writers);
            BatchWorker::start(&shared, bound, Logins::new(Arc::clone(&shared)))
        };
        Ok(PostgresStore {
            steps: (0..writers.max(1)).map(steps).collect(),
            logins: (0..login_writers.max(1)).map(logins).collect(),
            reads: BatchWorker::start(&shared, queue_bound.max(1), Reads),
            applications: BatchWorker::start(&shared, queue_bound.max(1), Applications(Arc::clone(&shared))),
            single_uses: BatchWorker::start(
                &shared,
                queue_bound.max(1),
                SingleUses::new(Arc::clone(&shared)),
            ),
            background,
            shared,
        })
    }

    /// Statistics, for metrics.
    pub fn stats(&self) -> &Stats {
        &self.shared.stats
    }

    /// The number of writes that wait for the database.
    pub fn waiting(&self) -> usize {
        let steps = self.steps.iter().map(BatchWorker::waiting).sum::<usize>();
        steps
            + self.logins.iter().map(BatchWorker::waiting).sum::<usize>()
            + self.applications.waiting()
            + self.single_uses.waiting()
    }

    /// The bound of the queue, logins aside.
    pub fn queue_bound(&self) -> usize {
        self.shared.settings.queue_bound
    }

    /// Whether this node's registry lags behind the other nodes, so that it should get no requests.
    pub fn is_behind(&self) -> bool {
        self.shared.stats.registry_lag() > self.shared.settings.behind_after
    }

    /// Open sessions and their target; the watch's connection comes on top.
    pub fn sessions(&self) -> (usize, usize) {
        (self.shared.pool.open(), self.shared.pool.wanted())
    }

    fn worker(&self, application: AppNumber) -> &BatchWorker<Steps> {
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
        self.applications.submit(new, |job| ApplicationJob::Create(job, None), within).await
    }

    async fn replace(
        &self,
        application: Application,
        kept: Vec<(GrantId, Revocation)>,
    ) -> Result<Replaced, StoreError> {
        self.applications
            .submit((application, kept), ApplicationJob::Replace, self.shared.settings.answer_within)
            .await
    }

    async fn delete(&self, number: AppNumber, revision: Option<u32>) -> Result<Deleted, StoreError> {
        self.applications
            .submit((number, revision), ApplicationJob::Delete, self.shared.settings.answer_within)
            .await
    }

    async fn grant(&self, grant: GrantKey) -> Result<Option<Grant>, StoreError> {
        self.reads.submit(grant, ReadJob::One, self.shared.settings.answer_within).await
    }

    async fn grants(&self, application: AppNumber) -> Result<Vec<Grant>, StoreError> {
        self.reads.submit(application, ReadJob::All, self.shared.settings.answer_within).await
    }

    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let worker = &self.logins[opening.application.0 as usize % self.logins.len()];
        worker.submit(opening, |job| job, self.shared.settings.answer_within).await
    }

    async fn advance(&self, step: Step) -> Result<Advanced, StoreError> {
        self.worker(step.application).submit(step, StepJob::Advance, self.shared.settings.answer_within).await
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        let worker = self.worker(closing.grant.application);
        worker.submit(closing, StepJob::Close, self.shared.settings.answer_within).await
    }
    async fn record_once(&self, single_use: SingleUse) -> Result<Recorded, StoreError> {
        // Random is enough: it is compared among the uses of one identifier.
        let spender = GrantId::random().0 as i64;
        let job = |job| SingleUseJob { job, spender };
        self.single_uses.submit(single_use, job, self.shared.settings.answer_within).await
    }

    async fn lower_forgotten(&self, to: Marks) -> Result<(), StoreError> {
        keyring::within(&self.shared, async |client| forgotten::lower(client, to).await).await?;
        self.registry().high_water().lower(to);
        Ok(())
    }
}
