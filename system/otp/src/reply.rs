//! Replies: the way back of a call.

use std::cell::Cell;
use std::fmt;

use simurgh_runtime::planted;
use simurgh_sync::port::{self, Dropped};

/// Why a reply was dropped unanswered.
pub(crate) mod unanswered {
    use simurgh_sync::port::Dropped;

    /// The server forgot it, or ended: the caller finds out which.
    pub(crate) const FORGOTTEN: Dropped = Dropped(0);
    /// A panic unwound past it: the server is about to end.
    pub(crate) const PANIC: Dropped = Dropped(1);
    /// Its message was shed by a full mailbox.
    pub(crate) const SHED: Dropped = Dropped(2);
}

thread_local! {
    /// Messages dropped on this thread right now are shed by a mailbox.
    static SHEDDING: Cell<bool> = const { Cell::new(false) };
}

/// Carries one answer back to the caller. It may be kept and answered later, or by another process
/// of the node. Dropped unanswered, the caller gets [`CallError::NoReply`](crate::CallError::NoReply).
///
/// A reply does not leave its node: see [`Remote`](crate::Remote).
#[must_use = "a reply that is dropped leaves its caller without an answer"]
pub struct Reply<T> {
    port: Option<port::Sender<T>>,
}

impl<T> Reply<T> {
    pub(crate) fn new(port: port::Sender<T>) -> Self {
        Self { port: Some(port) }
    }

    /// Answers. A caller that has given up meanwhile does not mind.
    pub fn send(mut self, answer: T) {
        if let Some(port) = self.port.take() {
            let _ = port.send(answer); // the caller gave up
        }
    }

    /// Whether the caller has given up: an answer would reach nobody.
    pub fn is_abandoned(&self) -> bool {
        self.port.as_ref().is_none_or(port::Sender::is_abandoned)
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(port) = self.port.take() {
            if planted!("otp.reply-forgotten") {
                return std::mem::forget(port);
            }
            port.leave(why());
        }
    }
}

fn why() -> Dropped {
    if SHEDDING.try_with(Cell::get).unwrap_or(false) {
        unanswered::SHED
    } else if std::thread::panicking() {
        unanswered::PANIC
    } else {
        unanswered::FORGOTTEN
    }
}

/// Drops a message that a mailbox has shed: a caller whose reply is in it hears of the overload.
pub(crate) fn shed<T>(message: T) {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            SHEDDING.set(self.0);
        }
    }
    let _before = Before(SHEDDING.replace(true));
    drop(message);
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
