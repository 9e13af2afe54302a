//! An installation on its way from one store to another: what leaves one and comes into the other.

use northgate_core::application::{AppNumber, Application};
use northgate_core::grant::{Grant, GrantId};
use northgate_core::high_water::Marks;
use northgate_core::registry::Revocation;

/// An application with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Holding {
    pub application: Application,
    pub grants: Vec<Grant>,
    pub revocations: Vec<(GrantId, Revocation)>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub applications: u64,
    pub secrets: u64,
    pub grants: u64,
    pub revocations: u64,
}

/// What must come in with the applications for the import to be whole.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The highest number that was ever given; it may be that of an application that is gone.
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
