//! Metrics of the export of spans, shown while `traces.endpoint` is set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::counter::ConstCounter;

use super::Metrics;
use super::collected::put_as;
use crate::traces::Tracer;

/// Registers the numbers of exported and dropped spans.
pub fn register(metrics: &Metrics, tracer: &Arc<Tracer>) {
    metrics.registry().register_collector(Box::new(OfTracer(Arc::clone(tracer))));
}

struct OfTracer(Arc<Tracer>);

impl fmt::Debug for OfTracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfTracer")
    }
}

impl Collector for OfTracer {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = &self.0.counts;
        let exported = ConstCounter::new(counts.exported.load(Ordering::Relaxed));
        let dropped = ConstCounter::new(counts.dropped.load(Ordering::Relaxed));
        put_as(&mut encoder, "northgate_spans_exported", "Spans that the collector took", &exported)?;
        put_as(&mut encoder, "northgate_spans_dropped", "Spans without room, or refused", &dropped)
    }
}
