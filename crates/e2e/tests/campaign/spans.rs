//! Intervals of time in an order that answers by binary search: a checker asks about each event, and a record has hundreds of thousands.

use std::time::Duration;

/// Intervals by their begin, each with the latest end up to it.
#[derive(Default)]
pub struct Spans(Vec<(Duration, Duration)>);

impl FromIterator<(Duration, Duration)> for Spans {
    fn from_iter<I: IntoIterator<Item = (Duration, Duration)>>(spans: I) -> Spans {
        let mut spans: Vec<(Duration, Duration)> = spans.into_iter().collect();
        spans.sort_unstable();
        let mut latest = Duration::ZERO;
        for (_, end) in &mut spans {
            latest = latest.max(*end);
            *end = latest;
        }
        Spans(spans)
    }
}

impl Spans {
    /// The latest end of those that begin so; the condition holds for all begins up to some time.
    pub fn latest_end(&self, begins_so: impl Fn(Duration) -> bool) -> Option<Duration> {
        let count = self.0.partition_point(|(begin, _)| begins_so(*begin));
        Some(self.0[count.checked_sub(1)?].1)
    }

    /// The latest begin before a time.
    pub fn latest_begin(&self, before: Duration) -> Option<Duration> {
        let count = self.0.partition_point(|(begin, _)| *begin < before);
        Some(self.0[count.checked_sub(1)?].0)
    }

    /// Whether one of them shares a moment with this interval.
    pub fn meet(&self, from: Duration, to: Duration) -> bool {
        self.latest_end(|begin| begin <= to).is_some_and(|end| from <= end)
    }
}

/// Generations, each with the earliest time of it or of a later one.
#[derive(Default)]
pub struct Earliest(Vec<(u32, Duration)>);

impl FromIterator<(u32, Duration)> for Earliest {
    fn from_iter<I: IntoIterator<Item = (u32, Duration)>>(times: I) -> Earliest {
        let mut times: Vec<(u32, Duration)> = times.into_iter().collect();
        times.sort_unstable();
        let mut earliest = Duration::MAX;
        for (_, time) in times.iter_mut().rev() {
            earliest = earliest.min(*time);
            *time = earliest;
        }
        Earliest(times)
    }
}

impl Earliest {
    /// The earliest time of a later generation.
    pub fn after(&self, generation: u32) -> Option<Duration> {
        let later = self.0.partition_point(|(one, _)| *one <= generation);
        self.0.get(later).map(|(_, time)| *time)
    }
}

/// The begins and the ends of intervals.
#[derive(Default)]
pub struct Tally {
    begins: Vec<Duration>,
    ends: Vec<Duration>,
}

impl FromIterator<(Duration, Duration)> for Tally {
    fn from_iter<I: IntoIterator<Item = (Duration, Duration)>>(spans: I) -> Tally {
        let (mut begins, mut ends): (Vec<Duration>, Vec<Duration>) = spans.into_iter().unzip();
        begins.sort_unstable();
        ends.sort_unstable();
        Tally { begins, ends }
    }
}

impl Tally {
    /// How many end after the one time and begin before the other, which is not earlier.
    pub fn count(&self, ends_after: Duration, begins_before: Duration) -> usize {
        let begun = self.begins.partition_point(|begin| *begin < begins_before);
        begun.saturating_sub(self.ends.partition_point(|end| *end <= ends_after))
    }
}
