//! The overview: the state of the node, and its operations as live charts.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::csrf::SignedIn;
use super::page::{self, Frame, Refusal};
use crate::http::admin::Admin;
use crate::http::admin::status::{self, Status};
use crate::outcome::Operation;

#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    frame: Frame,
    status: Status,
    operations: Vec<Counted>,
}

/// The counters of one operation since the start.
struct Counted {
    operation: &'static str,
    succeeded: u64,
    failed: u64,
    seconds: f64,
}

impl Counted {
    /// The mean time of one in milliseconds.
    fn mean(&self) -> String {
        match self.succeeded + self.failed {
            0 => "-".to_owned(),
            all => format!("{:.2} ms", self.seconds * 1_000.0 / all as f64),
        }
    }
}

pub async fn show(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
) -> Result<Response<Body>, Refusal> {
    let (operations, status) = (counted(&admin.metrics.text()), status::of(&admin));
    page::page(StatusCode::OK, &Page { frame: Frame::new(csrf, "overview"), status, operations })
}

/// The counters, for the charts: successes, failures and seconds of each operation.
pub async fn live(_: SignedIn, State(admin): State<Arc<Admin>>) -> Json<Value> {
    let of_one = |one: Counted| (one.operation.to_owned(), json!([one.succeeded, one.failed, one.seconds]));
    Json(Value::Object(counted(&admin.metrics.text()).into_iter().map(of_one).collect()))
}

/// Reads them from the text of the metrics, since the histogram shows its sum there only.
fn counted(metrics: &str) -> Vec<Counted> {
    let of_one = |operation: Operation| {
        let label = format!("operation=\"{}\"", operation.as_str());
        let mut one = Counted { operation: operation.as_str(), succeeded: 0, failed: 0, seconds: 0.0 };
        for line in metrics.lines().filter(|line| line.contains(&label)) {
            let value = line.rsplit(' ').next().unwrap_or_default();
            let is_ok = ["ok", "replayed", "caught-up", "already-over"]
                .iter()
                .any(|word| line.contains(&format!("outcome=\"{word}\"")));
            match line {
                _ if line.starts_with("northgate_operation_duration_seconds_sum") => {
                    one.seconds = value.parse().unwrap_or(0.0)
                }
                _ if !line.starts_with("northgate_operations_total") => {}
                _ if is_ok => one.succeeded += value.parse().unwrap_or(0),
                _ => one.failed += value.parse().unwrap_or(0),
            }
        }
        one
    };
    Operation::ALL.map(of_one).into()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Metrics;
    use crate::outcome::Outcome;

    #[test]
    fn the_counters_of_an_operation_are_those_of_the_metrics() {
        let metrics = Metrics::default();
        metrics.count(Operation::Refresh, Outcome::Replayed, Duration::from_millis(1));
        metrics.count(Operation::Refresh, Outcome::Ok, Duration::from_millis(2));
        metrics.count(Operation::Refresh, Outcome::Reused, Duration::from_millis(3));
        let refresh = &counted(&metrics.text())[Operation::Refresh as usize];
        assert_eq!((refresh.operation, refresh.succeeded, refresh.failed), ("refresh", 2, 1));
        assert_eq!(refresh.mean(), "2.00 ms");
        assert_eq!(counted(&metrics.text())[0].mean(), "-");
    }
}
