//! Assembly: the routes of both listeners for a configuration, at the start and at each reload.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use northgate_core::auth::{Auth, Settings};

use super::listeners::Listeners;
use super::store::Choice;
use crate::clock::{Clock, unix_time};
use crate::config::Config;
use crate::config::proxies::ProxyProtocol;
use crate::config::tls::ClientCertificates;
use crate::http::admin::status::NodeStatus;
use crate::http::body::Bounds;
use crate::http::dispatch::Dispatch;
use crate::http::hosts::Hosts;
use crate::http::{self, Api, Attention, WhyNotReady};
use crate::jwt::signature_cache::SignatureCache;
use crate::metrics::Metrics;
use crate::tls::Tls;
use crate::traces::Tracer;

/// The parts of the server that are the same in every configuration.
pub struct Assembly {
    pub clock: Clock,
    pub auth: Arc<Auth>,
    pub metrics: Arc<Metrics>,
    pub public_tls: Arc<Tls>,
    pub private_tls: Option<Arc<Tls>>,
    store: Choice,
    tracer: Option<Arc<Tracer>>,
    is_stopping: Arc<AtomicBool>,
}

impl Assembly {
    pub fn new(
        clock: &Clock,
        auth: &Arc<Auth>,
        metrics: &Arc<Metrics>,
        store: &Choice,
        listeners: &Listeners,
        tracer: Option<Arc<Tracer>>,
        is_stopping: &Arc<AtomicBool>,
    ) -> Assembly {
        Assembly {
            clock: clock.clone(),
            auth: Arc::clone(auth),
            metrics: Arc::clone(metrics),
            public_tls: Arc::clone(&listeners.public_tls),
            private_tls: listeners.private_tls.clone(),
            store: store.clone(),
            tracer,
            is_stopping: Arc::clone(is_stopping),
        }
    }

    /// The routes of the public and of the private listener. `admin` has those of the admin API.
    pub fn routes(&self, config: &Config, admin: Router) -> [Dispatch; 2] {
        let api = Arc::new(self.api(config));
        [http::public(Arc::clone(&api), &config.api.prefix), http::private(api, admin)]
    }

    /// The status of the node, for the admin API.
    pub fn node_status(&self) -> Box<dyn Fn() -> NodeStatus + Send + Sync> {
        let (why_not_ready, attention) = (self.why_not_ready(), self.attention());
        let (store, tls) = (self.store.clone(), Arc::clone(&self.public_tls));
        Box::new(move || NodeStatus {
            store: store.name(),
            why_not_ready: why_not_ready(),
            attention: attention(),
            registry_lag: store.registry_lag(),
            certificates: tls.expiries(),
        })
    }

    fn api(&self, config: &Config) -> Api {
        Api {
            auth: Arc::clone(&self.auth),
            clock: self.clock.clone(),
            metrics: Arc::clone(&self.metrics),
            dialect: config.api.dialect,
            v3_login: config.api.v3_login,
            oauth: config.oauth.at(config.listen),
            trusted_headers: config.verify.trusted_headers,
            signatures: SignatureCache::default(),
            asks_certificates: takes_certificates(config),
            private_hosts: Hosts::new(config.admin_hosts.clone(), self.private_tls.clone()),
            body: Bounds { size: config.limits.body, time: config.limits.body_time },
            why_not_ready: self.why_not_ready(),
            attention: self.attention(),
            logged: config.log.requests,
            tracer: self.tracer.clone(),
        }
    }

    fn why_not_ready(&self) -> WhyNotReady {
        let (store, is_stopping) = (self.store.clone(), Arc::clone(&self.is_stopping));
        Box::new(move || match is_stopping.load(Ordering::Relaxed) {
            true => Some("the server is stopping".to_owned()),
            false => store.why_not_ready(),
        })
    }

    /// Urgent conditions of certificates. They do not take the node out of service: the other nodes have the same certificates.
    fn attention(&self) -> Attention {
        let all = self.all_tls();
        Box::new(move || {
            let notes = all.iter().flat_map(|tls| tls.notes(unix_time()));
            let mut urgent: Vec<String> = notes.filter(|note| note.is_urgent).map(|note| note.text).collect();
            urgent.sort();
            urgent.dedup();
            urgent
        })
    }

    fn all_tls(&self) -> Vec<Arc<Tls>> {
        [Arc::clone(&self.public_tls)].into_iter().chain(self.private_tls.clone()).collect()
    }
}

/// The settings of the rules.
pub fn settings(config: &Config) -> Settings {
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

/// Whether clients can present certificates: to this server, or to a gateway that terminates TLS.
fn takes_certificates(config: &Config) -> bool {
    let of_gateway = !config.proxies.trusted.is_empty() && config.proxies.protocol == ProxyProtocol::Off;
    config.tls.client_certificates != ClientCertificates::None || of_gateway
}
