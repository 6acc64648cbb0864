//! What clients asked and what they were told, and whether one object could have answered so.
//!
//! ```text
//!   client 1   |-- write 1 --|            |- read: 2 -|
//!   client 2          |---- write 2 ----|                    each operation takes effect at one moment
//!   client 3   |------------ read: 1 ---------| ...          between its two ends, or not at all if it failed
//! ```
//!
//! An operation is invoked, and ends in one of three ways: it is done (`ok`), it certainly did nothing (`fail`), or
//! nobody knows (`info`). What nobody knows, and what never ended, stays open: it may take effect at any moment from its
//! invocation to the end of the run, or never.

mod linearizable;
mod model;
mod search;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Display;

use simurgh_sim::Moment;

pub use linearizable::{HISTORY_BUDGET, HistoryLinearizable};
pub use model::{Asked, Model, Register, Told};
pub use search::{Judgement, Misfit, judge};

/// A moment of a run: the virtual time, and the number that orders what happens at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The virtual time.
    pub at: Moment,
    /// The number of the event: no two of a history are equal, and a later event has a higher one.
    pub number: u64,
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<O> {
    /// It is done, and this is what its client was told.
    Ok(O, Point),
    /// It certainly did nothing.
    Fail(Point),
    /// Nobody knows: it may have taken effect, or may yet.
    Open,
}

/// One operation of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation<I, O> {
    /// Whose it is.
    pub client: String,
    /// What was asked.
    pub input: I,
    /// When.
    pub invoked: Point,
    /// What came of it.
    pub ended: Ended<O>,
}

/// The operations of all clients, in the order in which they were invoked.
///
/// ```
/// use simurgh_invariants::history::{Asked, History, Judgement, Point, Register, Told, judge};
/// use simurgh_sim::Moment;
///
/// let at = |number: u64| Point { at: Moment(number * 1_000), number };
/// let mut history = History::default();
/// history.invoke("ann", Asked::Write(1), at(1))?;
/// history.ok("ann", Told::Written, at(2))?;
/// history.invoke("bob", Asked::Read, at(3))?;
/// history.ok("bob", Told::Read(None), at(4))?;
///
/// let Judgement::NotLinearizable(misfit) = judge(&Register, history.operations(), 1_000) else { panic!() };
/// assert_eq!(misfit.operation, 1); // the read
/// assert_eq!((misfit.order, misfit.state), (vec![0], Some(1))); // after the write it must have read 1
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct History<I, O> {
    operations: Vec<Operation<I, O>>,
    /// The operation that a client is in, by its place.
    running: BTreeMap<String, usize>,
}

impl<I, O> Default for History<I, O> {
    fn default() -> Self {
        Self { operations: Vec::new(), running: BTreeMap::new() }
    }
}

impl<I, O> History<I, O> {
    /// A client asks.
    ///
    /// # Errors
    /// If it is in an operation: a client has one at a time.
    pub fn invoke(&mut self, client: &str, input: I, point: Point) -> Result<usize, String> {
        let place = self.operations.len();
        if self.running.insert(client.to_owned(), place).is_some() {
            return Err(format!("client {client} asks while it waits for an answer"));
        }
        self.operations.push(Operation { client: client.to_owned(), input, invoked: point, ended: Ended::Open });
        Ok(place)
    }

    /// A client is told that it is done. Gives the operation's place.
    ///
    /// # Errors
    /// If it is in no operation.
    pub fn ok(&mut self, client: &str, output: O, point: Point) -> Result<usize, String> {
        self.end(client, Ended::Ok(output, point))
    }

    /// A client is told that nothing was done.
    ///
    /// # Errors
    /// If it is in no operation.
    pub fn fail(&mut self, client: &str, point: Point) -> Result<usize, String> {
        self.end(client, Ended::Fail(point))
    }

    /// A client gives up without knowing, and may ask something else.
    ///
    /// # Errors
    /// If it is in no operation.
    pub fn info(&mut self, client: &str) -> Result<usize, String> {
        self.end(client, Ended::Open)
    }

    /// Those clients have died: what they were in stays open.
    pub fn forget(&mut self, is_dead: impl Fn(&str) -> bool) {
        self.running.retain(|client, _| !is_dead(client));
    }

    fn end(&mut self, client: &str, ended: Ended<O>) -> Result<usize, String> {
        let place = self.running.remove(client).ok_or_else(|| format!("client {client} has not asked, and is told"))?;
        self.operations[place].ended = ended;
        Ok(place)
    }

    /// All operations, in the order of their invocation.
    pub fn operations(&self) -> &[Operation<I, O>] {
        &self.operations
    }

    /// What a client is waiting for.
    pub fn asked_by(&self, client: &str) -> Option<&I> {
        self.running.get(client).map(|place| &self.operations[*place].input)
    }

    /// How many clients wait for an answer.
    pub fn waiting(&self) -> usize {
        self.running.len()
    }
}

impl<I: Display, O: Display> Display for Operation<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |point: &Point| point.at.0 as f64 / 1e9;
        write!(f, "{} {}", self.client, self.input)?;
        match &self.ended {
            Ended::Ok(output, end) => {
                write!(f, "{output} ({:.6}s to {:.6}s)", seconds(&self.invoked), seconds(end))
            }
            Ended::Fail(end) => write!(f, ", failed ({:.6}s to {:.6}s)", seconds(&self.invoked), seconds(end)),
            Ended::Open => write!(f, ", open (from {:.6}s)", seconds(&self.invoked)),
        }
    }
}
