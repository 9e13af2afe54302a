//! Accepting connections, with or without TLS, and serving HTTP/1.1 on them until a stop.

pub mod connection;
mod pace;
mod plain;
pub mod signals;
mod socket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::config::limits::Limits;
use crate::tls::Tls;
use connection::{Routes, Serving};

/// Connections that the kernel holds until we accept them. All applications come back at once after an outage; this is as
/// many as Linux allows by default (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// How often the same trouble is told.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long accepting rests after an error such as "too many open files", which lasts until a connection closes.
const REST: Duration = Duration::from_millis(100);

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{0} is in use: another server, or another Northgate, listens there")]
    InUse(SocketAddr),
    #[error("{address} cannot be listened on")]
    Refused {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
}

/// Opens the listening socket; from now on connections wait for [`serve`].
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    listen(address).map_err(|cause| {
        if cause.kind() == io::ErrorKind::AddrInUse {
            BindError::InUse(address)
        } else {
            BindError::Refused { address, cause }
        }
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the connections of the process before it to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections until `stop` becomes true or its sender is gone. Then it accepts no more, lets every connection
/// finish the request it is in, for `stop_time` at most, and returns when all are closed.
pub async fn serve(
    socket: TcpListener,
    tls: Option<Arc<Tls>>,
    routes: impl Routes,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let places = Places::new(limits.connections);
    let serving = Serving { tls, routes, limits, stop: stop.clone() };
    tokio::select! {
        () = accept(socket, &places, serving) => {}
        () = stopped(stop) => {}
    }
    places.all_free().await;
}

/// Resolves when the stop has come.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error says that the sender is gone, and with it everything that could ask for more.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(socket: TcpListener, places: &Places, serving: Serving<impl Routes>) {
    let (mut full, mut trouble) = (Trouble::default(), Trouble::default());
    loop {
        let place = places.take(&mut full).await;
        let (stream, peer) = accepted(&socket, &mut trouble).await;
        let serving = serving.clone();
        tokio::spawn(async move {
            serving.connection(stream, peer).await;
            drop(place);
        });
    }
}

async fn accepted(socket: &TcpListener, trouble: &mut Trouble) -> (TcpStream, SocketAddr) {
    loop {
        let cause = match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(cause) => cause,
        };
        // That one connection went away while it waited; the next one may be fine.
        if matches!(cause.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            continue;
        }
        if trouble.is_news() {
            warn!("connections cannot be accepted at the moment: {cause}");
        }
        tokio::time::sleep(REST).await;
    }
}

/// A place for each connection that may be open at once.
struct Places {
    free: Arc<Semaphore>,
    all: u32,
}

impl Places {
    fn new(all: u32) -> Places {
        Places { free: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Waits when all are taken; the kernel's queue keeps the clients meanwhile.
    async fn take(&self, full: &mut Trouble) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.free.clone().try_acquire_owned() {
            return Some(place);
        }
        if full.is_news() {
            warn!("all {} connections are in use, new ones wait (limits.connections)", self.all);
        }
        // An error would say that the places are closed, which nobody does.
        self.free.clone().acquire_owned().await.ok()
    }

    async fn all_free(&self) {
        let taken = self.all as usize - self.free.available_permits();
        if taken > 0 {
            info!("waiting for {taken} connections to finish");
        }
        let _ = self.free.acquire_many(self.all).await;
    }
}

/// When some trouble was last told.
#[derive(Default)]
struct Trouble(Option<Instant>);

impl Trouble {
    /// True once in a while, so that a lasting trouble does not fill the log.
    fn is_news(&mut self) -> bool {
        let news = self.0.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if news {
            self.0 = Some(Instant::now());
        }
        news
    }
}
