//! Traces: spans of requests, by W3C trace context and OpenTelemetry's conventions, exported over OTLP.
//!
//! A listener without a [`Tracer`] reads no header and allocates nothing. With one, a request is sampled by the caller's flag, or by
//! the configured ratio where it begins a trace.

pub mod context;
pub mod export;
mod otlp;
pub mod sampling;
pub mod span;
pub mod store;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, UNIX_EPOCH};

use axum::http::HeaderMap;
use tokio::sync::Notify;

use crate::clock::wall;
use context::{SpanId, TraceContext, TraceId};
use sampling::Ratio;
use span::Span;

/// Spans that are exported in one request: as in OpenTelemetry's batch processors.
pub const BATCH: usize = 512;

/// The source of spans, and the queue of those that wait for the export.
pub struct Tracer {
    ratio: Ratio,
    bound: usize,
    finished: Mutex<Vec<Span>>,
    /// Wakes the export when a batch is complete.
    pub batch_is_complete: Notify,
    pub counts: Counts,
    keys: RandomState,
    next: AtomicU64,
    private_is_tls: bool,
}

/// Numbers of spans since the start.
#[derive(Debug, Default)]
pub struct Counts {
    pub exported: AtomicU64,
    /// Without room in the queue, or refused by the collector.
    pub dropped: AtomicU64,
}

/// A request's place in a trace, and its span if it is sampled.
pub struct Traced {
    tracer: Arc<Tracer>,
    caller: Option<TraceContext>,
    pub trace: TraceId,
    id: SpanId,
    /// Nanoseconds since 1970; `None` for a request that is not sampled.
    began: Option<u64>,
}

/// What spans of a request's parts need: the trace and the span of the request.
#[derive(Clone)]
pub struct Parent {
    tracer: Arc<Tracer>,
    trace: TraceId,
    id: SpanId,
}

tokio::task_local! {
    /// The span of the request that the task answers; set for sampled requests only.
    pub static PARENT: Parent;
}

impl Tracer {
    /// Of traces by `ratio`, with room for `bound` spans. `private_is_tls` is the scheme of the private listener.
    pub fn new(ratio: Ratio, bound: usize, private_is_tls: bool) -> Tracer {
        Tracer {
            ratio,
            bound,
            finished: Mutex::default(),
            batch_is_complete: Notify::new(),
            counts: Counts::default(),
            keys: RandomState::new(),
            next: AtomicU64::new(0),
            private_is_tls,
        }
    }

    /// The scheme of URLs of the private listener.
    pub fn private_scheme(&self) -> &'static str {
        if self.private_is_tls { "https" } else { "http" }
    }

    /// Takes up the caller's trace, or begins one.
    pub fn begin(self: &Arc<Tracer>, headers: &HeaderMap) -> Traced {
        let caller = TraceContext::read(headers);
        let trace = caller.as_ref().map_or_else(|| self.trace_id(), |caller| caller.trace);
        let is_sampled = match &caller {
            Some(caller) => caller.is_sampled,
            None => self.ratio.takes(trace),
        };
        let began = (is_sampled && self.has_room()).then(now);
        Traced { tracer: Arc::clone(self), trace, id: self.span_id(), caller, began }
    }

    /// Puts a finished span into the queue, or counts it as dropped.
    pub fn finish(&self, span: Span) {
        let mut finished = self.finished();
        if finished.len() >= self.bound {
            self.drop_spans(1);
            return;
        }
        finished.push(span);
        if finished.len() == BATCH {
            self.batch_is_complete.notify_one();
        }
    }

    /// Takes up to [`BATCH`] spans out of the queue.
    pub fn batch(&self) -> Vec<Span> {
        let mut finished = self.finished();
        let count = finished.len().min(BATCH);
        finished.drain(..count).collect()
    }

    /// Whether the span of a new request would find room. A request that would not is handled as one that is not sampled: the
    /// flag comes from any client, and work for spans that are dropped would be in vain.
    fn has_room(&self) -> bool {
        let has_room = self.finished().len() < self.bound;
        if !has_room {
            self.drop_spans(1);
        }
        has_room
    }

    fn drop_spans(&self, count: usize) {
        self.counts.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn finished(&self) -> MutexGuard<'_, Vec<Span>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ids must be random for sampling by ratio, and need not be unguessable: SipHash of a counter under the keys of a hash map.
    fn random(&self) -> u64 {
        // 0 is no id.
        self.keys.hash_one(self.next.fetch_add(1, Ordering::Relaxed)).max(1)
    }

    fn trace_id(&self) -> TraceId {
        TraceId((u128::from(self.random()) << 64) | u128::from(self.random()))
    }

    fn span_id(&self) -> SpanId {
        SpanId(self.random())
    }
}

impl Traced {
    /// The context for the spans of the request's parts; `None` for a request that is not sampled.
    pub fn parent(&self) -> Option<Parent> {
        self.began?;
        Some(Parent { tracer: Arc::clone(&self.tracer), trace: self.trace, id: self.id })
    }

    /// What the caller hands on: this request as parent, or the caller itself where this request has no span.
    pub fn handed_on(&self) -> TraceContext {
        match (&self.caller, self.began) {
            (Some(caller), None) => TraceContext { is_sampled: false, ..caller.clone() },
            (caller, began) => TraceContext {
                trace: self.trace,
                parent: self.id,
                is_sampled: began.is_some(),
                state: caller.as_ref().and_then(|caller| caller.state.clone()),
            },
        }
    }

    /// Ends the span of a sampled request, which began at `began_at`; `describe` says what it was.
    pub fn finish(&self, began_at: Instant, describe: impl FnOnce() -> span::Description) {
        let Some(began) = self.began else { return };
        self.tracer.finish(Span {
            trace: self.trace,
            id: self.id,
            parent: self.caller.as_ref().map(|caller| caller.parent),
            began,
            ended: began + began_at.elapsed().as_nanos() as u64,
            description: describe(),
        });
    }
}

impl Parent {
    /// Adds the span of a part that began at these times.
    fn part(&self, began: u64, began_at: Instant, description: span::Description) {
        self.tracer.finish(Span {
            trace: self.trace,
            id: self.tracer.span_id(),
            parent: Some(self.id),
            began,
            ended: began + began_at.elapsed().as_nanos() as u64,
            description,
        });
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

#[cfg(test)]
mod tests;
