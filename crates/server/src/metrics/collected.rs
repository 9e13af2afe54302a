//! Metrics of the store, the log and the certificates, collected at each scrape.

use std::fmt;
use std::sync::Arc;

use northgate_store::embedded::EmbeddedStore;
use northgate_store::postgres::PostgresStore;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Metrics;
use crate::telemetry::lines::Lines;
use crate::tls::Tls;
use crate::tls::certificates::CertificateExpiry;

/// Registers the statistics of the embedded store.
pub fn register(metrics: &Metrics, store: &Arc<EmbeddedStore>) {
    metrics.registry().register_collector(Box::new(OfStore(Arc::clone(store))));
}

/// Registers the statistics of a node over PostgreSQL.
pub fn register_postgres(metrics: &Metrics, store: &Arc<PostgresStore>) {
    metrics.registry().register_collector(Box::new(OfDatabase(Arc::clone(store))));
}

/// Registers the number of lost log lines.
pub fn register_log(metrics: &Metrics, lines: Arc<Lines>) {
    metrics.registry().register_collector(Box::new(OfLog(lines)));
}

/// Registers the expiry of each certificate, by listener.
pub fn register_certificates(metrics: &Metrics, listeners: Vec<(&'static str, Arc<Tls>)>) {
    metrics.registry().register_collector(Box::new(OfCertificates(listeners)));
}

#[derive(Debug)]
struct OfCertificates(Vec<(&'static str, Arc<Tls>)>);
struct OfStore(Arc<EmbeddedStore>);
struct OfDatabase(Arc<PostgresStore>);
struct OfLog(Arc<Lines>);

impl Collector for OfStore {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        let seconds = ConstCounter::new(stats.commit_time().as_secs_f64());
        put(&mut encoder, "commits", "Transactions committed", &ConstCounter::new(stats.commits()))?;
        put(&mut encoder, "commit_writes", "Operations in them", &ConstCounter::new(stats.writes()))?;
        put(&mut encoder, "commit_seconds", "Time spent in them", &seconds)?;
        put(
            &mut encoder,
            "commit_failures",
            "Transactions that failed",
            &ConstCounter::new(stats.failures()),
        )?;
        let lost = ConstGauge::new(u64::from(stats.lost().is_some()));
        put(
            &mut encoder,
            "database_file_lost",
            "1 while the database is not the file that was opened",
            &lost,
        )?;
        let waiting = ConstGauge::new(self.0.waiting() as u64);
        put(&mut encoder, "commit_queue_waiting", "Operations in the queue", &waiting)?;
        let bound = ConstGauge::new(self.0.queue_bound() as u64);
        put(&mut encoder, "commit_queue_bound", "Bound of the queue; logins may fill half of it", &bound)?;
        let journal = ConstGauge::new(stats.journal_bytes());
        put(&mut encoder, "journal_bytes", "Bytes of the journal that are not compacted yet", &journal)?;
        let Some(volume) = self.0.volume() else { return Ok(()) };
        let (size, available) = (ConstGauge::new(volume.size_bytes), ConstGauge::new(volume.available_bytes));
        put(&mut encoder, "data_volume_size_bytes", "Size of the data directory's volume", &size)?;
        put(&mut encoder, "data_volume_available_bytes", "Room that is left on it", &available)
    }
}

impl Collector for OfDatabase {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stats = self.0.stats();
        let batch_seconds = stats.batch_time().as_secs_f64();
        let counters = [
            ("database_batches", "Batches of writes committed", stats.batches()),
            ("database_batch_writes", "Operations in them", stats.writes()),
            ("database_lost_races", "Steps that lost a race with another node", stats.lost_races()),
            ("database_retries", "Batches that failed and were retried", stats.retries()),
            ("database_reconnects", "Reconnections", stats.reconnects()),
            ("registry_reloads", "Full reads of the registry", stats.reloads()),
        ];
        for (name, help, count) in counters {
            put(&mut encoder, name, help, &ConstCounter::new(count))?;
        }
        put(&mut encoder, "database_batch_seconds", "Time spent in them", &ConstCounter::new(batch_seconds))?;
        let waiting = ConstGauge::new(self.0.waiting() as u64);
        put(&mut encoder, "database_queue_waiting", "Writes in the queue", &waiting)?;
        let bound = ConstGauge::new(self.0.queue_bound() as u64);
        put(&mut encoder, "database_queue_bound", "Bound of the queue; logins may fill half of it", &bound)?;
        let (open, wanted) = self.0.sessions();
        let (open, wanted) = (ConstGauge::new(open as u64 + 1), ConstGauge::new(wanted as u64 + 1));
        put(&mut encoder, "database_connections", "Open connections", &open)?;
        put(&mut encoder, "database_connections_wanted", "Target number of connections", &wanted)?;
        let lag = ConstGauge::new(stats.registry_lag().as_secs_f64());
        put(&mut encoder, "registry_lag_seconds", "Time since the last poll for changes of other nodes", &lag)
    }
}

impl Collector for OfCertificates {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let expiries: Vec<_> = self
            .0
            .iter()
            .flat_map(|(listener, tls)| tls.expiries().into_iter().map(move |one| (*listener, one)))
            .collect();
        let mut put = |name: &str, help: &str, value: &dyn Fn(&CertificateExpiry) -> Option<i64>| {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (listener, expiry) in &expiries {
                let Some(value) = value(expiry) else { continue };
                let labels =
                    [("listener", (*listener).to_owned()), ("file", expiry.file.display().to_string())];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
            Ok::<(), fmt::Error>(())
        };
        let help = "When the certificate that is in use ends, in seconds since 1970";
        put("northgate_certificate_not_after_seconds", help, &|expiry| expiry.not_after_s)?;
        let help =
            "1 where the file could not be taken, so that what was read before is in use, or nothing of it";
        put("northgate_certificate_not_taken", help, &|expiry| Some(i64::from(!expiry.is_taken)))?;
        let help = "When the first certificate ends, in seconds since 1970";
        let first = expiries.iter().filter_map(|(_, expiry)| expiry.not_after_s).min().unwrap_or(i64::MAX);
        self::put(&mut encoder, "certificate_expires_at_seconds", help, &ConstGauge::new(first))
    }
}

impl Collector for OfLog {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let lost = self.0.lost();
        let (all, audit) = (ConstCounter::new(lost.all()), ConstCounter::new(lost.audit));
        put(&mut encoder, "log_dropped_lines", "Log lines that standard error did not accept", &all)?;
        put(&mut encoder, "log_dropped_audit_lines", "Audit lines among them", &audit)
    }
}

fn put(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    put_as(encoder, &format!("northgate_{name}"), help, metric)
}

/// Encodes a metric under a name that does not begin as ours.
pub(super) fn put_as(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

impl fmt::Debug for OfStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfStore")
    }
}

impl fmt::Debug for OfDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfDatabase")
    }
}

impl fmt::Debug for OfLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfLog")
    }
}
