//! The registry of this node, which merges its own changes and those of other nodes in any order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use northgate_core::application::{AppNumber, Application};
use northgate_core::registry::Registry;
use northgate_core::secret::Secret;

/// How long a deleted application is remembered: longer than any task can hold a row that was read before.
const REMEMBER: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(crate) struct Published {
    pub registry: Registry,
    /// Held while a change is compared and published.
    removed: Mutex<HashMap<AppNumber, Instant>>,
}

/// The origin of an application's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// This node, which has just written it.
    Written,
    /// A row, perhaps read before this node changed it.
    Read,
}

impl Published {
    /// Publishes an application, unless a newer state is known. Returns the published state.
    pub fn put(&self, application: Application, source: Source) -> Arc<Application> {
        let removed = self.removed();
        let known = self.registry.application(application.number);
        let application = match &known {
            Some(known) => Arc::new(carried_over(application, known)),
            None => Arc::new(application),
        };
        let is_news = known.is_none_or(|known| match source {
            Source::Written => known.revision <= application.revision,
            Source::Read => known.revision < application.revision,
        });
        if is_news && !removed.contains_key(&application.number) {
            self.registry.put(Arc::clone(&application));
        }
        application
    }

    /// Removes an application for good: its number is not reused.
    pub fn remove(&self, number: AppNumber) {
        let mut removed = self.removed();
        removed.retain(|_, since| since.elapsed() < REMEMBER);
        removed.insert(number, Instant::now());
        self.registry.remove(number);
    }

    /// Replaces all applications by `loaded`. Known revocations stay: one that a failover lost still holds here.
    pub fn replace_all(&self, loaded: Vec<Application>, revocations: Registry) {
        let mut removed = self.removed();
        removed.clear();
        for application in loaded {
            let known = self.registry.application(application.number);
            revocations.put(Arc::new(match known {
                Some(known) => carried_over(application, &known),
                None => application,
            }));
        }
        for known in self.registry.all() {
            for (id, revocation) in self.registry.revocations_of(known.number) {
                let application = known.number;
                revocations.revoke(northgate_core::grant::GrantKey { application, id }, revocation);
            }
        }
        self.registry.replace_all(revocations);
    }

    fn removed(&self) -> MutexGuard<'_, HashMap<AppNumber, Instant>> {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loaded state with what only this node knows: the rate limiter's buckets, and cached digests of imported secrets.
fn carried_over(read: Application, known: &Application) -> Application {
    let secrets = read.secrets.iter().map(|secret| same_secret(secret, known)).collect();
    Application { secrets, calls: Arc::clone(&known.calls), ..read }
}

fn same_secret(read: &Arc<Secret>, known: &Application) -> Arc<Secret> {
    let Some(known) = known.secrets.iter().find(|known| known.id == read.id) else { return Arc::clone(read) };
    match read.retire_at {
        at if at == known.retire_at => Arc::clone(known),
        Some(_) if read.is_erased() => Arc::clone(read),
        Some(at) => Arc::new(known.retired(at)),
        None => Arc::clone(read),
    }
}
