//! A searchable view of all applications in memory, made again when the registry has changed.

use std::sync::{Arc, Mutex, PoisonError};

use crate::application::{AppNumber, Application};
use crate::registry::Registry;

/// The last view.
#[derive(Default)]
pub struct Index(Mutex<Option<(u64, Arc<Vec<Entry>>)>>);

/// One application.
#[derive(Clone)]
pub(super) struct Entry {
    pub application: Arc<Application>,
    /// Its name and appId in lower case, with a line end between them, which neither contains.
    pub text: Arc<str>,
}

impl Entry {
    pub fn number(&self) -> AppNumber {
        self.application.number
    }

    pub fn contains(&self, part: &str) -> bool {
        part.is_empty() || self.text.contains(part)
    }

    pub fn name_contains(&self, part: &str) -> bool {
        part.is_empty() || self.text.split('\n').next().is_some_and(|name| name.contains(part))
    }
}

impl Index {
    /// All applications in the order of their creation.
    pub(super) fn entries(&self, registry: &Registry) -> Arc<Vec<Entry>> {
        // The version first: a change meanwhile makes the next call look again.
        let version = registry.version();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, entries)) = &*last
            && *of == version
        {
            return Arc::clone(entries);
        }
        let entries =
            Arc::new(entries(registry.all(), last.as_ref().map_or(&[][..], |(_, entries)| entries)));
        *last = Some((version, Arc::clone(&entries)));
        entries
    }
}

/// Takes over the texts of unchanged applications from `before`; both are in the order of the numbers.
fn entries(all: Vec<Arc<Application>>, before: &[Entry]) -> Vec<Entry> {
    let mut before = before.iter().peekable();
    let entry = |application: Arc<Application>| {
        while before.next_if(|known| known.application.number < application.number).is_some() {}
        match before.peek() {
            Some(known) if Arc::ptr_eq(&known.application, &application) => (*known).clone(),
            Some(_) | None => {
                let text = format!("{}\n{}", application.name, application.id).to_lowercase().into();
                Entry { application, text }
            }
        }
    };
    all.into_iter().map(entry).collect()
}
