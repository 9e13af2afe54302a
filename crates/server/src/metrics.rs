//! Metrics. The counters of requests exist from the start, so that counting is an addition.

pub mod attention;
pub mod collected;
pub mod connections;
pub mod process;
pub mod text_format;
pub mod traces;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::http::observe::Listener;
use crate::listener::connection::HeadRefusal;
use crate::outcome::{Operation, Outcome};

/// Buckets in seconds, from an operation in memory (verify) to a durable write to a store that hardly answers.
const DURATIONS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

type Label = (&'static str, &'static str);

/// All metrics of the process.
pub struct Metrics {
    /// Set at each scrape.
    pub applications: Gauge,
    operations: [[Counter; Outcome::ALL.len()]; Operation::ALL.len()],
    durations: [Histogram; Operation::ALL.len()],
    refused_heads: Family<[Label; 2], Counter>,
    registry: Mutex<Registry>,
}

impl Default for Metrics {
    /// All metrics at zero.
    fn default() -> Metrics {
        let mut registry = Registry::default();
        let applications = Gauge::default();
        registry.register("northgate_applications", "Applications, active and frozen", applications.clone());
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("northgate_build", "The running version", build);
        Metrics {
            applications,
            operations: operations(&mut registry),
            durations: durations(&mut registry),
            refused_heads: refused_heads(&mut registry),
            registry: Mutex::new(registry),
        }
    }
}

impl Metrics {
    /// Counts an answered operation.
    pub fn count(&self, operation: Operation, outcome: Outcome, took: Duration) {
        self.operations[operation as usize][outcome as usize].inc();
        self.durations[operation as usize].observe(took.as_secs_f64());
    }

    /// Counts a request whose head the HTTP parser refused.
    pub fn count_refused_head(&self, listener: Listener, refusal: HeadRefusal) {
        self.refused_heads.get_or_create(&refused_head(listener, refusal)).inc();
    }

    /// The registry, for other parts of the server to add their metrics.
    pub fn registry(&self) -> MutexGuard<'_, Registry> {
        // A panic during registration leaves the rest whole.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The metrics as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry()).expect("a String takes any text");
        text
    }
}

fn operations(registry: &mut Registry) -> [[Counter; Outcome::ALL.len()]; Operation::ALL.len()] {
    let family = Family::<[Label; 2], Counter>::default();
    registry.register("northgate_operations", "Operations by outcome", family.clone());
    Operation::ALL.map(|operation| {
        Outcome::ALL.map(|outcome| {
            let labels = [("operation", operation.as_str()), ("outcome", outcome.as_str())];
            family.get_or_create(&labels).clone()
        })
    })
}

fn durations(registry: &mut Registry) -> [Histogram; Operation::ALL.len()] {
    let family = Family::<[Label; 1], Histogram>::new_with_constructor(|| Histogram::new(DURATIONS));
    let help = "From the request's head to the answer";
    registry.register_with_unit("northgate_operation_duration", help, Unit::Seconds, family.clone());
    Operation::ALL.map(|operation| family.get_or_create(&[("operation", operation.as_str())]).clone())
}

fn refused_heads(registry: &mut Registry) -> Family<[Label; 2], Counter> {
    let family = Family::<[Label; 2], Counter>::default();
    let help = "Requests that the HTTP parser answered with 400 or 431";
    registry.register("northgate_refused_heads", help, family.clone());
    for listener in [Listener::Public, Listener::Private] {
        for refusal in [HeadRefusal::TooLarge, HeadRefusal::Malformed] {
            // At zero from the start, so that the first event is an increase.
            drop(family.get_or_create(&refused_head(listener, refusal)));
        }
    }
    family
}

fn refused_head(listener: Listener, refusal: HeadRefusal) -> [Label; 2] {
    let status = match refusal {
        HeadRefusal::TooLarge => "431",
        HeadRefusal::Malformed => "400",
    };
    [("listener", listener.as_str()), ("status", status)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_counted_under_its_outcome_and_all_others_stay_at_zero() {
        let metrics = Metrics::default();
        metrics.count(Operation::Refresh, Outcome::Replayed, Duration::from_micros(60));
        let text = metrics.text();
        for line in [
            "northgate_operations_total{operation=\"refresh\",outcome=\"replayed\"} 1\n",
            "northgate_operations_total{operation=\"refresh\",outcome=\"ok\"} 0\n",
            "northgate_operation_duration_seconds_bucket{le=\"0.00005\",operation=\"refresh\"} 0\n",
            "northgate_operation_duration_seconds_bucket{le=\"0.0001\",operation=\"refresh\"} 1\n",
            "northgate_operation_duration_seconds_count{operation=\"login\"} 0\n",
            "northgate_applications 0\n",
            concat!("northgate_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n"),
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn other_parts_can_add_what_they_count() {
        let metrics = Metrics::default();
        let lines = Counter::<u64>::default();
        metrics.registry().register("northgate_log_lines_dropped", "Log lines lost", lines.clone());
        lines.inc();
        assert!(metrics.text().contains("northgate_log_lines_dropped_total 1\n"));
    }
}
