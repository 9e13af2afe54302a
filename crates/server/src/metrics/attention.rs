//! Metric of the findings about applications, by kind.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use northgate_core::attention::Kind;
use northgate_core::auth::Auth;
use northgate_core::clock::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Metrics;
use crate::clock::Clock;

/// How long counts are kept: they pass over every application, and change slowly.
const KEPT: Duration = Duration::from_secs(60);

/// Registers the number of findings of each kind.
pub fn register(metrics: &Metrics, auth: &Arc<Auth>, clock: &Clock) {
    let (auth, clock) = (Arc::clone(auth), clock.clone());
    metrics.registry().register_collector(Box::new(OfAttention { auth, clock, counted: Mutex::new(None) }));
}

type Counts = [u64; Kind::ALL.len()];

struct OfAttention {
    auth: Arc<Auth>,
    clock: Clock,
    counted: Mutex<Option<(Timestamp, Counts)>>,
}

impl OfAttention {
    fn counts(&self) -> Counts {
        let now = self.clock.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        match *counted {
            // A clock that was set back makes the count look new; it is then taken again.
            Some((at, counts)) if at <= now && now.since(at) < KEPT => counts,
            Some(_) | None => counted.insert((now, self.auth.attention_counts(now))).1,
        }
    }
}

impl Collector for OfAttention {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Findings about applications that an operator should look at, counted once a minute";
        let mut family = encoder.encode_descriptor("northgate_attention", help, None, MetricType::Gauge)?;
        for (kind, count) in Kind::ALL.into_iter().zip(self.counts()) {
            ConstGauge::new(count).encode(family.encode_family(&[("kind", kind.as_str())])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for OfAttention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfAttention")
    }
}
