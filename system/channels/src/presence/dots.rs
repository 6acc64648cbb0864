//! Sets of clocks, kept as runs.

use std::collections::BTreeMap;

/// Which clocks of one replica have been seen.
///
/// A clock is counted up by one for each addition and each removal, so nearly always all of them up to some
/// number are seen: that is the *context*. What was seen beyond a gap is the *cloud*. Both are runs of numbers, and
/// a gap that closes makes one run of two: nothing has to be compacted.
///
/// ```
/// use simurgh_channels::presence::Dots;
///
/// let mut seen: Dots = [1..=4, 7..=9].into_iter().collect();
/// assert_eq!((seen.contiguous(), seen.contains(8), seen.contains(5)), (4, true, false));
/// seen.insert(5..=6);
/// assert_eq!(seen.contiguous(), 9);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dots {
    /// The last clock of each run by its first; runs neither overlap nor touch.
    runs: BTreeMap<u64, u64>,
}

impl Dots {
    /// Adds all clocks of a run. An empty run adds nothing.
    pub fn insert(&mut self, run: std::ops::RangeInclusive<u64>) {
        let (mut first, mut last) = run.into_inner();
        if first > last {
            return;
        }
        if let Some((&before, &end)) = self.runs.range(..=first).next_back()
            && end >= first.saturating_sub(1)
        {
            if end >= last {
                return;
            }
            first = before;
        }
        while let Some((&next, &end)) = self.runs.range(first..=last.saturating_add(1)).next() {
            self.runs.remove(&next);
            last = last.max(end);
        }
        self.runs.insert(first, last);
    }

    /// Whether a clock is in it.
    pub fn contains(&self, clock: u64) -> bool {
        self.runs.range(..=clock).next_back().is_some_and(|(_, end)| *end >= clock)
    }

    /// Whether all clocks of a run are in it.
    pub fn contains_all(&self, first: u64, last: u64) -> bool {
        first > last || self.runs.range(..=first).next_back().is_some_and(|(_, end)| *end >= last)
    }

    /// The highest clock up to which, from 1, all are in it; 0 if there is none.
    pub fn contiguous(&self) -> u64 {
        self.runs.first_key_value().filter(|(first, _)| **first <= 1).map_or(0, |(_, end)| *end)
    }

    /// Adds what is in another.
    pub fn union(&mut self, other: &Self) {
        for (first, last) in other.runs() {
            self.insert(first..=last);
        }
    }

    /// The runs, each with its first and last clock, lowest first.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = (u64, u64)> + '_ {
        self.runs.iter().map(|(first, last)| (*first, *last))
    }

    /// How many clocks are in it.
    pub fn count(&self) -> u64 {
        self.runs().fold(0, |count, (first, last)| count.saturating_add((last - first).saturating_add(1)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl FromIterator<std::ops::RangeInclusive<u64>> for Dots {
    fn from_iter<I: IntoIterator<Item = std::ops::RangeInclusive<u64>>>(runs: I) -> Self {
        let mut dots = Self::default();
        runs.into_iter().for_each(|run| dots.insert(run));
        dots
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set_of_numbers(runs in prop::collection::vec((0u64..60, 0u64..8), 0..30), other in prop::collection::vec((0u64..60, 0u64..8), 0..30)) {
            let make = |runs: &[(u64, u64)]| -> (Dots, BTreeSet<u64>) {
                let spans = || runs.iter().map(|(first, len)| *first..=first + len);
                (spans().collect(), spans().flatten().collect())
            };
            let ((mut dots, mut set), (more, also)) = (make(&runs), make(&other));
            dots.union(&more);
            set.extend(also);
            prop_assert!((0..80).all(|clock| dots.contains(clock) == set.contains(&clock)));
            prop_assert_eq!(dots.count(), set.len() as u64);
            let contiguous = (1..=100).take_while(|clock| set.contains(clock)).count() as u64;
            prop_assert_eq!(dots.contiguous(), contiguous);
            let runs: Vec<_> = dots.runs().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", runs);
            prop_assert!((0..70).all(|first| dots.contains_all(first, first + 3) == (first..=first + 3).all(|clock| set.contains(&clock))));
        }
    }

    #[test]
    fn the_edges_of_the_numbers_hold() {
        let mut dots: Dots = [u64::MAX..=u64::MAX, 0..=0].into_iter().collect();
        assert_eq!((dots.count(), dots.contiguous(), dots.runs().len()), (2, 0, 2));
        dots.insert(0..=u64::MAX);
        assert_eq!((dots.count(), dots.contiguous()), (u64::MAX, u64::MAX));
        #[allow(clippy::reversed_empty_ranges)] // an empty run is the case
        dots.insert(5..=4);
        assert_eq!(dots.runs().len(), 1);
    }
}
