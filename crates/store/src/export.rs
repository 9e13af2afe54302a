//! The content of an installation on its way from one store to another.

use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::{Grant, GrantId};
use northgate_core::high_water::Marks;
use northgate_core::registry::Revocation;

/// An application with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct Holding {
    pub application: Application,
    pub grants: Vec<Grant>,
    pub revocations: Vec<(GrantId, Revocation)>,
}

/// The counts of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub applications: u64,
    pub secrets: u64,
    pub grants: u64,
    pub revocations: u64,
}

/// The totals that make an import complete.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The highest number that an application ever had; the application may be deleted.
    pub last_number: AppNumber,
    pub forgotten: Marks,
    pub counts: Counts,
}

impl Counts {
    /// Counts one more.
    pub fn add(&mut self, holding: &Holding) {
        self.applications += 1;
        self.secrets += holding.application.secrets.len() as u64;
        self.grants += holding.grants.len() as u64;
        self.revocations += holding.revocations.len() as u64;
    }
}
