//! A port: one value from one side to the other, once. The way back of a call.
//!
//! ```text
//!            receiver waits                 sender is done
//!   EMPTY ────────────────> WAITING ────────────────────────> DONE
//!     │  <────────────────     │                               ^
//!     │   polled again         │                               │
//!     └────────────────────────┼───── sender is done ──────────┘
//!     └──── receiver leaves ───┴───> GONE
//! ```
//!
//! There are two cells. The *slot* belongs to the sender until the state is `DONE`, then to the
//! receiver. The *waker* belongs to the receiver; by `WAITING` it is on offer, and goes to whoever
//! ends that state: to the sender by `DONE`, back to the receiver by `EMPTY` or `GONE`.
//! A sender that leaves without a value says why ([`Dropped`]), so that no receiver waits for ever.

#![allow(unsafe_code)] // two cells whose owner the state names; see above, and the models in `tests/loom.rs`

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};

use crate::atomics::{Arc, AtomicU8, UnsafeCell, order};

const EMPTY: u8 = 0;
const WAITING: u8 = 1;
const DONE: u8 = 2;
const GONE: u8 = 3;

/// Why no value comes: the sender left. The number is the sender's own to choose
/// ([`Sender::leave`]); 0 if it was just dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped(pub u64);

struct Port<T> {
    state: AtomicU8,
    slot: UnsafeCell<Option<Result<T, Dropped>>>,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: a cell is touched by one side at a time, as the state machine above says, and each side is
// one: a `Sender` gives its value by value, a `Receiver` takes it by `&mut`. What crosses from one
// thread to the other is a T and a waker: T must be Send, wakers are.
unsafe impl<T: Send> Sync for Port<T> {}

/// The side that gives the value. Dropping it tells the other side that none will come.
pub struct Sender<T> {
    port: Option<Arc<Port<T>>>,
}

/// The side that awaits the value.
pub struct Receiver<T> {
    port: Arc<Port<T>>,
}

/// The two sides of a new port.
pub fn pair<T>() -> (Sender<T>, Receiver<T>) {
    let port =
        Arc::new(Port { state: AtomicU8::new(EMPTY), slot: UnsafeCell::new(None), waker: UnsafeCell::new(None) });
    (Sender { port: Some(Arc::clone(&port)) }, Receiver { port })
}

impl<T> Sender<T> {
    /// Gives the value.
    ///
    /// # Errors
    /// Gives it back if nobody waits for it any more.
    pub fn send(mut self, value: T) -> Result<(), T> {
        let port = self.port.take().expect("a sender has its port until it is done");
        match port.finish(Ok(value)) {
            Some(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Leaves without a value, for a reason of one's own.
    pub fn leave(mut self, why: Dropped) {
        if let Some(port) = self.port.take() {
            port.finish(Err(why));
        }
    }

    /// Whether nobody waits for the value any more.
    pub fn is_abandoned(&self) -> bool {
        self.port.as_ref().is_none_or(|port| port.state.load(Relaxed) == GONE)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            port.finish(Err(Dropped(0)));
        }
    }
}

impl<T> Port<T> {
    /// The sender is done. Gives back what it would have said if the receiver has left.
    fn finish(&self, said: Result<T, Dropped>) -> Option<Result<T, Dropped>> {
        // SAFETY: the slot is the sender's until the state is DONE, and this is called once.
        self.slot.with_mut(|slot| unsafe { *slot = Some(said) });
        match self.state.swap(DONE, order!("port.done", AcqRel)) {
            WAITING => {
                // SAFETY: this swap ended WAITING, so the waker is the sender's.
                let waker = self.waker.with_mut(|waker| unsafe { (*waker).take() });
                waker.expect("who waits has left its waker").wake();
                None
            }
            // SAFETY: the receiver has left; nobody but the sender is here.
            GONE => self.slot.with_mut(|slot| unsafe { (*slot).take() }),
            _ => None,
        }
    }

    /// Takes what was said.
    ///
    /// # Safety
    /// The caller is the receiver and has seen DONE.
    unsafe fn take(&self) -> Result<T, Dropped> {
        // SAFETY: by the contract the slot is the receiver's now.
        self.slot.with_mut(|slot| unsafe { (*slot).take() }).unwrap_or(Err(Dropped(0)))
    }
}

impl<T> Receiver<T> {
    /// The value, if it has come (or never will): does not wait. Not to be called again after that.
    pub fn try_take(&mut self) -> Option<Result<T, Dropped>> {
        let done = self.port.state.load(order!("port.try_take", Acquire)) == DONE;
        // SAFETY: DONE was seen.
        done.then(|| unsafe { self.port.take() })
    }

    /// Ready once the sender is done. Not to be called again after that.
    pub fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Dropped>> {
        let port = &*self.port;
        match port.state.load(order!("port.poll", Acquire)) {
            // SAFETY: DONE was seen.
            DONE => return Poll::Ready(unsafe { port.take() }),
            WAITING => {
                // Relaxed: nothing is passed on by going back, and the waker was this side's before.
                let back = port.state.compare_exchange(WAITING, EMPTY, Relaxed, order!("port.rewait", Acquire));
                if back.is_err() {
                    // SAFETY: only the sender changes WAITING, and it does so to DONE.
                    return Poll::Ready(unsafe { port.take() });
                }
            }
            _ => {}
        }
        port.waker.with_mut(|waker| {
            // SAFETY: the state was not WAITING when this side last looked, and only this side makes
            // it so: the waker is the receiver's.
            let waker = unsafe { &mut *waker };
            if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        });
        let waits = port.state.compare_exchange(
            EMPTY,
            WAITING,
            order!("port.wait", Release),
            order!("port.wait_failed", Acquire),
        );
        match waits {
            Ok(_) => Poll::Pending,
            // SAFETY: only the sender changes EMPTY while the receiver is here, and it does so to DONE.
            Err(_) => Poll::Ready(unsafe { port.take() }),
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Dropped>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_take(cx)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let state = &self.port.state;
        // Relaxed, both: this side passes nothing on, and a value that has come goes with the port.
        if state.load(Relaxed) != DONE && state.swap(GONE, Relaxed) == WAITING {
            // A sender may stay for long: the waker, which keeps its task's memory, does not wait for it.
            // SAFETY: this swap ended WAITING, so the waker is the receiver's.
            drop(self.port.waker.with_mut(|waker| unsafe { (*waker).take() }));
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn poll<T>(receiver: &mut Receiver<T>) -> Poll<Result<T, Dropped>> {
        receiver.poll_take(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_value_arrives_whoever_comes_first() {
        let (sender, mut receiver) = pair();
        assert_eq!(poll(&mut receiver), Poll::Pending);
        assert_eq!(poll(&mut receiver), Poll::Pending);
        sender.send(7).unwrap();
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(7)));

        let (sender, mut receiver) = pair();
        sender.send(8).unwrap();
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(8)));
    }

    #[test]
    fn who_leaves_is_missed_by_the_other_side() {
        let (sender, mut receiver) = pair::<u8>();
        drop(sender);
        assert_eq!(poll(&mut receiver), Poll::Ready(Err(Dropped(0))));

        let (sender, mut receiver) = pair::<u8>();
        sender.leave(Dropped(3));
        assert_eq!(receiver.try_take(), Some(Err(Dropped(3))));

        let (sender, mut receiver) = pair();
        assert_eq!(poll(&mut receiver), Poll::Pending);
        assert!(!sender.is_abandoned());
        drop(receiver);
        assert!(sender.is_abandoned());
        assert_eq!(sender.send(9), Err(9));
    }

    #[test]
    fn a_value_that_is_not_taken_is_dropped_with_the_port() {
        let value = std::sync::Arc::new(());
        let (sender, receiver) = pair();
        sender.send(std::sync::Arc::clone(&value)).unwrap();
        drop(receiver);
        assert_eq!(std::sync::Arc::strong_count(&value), 1);
    }

    #[test]
    fn a_waker_is_kept_by_nobody_who_does_not_need_it() {
        struct Task;
        impl std::task::Wake for Task {
            fn wake(self: std::sync::Arc<Self>) {}
        }
        let task = std::sync::Arc::new(Task);
        let waits = || {
            let (sender, mut receiver) = pair::<u8>();
            assert!(receiver.poll_take(&mut Context::from_waker(&task.clone().into())).is_pending());
            (sender, receiver)
        };
        let (_sender, receiver) = waits();
        drop(receiver);
        assert_eq!(std::sync::Arc::strong_count(&task), 1, "the sender is still there");

        let (sender, _receiver) = waits();
        sender.send(1).unwrap();
        assert_eq!(std::sync::Arc::strong_count(&task), 1, "the receiver is still there");
    }
}
