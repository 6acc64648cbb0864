//! Ways that hold everything back and later let it go: nothing is lost, and all comes at once.
//!
//! Unlike a cut, a clog makes no sender repeat itself: what is due on a clogged way is put aside as the event that
//! it is, and happens when the way is released, in the order in which it was due. Bounds: of a
//! connection at most one event a direction, of a way at most [`DATAGRAMS_HELD`] datagrams.

use std::collections::BTreeMap;

use crate::core::Core;
use crate::effects::Effect;
use crate::heap::Due;
use crate::trace::Kind;

/// Datagrams that one clogged way holds; those beyond are lost.
const DATAGRAMS_HELD: usize = 1024;

/// The ways that are clogged.
#[derive(Debug, Default)]
pub(crate) struct Clogs {
    ways: BTreeMap<(u32, u32), Clog>,
}

/// One way: the faults that clog it (they may overlap), and what it holds.
#[derive(Debug, Default)]
struct Clog {
    by: Vec<Effect>,
    held: Vec<Due>,
    datagrams: usize,
}

impl Core {
    /// Clogs the way from one node to another. A node reaches itself always.
    pub(crate) fn clog(&mut self, from: u32, to: u32, by: Effect) {
        if from != to {
            self.clogs.ways.entry((from, to)).or_default().by.push(by);
            self.record_with(from, Kind::Fault, (u64::from(to), 2), to, |to| format!("the way to {to} is clogged"));
        }
    }

    /// Takes one such clog back; with the last of a way, what it held happens now.
    pub(crate) fn unclog(&mut self, from: u32, to: u32, by: Effect) {
        let Some(clog) = self.clogs.ways.get_mut(&(from, to)) else { return };
        if let Some(index) = clog.by.iter().position(|other| *other == by) {
            clog.by.swap_remove(index);
        }
        if clog.by.is_empty() {
            self.release(from, to);
        }
    }

    /// Takes all clogs back.
    pub(crate) fn unclog_all(&mut self) {
        let ways: Vec<_> = self.clogs.ways.keys().copied().collect();
        for (from, to) in ways {
            self.release(from, to);
        }
    }

    fn release(&mut self, from: u32, to: u32) {
        let Some(clog) = self.clogs.ways.remove(&(from, to)) else { return };
        let count = clog.held.len();
        for due in clog.held {
            self.heap.push(self.now, due);
        }
        self.record_with(from, Kind::Fault, (u64::from(to), 3), to, |to| {
            format!("the way to {to} is released, with {count} that it held")
        });
    }

    /// Whether the way from one node to another is clogged; if so, it keeps `due`.
    #[inline]
    pub(crate) fn holds(&mut self, from: u32, to: u32, due: Due) -> bool {
        !self.clogs.ways.is_empty() && self.hold(from, to, due)
    }

    fn hold(&mut self, from: u32, to: u32, due: Due) -> bool {
        let Some(clog) = self.clogs.ways.get_mut(&(from, to)) else { return false };
        let effect = clog.by[0];
        if let Due::Datagram { index } = due {
            if clog.datagrams == DATAGRAMS_HELD {
                self.effects.add(Effect::UdpOverflow);
                self.datagrams.remove(index as usize);
                return true;
            }
            clog.datagrams += 1;
        }
        clog.held.push(due);
        self.effects.add(effect);
        self.record_with(to, Kind::Held, (u64::from(from), 0), from, |from| format!("from {from}: the way is clogged"));
        true
    }
}
