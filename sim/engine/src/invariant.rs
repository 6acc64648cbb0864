//! Invariants: what must be true of every run, whatever the seed.

use simurgh_runtime::observe::Event;

use crate::trace::Moment;

/// Watches a run through its telemetry events and says when something that must not happen did.
///
/// ```
/// use simurgh_sim::{Invariant, Seen};
///
/// /// No connection is counted twice.
/// #[derive(Default)]
/// struct CountIsPlausible { open: i64 }
///
/// impl Invariant for CountIsPlausible {
///     fn name(&self) -> &'static str {
///         "net.count_is_plausible"
///     }
///
///     fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
///         match seen.event.name {
///             "net.connection.start" => self.open += 1,
///             "net.connection.stop" => self.open -= 1,
///             _ => {}
///         }
///         if self.open < 0 { Err(format!("{} connections are open", self.open)) } else { Ok(()) }
///     }
/// }
/// # assert_eq!(CountIsPlausible::default().name(), "net.count_is_plausible");
/// ```
pub trait Invariant {
    /// Its name: area, dot, what holds.
    fn name(&self) -> &'static str;

    /// A telemetry event of some node. An error ends the run at this very event.
    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let _ = seen;
        Ok(())
    }

    /// A node's process has ended, by a kill or by itself; what it held in memory is gone.
    fn node_ended(&mut self, node: &str) {
        let _ = node;
    }

    /// A node's process has started, the first or one after a kill.
    fn node_started(&mut self, node: &str) {
        let _ = node;
    }

    /// Whether [`Invariant::step`] is asked after each poll.
    fn wants_steps(&self) -> bool {
        false
    }

    /// A poll has ended.
    fn step(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Whether it holds now, by what was seen so far. Asked by who runs the simulation ([`crate::Sim::ask`]): a
    /// scenario says when, if it is at one of [`Invariant::checks`].
    fn holds(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// The moments at which asking [`Invariant::holds`] makes sense, for the `check` of a scenario file: `step`, `event`,
    /// `every`, `calm`, `end`. The first is meant if a file says nothing. None, and a file that names one is refused: such
    /// an invariant judges at its own hooks alone.
    fn checks(&self) -> &'static [&'static str] {
        &[]
    }

    /// All faults are mended and the calm phase is over: what must come true in the end has had its time.
    fn calm(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// The run is over.
    fn end(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// Why it can not say whether it held, if so: a search that reached its budget. Shown and counted, never green.
    fn inconclusive(&self) -> Option<String> {
        None
    }

    /// Whether the violation that it has just found is one that the faults which are left make unavoidable: the scenario
    /// asks for what cannot be. The verdict's class is then `stuck-impossible`.
    fn is_impossible(&self) -> bool {
        false
    }

    /// What was expected and what was seen, by name, for the report of a violation; only what differs.
    fn evidence(&self) -> Vec<Evidence> {
        Vec::new()
    }
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What: a key, a node.
    pub key: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub seen: String,
}

/// An event, and where and when it happened.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The virtual time.
    pub at: Moment,
    /// The node's name.
    pub node: &'a str,
    /// The number of the task within its node.
    pub task: u64,
    /// What happened.
    pub event: &'a Event<'a>,
}
