//! Which header is the current one of a thread, and how another thread may look at it.
//!
//! Each thread has one word: the header of the task that it polls. The thread itself reads and
//! writes it plainly. The watchdog reads the words of other threads, and what it finds there may be
//! about to end. Neither side may cost the other a lock, so they meet as in Dekker's algorithm: each
//! first says what it does, then, behind a full fence, looks at what the other has said.
//!
//! ```text
//!   the owner of a header, at its end        the watchdog, each tick
//!   ---------------------------------        ------------------------------
//!   (its last guard took the header out      INSPECTIONS += 1
//!    of the word)
//!   fence ---------------------------------- fence
//!   INSPECTIONS > 0? then wait               read the word; look at the header
//!   give up the Arc                          INSPECTIONS -= 1
//! ```
//!
//! Of two such fences one is the first. If it is the owner's, the watchdog no longer finds the
//! header in the word. If it is the watchdog's, the owner sees that somebody looks, and waits for the
//! few hundred nanoseconds that it takes. A poll pays nothing for this, the end of a task one fence.

#![allow(unsafe_code)] // One thread-local pointer, which the watchdog may read from outside.

use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};

use super::{Headed, Header};

thread_local! {
    /// The header of the task that this thread polls, or null. A type without a destructor: the
    /// word is there until the thread's memory is gone.
    static CURRENT: AtomicPtr<Header> = const { AtomicPtr::new(ptr::null_mut()) };
}

/// How many watchdogs (one for each [`crate::run`]) are looking at headers right now.
static INSPECTIONS: AtomicUsize = AtomicUsize::new(0);

/// Marks, in its lowest bit, a word whose header nobody but its own thread may look at.
const PRIVATE: usize = 1;
const _: () = assert!(align_of::<Header>() > PRIVATE);

/// Calls `f` with the header of the task that is being polled on this thread.
#[inline]
pub(super) fn with<R>(f: impl FnOnce(Option<&Header>) -> R) -> R {
    let current = CURRENT.with(|current| current.load(Ordering::Relaxed));
    // SAFETY: null, or put there by `enter`, whose guard borrows the header and puts the previous
    // one back before that borrow ends.
    f(unsafe { current.map_addr(|addr| addr & !PRIVATE).as_ref() })
}

/// Makes `header` the current one of this thread, for this thread alone: no watchdog may look at it,
/// so nobody has to wait for one at its end.
#[inline]
pub(super) fn enter_privately(header: &Header) -> Entered<'_> {
    enter(ptr::from_ref(header).cast_mut().map_addr(|addr| addr | PRIVATE))
}

/// `header` is null, or lives at least as long as the guard.
#[inline]
fn enter<'a>(header: *mut Header) -> Entered<'a> {
    CURRENT.with(|current| {
        let previous = current.load(Ordering::Relaxed);
        // Release: who reads the word may look at the header that it names. On x86 this is the
        // same instruction as a relaxed store.
        current.store(header, Ordering::Release);
        Entered { previous, header: PhantomData }
    })
}

/// The time in which a header is the current one.
#[doc(hidden)]
pub struct Entered<'a> {
    previous: *mut Header,
    header: PhantomData<&'a Header>,
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        // The previous header is alive: its own guard is further up the stack.
        CURRENT.with(|current| current.store(self.previous, Ordering::Release));
    }
}

/// A task's hold on its header, which lets the task enter it where a watchdog may look at it.
///
/// The header may be a part of a larger record. Who implements [`Headed`] can lend only what lives as
/// long as the record does, and the record is here to stay until the owner is dropped.
pub(crate) struct Owner<H: Headed>(Arc<H>);

impl<H: Headed> Owner<H> {
    pub(crate) fn new(headed: Arc<H>) -> Self {
        Self(headed)
    }

    /// What the header is a part of.
    pub(crate) fn headed(&self) -> &Arc<H> {
        &self.0
    }

    /// Makes it the current header until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Entered<'_> {
        enter(ptr::from_ref(self.0.header()).cast_mut())
    }

    /// Counts one poll and makes it the current header.
    #[inline]
    pub(crate) fn enter_poll(&self) -> Entered<'_> {
        self.0.header().count_poll();
        self.enter()
    }
}

impl<H: Headed> Drop for Owner<H> {
    /// Waits until no watchdog can be looking at the header. The Arc goes only after that, so a
    /// header's own drop never runs beside a look at it.
    #[inline]
    fn drop(&mut self) {
        fence(Ordering::SeqCst);
        if INSPECTIONS.load(Ordering::Acquire) > 0 {
            wait_for_inspections();
        }
    }
}

#[cold]
fn wait_for_inspections() {
    // Yields at once: if the watchdog has lost its core, spinning would only keep it from it.
    while INSPECTIONS.load(Ordering::Acquire) > 0 {
        std::thread::yield_now();
    }
}

/// Where a thread keeps its current header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(*const AtomicPtr<Header>);

// SAFETY: an address. Only `Inspection::header_at` goes there, and has its caller promise that the
// thread is alive; what lies there is atomic.
unsafe impl Send for Place {}

impl Place {
    /// That of this thread.
    pub(crate) fn of_this_thread() -> Self {
        Self(CURRENT.with(ptr::from_ref))
    }
}

/// The time in which a watchdog looks at headers. Tasks that end meanwhile wait for it: keep it
/// short, take no lock in it that a task may hold for long, and end no task in it.
pub(crate) struct Inspection(());

impl Inspection {
    pub(crate) fn begin() -> Self {
        INSPECTIONS.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Self(())
    }

    /// The header of the task that is being polled at `place`.
    ///
    /// # Safety
    /// The thread of `place` has not ended, and does not while this runs.
    #[allow(clippy::unused_self)] // Its borrow is what bounds the reference.
    pub(crate) unsafe fn header_at(&self, place: Place) -> Option<&Header> {
        // SAFETY: the caller says that the thread lives, and `CURRENT` lives as long as it.
        let current = unsafe { &*place.0 }.load(Ordering::Acquire);
        if current.addr() & PRIVATE != 0 {
            return None;
        }
        // SAFETY: a word that is not private was stored by a guard of an `Owner`, which keeps the
        // header alive until its own drop is past the check, or is the previous word of such a
        // guard, stored while the guard of that previous header stood. What the header was made
        // of is visible, because both stores are Release. Now let the owner be ending, its fence
        // be F and ours be G; all its guards have ended, and their last stores to the word happen
        // before F.
        // - F before G in the order of all SeqCst fences: the load above, which comes after G,
        //   reads that last store or a later one, so it cannot have found this header.
        // - G before F: the owner's load of INSPECTIONS, which comes after F, reads our increment
        //   or something later. It lets go only on a zero. That was written by our decrement or
        //   by a later change; all changes are read-modify-writes and so carry on the release
        //   sequence of our decrement, with which the owner's Acquire load synchronises. So all
        //   that we do with the reference, which the borrow of `self` ends before the decrement,
        //   happens before the owner gives up its Arc.
        unsafe { current.as_ref() }
    }
}

impl Drop for Inspection {
    fn drop(&mut self) {
        INSPECTIONS.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::sync::{Arc, Weak};
    use std::thread;

    use super::*;
    use crate::{Label, Node, NodeId};

    fn header(label: &'static str) -> Arc<Header> {
        Header::new(Node::new(NodeId(0), "test", 0), Label::Static(label), None)
    }

    fn seen(inspection: &Inspection, place: Place) -> Option<String> {
        // SAFETY: the tests below ask while the thread of `place` runs.
        unsafe { inspection.header_at(place) }.map(|header| header.label().to_string())
    }

    #[test]
    fn guards_nest_and_what_is_private_is_seen_only_by_its_thread() {
        let (outer, inner) = (Owner::new(header("outer")), header("inner"));
        // After `outer`, and so dropped before it, which would wait for it.
        let (place, inspection) = (Place::of_this_thread(), Inspection::begin());
        {
            let _outer = outer.enter_poll();
            assert_eq!(seen(&inspection, place).as_deref(), Some("outer"));
            {
                let _inner = inner.enter();
                assert_eq!(with(|header| header.map(Header::label)), Some(Label::Static("inner")));
                assert_eq!(seen(&inspection, place), None);
            }
            assert_eq!(seen(&inspection, place).as_deref(), Some("outer"));
        }
        assert!(with(|header| header.is_none()) && seen(&inspection, place).is_none());
    }

    #[test]
    fn a_header_that_is_looked_at_outlives_the_look() {
        let (tell, told) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let task = thread::spawn(move || {
            let header = header("short lived");
            let weak = Arc::downgrade(&header);
            let owner = Owner::new(header);
            let entered = owner.enter_poll();
            tell.send((Place::of_this_thread(), weak)).unwrap();
            released.recv().unwrap();
            drop(entered);
            drop(owner); // The last Arc.
        });
        let (place, weak): (_, Weak<Header>) = told.recv().unwrap();
        let inspection = Inspection::begin();
        assert_eq!(seen(&inspection, place).as_deref(), Some("short lived"));
        release.send(()).unwrap();
        for _ in 0..2_000 {
            assert_eq!(weak.strong_count(), 1, "its owner waits");
            thread::yield_now();
        }
        drop(inspection);
        task.join().unwrap();
        assert_eq!(weak.strong_count(), 0);
    }
}
