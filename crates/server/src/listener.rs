//! Listeners: accept connections, with or without TLS, and serve HTTP/1.1 on them until a stop.

mod closing;
pub mod connection;
mod connection_log;
pub(crate) mod forwarded;
pub mod handshake;
mod idle;
mod introduction;
mod keep_alive;
mod log_throttle;
pub(crate) mod opening;
pub(crate) mod proxy_protocol;
mod socket;
mod table;
pub mod timeouts;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tracing::info;

use crate::config::limits::Limits;
use crate::config::proxies::{Proxies, canonical};
use crate::metrics::connections::{Closed, ConnectionMetrics};
use crate::tls::Tls;
use connection::{Routes, Serving};
use connection_log::ConnectionLog;
use keep_alive::KeepAlive;
use table::{SourceFull, Table};

/// The backlog of connections that the kernel holds. All applications reconnect at once after an outage; this is as many as Linux
/// allows by default (net.core.somaxconn).
const BACKLOG: u32 = 4096;

/// Pause of accepting after an error such as "too many open files", which lasts until a connection closes.
const REST: Duration = Duration::from_millis(100);

/// Failure to listen on the address.
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

/// Opens the listening socket; connections wait for [`serve`].
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
    // A restart must not wait until the kernel forgets the connections of the previous process.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How a listener treats connections.
pub struct Rules {
    pub limits: Limits,
    pub proxies: Proxies,
    pub metrics: Arc<ConnectionMetrics>,
}

/// The rules in force. They can be replaced while the listener serves: a connection keeps those that it began with.
#[derive(Clone)]
pub struct SharedRules(Arc<ArcSwap<InForce>>);

struct InForce {
    rules: Rules,
    keep_alive: KeepAlive,
}

impl SharedRules {
    pub fn new(rules: Rules) -> SharedRules {
        SharedRules(Arc::new(ArcSwap::from_pointee(InForce::new(rules))))
    }

    pub fn replace(&self, rules: Rules) {
        self.0.store(Arc::new(InForce::new(rules)));
    }
}

impl InForce {
    fn new(rules: Rules) -> InForce {
        let keep_alive = KeepAlive::before(rules.limits.idle_time);
        InForce { rules, keep_alive }
    }
}

/// Serves connections until `stop` becomes true or its sender is gone. Then it stops accepting, lets every connection finish its
/// request, for `stop_time` at most, and returns when all are closed.
pub async fn serve(
    socket: TcpListener,
    tls: Option<Arc<Tls>>,
    routes: impl Routes,
    rules: SharedRules,
    stop: watch::Receiver<bool>,
) {
    let table = Table::new(Arc::clone(&rules.0.load().rules.metrics));
    let serving = Arc::new(Serving { tls, routes, rules, log: ConnectionLog::new(), stop: stop.clone() });
    tokio::select! {
        () = accept(socket, &table, &serving) => {}
        () = stopped(stop) => {}
    }
    table.all_closed(|count| info!("waiting for {count} connections to finish")).await;
}

/// Resolves at the stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it everything that could ask for more.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accept(socket: TcpListener, table: &Arc<Table>, serving: &Arc<Serving<impl Routes>>) {
    let log = &serving.log;
    loop {
        let (stream, address) = accepted(&socket, log).await;
        let address = canonical(address);
        let in_force = serving.rules.0.load_full();
        let Rules { limits, metrics, .. } = &in_force.rules;
        let place = match introduction::source(&in_force.rules, address) {
            Ok(source) => {
                table.bound(limits.connections, limits.connections_per_source);
                table.enter(source, |crowd| log.crowded(crowd, limits.connections)).await
            }
            Err(why) => {
                log.closed(why, address, metrics);
                continue;
            }
        };
        match place {
            Ok(place) => {
                let served = Arc::clone(serving).connection(stream, address, place, Arc::clone(&in_force));
                drop(tokio::spawn(served));
            }
            Err(SourceFull) => log.closed(Closed::SourceFull, address, metrics),
        }
    }
}

async fn accepted(socket: &TcpListener, log: &ConnectionLog) -> (TcpStream, SocketAddr) {
    loop {
        let cause = match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(cause) => cause,
        };
        // That one connection went away while it waited; the next one may be fine.
        if matches!(cause.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
            continue;
        }
        log.not_accepted(&cause);
        tokio::time::sleep(REST).await;
    }
}
