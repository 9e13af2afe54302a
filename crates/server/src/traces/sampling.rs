//! Sampling by ratio of the trace id, so that all programs of a trace decide alike (`TraceIdRatioBased` of OpenTelemetry).

use super::context::TraceId;

/// The bits of a trace id that are random by W3C Trace Context, level 2.
const RANDOM_BITS: u32 = 56;

/// A part of all traces, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

impl Ratio {
    /// `None` for a number outside of 0 to 1.
    pub fn new(ratio: f64) -> Option<Ratio> {
        (0.0..=1.0).contains(&ratio).then_some(Ratio(ratio))
    }

    /// Whether a trace that begins here is sampled.
    pub fn takes(self, trace: TraceId) -> bool {
        let random = (trace.0 as u64) & ((1 << RANDOM_BITS) - 1);
        (random as f64) < self.0 * (1_u64 << RANDOM_BITS) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_takes_all_none_or_its_part() {
        let ids = (0..1000_u128).map(|part| TraceId((1 << 100) | ((part << RANDOM_BITS) / 1000)));
        let taken =
            |ratio| ids.clone().filter(|id| Ratio::new(ratio).is_some_and(|ratio| ratio.takes(*id))).count();
        assert_eq!([taken(0.0), taken(0.25), taken(1.0)], [0, 250, 1000]);
    }

    #[test]
    fn a_number_outside_of_0_to_1_is_no_ratio() {
        assert_eq!([-0.1, 1.1, f64::NAN, f64::INFINITY].map(Ratio::new), [None; 4]);
    }
}
