//! The live grants in memory, by application. An application has few, so that they lie in one small array, in the order in which
//! they were opened or last refreshed.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use northgate_core::application::AppNumber;
use northgate_core::grant::{Grant, GrantKey};
use rustc_hash::FxHashMap;

type ByApplication = FxHashMap<AppNumber, Box<[Grant]>>;

#[derive(Default)]
pub(crate) struct Grants(RwLock<ByApplication>);

impl Grants {
    pub fn find(&self, key: GrantKey) -> Option<Grant> {
        self.read().get(&key.application)?.iter().find(|grant| grant.id == key.id).copied()
    }

    pub fn of(&self, application: AppNumber) -> Vec<Grant> {
        self.read().get(&application).map_or_else(Vec::new, |grants| grants.to_vec())
    }

    /// Replaces the grants of these applications; an application without grants takes no room.
    pub fn publish(&self, changed: impl IntoIterator<Item = (AppNumber, Vec<Grant>)>) {
        let mut all = self.write();
        for (application, grants) in changed {
            match all.get_mut(&application) {
                // A refresh changes one of them: they keep their array.
                Some(present) if present.len() == grants.len() => present.copy_from_slice(&grants),
                Some(_) | None if grants.is_empty() => drop(all.remove(&application)),
                Some(_) | None => drop(all.insert(application, grants.into_boxed_slice())),
            }
        }
    }

    pub fn replace_all(&self, grants: HashMap<AppNumber, Vec<Grant>>) {
        let boxed = grants.into_iter().filter(|(_, grants)| !grants.is_empty());
        *self.write() = boxed.map(|(application, grants)| (application, grants.into_boxed_slice())).collect();
    }

    // A panic leaves a map that was changed completely or not at all.
    fn read(&self) -> RwLockReadGuard<'_, ByApplication> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ByApplication> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
