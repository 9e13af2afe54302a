//! A batch: the writes of one group commit. Each guard is checked against memory and the writes before it (optimistic
//! concurrency); readers see nothing of it until the commit succeeded.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::error::Error;
use std::sync::Arc;

use northgate_core::app_id::AppId;
use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::{Grant, GrantId, GrantKey, gives_way};
use northgate_core::registry::Revocation;
use northgate_core::store::{
    Advanced, Closing, Created, Deleted, NewApplication, Opened, Opening, Recorded, Replaced, SingleUse,
    Step, StoreError,
};
use rusqlite::Connection;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Memory;
use super::applications;
use super::journal::Entry;
use super::queue::{Answer, Write};
use super::single_use;

/// The pending changes of one commit.
pub(crate) struct Batch<'a> {
    memory: &'a Memory,
    connection: &'a Connection,
    /// Applications that it creates or replaces, and those that it deletes.
    applications: HashMap<AppNumber, Option<Arc<Application>>>,
    created: HashMap<AppId, Arc<Application>>,
    grants: FxHashMap<AppNumber, Vec<Grant>>,
    revocations: Vec<(GrantKey, Revocation)>,
    /// Applications whose revocations are superseded by a later not-before.
    cleared: Vec<AppNumber>,
    single_uses: Vec<SingleUse>,
    entries: Vec<u8>,
    answers: Vec<Reply>,
    failure: Option<Arc<rusqlite::Error>>,
}

/// Sends an answer when the outcome of the commit is known.
type Reply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

impl<'a> Batch<'a> {
    pub fn new(memory: &'a Memory, connection: &'a Connection, size: usize) -> Batch<'a> {
        Batch {
            memory,
            connection,
            applications: HashMap::new(),
            created: HashMap::new(),
            grants: FxHashMap::with_capacity_and_hasher(size, FxBuildHasher),
            revocations: Vec::new(),
            cleared: Vec::new(),
            single_uses: Vec::new(),
            entries: Vec::with_capacity(size * 34),
            answers: Vec::with_capacity(size),
            failure: None,
        }
    }

    /// Whether it contains no write for which a client waits.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// The journal entries of this batch.
    pub fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// Applications whose grants or revocations this batch changes.
    pub fn touched(&self) -> impl Iterator<Item = AppNumber> {
        let revoked = self.revocations.iter().map(|(key, _)| key.application);
        self.grants.keys().copied().chain(revoked).chain(self.cleared.iter().copied())
    }

    /// The first error of SQLite in this batch, after which it must not be committed.
    pub fn failure(&self) -> Option<Arc<rusqlite::Error>> {
        self.failure.clone()
    }

    /// Adds a write: checks its guard, and prepares its change and its answer.
    pub fn add(&mut self, write: Write) {
        // After an error SQLite may have rolled back already, and this write would be committed on its own.
        if let Some(error) = self.failure() {
            return write.refuse(&(error as _));
        }
        match write {
            Write::Create(new, answer) => {
                let outcome = self.create(*new);
                self.answer_on_commit(outcome, answer);
            }
            Write::Replace(replacement, answer) => {
                let (application, kept) = *replacement;
                let outcome = self.replace(application, kept);
                self.answer_on_commit(outcome, answer);
            }
            Write::Delete(number, revision, answer) => {
                let outcome = self.delete(number, revision);
                self.answer_on_commit(outcome, answer);
            }
            Write::Open(opening, answer) => {
                let outcome = self.open(&opening);
                self.answer_on_commit(Ok(outcome), answer);
            }
            Write::Advance(step, answer) => {
                let outcome = self.advance(&step);
                self.answer_on_commit(Ok(outcome), answer);
            }
            Write::Close(closing, answer) => {
                self.close(&closing);
                self.answer_on_commit(Ok(()), answer);
            }
            Write::RecordOnce(single_use, answer) => {
                let outcome = self.record_once(&single_use);
                self.answer_on_commit(outcome, answer);
            }
        }
    }

    /// Publishes the committed state to the readers, and answers.
    pub fn publish(self) {
        let registry = &self.memory.registry;
        for (number, application) in self.applications {
            match application {
                Some(application) => registry.put(application),
                None => registry.remove(number),
            }
        }
        for (grant, revocation) in self.revocations {
            registry.revoke(grant, revocation);
        }
        self.memory.grants.publish(self.grants);
        self.memory.single_uses.publish(self.single_uses);
        self.answers.into_iter().for_each(|reply| reply(Ok(())));
    }

    /// Answers all writes with the error; nothing was written.
    pub fn fail(self, error: &Arc<dyn Error + Send + Sync>) {
        self.answers.into_iter().for_each(|reply| reply(Err(StoreError::Unavailable(Arc::clone(error)))));
    }

    fn answer_on_commit<A: Send + 'static>(&mut self, outcome: rusqlite::Result<A>, answer: Answer<A>) {
        let outcome = outcome.map_err(|error| {
            let error = Arc::new(error);
            self.failure.get_or_insert(Arc::clone(&error));
            StoreError::Unavailable(error)
        });
        self.answers.push(Box::new(move |committed| {
            // The client may have hung up; the write stays.
            let _ = answer.send(committed.and(outcome));
        }));
    }

    fn application(&self, number: AppNumber) -> Option<Arc<Application>> {
        match self.applications.get(&number) {
            Some(changed) => changed.clone(),
            None => self.memory.registry.application(number),
        }
    }

    fn create(&mut self, new: NewApplication) -> rusqlite::Result<Created> {
        let taken = self.created.get(&new.id).cloned().or_else(|| self.memory.registry.find(&new.id));
        // An application that this batch deleted frees its appId.
        if let Some(taken) = taken.and_then(|taken| self.application(taken.number)) {
            return Ok(Created::Taken(taken));
        }
        let application = Arc::new(applications::insert(self.connection, new)?);
        self.created.insert(application.id.clone(), Arc::clone(&application));
        self.applications.insert(application.number, Some(Arc::clone(&application)));
        Ok(Created::Created(application))
    }

    fn replace(
        &mut self,
        application: Application,
        kept: Vec<(GrantId, Revocation)>,
    ) -> rusqlite::Result<Replaced> {
        let Some(present) = self.application(application.number) else { return Ok(Replaced::Unknown) };
        if present.revision + 1 != application.revision {
            return Ok(Replaced::Lost(present));
        }
        applications::update(self.connection, &application)?;
        if present.tokens_from < application.tokens_from {
            self.clear_revocations(application.number);
            for (id, revocation) in kept {
                self.revoke(GrantKey { application: application.number, id }, revocation);
            }
        }
        let application = Arc::new(application);
        self.applications.insert(application.number, Some(Arc::clone(&application)));
        Ok(Replaced::Replaced(application))
    }

    fn delete(&mut self, number: AppNumber, revision: Option<u32>) -> rusqlite::Result<Deleted> {
        let Some(present) = self.application(number) else { return Ok(Deleted::Unknown) };
        if revision.is_some_and(|revision| revision != present.revision) {
            return Ok(Deleted::Lost(present));
        }
        applications::delete(self.connection, number)?;
        self.applications.insert(number, None);
        self.grants.insert(number, Vec::new());
        self.revocations.retain(|(key, _)| key.application != number);
        Ok(Deleted::Deleted)
    }

    fn open(&mut self, opening: &Opening) -> Opened {
        let number = opening.application;
        if self.application(number).is_none() {
            return Opened::Unknown;
        }
        let present = self.grants_of(number);
        let leaving = match opening.close_others {
            Some(_) => present.iter().map(|grant| grant.id).collect(),
            None => gives_way(present, opening),
        };
        present.retain(|grant| !leaving.contains(&grant.id));
        // Exactly one more, so that no spare capacity has to be given back.
        present.reserve_exact(1);
        present.push(opening.grant);
        for id in leaving {
            let key = GrantKey { application: number, id };
            Entry::Remove(key).encode(&mut self.entries);
            if let Some(revocation) = opening.close_others {
                self.revoke(key, revocation);
            }
        }
        Entry::Put(number, opening.grant).encode(&mut self.entries);
        Opened::Opened
    }

    fn advance(&mut self, step: &Step) -> Advanced {
        let grants = self.grants_of(step.application);
        match grants.iter().position(|grant| grant.id == step.to.id) {
            Some(place) if grants[place].generation == step.from => {
                // Moves it to the end: the grants lie in the order of their last refresh.
                grants[place..].rotate_left(1);
                grants.last_mut().into_iter().for_each(|last| *last = step.to);
                Entry::Put(step.application, step.to).encode(&mut self.entries);
                Advanced::Advanced
            }
            place => Advanced::Lost(place.map(|place| grants[place])),
        }
    }

    fn close(&mut self, closing: &Closing) {
        let key = closing.grant;
        // Deleting an application deletes its revocations.
        if self.application(key.application).is_none() {
            return;
        }
        self.grants_of(key.application).retain(|grant| grant.id != key.id);
        Entry::Remove(key).encode(&mut self.entries);
        self.revoke(key, closing.revocation);
    }

    fn record_once(&mut self, single_use: &SingleUse) -> rusqlite::Result<Recorded> {
        let number = single_use.application;
        if self.application(number).is_none() {
            return Ok(Recorded::Unknown);
        }
        let mut of_it = self.single_uses.iter().filter(|other| other.application == number);
        if self.memory.single_uses.has(number, &single_use.digest)
            || of_it.any(|other| other.digest == single_use.digest)
        {
            return Ok(Recorded::Replayed);
        }
        let in_batch = self.single_uses.iter().filter(|other| other.application == number).count();
        if self.memory.single_uses.count(number) + in_batch >= single_use.at_most {
            return Ok(Recorded::Full);
        }
        single_use::insert(self.connection, single_use)?;
        self.single_uses.push(*single_use);
        Ok(Recorded::Fresh)
    }

    /// Marks the revocations for the registry, which drops them when the application is published.
    fn clear_revocations(&mut self, number: AppNumber) {
        Entry::Clear(number).encode(&mut self.entries);
        self.revocations.retain(|(key, _)| key.application != number);
        self.cleared.push(number);
    }

    fn revoke(&mut self, key: GrantKey, revocation: Revocation) {
        Entry::Revoke(key, revocation).encode(&mut self.entries);
        self.revocations.push((key, revocation));
    }

    /// The application's grants after this batch.
    fn grants_of(&mut self, number: AppNumber) -> &mut Vec<Grant> {
        match self.grants.entry(number) {
            Slot::Occupied(touched) => touched.into_mut(),
            Slot::Vacant(untouched) => untouched.insert(self.memory.grants.of(number)),
        }
    }
}
