//! The physics of one run: how its links, sockets and schedule behave, resolved from a [`Profile`]
//! and the seed before anything starts.

use crate::disk::{DiskFaults, DiskLatency};
use crate::draws::{Draws, Purpose, Stream};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

/// What a run's world may be like; each seed draws its own physics from it.
///
/// A profile is one explicit struct: probabilities are shares of 1, times are nanoseconds unless the
/// name says otherwise. [`Profile::nasty`] is the default of every simulation, [`Profile::calm`] is
/// the world without faults.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Chance that a family of faults is left out of a seed (swarm testing).
    pub omit: f64,
    /// Highest share of segments lost once (each loss delays by a retransmission).
    pub loss_max: f64,
    /// Highest latency constant that a pair of nodes draws once.
    pub pair_latency_max_ns: u64,
    /// Highest share of reads and writes that are cut short.
    pub split_max: f64,
    /// Highest share of polls in which an await that is ready is made to wait.
    pub preempt_max: f64,
    /// Whether latency varies; else every segment takes one millisecond.
    pub latency_varies: bool,
    /// If latency varies, between what it does; else its shape is drawn, too.
    pub latency_ns: Option<(u64, u64)>,
    /// The narrowest link, in bytes per second; a third of all pairs of nodes draws a width from here up
    /// to a thousand times as much. 0: no link has a limit.
    pub bandwidth_min: u64,
    /// What befalls datagrams.
    pub datagrams: Datagrams,
    /// What befalls host look-ups.
    pub lookups: Lookups,
    /// Which strategies a seed may draw.
    pub strategies: Strategies,
    /// Chance that buggify is on in a seed.
    pub buggify: f64,
    /// How wrong the wall clocks of the nodes are.
    pub clocks: Clocks,
    /// What the disks of the nodes do.
    pub disks: Disks,
    /// Faults that [`crate::Sim::chaos`] may cause.
    pub faults: Faults,
}

/// How wrong the wall clocks of a world may be. Each node draws its own; the monotonic clock is never wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// How far a clock is ahead or behind at the start, at most.
    pub skew_max_ns: u64,
    /// How many nanoseconds a clock gains or loses in a second, at most. (Real ones: 100,000.)
    pub drift_max_ppb: u64,
}

impl Clocks {
    /// All right, to the nanosecond.
    pub fn right() -> Self {
        Self { skew_max_ns: 0, drift_max_ppb: 0 }
    }
}

/// What the disks of a world may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Disks {
    /// Whether a power cut takes a part of what was not synced.
    pub lose_unsynced: bool,
    /// Highest share of reads and writes of files that are cut short.
    pub short_max: f64,
    /// Highest share of calls that fail with `EIO`, all the time. (Chaos has times in which a disk fails.)
    pub error_max: f64,
    /// Share of syncs that say yes and do nothing.
    pub lie: f64,
    /// The longest that a write or sync takes, in one of the shapes of [`DiskLatency`]; 0 for no time at all.
    pub latency_max_ns: u64,
}

impl Disks {
    /// The default: a power cut loses what was not synced, calls are cut short.
    pub fn nasty() -> Self {
        Self { lose_unsynced: true, short_max: 0.3, ..Self::calm() }
    }

    /// Disks that do as they are told, and on which nothing is ever lost.
    pub fn calm() -> Self {
        Self { lose_unsynced: false, short_max: 0.0, error_max: 0.0, lie: 0.0, latency_max_ns: 0 }
    }
}

/// What befalls datagrams, as the highest share of them; each seed draws its own below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Datagrams {
    /// Packets lost; a datagram of many is lost with any of them.
    pub loss_max: f64,
    /// Those that arrive twice.
    pub duplicate_max: f64,
    /// Those held back for up to 50 ms, so that later ones overtake them.
    pub reorder_max: f64,
    /// Those with one bit turned over.
    pub corrupt_max: f64,
    /// Pairs of nodes between which nothing longer than a packet (1,472 bytes) passes.
    pub no_fragments_max: f64,
}

/// What befalls host look-ups, as the highest share of them; each seed draws its own below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lookups {
    /// Those that fail for now.
    pub fail_max: f64,
    /// Those for which the resolver has to ask again, after 5 s.
    pub slow_max: f64,
}

/// Which faults of nodes and links may happen, as the mean time between two of a kind (0: never).
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// A process dies; its kernel resets the connections.
    pub crash_every_ns: u64,
    /// A machine loses power: silence.
    pub power_every_ns: u64,
    /// A process is stopped for a while, as by SIGSTOP.
    pub pause_every_ns: u64,
    /// Two groups of nodes cannot reach each other.
    pub partition_every_ns: u64,
    /// One direction between two nodes is cut.
    pub one_way_every_ns: u64,
    /// One connection is reset.
    pub reset_every_ns: u64,
    /// A process is out of file handles for a while.
    pub emfile_every_ns: u64,
    /// A process ends inside a file call, by a crash or a power cut. Only nodes that use their disks feel this and
    /// the next ones.
    pub crash_point_every_ns: u64,
    /// A disk is full for a while.
    pub disk_full_every_ns: u64,
    /// A disk fails half of its calls for a while.
    pub disk_error_every_ns: u64,
    /// A disk is slow for a while.
    pub disk_slow_every_ns: u64,
    /// A wall clock is set ahead or back, by up to an hour. Only for nodes that look at theirs.
    pub clock_step_every_ns: u64,
    /// One direction between two groups of nodes holds everything for a while.
    pub clog_every_ns: u64,
    /// The ways of some nodes are clogged one after the other, and released in another order.
    pub swizzle_every_ns: u64,
    /// One side of a connection is lost, and the other not told.
    pub half_open_every_ns: u64,
    /// A node's host look-ups fail for a while.
    pub lookup_every_ns: u64,
    /// How long a fault lasts, at least and at most.
    pub hold_ns: (u64, u64),
}

/// Which scheduling strategies a seed may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategies {
    /// Any task that is ready may be next, or priorities with a few changes; drawn per seed.
    Any,
    /// First come, first served.
    FifoOnly,
    /// Only uniformly random.
    RandomOnly,
    /// Only by priorities that change at a few random points (PCT).
    PctOnly,
    /// Only by partial order sampling (POS).
    PosOnly,
}

impl Profile {
    /// The default: every fault kind that the engine knows, each left out of some seeds.
    pub fn nasty() -> Self {
        Self {
            omit: 0.3,
            loss_max: 0.05,
            pair_latency_max_ns: 20 * MS,
            split_max: 0.5,
            preempt_max: 0.2,
            latency_varies: true,
            latency_ns: None,
            bandwidth_min: 256 << 10,
            datagrams: Datagrams {
                loss_max: 0.1,
                duplicate_max: 0.1,
                reorder_max: 0.2,
                corrupt_max: 0.02,
                no_fragments_max: 0.3,
            },
            lookups: Lookups { fail_max: 0.1, slow_max: 0.1 },
            strategies: Strategies::Any,
            buggify: 0.5,
            clocks: Clocks { skew_max_ns: 200 * MS, drift_max_ppb: 100_000 },
            disks: Disks::nasty(),
            faults: Faults {
                crash_every_ns: 4_000 * MS,
                power_every_ns: 6_000 * MS,
                pause_every_ns: 5_000 * MS,
                partition_every_ns: 4_000 * MS,
                one_way_every_ns: 5_000 * MS,
                reset_every_ns: 300 * MS,
                emfile_every_ns: 3_000 * MS,
                crash_point_every_ns: 3_000 * MS,
                disk_full_every_ns: 5_000 * MS,
                disk_error_every_ns: 5_000 * MS,
                disk_slow_every_ns: 4_000 * MS,
                clock_step_every_ns: 4_000 * MS,
                clog_every_ns: 5_000 * MS,
                swizzle_every_ns: 8_000 * MS,
                half_open_every_ns: 3_000 * MS,
                lookup_every_ns: 6_000 * MS,
                hold_ns: (50 * MS, 2_000 * MS),
            },
        }
    }

    /// No faults: fixed latency, whole reads and writes, first come first served, unlimited handles.
    pub fn calm() -> Self {
        Self {
            omit: 0.0,
            loss_max: 0.0,
            pair_latency_max_ns: 0,
            split_max: 0.0,
            preempt_max: 0.0,
            latency_varies: false,
            latency_ns: None,
            bandwidth_min: 0,
            datagrams: Datagrams {
                loss_max: 0.0,
                duplicate_max: 0.0,
                reorder_max: 0.0,
                corrupt_max: 0.0,
                no_fragments_max: 0.0,
            },
            lookups: Lookups { fail_max: 0.0, slow_max: 0.0 },
            strategies: Strategies::FifoOnly,
            buggify: 0.0,
            clocks: Clocks::right(),
            disks: Disks::calm(),
            faults: Faults::none(),
        }
    }

    /// The same without node faults, partitions and resets: for code that is not meant to survive them.
    pub fn without_faults(mut self) -> Self {
        self.faults = Faults::none();
        self
    }
}

impl Faults {
    /// None at all.
    pub fn none() -> Self {
        Self {
            crash_every_ns: 0,
            power_every_ns: 0,
            pause_every_ns: 0,
            partition_every_ns: 0,
            one_way_every_ns: 0,
            reset_every_ns: 0,
            emfile_every_ns: 0,
            crash_point_every_ns: 0,
            disk_full_every_ns: 0,
            disk_error_every_ns: 0,
            disk_slow_every_ns: 0,
            clock_step_every_ns: 0,
            clog_every_ns: 0,
            swizzle_every_ns: 0,
            half_open_every_ns: 0,
            lookup_every_ns: 0,
            hold_ns: (50 * MS, 2_000 * MS),
        }
    }
}

/// What a seed drew from its profile, or what a run is given outright ([`crate::RunConfig::physics`]): the shares are
/// what they are, no longer the highest.
#[derive(Debug, Clone, PartialEq)]
pub struct Physics {
    /// How long a segment takes.
    pub latency: Latency,
    /// Share of segments lost once.
    pub loss: f64,
    /// Highest latency constant that a pair of nodes draws once.
    pub pair_latency_max_ns: u64,
    /// The narrowest link, in bytes per second; 0: none has a limit.
    pub bandwidth_min: u64,
    /// What befalls datagrams: the shares themselves.
    pub datagrams: Datagrams,
    /// What befalls host look-ups: the shares themselves.
    pub lookups: Lookups,
    /// Share of reads and writes that are cut short.
    pub split: f64,
    /// Share of polls in which an await that is ready is made to wait.
    pub preempt: f64,
    /// Whether buggify is on.
    pub buggify: bool,
    /// Chance that a buggify site is on in this run, and that it then fires.
    pub buggify_site: (f64, f64),
    /// How wrong the wall clocks are.
    pub clocks: Clocks,
    /// How the disks behave.
    pub disk: DiskPhysics,
    /// What [`crate::Sim::chaos`] does.
    pub faults: Faults,
    /// The strategy.
    pub schedule: Schedule,
}

/// How the disks of a run behave unless a test says otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct DiskPhysics {
    /// Whether a power cut takes a part of what was not synced.
    pub loses_unsynced: bool,
    /// How calls fare.
    pub faults: DiskFaults,
}

/// The scheduling strategy of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// First come, first served.
    Fifo,
    /// Any task that is ready.
    Random,
    /// Priorities, with `depth - 1` changes among the first `length` polls.
    Pct {
        /// Changes, and one.
        depth: u32,
        /// Polls among which they lie.
        length: u64,
    },
    /// A random priority for each wake, drawn again for those whom the last poll may concern.
    Pos,
    /// First come first served, but for the decisions given.
    Replay,
}

/// How long a segment takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always this, in nanoseconds.
    Fixed(u64),
    /// Between the two.
    Uniform(u64, u64),
    /// A least time and a mean on top.
    Exponential(u64, u64),
    /// Mostly up to the first, sometimes (share of 1) up to the second.
    Bimodal(u64, u64, f64),
}

impl Latency {
    /// One segment's time.
    pub(crate) fn draw(self, stream: &mut Stream) -> u64 {
        match self {
            Latency::Fixed(ns) => ns,
            Latency::Uniform(low, high) => stream.between(low, high),
            Latency::Exponential(least, mean) => {
                // Cut at ten means: a tail without end would only slow the run down.
                let factor = -(1.0 - stream.unit()).ln();
                least + (mean as f64 * factor.min(10.0)) as u64
            }
            Latency::Bimodal(fast, slow, share) => {
                let most = if stream.chance(share) { slow } else { fast };
                stream.between(most / 4, most)
            }
        }
    }
}

impl Physics {
    /// Resolves `profile` for a seed.
    pub fn draw(profile: &Profile, draws: Draws) -> Self {
        // One entity per family: to leave one out moves no other.
        let family = |number| draws.stream(Purpose::Topology, number);
        let on = |number| !family(number).chance(profile.omit);
        let share = |number, most: f64| if on(number) { most * family(100 + number).unit() } else { 0.0 };
        let faults = &profile.faults;
        let every = |number, mean: u64| if on(number) { mean } else { 0 };
        Self {
            latency: match profile.latency_ns {
                _ if !profile.latency_varies => Latency::Fixed(MS),
                Some((low, high)) => Latency::Uniform(low, high),
                None => draw_latency(&mut family(1)),
            },
            loss: share(2, profile.loss_max),
            pair_latency_max_ns: if on(3) { profile.pair_latency_max_ns } else { 0 },
            bandwidth_min: if on(20) { profile.bandwidth_min } else { 0 },
            datagrams: Datagrams {
                loss_max: share(21, profile.datagrams.loss_max),
                duplicate_max: share(22, profile.datagrams.duplicate_max),
                reorder_max: share(23, profile.datagrams.reorder_max),
                corrupt_max: share(24, profile.datagrams.corrupt_max),
                no_fragments_max: share(25, profile.datagrams.no_fragments_max),
            },
            lookups: Lookups {
                fail_max: share(26, profile.lookups.fail_max),
                slow_max: share(27, profile.lookups.slow_max),
            },
            split: share(4, profile.split_max),
            preempt: share(5, profile.preempt_max),
            buggify: family(6).chance(profile.buggify),
            buggify_site: (0.25, 0.25),
            clocks: if on(51) { profile.clocks } else { Clocks::right() },
            disk: DiskPhysics {
                loses_unsynced: profile.disks.lose_unsynced && on(40),
                faults: DiskFaults {
                    short: share(41, profile.disks.short_max),
                    read_error: share(42, profile.disks.error_max),
                    write_error: share(43, profile.disks.error_max),
                    sync_error: share(44, profile.disks.error_max),
                    lie: profile.disks.lie,
                    latency: DiskLatency::shape(
                        if on(45) { profile.disks.latency_max_ns } else { 0 },
                        family(145).chance(0.5),
                    ),
                },
            },
            schedule: draw_schedule(profile.strategies, &mut family(7)),
            faults: Faults {
                crash_every_ns: every(10, faults.crash_every_ns),
                power_every_ns: every(11, faults.power_every_ns),
                pause_every_ns: every(12, faults.pause_every_ns),
                partition_every_ns: every(13, faults.partition_every_ns),
                one_way_every_ns: every(14, faults.one_way_every_ns),
                reset_every_ns: every(15, faults.reset_every_ns),
                emfile_every_ns: every(16, faults.emfile_every_ns),
                crash_point_every_ns: every(46, faults.crash_point_every_ns),
                disk_full_every_ns: every(47, faults.disk_full_every_ns),
                disk_error_every_ns: every(48, faults.disk_error_every_ns),
                disk_slow_every_ns: every(49, faults.disk_slow_every_ns),
                clock_step_every_ns: every(50, faults.clock_step_every_ns),
                clog_every_ns: every(30, faults.clog_every_ns),
                swizzle_every_ns: every(31, faults.swizzle_every_ns),
                half_open_every_ns: every(32, faults.half_open_every_ns),
                lookup_every_ns: every(33, faults.lookup_every_ns),
                hold_ns: faults.hold_ns,
            },
        }
    }
}

fn draw_latency(stream: &mut Stream) -> Latency {
    match stream.below(4) {
        0 => Latency::Fixed(stream.between(50 * US, 2 * MS)),
        1 => Latency::Uniform(100 * US, stream.between(MS, 10 * MS)),
        2 => Latency::Exponential(100 * US, stream.between(200 * US, 5 * MS)),
        _ => Latency::Bimodal(2 * MS, 200 * MS, 0.01),
    }
}

fn draw_schedule(strategies: Strategies, stream: &mut Stream) -> Schedule {
    let pct = |stream: &mut Stream| Schedule::Pct {
        depth: stream.between(1, 4) as u32,
        // The length of a run is not known beforehand: its order of magnitude is drawn.
        length: 1 << stream.between(7, 15),
    };
    match strategies {
        Strategies::FifoOnly => Schedule::Fifo,
        Strategies::PctOnly => pct(stream),
        Strategies::PosOnly => Schedule::Pos,
        Strategies::Any if stream.chance(0.3) => pct(stream),
        Strategies::Any | Strategies::RandomOnly => Schedule::Random,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_a_family_out_moves_no_other() {
        for seed in 0..50 {
            let draws = Draws::new(seed);
            let with = Physics::draw(&Profile::nasty(), draws);
            let without = Physics::draw(&Profile { loss_max: 0.0, ..Profile::nasty() }, draws);
            assert_eq!(with.latency, without.latency);
            assert_eq!(with.split.to_bits(), without.split.to_bits());
            assert_eq!(with.faults, without.faults);
            assert_eq!(with.schedule, without.schedule);
        }
    }

    #[test]
    fn calm_is_calm() {
        let calm = Physics::draw(&Profile::calm(), Draws::new(3));
        assert_eq!(calm.latency, Latency::Fixed(MS));
        assert!(calm.loss == 0.0 && calm.split == 0.0 && calm.preempt == 0.0 && !calm.buggify);
        assert_eq!(calm.clocks, Clocks::right());
        assert_eq!(calm.disk, DiskPhysics { loses_unsynced: false, faults: DiskFaults::none() });
        assert_eq!((calm.faults, calm.schedule), (Faults::none(), Schedule::Fifo));
    }
}
