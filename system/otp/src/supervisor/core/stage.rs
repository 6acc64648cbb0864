//! Which children something is to be done about.

use std::collections::BTreeSet;

use super::message::ChildKey;

/// What is to be done with a child next, or is awaited of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is as it should be: ready, or down for good.
    Settled,
    ToStart,
    Waiting,
    Starting,
    ToStop,
    Stopping,
}

/// The children that are not settled, by stage: what a step looks at, so that others cost it nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Unsettled {
    pub(super) to_start: BTreeSet<ChildKey>,
    pub(super) waiting: BTreeSet<ChildKey>,
    pub(super) starting: BTreeSet<ChildKey>,
    pub(super) to_stop: BTreeSet<ChildKey>,
    pub(super) stopping: BTreeSet<ChildKey>,
}

impl Unsettled {
    pub(super) fn is_empty(&self) -> bool {
        let Self { to_start, waiting, starting, to_stop, stopping } = self;
        [to_start, waiting, starting, to_stop, stopping].iter().all(|stage| stage.is_empty())
    }

    /// Passes a child on from one stage to another.
    pub(super) fn pass(&mut self, key: ChildKey, from: Stage, to: Stage) {
        if from != to {
            self.stage(from).map(|stage| stage.remove(&key));
            self.stage(to).map(|stage| stage.insert(key));
        }
    }

    fn stage(&mut self, stage: Stage) -> Option<&mut BTreeSet<ChildKey>> {
        match stage {
            Stage::Settled => None,
            Stage::ToStart => Some(&mut self.to_start),
            Stage::Waiting => Some(&mut self.waiting),
            Stage::Starting => Some(&mut self.starting),
            Stage::ToStop => Some(&mut self.to_stop),
            Stage::Stopping => Some(&mut self.stopping),
        }
    }
}
