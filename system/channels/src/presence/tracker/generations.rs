//! Recent changes, kept so that who missed a few need not get everything.

use super::super::{Part, ReplicaId};

/// Deltas of growing size: each holds the latest changes, without a gap, as far back as its size allows.
pub(super) struct Generations {
    levels: Vec<Level>,
}

struct Level {
    size_max: u64,
    parts: Vec<Part>,
}

impl Level {
    fn size(&self) -> u64 {
        self.parts.iter().fold(0, |size, part| size.saturating_add(part.size()))
    }

    fn take_in(&mut self, new: &Part) {
        let Some(part) = self.parts.iter_mut().find(|part| part.replica == new.replica) else {
            self.parts.push(new.clone());
            return;
        };
        // After a gap, what was before it does not help anybody who needs what comes after.
        if !part.merge(new) && part.end <= new.start {
            *part = new.clone();
        }
    }
}

impl Generations {
    pub(super) fn new(sizes: &[usize]) -> Self {
        let levels = sizes.iter().map(|size| Level { size_max: *size as u64, parts: Vec::new() });
        Self { levels: levels.collect() }
    }

    /// Adds changes. A level that would be too large goes on with what the next smaller one holds.
    pub(super) fn push(&mut self, new: &Part) {
        for at in 0..self.levels.len() {
            if new.size() > self.levels[at].size_max {
                self.levels[at].parts.retain(|part| part.replica != new.replica);
                continue;
            }
            self.levels[at].take_in(new);
            if self.levels[at].size() > self.levels[at].size_max {
                self.levels[at].parts = match at {
                    0 => vec![new.clone()],
                    _ => self.levels[at - 1].parts.clone(),
                };
            }
        }
    }

    /// The smallest level that brings somebody further with each replica that it lacks: `lacks` are the replicas with
    /// the clocks up to which it has seen them.
    pub(super) fn covering(&self, lacks: &[(&ReplicaId, u64)]) -> Option<Vec<Part>> {
        let covers = |level: &&Level| {
            lacks.iter().all(|(replica, seen)| {
                let part = level.parts.iter().find(|part| part.replica == **replica);
                part.is_some_and(|part| part.start <= *seen && *seen < part.end)
            })
        };
        let level = self.levels.iter().find(covers)?;
        let asked = |part: &&Part| lacks.iter().any(|(replica, _)| part.replica == **replica);
        Some(level.parts.iter().filter(asked).cloned().collect())
    }

    /// Forgets a replica.
    pub(super) fn forget(&mut self, replica: &ReplicaId) {
        self.levels.iter_mut().for_each(|level| level.parts.retain(|part| part.replica != *replica));
    }

    /// Forgets everything: something is known now that did not come as changes.
    pub(super) fn clear(&mut self) {
        self.levels.iter_mut().for_each(|level| level.parts.clear());
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Dots, Version};
    use super::*;

    fn part(name: &str, start: u64, end: u64) -> Part {
        let replica = ReplicaId::new(name, Version { started_us: 1, unique: 1 });
        let dots: Dots = [start + 1..=end].into_iter().collect();
        Part { end, dots, ..Part::since(replica, start) }
    }

    fn check(pushed: &[(&str, u64, u64)], lacks: &[(&str, u64)], expected: Option<&[(&str, u64, u64)]>) {
        let mut generations = Generations::new(&[10, 100]);
        for (name, start, end) in pushed {
            generations.push(&part(name, *start, *end));
        }
        let replicas: Vec<ReplicaId> = lacks.iter().map(|(name, _)| part(name, 0, 0).replica).collect();
        let lacks: Vec<_> = replicas.iter().zip(lacks).map(|(replica, (_, seen))| (replica, *seen)).collect();
        let parts = generations.covering(&lacks);
        let parts: Option<Vec<_>> = parts
            .as_ref()
            .map(|parts| parts.iter().map(|part| (&**part.replica.name(), part.start, part.end)).collect());
        assert_eq!(parts.as_deref(), expected, "{pushed:?} {lacks:?}");
    }

    #[test]
    fn the_smallest_that_covers_is_given() {
        check(&[("a", 0, 5)], &[("a", 0)], Some(&[("a", 0, 5)]));
        check(&[("a", 3, 5)], &[("a", 2)], None);
        check(&[("a", 0, 5)], &[("a", 5)], None);
        check(&[("a", 0, 5), ("a", 5, 9)], &[("a", 1)], Some(&[("a", 0, 9)]));
        check(&[("a", 0, 5), ("a", 6, 9)], &[("a", 1)], None);
        check(&[("a", 0, 5), ("a", 6, 9)], &[("a", 7)], Some(&[("a", 6, 9)]));
        check(&[("a", 6, 9), ("a", 0, 5)], &[("a", 7)], Some(&[("a", 6, 9)]));
        check(&[("a", 0, 5), ("b", 0, 3)], &[("a", 1)], Some(&[("a", 0, 5)]));
        check(&[("a", 0, 5), ("b", 0, 3)], &[("a", 1), ("b", 3)], None);
        check(&[("a", 0, 5), ("b", 0, 3)], &[("a", 1), ("b", 2)], Some(&[("a", 0, 5), ("b", 0, 3)]));
    }

    #[test]
    fn a_level_that_is_full_starts_over_with_what_the_smaller_one_holds() {
        let steps: Vec<_> = (0..30).map(|at| ("a", at * 4, at * 4 + 4)).collect();
        check(&steps, &[("a", 117)], Some(&[("a", 112, 120)]));
        check(&steps, &[("a", 90)], None);
        check(&[("a", 0, 5), ("a", 5, 30)], &[("a", 7)], Some(&[("a", 0, 30)]));
        check(&[("a", 0, 5), ("a", 5, 300), ("a", 300, 301)], &[("a", 7)], None);
        check(&steps[..20], &[("a", 10)], Some(&[("a", 0, 80)]));
    }
}
