//! Who is to be woken.

use std::task::Waker;

use crate::core::Core;

/// Somebody who waits: a task of ours by its place, or whoever has given a waker of its own.
///
/// Most wait as the task that they are. A place is copied where a waker is counted, atomically, and it is woken
/// without a look at who it is.
#[derive(Debug)]
pub(crate) enum Waiter {
    Task { slot: u32, generation: u32 },
    Other(Waker),
}

/// Those whom an operation leaves to be woken, in order.
#[derive(Debug, Default)]
pub(crate) struct Wakes(pub(crate) Vec<Waiter>);

impl Wakes {
    /// Adds all of `wakers` and empties it.
    pub(crate) fn append(&mut self, wakers: &mut Vec<Waker>) {
        self.extend(wakers.drain(..));
    }
}

impl Extend<Waker> for Wakes {
    fn extend<T: IntoIterator<Item = Waker>>(&mut self, wakers: T) {
        self.0.extend(wakers.into_iter().map(Waiter::Other));
    }
}

impl Extend<Waiter> for Wakes {
    fn extend<T: IntoIterator<Item = Waiter>>(&mut self, waiters: T) {
        self.0.extend(waiters);
    }
}

/// The task that is being polled.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    slot: u32,
    generation: u32,
    /// What its own waker holds; 0 while no task is polled.
    waker: usize,
}

impl Core {
    /// Makes those ready at once whom an event of the heap left to be woken, if all of them wait as tasks: nobody else's
    /// code runs for them.
    #[inline]
    pub(crate) fn make_woken_ready(&mut self) {
        if !self.wakes.0.iter().all(|waiter| matches!(waiter, Waiter::Task { .. })) {
            return;
        }
        let mut wakes = std::mem::take(&mut self.wakes.0);
        for waiter in wakes.drain(..) {
            if let Waiter::Task { slot, generation } = waiter {
                self.make_ready(slot, generation);
            }
        }
        self.wakes.0 = wakes; // keep the allocation
    }

    /// The poll of a task begins.
    #[inline]
    pub(crate) fn poll_begins(&mut self, slot: u32, generation: u32, waker: &Waker) {
        self.polled = Polled { slot, generation, waker: waker.data().addr() };
    }

    /// It has ended: what its waker holds may be something else's from now on.
    #[inline]
    pub(crate) fn poll_ended(&mut self) {
        self.polled.waker = 0;
    }
}

impl Polled {
    /// Who waits with `waker`: the task that is polled, if it is its own.
    #[inline]
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        if self.waker != 0 && waker.data().addr() == self.waker {
            Waiter::Task { slot: self.slot, generation: self.generation }
        } else {
            Waiter::Other(waker.clone())
        }
    }
}
