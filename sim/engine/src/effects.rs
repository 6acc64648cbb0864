//! What the faults of a run did: a fault that had no effect tested nothing.

/// One kind of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // `Effect::ALL` says what each counts
pub enum Effect {
    Crash,
    Power,
    Pause,
    Partition,
    OneWay,
    Loss,
    Reset,
    Emfile,
    SplitRead,
    SplitWrite,
    Preempt,
    Reorder,
    Buggify,
    DeadCall,
    Foreign,
    Wipe,
    CrashPoint,
    Unsynced,
    Undone,
    ShortRead,
    ShortWrite,
    DiskFull,
    DiskSlow,
    DiskError,
    DiskLie,
    ClockOff,
    ClockStep,
    Clog,
    Swizzle,
    HalfOpen,
    SlowPair,
    Bandwidth,
    QueueFull,
    ConnectTimeout,
    GiveUp,
    UdpLoss,
    UdpDuplicate,
    UdpReorder,
    UdpCorrupt,
    UdpMtu,
    UdpOverflow,
    UdpRefused,
    LookupFailed,
    LookupSlow,
}

impl Effect {
    /// Every kind: itself, its name, and what one count of it means.
    pub const ALL: &[(Effect, &'static str, &'static str)] = &[
        (Effect::Crash, "kill.crash", "connections reset by a process that died"),
        (Effect::Power, "kill.power", "connections that fell silent with their machine"),
        (Effect::Pause, "pause", "polls that waited for a stopped process"),
        (Effect::Partition, "partition", "segments and requests swallowed by a cut both ways"),
        (Effect::OneWay, "partition.one_way", "segments and requests swallowed by a cut one way"),
        (Effect::Loss, "loss", "segments lost once and sent again"),
        (Effect::Reset, "reset", "connections reset from outside"),
        (Effect::Emfile, "emfile", "calls refused for want of a file handle"),
        (Effect::SplitRead, "split.read", "reads that returned less than there was"),
        (Effect::SplitWrite, "split.write", "writes that took less than there was room for"),
        (Effect::Preempt, "preempt", "polls that an await which was ready ended early"),
        (Effect::Reorder, "reorder", "polls out of the order of arrival"),
        (Effect::Buggify, "buggify", "buggify sites that fired"),
        (Effect::DeadCall, "dead_call", "calls by Drop code of a dead node, without effect"),
        (Effect::Foreign, "foreign", "wakes by tasks and timers that the simulator does not own"),
        (Effect::Wipe, "kill.wipe", "files gone with their machine"),
        (Effect::CrashPoint, "crash_point", "processes that ended inside a file call"),
        (Effect::Unsynced, "disk.unsynced", "sectors and lengths that were not synced, and are lost"),
        (Effect::Undone, "disk.undone", "changes of directories that were not synced, and are undone"),
        (Effect::ShortRead, "disk.short_read", "reads of files that returned less than there was"),
        (Effect::ShortWrite, "disk.short_write", "writes of files that took less than was asked"),
        (Effect::DiskFull, "disk.full", "writes refused for want of room"),
        (Effect::DiskSlow, "disk.slow", "calls that took a drawn time"),
        (Effect::DiskError, "disk.error", "calls that failed as on a broken disk"),
        (Effect::DiskLie, "disk.lie", "syncs that said yes and did nothing"),
        (Effect::ClockOff, "clock.off", "looks at a wall clock that was off by 1 ms or more"),
        (Effect::ClockStep, "clock.step", "looks at a wall clock that had been set"),
        (Effect::Clog, "clog", "segments, requests and datagrams held back by a clogged way"),
        (Effect::Swizzle, "swizzle", "the same, by a way that was clogged in a swizzle"),
        (Effect::HalfOpen, "half_open", "connections that one side lost without the other being told"),
        (Effect::SlowPair, "slow_pair", "connections and datagrams between nodes that are far apart"),
        (Effect::Bandwidth, "bandwidth", "segments and datagrams that waited behind others for a narrow link"),
        (Effect::QueueFull, "bandwidth.drop", "segments and datagrams for which a narrow link's queue had no room"),
        (Effect::ConnectTimeout, "connect.timeout", "connection requests that nobody answered in time"),
        (Effect::GiveUp, "give_up", "connections that ended because nobody acknowledged for too long"),
        (Effect::UdpLoss, "udp.loss", "datagrams lost"),
        (Effect::UdpDuplicate, "udp.duplicate", "datagrams that arrived twice"),
        (Effect::UdpReorder, "udp.reorder", "datagrams that arrived after one that was sent later"),
        (Effect::UdpCorrupt, "udp.corrupt", "datagrams in which one bit was turned over"),
        (Effect::UdpMtu, "udp.mtu", "datagrams too long for a way that passes no fragments"),
        (Effect::UdpOverflow, "udp.overflow", "datagrams for which a full queue had no room"),
        (Effect::UdpRefused, "udp.refused", "sends that met a port that nobody had open, and were told"),
        (Effect::LookupFailed, "lookup.failed", "host look-ups that the resolver could not answer"),
        (Effect::LookupSlow, "lookup.slow", "host look-ups that took the resolver another try"),
    ];
}

/// How often each effect was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    counts: [u64; Effect::ALL.len()],
}

impl Default for Effects {
    fn default() -> Self {
        Self { counts: [0; Effect::ALL.len()] }
    }
}

impl Effects {
    /// Counts one.
    #[inline]
    pub(crate) fn add(&mut self, effect: Effect) {
        self.counts[effect as usize] += 1;
    }

    /// Counts many.
    pub(crate) fn add_many(&mut self, effect: Effect, count: u64) {
        self.counts[effect as usize] += count;
    }

    /// How often `effect` was seen.
    pub fn of(&self, effect: Effect) -> u64 {
        self.counts[effect as usize]
    }

    /// Adds those of another run.
    pub fn merge(&mut self, other: &Effects) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }

    /// The counts in the order of [`Effect::ALL`], as one word.
    pub(crate) fn encode(&self) -> String {
        self.counts.map(|count| count.to_string()).join(",")
    }

    /// The opposite of [`Effects::encode`].
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let counts: Vec<u64> = text.split(',').map(|count| count.parse().ok()).collect::<Option<_>>()?;
        Some(Self { counts: counts.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_stand_at_their_place_and_survive_the_wire() {
        let mut effects = Effects::default();
        for (index, &(effect, name, _)) in Effect::ALL.iter().enumerate() {
            assert_eq!(effect as usize, index, "{name}");
            (0..=index).for_each(|_| effects.add(effect));
        }
        assert_eq!(Effects::decode(&effects.encode()), Some(effects));
        assert_eq!(Effects::decode("1,2"), None);
    }
}
