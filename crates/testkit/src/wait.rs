//! Waits for a condition, with a deadline that names the condition when it passes.

use std::time::{Duration, Instant};

/// How long something may take that must happen, on a machine that does many things at once.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Blocks until `holds` returns true.
#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < DEADLINE, "this did not come true within {DEADLINE:?}: {what}");
        std::thread::sleep(INTERVAL);
    }
}

/// The same for a condition that has to be awaited.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < DEADLINE, "this did not come true within {DEADLINE:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
