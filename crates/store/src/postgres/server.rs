//! The one server that all connections of a node are to, and the epoch that counts the changes of it.
//!
//! The watch chooses the server; sessions of another epoch are closed before their next use. So a node never writes to one
//! server and reads from another, which after a switch-over may be read-only and still answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::database_error::DatabaseError;

/// Which server this is, as far as it says so: engines that lose nothing in a fail-over have no timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerId {
    /// Made by initdb, the same on a primary and its standbys.
    pub system: Option<String>,
    /// One more with each promotion.
    pub timeline: Option<u32>,
}

/// The epoch, and whether the watch has a connection in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gate {
    epoch: u64,
    /// Only then are sessions opened: where connections are short the watch gets the first.
    is_open: bool,
}

pub(crate) struct Server {
    gate: watch::Sender<Gate>,
    /// The last epoch in which the watch has looked.
    looked_in: AtomicU64,
    state: Mutex<State>,
    /// Wakes the watch when a session found that the server has changed.
    left: Notify,
}

#[derive(Default)]
struct State {
    id: Option<ServerId>,
    /// The place of the server among the hosts of the URL.
    host: usize,
    /// The latest timeline that this node has seen of the system.
    newest: Option<u32>,
    /// Why the watch has no connection, or cannot look.
    error: Option<Arc<DatabaseError>>,
}

impl Default for Server {
    fn default() -> Server {
        Server {
            gate: watch::Sender::new(Gate { epoch: 1, is_open: false }),
            looked_in: AtomicU64::new(0),
            state: Mutex::default(),
            left: Notify::new(),
        }
    }
}

impl Server {
    pub fn epoch(&self) -> u64 {
        self.gate.borrow().epoch
    }

    /// The host that is tried first.
    pub fn host(&self) -> usize {
        self.state().host
    }

    /// Whether a server may be worked with: not one that was the primary before another was promoted.
    pub fn admit(&self, id: &ServerId) -> Result<(), DatabaseError> {
        let state = self.state();
        let is_same_system = state.id.as_ref().is_some_and(|known| known.system == id.system);
        match (id.timeline, state.newest) {
            (Some(found), Some(newest)) if is_same_system && found < newest => {
                Err(DatabaseError::OldPrimary { found, newest })
            }
            (_, _) => Ok(()),
        }
    }

    /// The watch is connected to this server: all other connections are to follow. Returns the epoch.
    pub fn join(&self, id: &ServerId, host: usize) -> u64 {
        let mut state = self.state();
        let is_other = state.id.as_ref().is_some_and(|known| known != id);
        let is_same_system = state.id.as_ref().is_some_and(|known| known.system == id.system);
        let before = state.newest.filter(|_| is_same_system);
        let error = state.error.take();
        *state = State { id: Some(id.clone()), host, newest: before.max(id.timeline), error };
        self.gate.send_modify(|gate| {
            gate.epoch += u64::from(is_other);
            gate.is_open = true;
        });
        self.epoch()
    }

    /// The watch has no connection, and if it could not make one or look with it, why.
    pub fn lost(&self, error: Option<Arc<DatabaseError>>) {
        if error.is_some() {
            self.state().error = error;
        }
        self.gate.send_modify(|gate| gate.is_open = false);
    }

    /// A connection of `epoch` found that the server is not the one to work with any more: all of them are remade.
    pub fn leave(&self, epoch: u64) {
        self.gate.send_if_modified(|gate| {
            let is_present = gate.epoch == epoch;
            if is_present {
                *gate = Gate { epoch: epoch + 1, is_open: false };
            }
            is_present
        });
        self.left.notify_one();
    }

    /// A session found this server. It is used if the watch has the same; a later timeline of it takes the watch along.
    pub fn check(&self, id: &ServerId, epoch: u64) -> Result<(), DatabaseError> {
        let mut state = self.state();
        let Some(known) = state.id.as_ref().filter(|known| *known != id) else { return Ok(()) };
        if known.system == id.system && known.timeline < id.timeline {
            state.newest = id.timeline;
            drop(state);
            self.leave(epoch);
        }
        Err(DatabaseError::OtherServer)
    }

    /// Returns when the watch is to look which server it is.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// The epoch, once sessions may be opened in it.
    pub async fn opened(&self) -> u64 {
        let mut gate = self.gate.subscribe();
        // The sender is here.
        gate.wait_for(|gate| gate.is_open).await.map_or(0, |gate| gate.epoch)
    }

    /// Returns when the epoch is over.
    pub async fn over(&self, epoch: u64) {
        let mut gate = self.gate.subscribe();
        let _ = gate.wait_for(|gate| gate.epoch != epoch).await;
    }

    /// The watch has seen what this server has.
    pub fn looked(&self, epoch: u64) {
        self.state().error = None;
        self.looked_in.store(epoch, Ordering::Relaxed);
    }

    /// Whether the watch has looked at the server that writes go to.
    pub fn is_settled(&self) -> bool {
        self.looked_in.load(Ordering::Relaxed) == self.epoch()
    }

    /// Why the watch has no connection, or cannot look.
    pub fn error(&self) -> Option<Arc<DatabaseError>> {
        self.state().error.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
