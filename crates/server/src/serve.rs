//! Serving: starts two listeners from a configuration, and stops them in order.

mod descriptors;
mod dev;
mod keyring;
mod listeners;
mod store;
pub mod supervise;

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use northgate_core::auth::{Auth, Settings};
use sd_notify::NotifyState;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::admin_address;
use crate::clock::{Clock, unix_time};
use crate::clock_watch::ClockWatch;
use crate::config::Config;
use crate::config::proxies::ProxyProtocol;
use crate::config::tls::ClientCertificates;
use crate::http::admin::status::NodeStatus;
use crate::http::admin::{Admin, Exclusive};
use crate::http::body::Bounds;
use crate::http::hosts::Hosts;
use crate::http::{self, Api, Attention, WhyNotReady, admin};
use crate::jwt::signature_cache::SignatureCache;
use crate::keys::admin_token::{AdminToken, AdminTokenError};
use crate::keys::keyring_database::DatabaseKeyringError;
use crate::keys::keyring_file::KeyringFileError;
use crate::listener::{self, BindError};
use crate::metrics::{Metrics, collected, process};
use crate::private_file::PrivateFileError;
use crate::telemetry::lines::Lines;
use crate::telemetry::{self, TelemetryError, with_causes};
use crate::tls::{Tls, TlsError};
use descriptors::{ConnectionBounds, TooFewDescriptors};
use listeners::Listeners;
use store::{Choice, StoreOpenError};
use supervise::{LAST_LINES, Signals};

/// How long a stop waits for threads that read or write files: a hung file system never returns.
const FILES_TIME: Duration = Duration::from_secs(2);

/// The input of a server, beside the configuration.
pub struct Serve {
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
    let (mut config, clock) = (serve.config, Clock::System);
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let bounds = descriptors::bounds(&config, serve.is_dev)?;
    let store = Choice::open(&config, &clock).await?;
    let (home, keyring) = keyring::open(&config, &store, clock.now()).await?;
    let auth = Arc::new(Auth::new(store.rules(), keyring, settings(&config)));
    if serve.is_dev {
        dev::make_certificate(&config)?;
    }
    let listeners = Listeners::open(&config, &auth.keyring(), &signals)?;
    // From here on the addresses are those that the listeners got: the system may have chosen the port.
    let configured = config.admin_listen;
    (config.listen, config.admin_listen) = (listeners.public.local_addr()?, listeners.private.local_addr()?);
    admin_address::publish(&config.data_dir, configured, config.admin_listen)?;
    let token = AdminToken::open_or_create(&config.data_dir, serve.admin_token.as_deref())?;

    let metrics = Arc::new(Metrics::default());
    store.register(&metrics);
    collected::register_log(&metrics, Arc::clone(log));
    process::register(&metrics);
    let is_stopping = Arc::new(AtomicBool::new(false));
    let private_hosts = Hosts::new(config.admin_hosts.clone(), listeners.private_tls.clone());
    let health = (why_not_ready(&store, &is_stopping), attention(&listeners.by_listener()));
    let api = Arc::new(api(&config, &clock, &auth, Arc::clone(&metrics), private_hosts, health));
    collected::register_certificates(&metrics, listeners.by_listener());
    let clock_watch = ClockWatch::new(&auth, &clock, &api.metrics);
    let use_keyring = keyring::put_to_use(&home, &auth, &listeners);
    let admin = Admin {
        auth: Arc::clone(&auth),
        clock: clock.clone(),
        token,
        keyring: home,
        back_up: store.back_up(),
        node: {
            let (store, listeners) = (store.clone(), listeners.by_listener());
            let (why_not_ready, attention) = (why_not_ready(&store, &is_stopping), attention(&listeners));
            Box::new(move || NodeStatus {
                store: store.name(),
                why_not_ready: why_not_ready(),
                attention: attention(),
                registry_lag: store.registry_lag(),
                certificates: listeners[0].1.expiries(),
            })
        },
        lost: {
            let store = store.clone();
            Box::new(move || store.lost())
        },
        use_keyring,
        data_dir: config.data_dir.clone(),
        body_time: config.limits.body_time,
        exclusive: Exclusive::default(),
    };
    let issuer = config.oauth.at(config.listen).issuer;
    info!(listen = %config.listen, admin_listen = %config.admin_listen, issuer = issuer.as_str(), "serving");
    if !issuer.leads_to(config.listen) {
        warn!(
            issuer = issuer.as_str(), listen = %config.listen,
            "oauth.issuer does not lead to listen: OAuth clients reach it only if a proxy forwards from there; else correct oauth.issuer"
        );
    }
    if serve.is_dev {
        dev::introduce(&config, &auth, clock.now()).await?;
    }
    signals.serve_from_now_on(config.limits.stop_time);
    tell_service_manager();
    tokio::spawn(watchdog());
    let served =
        serve_both(&config, bounds, listeners, api, Arc::new(admin), signals.stopped(), &is_stopping);
    // The clock watch ends with the listeners: it holds the rules, and through them the store, which this function closes last.
    tokio::select! {
        () = served => {}
        () = clock_watch.run() => {}
    }
    Ok(())
}

/// Notifies systemd (`Type=notify`) that the start is over. Until then systemd sends no SIGHUP, which would end a process whose
/// program is still being loaded. A no-op without a service manager.
fn tell_service_manager() {
    if let Err(cause) = sd_notify::notify(&[NotifyState::Ready]) {
        warn!("cannot tell the service manager that the server is ready ($NOTIFY_SOCKET): {cause}");
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

fn settings(config: &Config) -> Settings {
    Settings {
        policy: config.policy,
        leeway: config.verify.leeway,
        closed_grants: config.limits.closed_grants as usize,
        key_lead: config.key_lead,
        published: config.published_keys,
        hashes_at_once: config.limits.hashes_at_once as usize,
        failures_per_source: config.limits.failures_per_source,
        failures_per_application: config.limits.failures_per_application,
        dpop_proofs: config.limits.dpop_proofs as usize,
    }
}

fn why_not_ready(store: &Choice, is_stopping: &Arc<AtomicBool>) -> WhyNotReady {
    let (store, is_stopping) = (store.clone(), Arc::clone(is_stopping));
    Box::new(move || match is_stopping.load(Ordering::Relaxed) {
        true => Some("the server is stopping".to_owned()),
        false => store.why_not_ready(),
    })
}

/// Urgent conditions of certificates. They do not take the node out of service: the other nodes have the same certificates.
fn attention(listeners: &[(&'static str, Arc<Tls>)]) -> Attention {
    let all: Vec<Arc<Tls>> = listeners.iter().map(|(_, tls)| Arc::clone(tls)).collect();
    Box::new(move || {
        let notes = all.iter().flat_map(|tls| tls.notes(unix_time()));
        let mut urgent: Vec<String> = notes.filter(|note| note.is_urgent).map(|note| note.text).collect();
        urgent.sort();
        urgent.dedup();
        urgent
    })
}

fn api(
    config: &Config,
    clock: &Clock,
    auth: &Arc<Auth>,
    metrics: Arc<Metrics>,
    private_hosts: Hosts,
    (why_not_ready, attention): (WhyNotReady, Attention),
) -> Api {
    Api {
        auth: Arc::clone(auth),
        clock: clock.clone(),
        metrics,
        dialect: config.api.dialect,
        oauth: config.oauth.at(config.listen),
        trusted_headers: config.verify.trusted_headers,
        signatures: SignatureCache::default(),
        asks_certificates: takes_certificates(config),
        private_hosts,
        body: Bounds { size: config.limits.body, time: config.limits.body_time },
        why_not_ready,
        attention,
        logged: config.log.requests,
    }
}

/// Whether clients can present certificates: to this server, or to a gateway that terminates TLS.
fn takes_certificates(config: &Config) -> bool {
    let of_gateway = !config.proxies.trusted.is_empty() && config.proxies.protocol == ProxyProtocol::Off;
    config.tls.client_certificates != ClientCertificates::None || of_gateway
}

async fn serve_both(
    config: &Config,
    bounds: ConnectionBounds,
    listeners: Listeners,
    api: Arc<Api>,
    admin: Arc<Admin>,
    stop: impl Future<Output = ()>,
    is_stopping: &AtomicBool,
) {
    let (say_stop, stopping) = watch::channel(false);
    let public_routes = http::public(Arc::clone(&api), &config.api.prefix);
    let auth = Arc::clone(&api.auth);
    let [public_rules, private_rules] = listeners::rules(config, bounds, &api.metrics);
    let private_routes = http::private(api, admin::router(admin));
    let public = listener::serve(
        listeners.public,
        Some(listeners.public_tls),
        public_routes,
        public_rules,
        stopping.clone(),
    );
    let private =
        listener::serve(listeners.private, listeners.private_tls, private_routes, private_rules, stopping);
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
