//! Between two nodes: is the way open, how wide is it, and how long does it take?

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

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
/// Bytes that may wait for a narrow link, as a small router has it; what comes then is dropped.
const LINK_QUEUE: u64 = 256 * 1024;
/// What travels besides the payload, in each packet, and how much payload a packet takes.
const HEADERS: u64 = 40;
const PACKET: u64 = 1_460;
/// A narrow link is up to this many times wider than the narrowest.
const WIDEST: f64 = 1_000.0;

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

/// What two nodes drew for the way between them, once and for both directions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    /// The constant part of the latency.
    pub(crate) latency: u64,
    /// They are far apart.
    pub(crate) far: bool,
    /// The way passes no fragments: what is longer than a packet disappears.
    pub(crate) no_fragments: bool,
    /// Bytes per second, 0 for no limit.
    rate: u64,
}

/// The pairs that have met, and until when their narrow links are taken.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pairs: ByWay<Pair>,
    busy_until: ByWay<u64>,
    /// Some pair has a limit.
    narrow: bool,
}

impl Links {
    /// When something of `len` bytes that is sent now has left the link, or None if the queue is full.
    #[inline]
    pub(crate) fn pass(&mut self, now: u64, from: u32, to: u32, len: usize, effects: &mut Effects) -> Option<u64> {
        if self.narrow { self.queue(now, from, to, len as u64, effects) } else { Some(now) }
    }

    fn queue(&mut self, now: u64, from: u32, to: u32, len: u64, effects: &mut Effects) -> Option<u64> {
        let Some(&Pair { rate: rate @ 1.., .. }) = self.pairs.get(&pair_of(from, to)) else { return Some(now) };
        let busy_until = self.busy_until.entry(key(from, to)).or_default();
        let time = |bytes: u64| (u128::from(bytes) * 1_000_000_000 / u128::from(rate)) as u64;
        let waits = busy_until.saturating_sub(now);
        if waits > time(LINK_QUEUE) {
            effects.add(Effect::QueueFull);
            return None;
        }
        if waits > 0 {
            effects.add(Effect::Bandwidth);
        }
        *busy_until = now + waits + time(len + HEADERS * len.div_ceil(PACKET).max(1));
        Some(*busy_until)
    }

    /// As [`Links::pass`], for what is sent again until the queue has room.
    #[inline]
    pub(crate) fn pass_at_last(&mut self, now: u64, from: u32, to: u32, len: usize, effects: &mut Effects) -> u64 {
        let (mut at, mut rto) = (now, RTO_FIRST_NS);
        loop {
            if let Some(left) = self.pass(at, from, to, len, effects) {
                return left;
            }
            at += rto;
            rto = (rto * 2).min(RTO_MAX_NS);
        }
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
        self.record_with(to, Kind::Blocked, (u64::from(from), 0), from, |from| format!("from {from}: the way is cut"));
        false
    }

    /// What lies between two nodes: drawn when they first meet, the same both ways.
    pub(crate) fn pair(&mut self, one: u32, other: u32) -> Pair {
        if one == other {
            return Pair { latency: LOOPBACK_NS, far: false, no_fragments: false, rate: 0 };
        }
        let key = pair_of(one, other);
        if let Some(pair) = self.links.pairs.get(&key) {
            return *pair;
        }
        let pair = self.draw_pair(one, other);
        self.links.narrow |= pair.rate > 0;
        self.links.pairs.insert(key, pair);
        pair
    }

    fn draw_pair(&self, one: u32, other: u32) -> Pair {
        let (one, other) = (self.nodes[one as usize].entity, self.nodes[other as usize].entity);
        let entity = mix(one.min(other), one.max(other));
        let most = self.physics.pair_latency_max_ns;
        let mut pair = Pair { latency: 0, far: false, no_fragments: false, rate: 0 };
        if most > 0 {
            // A third of all pairs is far apart; the others are neighbours.
            let mut stream = self.draws.stream(Purpose::Topology, entity);
            pair.far = stream.chance(0.33);
            pair.latency = if pair.far { stream.between(0, most) } else { stream.between(0, most / 20) };
        }
        let narrowest = self.physics.bandwidth_min;
        if narrowest > 0 {
            // A third is narrow, and there each order of magnitude is as likely as another.
            let mut stream = self.draws.stream(Purpose::Topology, mix(entity, 2));
            if stream.chance(0.33) {
                pair.rate = (narrowest as f64 * WIDEST.powf(stream.unit())) as u64;
            }
        }
        let datagrams = self.physics.datagrams.no_fragments_max;
        if datagrams > 0.0 {
            pair.no_fragments = self.draws.stream(Purpose::Topology, mix(entity, 3)).chance(datagrams);
        }
        pair
    }

    /// Gives the way between two nodes a width of its own, in bytes per second; 0 is no limit.
    pub(crate) fn set_bandwidth(&mut self, one: u32, other: u32, rate: u64) {
        if one != other {
            let pair = self.pair(one, other);
            self.links.pairs.insert(pair_of(one, other), Pair { rate, ..pair });
            self.links.narrow |= rate > 0;
            self.record_with(one, Kind::Fault, (u64::from(other), rate), other, |other| {
                format!("the way to {other} is {rate} bytes per second wide")
            });
        }
    }
}

/// How long one segment takes, loss included; None if each try is lost until the sender gives up.
/// `rto` is the wait before the first repetition, `most` how long the sender tries.
pub(crate) fn segment_latency(
    physics: &Physics,
    effects: &mut Effects,
    stream: &mut Stream,
    pair: u64,
    local: bool,
    (mut rto, most): (u64, u64),
) -> Option<u64> {
    if local {
        return Some(pair);
    }
    let mut ns = pair + physics.latency.draw(stream);
    let mut waited = 0;
    while stream.chance(physics.loss) {
        effects.add(Effect::Loss);
        waited += rto;
        if waited >= most {
            return None;
        }
        rto = (rto * 2).min(RTO_MAX_NS);
    }
    ns += waited;
    Some(ns)
}

type ByWay<T> = HashMap<u64, T, BuildHasherDefault<Mixed>>;

fn key(from: u32, to: u32) -> u64 {
    u64::from(from) << 32 | u64::from(to)
}

fn pair_of(one: u32, other: u32) -> u64 {
    key(one.min(other), one.max(other))
}

/// A hash without a secret: the keys are ours, and their order is never asked for.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, crate::trace::digest(bytes));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = mix(self.0, value);
    }
}
