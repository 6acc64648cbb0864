//! Linearizability: the search of Wing and Gong (1993), with the cache of Lowe (2017).
//!
//! Calls and returns stand in one list, by time. The search takes the first call that the model allows out of the list,
//! with its return, as if the operation had taken effect now, and begins anew at the list's head. When it meets a return,
//! that operation should have taken effect before: it goes back. A pair of (what has taken effect, what the object holds)
//! that was met before leads nowhere new, and is left.

use std::collections::BTreeSet;

use super::model::Model;
use super::{Ended, Operation};

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement<S> {
    /// One object could have answered so; with an order in which the operations, by their places, can have taken effect.
    Linearizable(Vec<usize>),
    /// No object could have.
    NotLinearizable(Misfit<S>),
    /// The budget was used up before it was known. This is no success.
    Inconclusive,
}

/// Why a history is not linearizable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit<S> {
    /// The operation that does not fit, by its place: all that had ended before it had is linearizable, and with its end
    /// it is not any more.
    pub operation: usize,
    /// An order in which all before can have taken effect.
    pub order: Vec<usize>,
    /// What the object then holds.
    pub state: S,
}

/// Judges a history. The operations stand in the order of their invocation.
///
/// The budget bounds time and memory: a step of the model costs one, and a configuration that is remembered as many as
/// it has words of 64 bits. What is not known within it is [`Judgement::Inconclusive`].
///
/// # Panics
/// If the operations are not in the order of their invocation.
pub fn judge<M: Model>(model: &M, operations: &[Operation<M::Input, M::Output>], budget: u64) -> Judgement<M::State> {
    let in_order = operations.is_sorted_by_key(|operation| operation.invoked.number);
    assert!(in_order, "operations stand in the order of their invocation");
    let mut budget = budget;
    let mut search = |until: u64| Search::new(model, operations, until).run(&mut budget);
    let mut stuck = match search(u64::MAX) {
        Found::Order(order, _) => return Judgement::Linearizable(order),
        Found::Budget => return Judgement::Inconclusive,
        Found::None { stuck } => stuck,
    };
    // The search came as far as `stuck`, so all before it fits. Mostly it does not fit itself; but what is not known of
    // operations that end later may let it. Then the end that does not fit is found by halving.
    let mut ends: Vec<u64> = operations.iter().filter_map(end_of).filter(|end| *end >= stuck).collect();
    ends.sort_unstable();
    let (mut fits, mut fits_not) = (0, ends.len());
    let mut next = 0;
    while fits < fits_not {
        match search(ends[next]) {
            Found::Order(..) => fits = next + 1,
            Found::None { .. } => fits_not = next,
            Found::Budget => return Judgement::Inconclusive,
        }
        next = usize::midpoint(fits, fits_not);
    }
    // With all ends it is not linearizable, so there is one that does not fit.
    stuck = ends[fits];
    match search(stuck - 1) {
        Found::Order(order, state) => {
            let operation = operations.iter().position(|operation| end_of(operation) == Some(stuck));
            let operation = operation.expect("it is the end of an operation");
            Judgement::NotLinearizable(Misfit { operation, order, state })
        }
        Found::None { .. } | Found::Budget => Judgement::Inconclusive,
    }
}

fn end_of<I, O>(operation: &Operation<I, O>) -> Option<u64> {
    match &operation.ended {
        Ended::Ok(_, point) => Some(point.number),
        Ended::Fail(_) | Ended::Open => None,
    }
}

enum Found<S> {
    /// All fits, in this order, and this is what the object holds then.
    Order(Vec<usize>, S),
    /// Nothing fits, and this is the latest end that the search has met.
    None { stuck: u64 },
    /// It is not known.
    Budget,
}

/// A call or a return in the list.
#[derive(Clone, Copy)]
struct Entry {
    number: u64,
    operation: usize,
    is_call: bool,
    /// The place of the operation's other entry; none if it never returns.
    other: Option<usize>,
    before: usize,
    after: usize,
}

/// The place before the first entry, and after the last.
const HEAD: usize = 0;

struct Search<'a, M: Model> {
    model: &'a M,
    operations: &'a [Operation<M::Input, M::Output>],
    /// Ends after this have not happened yet.
    until: u64,
    /// The list, with `HEAD` as its first and last.
    entries: Vec<Entry>,
    /// Returns that are in the list.
    left: usize,
    /// What has taken effect.
    done: Vec<u64>,
    state: M::State,
    /// The way to here: the entry of each call that has taken effect, and what was held before.
    way: Vec<(usize, M::State)>,
    met: BTreeSet<(usize, Box<[u64]>, M::State)>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(model: &'a M, operations: &'a [Operation<M::Input, M::Output>], until: u64) -> Self {
        let mut points = Vec::with_capacity(operations.len() * 2);
        for (place, operation) in operations.iter().enumerate() {
            if matches!(operation.ended, Ended::Fail(_)) || operation.invoked.number > until {
                continue; // it did nothing, or was not yet
            }
            points.push((operation.invoked.number, place, true));
            points.extend(end_of(operation).filter(|end| *end <= until).map(|end| (end, place, false)));
        }
        points.sort_unstable();
        let head = Entry { number: 0, operation: usize::MAX, is_call: false, other: None, before: 0, after: 0 };
        let (mut entries, mut calls) = (vec![head], vec![HEAD; operations.len()]);
        for (number, operation, is_call) in points {
            let here = entries.len();
            let mut other = None;
            if is_call {
                calls[operation] = here;
            } else {
                other = Some(calls[operation]);
                entries[calls[operation]].other = Some(here);
            }
            entries[here - 1].after = here;
            entries.push(Entry { number, operation, is_call, other, before: here - 1, after: HEAD });
        }
        let last = entries.len() - 1;
        entries[HEAD].before = last;
        let left = entries.iter().skip(1).filter(|entry| !entry.is_call).count();
        let done = vec![0; operations.len().div_ceil(64)];
        let (state, met) = (model.initial(), BTreeSet::new());
        Self { model, operations, until, entries, left, done, state, way: Vec::new(), met }
    }

    fn run(mut self, budget: &mut u64) -> Found<M::State> {
        let (mut here, mut stuck) = (self.entries[HEAD].after, 0);
        while self.left > 0 {
            let entry = self.entries[here];
            if entry.is_call {
                if *budget == 0 {
                    return Found::Budget;
                }
                *budget -= 1;
                here = if self.takes_effect(here, budget) { self.entries[HEAD].after } else { entry.after };
                continue;
            }
            // A return whose call is still in the list: as long as there is one, a search never reaches the list's end.
            stuck = stuck.max(entry.number);
            let Some((call, state)) = self.way.pop() else { return Found::None { stuck } };
            self.state = state;
            self.put_back(call);
            here = self.entries[call].after;
        }
        Found::Order(self.way.iter().map(|(call, _)| self.entries[*call].operation).collect(), self.state)
    }

    /// Lets a call take effect now, if the model allows that and it leads somewhere new.
    fn takes_effect(&mut self, call: usize, budget: &mut u64) -> bool {
        let place = self.entries[call].operation;
        let operation = &self.operations[place];
        let output = match &operation.ended {
            Ended::Ok(output, end) if end.number <= self.until => Some(output),
            _ => None,
        };
        let Some(next) = self.model.apply(&self.state, &operation.input, output) else { return false };
        if output.is_none() && next == self.state {
            return false; // what need not be and changes nothing is left out
        }
        self.done[place / 64] |= 1 << (place % 64);
        let met = self.configuration(next.clone());
        let cost = met.1.len() as u64 + 1;
        if !self.met.insert(met) {
            self.done[place / 64] &= !(1 << (place % 64));
            return false;
        }
        *budget = budget.saturating_sub(cost);
        self.take_out(call);
        self.way.push((call, std::mem::replace(&mut self.state, next)));
        true
    }

    /// What has taken effect, without the words at the beginning that are full and those at the end that are empty.
    fn configuration(&self, state: M::State) -> (usize, Box<[u64]>, M::State) {
        let first = self.done.iter().position(|word| *word != u64::MAX).unwrap_or(self.done.len());
        let last = self.done.iter().rposition(|word| *word != 0).map_or(first, |last| (last + 1).max(first));
        (first, self.done[first..last].into(), state)
    }

    fn take_out(&mut self, call: usize) {
        self.unlink(call);
        if let Some(end) = self.entries[call].other {
            self.unlink(end);
            self.left -= 1;
        }
    }

    /// The opposite of `take_out`, in the opposite order.
    fn put_back(&mut self, call: usize) {
        let place = self.entries[call].operation;
        self.done[place / 64] &= !(1 << (place % 64));
        if let Some(end) = self.entries[call].other {
            self.link(end);
            self.left += 1;
        }
        self.link(call);
    }

    fn unlink(&mut self, at: usize) {
        let Entry { before, after, .. } = self.entries[at];
        self.entries[before].after = after;
        self.entries[after].before = before;
    }

    fn link(&mut self, at: usize) {
        let Entry { before, after, .. } = self.entries[at];
        self.entries[before].after = at;
        self.entries[after].before = at;
    }
}
