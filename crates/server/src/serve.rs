//! Serving: starts two listeners from a configuration, and stops them in order.

mod assembly;
mod descriptors;
mod dev;
mod keyring;
mod listeners;
mod reload;
mod store;
pub mod supervise;
mod traces;

use std::error::Error;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use northgate_core::auth::Auth;
use northgate_core::search::Index;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::admin_address;
use crate::clock::Clock;
use crate::clock_watch::ClockWatch;
use crate::config::Config;
use crate::config::layers::Sources;
use crate::http::admin::{Admin, Exclusive};
use crate::http::console::session::Sessions;
use crate::keys::admin_token::{AdminToken, AdminTokenError};
use crate::keys::keyring_database::DatabaseKeyringError;
use crate::keys::keyring_file::KeyringFileError;
use crate::listener::{self, BindError};
use crate::metrics::{Metrics, attention, collected, process};
use crate::private_file::PrivateFileError;
use crate::telemetry::lines::Lines;
use crate::telemetry::{self, TelemetryError, with_causes};
use crate::tls::trust::TrustError;
use crate::tls::{self, TlsError};
use assembly::Assembly;
use descriptors::TooFewDescriptors;
use listeners::Listeners;
use reload::Reloader;
use store::{Choice, StoreOpenError};
use supervise::{LAST_LINES, Signals};

/// How long a stop waits for threads that read or write files: a hung file system never returns.
const FILES_TIME: Duration = Duration::from_secs(2);

/// The input of a server, beside the configuration.
pub struct Serve {
    /// Where `config` was read from, to be read again at a reload.
    pub sources: Sources,
    pub config: Config,
    /// The value of `NORTHGATE_ADMIN_TOKEN`.
    pub admin_token: Option<String>,
    /// Try-out mode: creates a certificate and an application, and prints lines to paste.
    pub is_dev: bool,
}

/// Reason why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Log(#[from] TelemetryError),
    #[error(transparent)]
    Descriptors(#[from] TooFewDescriptors),
    #[error(transparent)]
    Store(#[from] StoreOpenError),
    #[error(transparent)]
    KeyringFile(#[from] KeyringFileError),
    #[error(transparent)]
    Keyring(#[from] DatabaseKeyringError),
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    #[error("{}{hint}", with_causes(cause.as_ref()))]
    Tls { cause: Box<TlsError>, hint: &'static str },
    #[error("cannot open the {0} listener: choose another address with {1}")]
    Bind(&'static str, &'static str, #[source] BindError),
    #[error(transparent)]
    AdminAddress(#[from] PrivateFileError),
    #[error("cannot set up --dev")]
    Dev(#[source] Box<dyn Error + Send + Sync>),
    #[error("cannot set up the export of spans to traces.endpoint")]
    Traces(#[from] TrustError),
    #[error("the operating system does not let the server run")]
    System(#[from] io::Error),
}

/// Serves until a signal requests a stop; returns when the work under way is finished, or has had its time.
pub fn run(serve: Serve, signals: Signals) -> Result<(), ServeError> {
    let log = telemetry::start(&serve.config.log)?;
    let served = run_logged(serve, &log, signals);
    if served.is_ok() {
        info!("stopped");
    }
    telemetry::finish(LAST_LINES);
    served
}

fn run_logged(serve: Serve, log: &Arc<Lines>, signals: Signals) -> Result<(), ServeError> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = serve.config.limits.threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().build()?;
    let served = runtime.block_on(start_and_serve(serve, log, signals));
    runtime.shutdown_timeout(FILES_TIME);
    served
}

async fn start_and_serve(serve: Serve, log: &Arc<Lines>, signals: Signals) -> Result<(), ServeError> {
    let Serve { sources, mut config, admin_token, is_dev } = serve;
    let clock = Clock::System;
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let bounds = descriptors::bounds(&config, is_dev)?;
    let store = Choice::open(&config, &clock).await?;
    let (home, keyring) = keyring::open(&config, &store, clock.now()).await?;
    let rules = traces::around(&store, &config);
    let auth = Arc::new(Auth::new(rules, keyring, assembly::settings(&config)));
    if is_dev {
        dev::make_certificate(&config)?;
    }
    let listeners = Listeners::open(&config, &auth.keyring())?;
    // From here on the addresses are those that the listeners got: the system may have chosen the port.
    let configured = config.admin_listen;
    (config.listen, config.admin_listen) = (listeners.public.local_addr()?, listeners.private.local_addr()?);
    admin_address::publish(&config.data_dir, configured, config.admin_listen)?;
    let token = AdminToken::open_or_create(&config.data_dir, admin_token.as_deref())?;

    let metrics = Arc::new(Metrics::default());
    store.register(&metrics);
    collected::register_log(&metrics, Arc::clone(log));
    process::register(&metrics);
    attention::register(&metrics, &auth, &clock);
    collected::register_certificates(&metrics, listeners.by_listener());
    let is_stopping = Arc::new(AtomicBool::new(false));
    let mut export = traces::start(&config, &metrics, listeners.private_tls.is_some())?;
    let tracer = export.tracer();
    let assembly = Assembly::new(&clock, &auth, &metrics, &store, &listeners, tracer, &is_stopping);
    let clock_watch = ClockWatch::new(&auth, &clock, &metrics);
    let use_keyring = keyring::put_to_use(&home, &auth, &listeners);
    let in_force = Arc::new(ArcSwap::from_pointee(config.clone()));
    let reloader = Arc::new_cyclic(|reloader: &Weak<Reloader>| {
        let admin = Admin {
            auth: Arc::clone(&auth),
            clock: clock.clone(),
            token,
            keyring: home,
            back_up: store.back_up(),
            node: assembly.node_status(),
            lost: {
                let store = store.clone();
                Box::new(move || store.lost())
            },
            use_keyring,
            config: Arc::clone(&in_force),
            reload: reload::weakly(reloader.clone()),
            exclusive: Exclusive::default(),
            metrics: Arc::clone(&metrics),
            sessions: Sessions::default(),
            index: Index::default(),
        };
        Reloader::new(sources, in_force, assembly, admin, bounds, signals.clone())
    });
    tokio::spawn(tls::keep_fresh(listeners.all_tls(), reloader.reloads()));
    tell_addresses(&config);
    if is_dev {
        dev::introduce(&config, &auth, clock.now()).await?;
    }
    signals.serve_from_now_on(config.limits.stop_time);
    tell_service_manager(&[NotifyState::Ready]);
    tokio::spawn(watchdog());
    let served = serve_both(listeners, &reloader, signals.clone().stopped(), &auth, &is_stopping);
    // These end with the listeners: they hold the rules, and through them the store, which this function closes last.
    tokio::select! {
        () = served => {}
        () = clock_watch.run() => {}
        () = reloader.on_hangups(signals.hangups()) => {}
        () = export.run() => {}
    }
    export.finish().await;
    Ok(())
}

fn tell_addresses(config: &Config) {
    let issuer = config.oauth.at(config.listen).issuer;
    info!(listen = %config.listen, admin_listen = %config.admin_listen, issuer = issuer.as_str(), "serving");
    if !issuer.leads_to(config.listen) {
        warn!(
            issuer = issuer.as_str(), listen = %config.listen,
            "oauth.issuer does not lead to listen: OAuth clients reach it only if a proxy forwards from there; else correct oauth.issuer"
        );
    }
}

/// Notifies systemd (`Type=notify` or `notify-reload`), for instance that the start is over. Until then systemd sends no SIGHUP,
/// which would end a process whose program is still being loaded. A no-op without a service manager.
fn tell_service_manager(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        warn!("cannot notify the service manager of {states:?} ($NOTIFY_SOCKET): {cause}");
    }
}

/// Resets the watchdog of the service manager (`WatchdogSec=`) for as long as the runtime runs tasks.
async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    loop {
        tokio::time::sleep(limit / 2).await;
        if let Err(cause) = sd_notify::notify(&[NotifyState::Watchdog]) {
            warn!("cannot reset the watchdog of the service manager ($NOTIFY_SOCKET): {cause}");
        }
    }
}

async fn serve_both(
    listeners: Listeners,
    reloader: &Reloader,
    stop: impl Future<Output = ()>,
    auth: &Auth,
    is_stopping: &AtomicBool,
) {
    let (say_stop, stopping) = watch::channel(false);
    let [public, private] = reloader.served();
    let public = listener::serve(
        listeners.public,
        Some(listeners.public_tls),
        public.routes.clone(),
        public.rules.clone(),
        stopping.clone(),
    );
    let private = listener::serve(
        listeners.private,
        listeners.private_tls,
        private.routes.clone(),
        private.rules.clone(),
        stopping,
    );
    // As tasks, so that the threads that serve connections accept them: this thread would have to wake another for each.
    let (public, private) = (tokio::spawn(public), tokio::spawn(private));
    let signal = async {
        stop.await;
        info!("stopping: finishing the requests under way");
        is_stopping.store(true, Ordering::Relaxed);
        // Otherwise the stop would wait for gateways in a long poll.
        auth.registry().feed().stop_waiting();
        // The listeners hold a receiver until they are done.
        let _ = say_stop.send(true);
    };
    let both = async { tokio::try_join!(public, private).expect("the listeners run until the stop") };
    tokio::join!(both, signal);
}
