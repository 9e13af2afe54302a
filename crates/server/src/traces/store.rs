//! The store with a span for each of its operations, as a part of the request that waits for it.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::high_water::Marks;
use northgate_core::registry::{Registry, Revocation};
use northgate_core::store::{
    Advanced, Closing, Created, Deleted, NewApplication, Opened, Opening, Recorded, Replaced, SingleUse,
    Step, Store, StoreError,
};

use super::span::{Attribute, Description, Kind};
use super::{PARENT, now};

/// A store whose operations leave spans.
pub struct TracedStore {
    store: Arc<dyn Store>,
    system: System,
}

/// The database below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// In this process: waiting for the group commit, and the commit.
    Sqlite,
    PostgreSql,
}

impl TracedStore {
    pub fn new(store: Arc<dyn Store>, system: System) -> TracedStore {
        TracedStore { store, system }
    }

    /// Waits for an operation. Without a sampled request around it, it leaves no span.
    async fn traced<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Ok(parent) = PARENT.try_with(Clone::clone) else { return work.await };
        let (began, began_at) = (now(), Instant::now());
        let result = work.await;
        parent.part(began, began_at, describe(operation, self.system, result.as_ref().err()));
        result
    }
}

fn describe(operation: &'static str, system: System, error: Option<&StoreError>) -> Description {
    let (kind, name) = match system {
        System::Sqlite => (Kind::Internal, "sqlite"),
        System::PostgreSql => (Kind::Client, "postgresql"),
    };
    let mut attributes =
        vec![("db.system.name", Attribute::Word(name)), ("db.operation.name", Attribute::Word(operation))];
    if let Some(error) = error {
        let word = match error {
            StoreError::Busy => "busy",
            StoreError::Unavailable(_) => "unavailable",
        };
        attributes.push(("error.type", Attribute::Word(word)));
    }
    Description { name: format!("store {operation}"), kind, attributes, is_error: error.is_some() }
}

#[async_trait]
impl Store for TracedStore {
    fn registry(&self) -> &Registry {
        self.store.registry()
    }

    async fn create(&self, new: NewApplication) -> Result<Created, StoreError> {
        self.traced("create", self.store.create(new)).await
    }

    async fn replace(
        &self,
        application: Application,
        kept: Vec<(GrantId, Revocation)>,
    ) -> Result<Replaced, StoreError> {
        self.traced("replace", self.store.replace(application, kept)).await
    }

    async fn delete(&self, number: AppNumber, revision: Option<u32>) -> Result<Deleted, StoreError> {
        self.traced("delete", self.store.delete(number, revision)).await
    }

    async fn grant(&self, grant: GrantKey) -> Result<Option<Grant>, StoreError> {
        self.traced("grant", self.store.grant(grant)).await
    }

    async fn grants(&self, application: AppNumber) -> Result<Vec<Grant>, StoreError> {
        self.traced("grants", self.store.grants(application)).await
    }

    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.traced("open", self.store.open(opening)).await
    }

    async fn advance(&self, step: Step) -> Result<Advanced, StoreError> {
        self.traced("advance", self.store.advance(step)).await
    }

    async fn close(&self, closing: Closing) -> Result<(), StoreError> {
        self.traced("close", self.store.close(closing)).await
    }

    async fn record_once(&self, single_use: SingleUse) -> Result<Recorded, StoreError> {
        self.traced("record_once", self.store.record_once(single_use)).await
    }

    async fn lower_forgotten(&self, to: Marks) -> Result<(), StoreError> {
        self.traced("lower_forgotten", self.store.lower_forgotten(to)).await
    }
}
