//! The registry: all applications and revocations, in memory. A store keeps it equal to its durable state; authenticate and
//! verify read nothing else.

mod news;
mod signers;

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::app_id::AppId;
use crate::app_set::AppSet;
use crate::application::{AppNumber, Application};
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::feed::{Feed, Subject};
use crate::grant::{GrantId, GrantKey};
use crate::high_water::{HighWaterMarks, Marks};
use crate::policy::LAST_ONLY_OVERLAP;
use crate::signing::Algorithms;
use signers::Signers;

/// How long the clock must not have jumped forward before a revocation is forgotten: a clock that is ahead for a moment would
/// raise the high-water mark.
pub const STEADY: Duration = Duration::from_secs(3_600);

/// The revocation of a closed grant whose access tokens may be unexpired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// The time from which its access tokens are rejected; the epoch for at once, whatever a clock says.
    pub ends_at: Timestamp,
    /// The time at which the last of its access tokens has expired, so that the revocation can be forgotten.
    pub forget_at: Timestamp,
}

impl Revocation {
    /// A revocation that holds at once, on every node and by every clock.
    pub fn at_once(forget_at: Timestamp) -> Revocation {
        Revocation { ends_at: Timestamp::EPOCH, forget_at }
    }

    /// Whether access tokens of the grant are rejected at `now`. An end further ahead than any overlap and the clock skew was
    /// written before the clock was set back, and has passed.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now || self.ends_at.since(now) > LAST_ONLY_OVERLAP + CLOCK_SKEW
    }
}

/// The applications and revocations of the installation.
#[derive(Default)]
pub struct Registry {
    applications: RwLock<Applications>,
    revocations: RwLock<Revocations>,
    /// The high-water marks of forgotten records.
    forgotten: HighWaterMarks,
    /// Applications with a secret whose last use is not written yet.
    used: Mutex<AppSet>,
    /// The feed of changes that decide about access tokens.
    feed: Feed,
    /// Count of changes to the set of applications.
    version: AtomicU64,
}

/// Keyed by numbers that no client chooses, so that a cheap hash suffices.
type Revocations = FxHashMap<AppNumber, FxHashMap<GrantId, Revocation>>;

#[derive(Default)]
struct Applications {
    by_id: HashSet<ById>,
    by_number: FxHashMap<AppNumber, Arc<Application>>,
    /// Count of secrets kept as Argon2id: if there are any, every wrong secret costs as much as one of them.
    imported_secrets: usize,
    signers: Signers,
}

/// An application in the set of all, hashed and compared by its appId: a map would hold each appId a second time, and a small
/// table stays in the processor's caches.
struct ById(Arc<Application>);

impl Borrow<AppId> for ById {
    fn borrow(&self) -> &AppId {
        &self.0.id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &ById) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for ById {}

impl Registry {
    /// The application with this appId.
    pub fn find(&self, id: &AppId) -> Option<Arc<Application>> {
        self.applications().by_id.get(id).map(|found| Arc::clone(&found.0))
    }

    /// The application with this number.
    pub fn application(&self, number: AppNumber) -> Option<Arc<Application>> {
        self.applications().by_number.get(&number).cloned()
    }

    /// All applications in the order of their numbers.
    pub fn all(&self) -> Vec<Arc<Application>> {
        let applications = self.applications();
        // Sorts by the keys of the map: the applications themselves are all over the memory.
        let mut all: Vec<_> =
            applications.by_number.iter().map(|(number, one)| (*number, Arc::clone(one))).collect();
        drop(applications);
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, application)| application).collect()
    }

    /// A number that is another one after each change to an application.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The number of applications.
    pub fn count(&self) -> usize {
        self.applications().by_number.len()
    }

    /// The number of applications whose not-before a clock far ahead wrote, and one of them.
    pub fn not_befores_ahead(&self, now: Timestamp) -> (usize, Option<AppId>) {
        let now = now.max(self.forgotten.tokens());
        let applications = self.applications();
        let all = applications.by_number.values();
        let mut ahead = all.filter(|one| one.tokens_from.is_some_and(|at| at.is_ahead_of(now))).peekable();
        let first = ahead.peek().map(|application| application.id.clone());
        (ahead.count(), first)
    }

    /// Whether any secret is kept as Argon2id.
    pub fn has_imported_secrets(&self) -> bool {
        self.applications().imported_secrets > 0
    }

    /// Publishes a durable application in place of the previous one. A later not-before drops its revocations: all tokens that
    /// they reject were issued before it.
    pub fn put(&self, application: Arc<Application>) {
        let mut all = self.applications_mut();
        all.imported_secrets += imported_secrets(&application);
        all.signers.add(&application);
        all.by_id.replace(ById(Arc::clone(&application)));
        let before = all.by_number.insert(application.number, Arc::clone(&application));
        all.imported_secrets -= before.as_ref().map_or(0, |before| imported_secrets(before));
        if let Some(before) = &before {
            all.signers.remove(before);
        }
        drop(all);
        self.version.fetch_add(1, Ordering::Release);
        if before.as_ref().is_some_and(|before| before.tokens_from < application.tokens_from) {
            self.revocations_mut().remove(&application.number);
        }
        if before.is_none_or(|before| verifies_otherwise(&before, &application)) {
            self.feed.note(Subject::Application(application.number));
        }
    }

    /// The algorithms that applications' own policies name for signed access tokens.
    pub fn signing_algorithms(&self) -> Algorithms {
        self.applications().signers.present()
    }

    /// The algorithms that no application names any more since the last call.
    pub(crate) fn take_given_up_algorithms(&self) -> Algorithms {
        if self.applications().signers.given_up == Algorithms::default() {
            return Algorithms::default();
        }
        std::mem::take(&mut self.applications_mut().signers.given_up)
    }

    /// Replaces the whole content by that of `other`.
    pub fn replace_all(&self, other: Registry) {
        let mut applications = other.applications.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut present = self.applications_mut();
        applications.signers.follow(&present.signers);
        *present = applications;
        drop(present);
        self.version.fetch_add(1, Ordering::Release);
        *self.revocations_mut() = other.revocations.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.raise(other.forgotten.get());
        self.feed.begin_again();
    }

    /// The high-water marks of forgotten records.
    pub fn high_water(&self) -> &HighWaterMarks {
        &self.forgotten
    }

    /// The feed of changes.
    pub fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Removes an application and its revocations.
    pub fn remove(&self, number: AppNumber) {
        let mut all = self.applications_mut();
        if let Some(application) = all.by_number.remove(&number) {
            // Another application may have taken the appId meanwhile.
            if all.by_id.get(&application.id).is_some_and(|holder| holder.0.number == number) {
                all.by_id.remove(&application.id);
            }
            all.imported_secrets -= imported_secrets(&application);
            all.signers.remove(&application);
        }
        drop(all);
        self.version.fetch_add(1, Ordering::Release);
        self.revocations_mut().remove(&number);
        self.feed.note(Subject::Application(number));
    }

    /// The revocation of a grant, if it was closed.
    pub fn revocation(&self, grant: GrantKey) -> Option<Revocation> {
        self.revocations().get(&grant.application)?.get(&grant.id).copied()
    }

    /// Whether access tokens of a grant are rejected at `now`.
    pub fn is_revoked(&self, grant: GrantKey, now: Timestamp) -> bool {
        self.revocation(grant).is_some_and(|revocation| revocation.has_ended(now))
    }

    /// The revocations of an application.
    pub fn revocations_of(&self, number: AppNumber) -> Vec<(GrantId, Revocation)> {
        let all = self.revocations();
        all.get(&number).into_iter().flatten().map(|(id, revocation)| (*id, *revocation)).collect()
    }

    /// Whether an application has `bound` or more revocations at `now`.
    pub fn has_revocations(&self, number: AppNumber, bound: usize, now: Timestamp) -> bool {
        let all = self.revocations();
        let Some(of_it) = all.get(&number).filter(|of_it| of_it.len() >= bound) else { return bound == 0 };
        of_it.values().filter(|revocation| now < revocation.forget_at).count() >= bound
    }

    /// Publishes a durable revocation. A grant that is closed twice ends at the earlier time.
    pub fn revoke(&self, grant: GrantKey, revocation: Revocation) {
        let mut all = self.revocations_mut();
        let known = all.entry(grant.application).or_default().entry(grant.id).or_insert(revocation);
        known.ends_at = known.ends_at.min(revocation.ends_at);
        known.forget_at = known.forget_at.max(revocation.forget_at);
        drop(all);
        self.feed.note(Subject::Grant(grant));
    }

    /// Forgets the revocations whose time has passed and those of deleted applications, and raises the high-water mark to the
    /// latest of them. Two clocks must agree: `now`, and a clock that has not jumped forward for `steady`. While the clock is
    /// behind the mark, none is forgotten.
    pub fn forget_revocations(&self, now: Timestamp, steady: Duration) {
        let applications = self.applications();
        let is_believed = steady >= STEADY && now >= self.forgotten.tokens();
        let mut upto = Timestamp::EPOCH;
        self.revocations_mut().retain(|number, of_one| {
            if is_believed {
                of_one.retain(|_, revocation| {
                    let is_over = revocation.forget_at <= now;
                    if is_over {
                        upto = upto.max(revocation.forget_at);
                    }
                    !is_over
                });
            }
            !of_one.is_empty() && applications.by_number.contains_key(number)
        });
        self.forgotten.raise(Marks { tokens: upto, ..Marks::NOTHING });
    }

    /// Drops all revocations of an application.
    pub fn clear_revocations(&self, number: AppNumber) {
        self.revocations_mut().remove(&number);
    }

    /// Marks an application for a write of a secret's last use.
    pub fn mark_used(&self, number: AppNumber) {
        self.used().insert(number);
    }

    /// Whether any application is marked.
    pub fn has_used(&self) -> bool {
        !self.used().is_empty()
    }

    /// Takes at most `limit` marked applications, for the store to write.
    pub fn take_used(&self, limit: usize) -> Vec<Arc<Application>> {
        // A statement of its own, so that the lock is not held while applications are looked up.
        let numbers = self.used().take(limit);
        numbers.into_iter().filter_map(|number| self.application(number)).collect()
    }

    // A panic while one of these locks is held leaves a map changed completely or not at all, so that other threads may go on.
    fn applications(&self) -> RwLockReadGuard<'_, Applications> {
        self.applications.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn applications_mut(&self) -> RwLockWriteGuard<'_, Applications> {
        self.applications.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn revocations(&self) -> RwLockReadGuard<'_, Revocations> {
        self.revocations.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn revocations_mut(&self) -> RwLockWriteGuard<'_, Revocations> {
        self.revocations.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, AppSet> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the change can alter the validity of access tokens.
fn verifies_otherwise(before: &Application, after: &Application) -> bool {
    let what_counts = |one: &Application| (one.state, one.overrides.access_lifetime, one.tokens_from);
    what_counts(before) != what_counts(after)
}

fn imported_secrets(application: &Application) -> usize {
    application.secrets.iter().filter(|secret| secret.is_imported()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow::Allow;
    use crate::application::State;
    use crate::policy::Overrides;
    use crate::secret::Secrets;

    fn application(number: u32) -> Arc<Application> {
        Arc::new(Application {
            number: AppNumber(number),
            id: AppId::parse("a").expect("an appId"),
            name: "the application".to_owned(),
            owner: None,
            state: State::Active,
            overrides: Overrides::default(),
            allow: Allow::default(),
            created_at: Timestamp::from_millis(0),
            tokens_from: None,
            revision: 0,
            secrets: Secrets::new(),
            credentials: Vec::new(),
            calls: Arc::default(),
        })
    }

    #[test]
    fn a_revocation_is_forgotten_when_its_time_is_over_by_both_clocks() {
        let registry = Registry::default();
        registry.put(application(1));
        let grant = GrantKey { application: AppNumber(1), id: GrantId(7) };
        let forget_at = Timestamp::from_millis(3_600_000);
        registry.revoke(grant, Revocation::at_once(forget_at));
        registry.forget_revocations(Timestamp::from_millis(3_599_999), STEADY);
        registry.forget_revocations(Timestamp::MAX, STEADY - Duration::from_secs(1));
        assert!(registry.revocation(grant).is_some());
        assert_eq!(registry.high_water().get(), Marks::NOTHING);
        registry.forget_revocations(Timestamp::MAX, STEADY);
        assert!(registry.revocation(grant).is_none());
        // To the end of the forgotten revocation, and not to a time that may be wrong.
        assert_eq!(registry.high_water().tokens(), forget_at);
        registry.revoke(grant, Revocation::at_once(Timestamp::EPOCH));
        registry.forget_revocations(Timestamp::from_millis(3_599_999), STEADY);
        assert!(registry.revocation(grant).is_some(), "forgotten by a clock that was set back");
    }

    /// Regression: grants that were closed while one node's clock was ahead, or just before a clock was set back by less than the
    /// overlap of last-only logins, verified again until the clock had caught up.
    #[test]
    fn a_grant_that_was_closed_at_once_has_ended_by_every_clock() {
        let revocation = Revocation::at_once(Timestamp::from_millis(3_600_000));
        for now in [0, 1, 29_999, 30_001, u64::MAX] {
            assert!(revocation.has_ended(Timestamp::from_millis(now)));
        }
    }

    #[test]
    fn an_overlap_is_left_to_nodes_whose_clocks_differ() {
        let (closed_at, forget_at) = (Timestamp::from_millis(1_700_000_000_000), Timestamp::MAX);
        let revocation = Revocation { ends_at: closed_at.plus(LAST_ONLY_OVERLAP), forget_at };
        assert!(!revocation.has_ended(closed_at));
        assert!(!revocation.has_ended(closed_at.minus(CLOCK_SKEW)), "by a node that is behind");
        assert!(revocation.has_ended(closed_at.minus(CLOCK_SKEW + Duration::from_millis(1))));
        assert!(revocation.has_ended(closed_at.plus(LAST_ONLY_OVERLAP)));
    }

    /// Regression: a batch can delete an application and create another with its appId, and publish both in any order. The
    /// removal of the old one took the new one's appId away until the next start.
    #[test]
    fn removing_an_application_leaves_its_successor_with_the_same_app_id() {
        let registry = Registry::default();
        registry.put(application(1));
        registry.put(application(2));
        registry.remove(AppNumber(1));
        assert_eq!(registry.find(&application(2).id).map(|found| found.number), Some(AppNumber(2)));
        assert!(registry.application(AppNumber(1)).is_none());
    }
}
