//! Export of spans over OTLP/HTTP: in batches, by one task, which no request waits for.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use rustls::ClientConfig;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::otlp::{self, Answer};
use super::span::Span;
use super::{BATCH, Tracer};
use crate::config::traces::Endpoint;
use crate::http_client::{ExchangeError, Timeouts};
use crate::telemetry::with_causes;
use crate::tls::trust::{self, TrustError};

/// How long spans are gathered. Also the pause before a retry.
const GATHER: Duration = Duration::from_secs(1);

/// The longest answer that is read; collectors answer with a line.
const ANSWER_MAX: usize = 64 << 10;

/// The task that exports.
pub struct Exporter {
    tracer: Arc<Tracer>,
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    /// Spans that are to be sent again.
    batch: Vec<Span>,
    is_failing: bool,
}

/// Reason why a batch was not taken.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("a span cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    #[error("the endpoint is no URL of a request")]
    Request(#[source] hyper::http::Error),
}

impl ExportError {
    /// Whether the same batch may succeed later (OTLP specification, "Retryable Response Codes").
    fn is_temporary(&self) -> bool {
        match self {
            ExportError::Exchange(_) => true,
            ExportError::Status(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            ExportError::Json(_) | ExportError::Request(_) => false,
        }
    }
}

impl Exporter {
    pub fn new(tracer: &Arc<Tracer>, endpoint: Endpoint, timeout: Duration) -> Result<Exporter, TrustError> {
        let tls = endpoint.origin.is_tls.then(trust::of_the_system).transpose()?;
        Ok(Exporter {
            tracer: Arc::clone(tracer),
            endpoint,
            tls,
            timeout,
            batch: Vec::new(),
            is_failing: false,
        })
    }

    /// Exports, until it is dropped.
    pub async fn run(&mut self) {
        loop {
            // A complete batch is sent at once, unless the collector fails.
            match self.is_failing {
                true => sleep(GATHER).await,
                false => drop(timeout(GATHER, self.tracer.batch_is_complete.notified()).await),
            }
            while self.next_batch() && self.export().await {}
        }
    }

    /// Exports what is left, in one attempt for each batch and `limit` at most.
    pub async fn finish(&mut self, limit: Duration) {
        let rest = async { while self.next_batch() && self.export().await {} };
        // A collector that does not answer must not hold up the stop.
        let _ = timeout(limit, rest).await;
    }

    /// Takes a batch, unless the last one is to be sent again. Returns whether there is one.
    fn next_batch(&mut self) -> bool {
        if self.batch.is_empty() {
            self.batch = self.tracer.batch();
        }
        !self.batch.is_empty()
    }

    /// Sends the batch. Returns whether to go on at once.
    async fn export(&mut self) -> bool {
        let count = self.batch.len();
        match self.send().await {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                self.tracer.drop_spans(rejected);
                self.tracer.counts.exported.fetch_add((count - rejected) as u64, Ordering::Relaxed);
                self.batch.clear();
                if std::mem::take(&mut self.is_failing) {
                    info!(endpoint = self.endpoint.url(), "the collector takes spans again");
                }
                count == BATCH
            }
            Err(error) => {
                if !error.is_temporary() {
                    self.tracer.drop_spans(count);
                    self.batch.clear();
                }
                if !std::mem::replace(&mut self.is_failing, true) {
                    warn!(
                        endpoint = self.endpoint.url(),
                        "the collector takes no spans: {}; look at traces.endpoint and at the collector",
                        with_causes(&error)
                    );
                }
                false
            }
        }
    }

    /// Sends the batch; returns how many spans the collector rejected.
    async fn send(&self) -> Result<usize, ExportError> {
        let body = otlp::body(&self.batch).map_err(ExportError::Json)?;
        let request = Request::post(&self.endpoint.path)
            .header(HOST, self.endpoint.origin.authority())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("northgate/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(Bytes::from(body)))
            .map_err(ExportError::Request)?;
        let timeouts = Timeouts { connect: self.timeout, answer: self.timeout };
        let answer = self.endpoint.origin.exchange(self.tls.as_ref(), request, timeouts).await?;
        if !answer.status().is_success() {
            return Err(ExportError::Status(answer.status()));
        }
        // The spans are taken, whatever happens to the rest of the answer.
        let body = timeout(self.timeout, Limited::new(answer.into_body(), ANSWER_MAX).collect()).await;
        let bytes = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        Ok(serde_json::from_slice::<Answer>(&bytes).unwrap_or_default().rejected())
    }
}
