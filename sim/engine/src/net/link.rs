//! Between two nodes: is the way open, and how long does it take?

use std::collections::BTreeMap;

use crate::core::Core;
use crate::draws::{Purpose, Stream};
use crate::effects::{Effect, Effects};
use crate::physics::Physics;
use crate::trace::{Kind, mix};

/// First wait before a lost segment is sent again, as Linux has it.
pub(crate) const RTO_FIRST_NS: u64 = 200_000_000;
/// Longest wait between two tries, as Linux has it.
pub(crate) const RTO_MAX_NS: u64 = 120_000_000_000;
/// How long a sender tries before the connection fails (Linux: 15 tries, about 15 minutes).
pub(crate) const GIVE_UP_NS: u64 = 924_000_000_000;
/// Latency from a node to itself.
const LOOPBACK_NS: u64 = 15_000;

/// Ways that are cut, each with how many faults cut it (they may overlap) and whether both ways.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    cut: BTreeMap<(u32, u32), Vec<Effect>>,
}

impl Cuts {
    /// Cuts the way from one node to another. A node reaches itself always.
    pub(crate) fn cut(&mut self, from: u32, to: u32, effect: Effect) {
        if from != to {
            self.cut.entry((from, to)).or_default().push(effect);
        }
    }

    /// Takes one such cut back.
    pub(crate) fn mend(&mut self, from: u32, to: u32, effect: Effect) {
        if let Some(cuts) = self.cut.get_mut(&(from, to)) {
            if let Some(index) = cuts.iter().position(|cut| *cut == effect) {
                cuts.swap_remove(index);
            }
            if cuts.is_empty() {
                self.cut.remove(&(from, to));
            }
        }
    }

    /// Takes all back.
    pub(crate) fn clear(&mut self) {
        self.cut.clear();
    }

    /// What cuts this way, if anything.
    #[inline]
    pub(crate) fn of(&self, from: u32, to: u32) -> Option<Effect> {
        if self.cut.is_empty() { None } else { self.cut.get(&(from, to)).map(|cuts| cuts[0]) }
    }
}

impl Core {
    /// Whether something sent now from one node reaches another; counts it if not.
    pub(crate) fn passes(&mut self, from: u32, to: u32) -> bool {
        if !self.nodes[to as usize].powered {
            return false;
        }
        let Some(effect) = self.cuts.of(from, to) else { return true };
        self.effects.add(effect);
        self.record(to, 0, Kind::Blocked, u64::from(from), 0, || format!("from node {from}: the way is cut"));
        false
    }

    /// The constant part of the latency between two nodes: drawn once, the same both ways.
    pub(crate) fn pair_latency(&mut self, one: u32, other: u32) -> u64 {
        if one == other {
            return LOOPBACK_NS;
        }
        let most = self.physics.pair_latency_max_ns;
        if most == 0 {
            return 0;
        }
        let (one, other) = (self.nodes[one as usize].entity, self.nodes[other as usize].entity);
        // A third of all pairs is far apart; the others are neighbours.
        let mut stream = self.draws.stream(Purpose::Topology, mix(one.min(other), one.max(other)));
        if stream.chance(0.33) { stream.between(0, most) } else { stream.between(0, most / 20) }
    }
}

/// How long one segment takes, loss included.
pub(crate) fn segment_latency(
    physics: &Physics,
    effects: &mut Effects,
    stream: &mut Stream,
    pair: u64,
    local: bool,
) -> u64 {
    if local {
        return pair;
    }
    let mut ns = pair + physics.latency.draw(stream);
    let mut rto = RTO_FIRST_NS;
    while stream.chance(physics.loss) {
        effects.add(Effect::Loss);
        ns += rto;
        rto = (rto * 2).min(RTO_MAX_NS);
    }
    ns
}
