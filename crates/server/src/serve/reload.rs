//! Reload: a running server takes over a changed configuration, as a whole or not at all.
//!
//! First everything that can fail is done: the layers are merged again, files are read, bounds are derived. Then each part switches
//! to its new value by one pointer. Requests and connections under way end with the values that they began with.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use axum::Router;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::assembly::{Assembly, settings};
use super::descriptors::{self, ConnectionBounds};
use super::supervise::Signals;
use super::{listeners, tell_service_manager};
use crate::config::Config;
use crate::config::layers::Sources;
use crate::config::reload::Change;
use crate::http::admin::reload::{Mode, ReloadError};
use crate::http::admin::{self, Admin};
use crate::http::dispatch::Replaceable;
use crate::listener::SharedRules;
use crate::metrics::connections::ConnectionMetrics;
use crate::telemetry::{self, with_causes};
use crate::tls::Prepared;

/// Everything that a reload replaces.
pub struct Reloader {
    sources: Sources,
    in_force: Arc<ArcSwap<Config>>,
    assembly: Assembly,
    admin: Router,
    connections: [Arc<ConnectionMetrics>; 2],
    served: [Served; 2],
    signals: Signals,
    /// Counts reloads, for the certificate files.
    reloads: watch::Sender<u64>,
    /// One reload at a time.
    turn: Mutex<()>,
}

/// What a listener serves.
pub struct Served {
    pub routes: Replaceable,
    pub rules: SharedRules,
}

/// A configuration that can be switched to.
struct Ready {
    config: Config,
    bounds: ConnectionBounds,
    /// Of the public and the private listener, where TLS settings changed.
    tls: [Option<Prepared>; 2],
}

impl Reloader {
    pub fn new(
        sources: Sources,
        in_force: Arc<ArcSwap<Config>>,
        assembly: Assembly,
        admin: Admin,
        bounds: ConnectionBounds,
        signals: Signals,
    ) -> Reloader {
        let config = in_force.load_full();
        let admin = admin::router(Arc::new(admin));
        let connections = ConnectionMetrics::register(&assembly.metrics);
        let [public, private] = assembly.routes(&config, admin.clone());
        let [public_rules, private_rules] = listeners::rules(&config, bounds, &connections);
        let served = [(public, public_rules), (private, private_rules)].map(|(routes, rules)| Served {
            routes: Replaceable::new(routes),
            rules: SharedRules::new(rules),
        });
        let (reloads, turn) = (watch::Sender::new(0), Mutex::default());
        Reloader { sources, in_force, assembly, admin, connections, served, signals, reloads, turn }
    }

    /// The public and the private listener.
    pub fn served(&self) -> &[Served; 2] {
        &self.served
    }

    /// Changes with every reload.
    pub fn reloads(&self) -> watch::Receiver<u64> {
        self.reloads.subscribe()
    }

    /// Reloads at every SIGHUP, for ever.
    pub async fn on_hangups(self: &Arc<Reloader>, mut hangups: watch::Receiver<u64>) {
        while hangups.changed().await.is_ok() {
            match NotifyState::monotonic_usec_now() {
                Ok(now) => tell_service_manager(&[NotifyState::Reloading, now]),
                Err(cause) => warn!("cannot read the monotonic clock: {cause}"),
            }
            let reloader = Arc::clone(self);
            // A fault is in the log, and a panic, too.
            let _ = tokio::task::spawn_blocking(move || reloader.reload(Mode::Apply)).await;
            tell_service_manager(&[NotifyState::Ready]);
        }
        std::future::pending().await
    }

    /// Reads the configuration again and returns what changed. Blocks while it reads files.
    pub fn reload(&self, mode: Mode) -> Result<Vec<Change>, ReloadError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = self.ready();
        match (mode, ready) {
            (Mode::DryRun, ready) => ready.map(|(_, changes)| changes),
            (Mode::Apply, Ok((ready, changes))) => {
                self.switch(ready);
                tell(&changes);
                Ok(changes)
            }
            (Mode::Apply, Err(error)) => {
                error!("{error}");
                Err(error)
            }
        }
    }

    fn ready(&self) -> Result<(Ready, Vec<Change>), ReloadError> {
        let next = Config::check(self.sources.clone())
            .map_err(|faults| ReloadError(faults.all.iter().map(|fault| with_causes(fault)).collect()))?;
        let running = self.in_force.load();
        let changes = running.changes(&next);
        let config = running.reloaded(&next).map_err(fault)?;
        // The start has warned of few connections.
        let bounds = descriptors::bounds(&config, true).map_err(fault)?;
        let mut tls = [None, None];
        if running.tls != config.tls {
            tls[0] = Some(self.assembly.public_tls.prepare(config.tls.clone()).map_err(fault)?);
            let private = self.assembly.private_tls.as_ref();
            let prepared = private.map(|tls| tls.prepare(listeners::private_tls(&config)));
            tls[1] = prepared.transpose().map_err(fault)?;
        }
        Ok((Ready { config, bounds, tls }, changes))
    }

    fn switch(&self, ready: Ready) {
        let Ready { config, bounds, tls: [public_tls, private_tls] } = ready;
        let assembly = &self.assembly;
        telemetry::change(&config.log);
        assembly.auth.replace_settings(settings(&config), assembly.clock.now());
        if let Some(prepared) = public_tls {
            assembly.public_tls.switch(prepared);
        }
        if let (Some(tls), Some(prepared)) = (&assembly.private_tls, private_tls) {
            tls.switch(prepared);
        }
        let routes = assembly.routes(&config, self.admin.clone());
        let rules = listeners::rules(&config, bounds, &self.connections);
        for (served, (routes, rules)) in self.served.iter().zip(routes.into_iter().zip(rules)) {
            served.routes.replace(routes);
            served.rules.replace(rules);
        }
        self.signals.serve_from_now_on(config.limits.stop_time);
        config.warnings.iter().for_each(|warning| warn!("{warning}"));
        self.in_force.store(Arc::new(config));
        self.reloads.send_modify(|count| *count += 1);
    }
}

/// A reload for the admin API, whose routes the reloader itself holds.
pub fn weakly(
    reloader: Weak<Reloader>,
) -> Box<dyn Fn(Mode) -> Result<Vec<Change>, ReloadError> + Send + Sync> {
    Box::new(move |mode| match reloader.upgrade() {
        Some(reloader) => reloader.reload(mode),
        None => Err(ReloadError(vec!["the server is stopping".to_owned()])),
    })
}

fn fault(error: impl std::error::Error) -> ReloadError {
    ReloadError(vec![with_causes(&error)])
}

fn tell(changes: &[Change]) {
    let keys = |needs_restart: bool| {
        let chosen = changes.iter().filter(|change| change.needs_restart == needs_restart);
        chosen.map(|change| change.key.as_str()).collect::<Vec<_>>().join(", ")
    };
    info!(target: "northgate::audit", changed = keys(false), "the configuration was reloaded");
    if changes.iter().any(|change| change.needs_restart) {
        warn!(
            settings = keys(true),
            "changed settings that need a restart: the server runs on with their former values"
        );
    }
}
