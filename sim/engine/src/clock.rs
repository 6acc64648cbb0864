//! The wall clock of a node: off by some, too fast or too slow, and set by somebody now and then.
//!
//! Only the wall clock ([`Timestamp`](simurgh_runtime::Timestamp), `SystemTime`) can be wrong. The monotonic one, and
//! every timer, is virtual time: it never goes back and is the same on all nodes. The world's own node, which runs the
//! test's body, has the right time.
//!
//! ```text
//!   wall = 2026-01-01 + virtual time + skew + drift × (virtual time since it was last set) + steps
//! ```

use crate::core::{Core, WORLD, current};
use crate::draws::Stream;
use crate::effects::Effect;
use crate::engine::{engine, now};
use crate::trace::Kind;
use crate::world::EPOCH_NS;

/// From which error on a look at a clock counts as an effect.
const OFF_NS: u64 = 1_000_000;

/// One node's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WallClock {
    /// How far it was ahead when it was set last (behind, if negative).
    offset_ns: i64,
    set_at: u64,
    /// How much it gains in 10^9 nanoseconds.
    drift_ppb: i64,
    /// It was stepped, and nobody has looked at it since.
    is_stepped: bool,
    pub(crate) is_used: bool,
}

impl WallClock {
    /// A clock that is off and drifts by as much as these at most.
    pub(crate) fn draw(skew_max_ns: u64, drift_max_ppb: u64, stream: &mut Stream) -> Self {
        let mut either = |most: u64| if most == 0 { 0 } else { stream.between(0, 2 * most) as i64 - most as i64 };
        Self { offset_ns: either(skew_max_ns), drift_ppb: either(drift_max_ppb), ..Self::default() }
    }

    /// How far it is ahead at a moment of virtual time.
    pub(crate) fn error_ns(&self, now: u64) -> i64 {
        let since = i128::from(now.saturating_sub(self.set_at));
        self.offset_ns.saturating_add((since * i128::from(self.drift_ppb) / 1_000_000_000) as i64)
    }

    fn set_drift(&mut self, now: u64, drift_ppb: i64) {
        (self.offset_ns, self.set_at, self.drift_ppb) = (self.error_ns(now), now, drift_ppb);
    }

    fn step(&mut self, by_ns: i64) {
        self.offset_ns = self.offset_ns.saturating_add(by_ns);
        self.is_stepped = true;
    }
}

/// The wall clock of the node that runs, in nanoseconds since 1970; what a clock shows is never before that.
pub(crate) fn wall_ns() -> u64 {
    let (now, right) = (now(), EPOCH_NS + now());
    let (node, _) = current();
    // While the world itself is at work, nobody's clock is looked at.
    let Some(engine) = engine().filter(|_| node != WORLD) else { return right };
    let Ok(mut core) = engine.core.try_borrow_mut() else { return right };
    let Some(state) = core.nodes.get_mut(node as usize) else { return right };
    let clock = &mut state.clock;
    clock.is_used = true;
    let error = clock.error_ns(now);
    let is_stepped = std::mem::take(&mut clock.is_stepped);
    if error.unsigned_abs() >= OFF_NS {
        core.effects.add(Effect::ClockOff);
    }
    if is_stepped {
        core.effects.add(Effect::ClockStep);
    }
    right.saturating_add_signed(error)
}

impl Core {
    /// Sets a node's wall clock ahead, or back if negative.
    pub(crate) fn step_clock(&mut self, node: u32, by_ns: i64) {
        self.nodes[node as usize].clock.step(by_ns);
        self.record(node, 0, Kind::Fault, by_ns.cast_unsigned(), 7, || {
            format!("its wall clock is set by {} ms", by_ns / 1_000_000)
        });
    }

    /// Makes a node's wall clock gain so much in 10^9 nanoseconds from now on.
    pub(crate) fn drift_clock(&mut self, node: u32, drift_ppb: i64) {
        let now = self.now;
        self.nodes[node as usize].clock.set_drift(now, drift_ppb);
        self.record(node, 0, Kind::Fault, drift_ppb.cast_unsigned(), 8, || {
            format!("its wall clock gains {drift_ppb} ns a second")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draws::{Draws, Purpose};

    #[test]
    fn a_clock_is_off_drifts_and_is_stepped() {
        let mut clock = WallClock { offset_ns: 5, drift_ppb: 1_000_000, ..WallClock::default() };
        assert_eq!(clock.error_ns(2_000), 7);
        clock.set_drift(2_000, -1_000_000);
        assert_eq!((clock.error_ns(2_000), clock.error_ns(5_000)), (7, 4));
        clock.step(-1_000);
        assert_eq!(clock.error_ns(5_000), -996);
        assert!(clock.is_stepped);
    }

    #[test]
    fn what_is_drawn_has_bounds_and_both_signs() {
        let draw = |seed| WallClock::draw(1_000, 10, &mut Draws::new(seed).stream(Purpose::Clock, 1));
        let clocks: Vec<WallClock> = (0..100).map(draw).collect();
        assert!(clocks.iter().all(|clock| clock.offset_ns.abs() <= 1_000 && clock.drift_ppb.abs() <= 10));
        assert!(clocks.iter().any(|clock| clock.offset_ns < 0) && clocks.iter().any(|clock| clock.offset_ns > 0));
        let right = WallClock::draw(0, 0, &mut Draws::new(1).stream(Purpose::Clock, 1));
        assert_eq!(right.error_ns(u64::MAX / 2), 0);
    }
}
