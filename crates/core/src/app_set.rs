//! A set of applications: a bit each, by their numbers, which are dense. With 100,000 of them it stays in the caches, where each
//! refresh adds to it; a tree does not.

use fixedbitset::FixedBitSet;

use crate::application::AppNumber;

/// Some of the applications. It takes up a bit for each number up to the highest that was in it.
#[derive(Debug, Default)]
pub struct AppSet(FixedBitSet);

impl AppSet {
    /// Puts one in, if it is not there yet.
    pub fn insert(&mut self, number: AppNumber) {
        self.0.grow_and_insert(number.0 as usize);
    }

    /// Whether none is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// Takes out those with the lowest numbers, at most `limit`, in their order.
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
