//! A set of applications as a bitmap over their dense numbers. With 100,000 applications it stays in the processor's caches,
//! where each refresh adds to it; a tree does not.

use fixedbitset::FixedBitSet;

use crate::application::AppNumber;

/// A subset of the applications: one bit for each number up to the highest one that was ever in it.
#[derive(Debug, Default)]
pub struct AppSet(FixedBitSet);

impl AppSet {
    /// Inserts an application; a no-op if it is present.
    pub fn insert(&mut self, number: AppNumber) {
        self.0.grow_and_insert(number.0 as usize);
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// Removes and returns the lowest numbers, at most `limit`, in ascending order.
    pub fn take(&mut self, limit: usize) -> Vec<AppNumber> {
        let taken: Vec<_> = self.0.ones().take(limit).collect();
        taken.iter().for_each(|number| self.0.remove(*number));
        taken.into_iter().map(|number| AppNumber(number as u32)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_taken_once_and_the_lowest_first() {
        let mut set = AppSet::default();
        [700, 3, 64, 3].map(AppNumber).into_iter().for_each(|number| set.insert(number));
        assert_eq!(set.take(2), [3, 64].map(AppNumber));
        assert!(!set.is_empty());
        set.insert(AppNumber(1));
        assert_eq!(set.take(usize::MAX), [1, 700].map(AppNumber));
        assert!(set.is_empty());
    }
}
