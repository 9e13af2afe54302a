//! The server that all connections of a node go to, and the epoch, which counts its changes: fencing against a former primary.
//!
//! The watch chooses the server; sessions of another epoch are closed before their next use. So a node never writes to one server
//! and reads from another, which after a switch-over may be read-only and still answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::database_error::DatabaseError;

/// The identity of a server, as far as the engine has one: engines that lose nothing in a failover have no timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerId {
    /// Made by initdb, the same on a primary and its standbys.
    pub system: Option<String>,
    /// Incremented by each promotion.
    pub timeline: Option<u32>,
}

/// The epoch, and whether the watch has a connection in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gate {
    epoch: u64,
    /// Sessions open only after the watch: where connections are short it gets the first.
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
    /// The position of the server among the hosts of the URL.
    host: usize,
    /// The latest timeline that this node has seen of the system.
    newest: Option<u32>,
    /// Error of the watch's connection or of its last poll.
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

    /// Fencing: refuses a server that was the primary before another was promoted.
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

    /// Switches to the watch's server: all other connections follow. Returns the epoch.
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

    /// Records that the watch has no connection, and its error.
    pub fn lost(&self, error: Option<Arc<DatabaseError>>) {
        if error.is_some() {
            self.state().error = error;
        }
        self.gate.send_modify(|gate| gate.is_open = false);
    }

    /// A connection of `epoch` found another server or a read-only one: all connections are remade.
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

    /// Checks the server of a session: it is used if the watch has the same; a later timeline makes the watch follow.
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

    /// Waits until the watch is to identify its server again.
    pub async fn left(&self) {
        self.left.notified().await;
    }

    /// The epoch, once sessions may be opened in it.
    pub async fn opened(&self) -> u64 {
        let mut gate = self.gate.subscribe();
        // The sender is here.
        gate.wait_for(|gate| gate.is_open).await.map_or(0, |gate| gate.epoch)
    }

    /// Waits for the end of the epoch.
    pub async fn over(&self, epoch: u64) {
        let mut gate = self.gate.subscribe();
        let _ = gate.wait_for(|gate| gate.epoch != epoch).await;
    }

    /// Records that the watch has read the registry in this epoch.
    pub fn looked(&self, epoch: u64) {
        self.state().error = None;
        self.looked_in.store(epoch, Ordering::Relaxed);
    }

    /// Whether the watch has read from the server that writes go to.
    pub fn is_settled(&self) -> bool {
        self.looked_in.load(Ordering::Relaxed) == self.epoch()
    }

    /// Error of the watch's connection or of its last poll.
    pub fn error(&self) -> Option<Arc<DatabaseError>> {
        self.state().error.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
