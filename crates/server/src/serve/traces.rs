//! The export of spans, if `traces.endpoint` is set.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::store::Store;

use super::store::Choice;
use crate::config::Config;
use crate::metrics::{self, Metrics};
use crate::tls::trust::TrustError;
use crate::traces::Tracer;
use crate::traces::export::Exporter;
use crate::traces::store::{System, TracedStore};

/// How long a stop waits for the export of the last spans.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// The running export, or nothing.
pub struct Export(Option<(Arc<Tracer>, Exporter)>);

/// The store for the rules: with spans only if they are exported.
pub fn around(store: &Choice, config: &Config) -> Arc<dyn Store> {
    if config.traces.endpoint.is_none() {
        return store.rules();
    }
    let system = match store {
        Choice::Embedded(_) => System::Sqlite,
        Choice::Postgres(_) => System::PostgreSql,
    };
    Arc::new(TracedStore::new(store.rules(), system))
}

/// Prepares the export. `private_is_tls` is for the spans of `/verify`.
pub fn start(config: &Config, metrics: &Metrics, private_is_tls: bool) -> Result<Export, TrustError> {
    let traces = &config.traces;
    let Some(endpoint) = traces.endpoint.clone() else { return Ok(Export(None)) };
    let tracer = Arc::new(Tracer::new(traces.ratio, traces.queue, private_is_tls));
    metrics::traces::register(metrics, &tracer);
    let exporter = Exporter::new(&tracer, endpoint, traces.timeout)?;
    Ok(Export(Some((tracer, exporter))))
}

impl Export {
    pub fn tracer(&self) -> Option<Arc<Tracer>> {
        self.0.as_ref().map(|(tracer, _)| Arc::clone(tracer))
    }

    /// Exports for ever.
    pub async fn run(&mut self) {
        match &mut self.0 {
            Some((_, exporter)) => exporter.run().await,
            None => std::future::pending().await,
        }
    }

    /// Exports the last spans of a server that has stopped.
    pub async fn finish(&mut self) {
        if let Some((_, exporter)) = &mut self.0 {
            exporter.finish(LAST_SPANS).await;
        }
    }
}
