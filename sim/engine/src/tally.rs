//! What a simulation counted, and which of its cases it covered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the bodies of runs counted and covered: counts are summed over runs, cases are united.
///
/// ```
/// let mut tally = simurgh_sim::Tally::default();
/// tally.cover("orders", 0, 6);
/// tally.cover("orders", 5, 6);
/// tally.cover("orders", 5, 6);
/// tally.count("orphans", 0);
/// assert_eq!(tally.to_string(), "  2/6 orders\n  0 orphans\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
    covered: BTreeMap<String, Covered>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Covered {
    of: u64,
    cases: BTreeSet<u64>,
}

impl Tally {
    /// Adds to a count.
    pub fn count(&mut self, name: &str, more: u64) {
        *self.counts.entry(name.to_owned()).or_default() += more;
    }

    /// Marks one of `of` cases as covered. Where seeds differ in how many there are, the most count.
    pub fn cover(&mut self, name: &str, case: u64, of: u64) {
        let covered = self.covered.entry(name.to_owned()).or_default();
        covered.of = covered.of.max(of);
        covered.cases.insert(case);
    }

    /// A count; 0 if nothing was counted.
    pub fn counted(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// All counts.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.clone()
    }

    /// How many cases are covered, and of how many.
    pub fn covered(&self, name: &str) -> (u64, u64) {
        self.covered.get(name).map_or((0, 0), |covered| (covered.cases.len() as u64, covered.of))
    }

    /// Takes in what another run counted and covered.
    pub fn merge(&mut self, other: &Self) {
        for (name, more) in &other.counts {
            self.count(name, *more);
        }
        for (name, theirs) in &other.covered {
            let ours = self.covered.entry(name.clone()).or_default();
            ours.of = ours.of.max(theirs.of);
            ours.cases.extend(&theirs.cases);
        }
    }

    /// One line, for the wire between processes.
    pub(crate) fn encode(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name}={count}"));
        let covered = self.covered.iter().map(|(name, covered)| format!("{name}={}:{}", covered.of, covered.ranges()));
        counts.chain(covered).collect::<Vec<_>>().join(";")
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let mut tally = Self::default();
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.rsplit_once('=')?;
            if let Some((of, ranges)) = value.split_once(':') {
                let mut covered = Covered { of: of.parse().ok()?, cases: BTreeSet::new() };
                for range in ranges.split(',') {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    covered.cases.extend(first.parse::<u64>().ok()?..=last.parse().ok()?);
                }
                tally.covered.insert(name.to_owned(), covered);
            } else {
                tally.counts.insert(name.to_owned(), value.parse().ok()?);
            }
        }
        Some(tally)
    }
}

impl Covered {
    /// The cases, runs of neighbours as `first-last`.
    fn ranges(&self) -> String {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for &case in &self.cases {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == case => *last = case,
                _ => ranges.push((case, case)),
            }
        }
        ranges.iter().map(|(first, last)| format!("{first}-{last}")).collect::<Vec<_>>().join(",")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, covered) in &self.covered {
            writeln!(f, "  {}/{} {name}", covered.cases.len(), covered.of)?;
        }
        self.counts.iter().try_for_each(|(name, count)| writeln!(f, "  {count} {name}"))
    }
}
