//! The embedded store: one SQLite file, written by one thread with group commit, with all applications and live grants in memory.
//!
//! Requests queue up. The writer takes all waiting writes, checks each guard against memory, writes one journal row for them in
//! one transaction (WAL, `synchronous=FULL`), publishes the new state and answers. Readers see durable state only. Each commit
//! compacts a slice of the journal into the `grants` table.

mod applications;
mod backup;
mod batch;
mod checkpoint;
mod codec;
mod compaction;
mod contents;
mod credentials;
mod data_dir;
mod export;
mod forgotten;
mod grants;
mod identity;
#[cfg(test)]
mod interleaving_tests;
mod journal;
mod load;
mod permissions;
mod queue;
mod restore;
mod room;
mod schema;
mod single_use;
mod stats;
mod volume;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

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
use tokio::sync::oneshot;

use grants::Grants;
use queue::{Answer, Queue, Write};
use single_use::SingleUses;

pub use data_dir::{DATABASE, DataDirError};
pub use export::{ExportError, Import};
pub use identity::Lost;
pub use load::{OpenError, Replayed, replay_bytes};
pub use permissions::{ExposedError, give_to_owner_of, is_own_group, make_private};
pub use restore::{RestoreError, restore};
pub use room::{NoRoom, check_room};
pub use stats::Stats;
pub use volume::Volume;

/// The one-file store. Dropping it writes what is queued and closes the file.
pub struct EmbeddedStore {
    memory: Arc<Memory>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    // Declared last, so that the lock is released after the writer has closed the file.
    directory: Arc<data_dir::Lock>,
}

/// Source of the current time.
pub type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// State that the writer shares with the readers: the durable state, and statistics.
#[derive(Default)]
pub(crate) struct Memory {
    pub registry: Registry,
    pub grants: Grants,
    pub single_uses: SingleUses,
    pub stats: Stats,
}

impl Memory {
    /// Forgets records that have expired by both clocks: `now`, and a clock that has not jumped forward for `steady`.
    fn forget(&self, now: Timestamp, steady: Duration) {
        self.registry.forget_revocations(now, steady);
        let single_use = self.single_uses.forget(now, steady);
        self.registry.high_water().raise(Marks { single_use, ..Marks::NOTHING });
    }

    /// Whether there is maintenance to write for which no request waits.
    fn has_chores(&self) -> bool {
        self.registry.has_used() || self.single_uses.has_forgotten()
    }
}

impl EmbeddedStore {
    /// Opens the store in `data_dir`, or creates it. At most `queue_bound` operations wait at a time, and a login only while less
    /// than half as many do. `clock` decides which revocations have expired.
    pub fn open(data_dir: &Path, queue_bound: usize, clock: Clock) -> Result<EmbeddedStore, OpenError> {
        let directory = Arc::new(data_dir::lock(data_dir)?);
        let memory = Arc::new(Memory::default());
        let queue = Arc::new(Queue::new(queue_bound));
        let (shared, queued) = (Arc::clone(&memory), Arc::clone(&queue));
        let writer = writer::Writer::open(Arc::clone(&directory), shared, queued, clock)?;
        let writer = std::thread::Builder::new().name("writer".to_owned()).spawn(move || writer.run());
        let writer = Some(writer.map_err(|error| OpenError::Thread(error.to_string()))?);
        Ok(EmbeddedStore { memory, queue, writer, directory })
    }

    /// Writes a consistent copy of the database to the new file `to`, without stopping writes.
    pub async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (directory, to) = (Arc::clone(&self.directory), to.to_owned());
        let copied = tokio::task::spawn_blocking(move || backup::copy(&directory, &to)).await;
        match copied {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(StoreError::Unavailable(Arc::new(error))),
            Err(stopped) => Err(StoreError::Unavailable(Arc::new(stopped))),
        }
    }

    /// Statistics, for metrics.
    pub fn stats(&self) -> &Stats {
        &self.memory.stats
    }

    /// The volume of the data directory, or nothing where the directory was moved away.
    pub fn volume(&self) -> Option<Volume> {
        Volume::of(self.directory.database_path().parent()?).ok()
    }

    /// The number of operations in the queue.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// The bound of the queue.
    pub fn queue_bound(&self) -> usize {
        self.queue.bound()
    }

    async fn ask<A>(&self, write: impl FnOnce(Answer<A>) -> Write) -> Result<A, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.queue.push(write(answer))?;
        // The writer answers everything it takes; it drops an answer only when it panics.
        answered.await.unwrap_or_else(|dropped| Err(StoreError::Unavailable(Arc::new(dropped))))
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has logged it already.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    fn registry(&self) -> &Registry {
        &self.memory.registry
    }

    async fn create(&self, new: NewApplication) -> Result<Created, StoreError> {
        self.ask(|answer| Write::Create(Box::new(new), answer)).await
    }

    async fn replace(
        &self,
        application: Application,
        kept: Vec<(GrantId, Revocation)>,
    ) -> Result<Replaced, StoreError> {
        self.ask(|answer| Write::Replace(Box::new((application, kept)), answer)).await
    }

    async fn delete(&self, number: AppNumber, revision: Option<u32>) -> Result<Deleted, StoreError> {
        self.ask(|answer| Write::Delete(number, revision, answer)).await
    }

    async fn grant(&self, grant: GrantKey) -> Result<Option<Grant>, StoreError> {
        Ok(self.memory.grants.find(grant))
    }

    async fn grants(&self, application: AppNumber) -> Result<Vec<Grant>, StoreError> {
        Ok(self.memory.grants.of(application))
    }

    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.ask(|answer| Write::Open(opening, answer)).await
    }

    async fn advance(&self, step: Step) -> Result<Advanced, StoreError> {
        // A step that has lost already costs no commit.
        let durable = self.memory.grants.find(GrantKey { application: step.application, id: step.to.id });
        if durable.is_none_or(|grant| grant.generation != step.from) {
            return Ok(Advanced::Lost(durable));
        }
        self.ask(|answer| Write::Advance(step, answer)).await
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        self.ask(|answer| Write::Close(closing, answer)).await
    }

    async fn record_once(&self, single_use: SingleUse) -> Result<Recorded, StoreError> {
        self.ask(|answer| Write::RecordOnce(single_use, answer)).await
    }
}
