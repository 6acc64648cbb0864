//! Emitting events, and the handlers that a node has for them.
//!
//! ```text
//!   event!(..) ── is anybody listening? ──> emit ──> the simulator's invariants, if it is simulated
//!                                             └────> the node's handlers, in the order attached
//! ```
//!
//! The question costs two thread-local looks and a load; only then are the event's numbers and facts
//! worked out, on the stack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use simurgh_runtime::observe::Event;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Header, Node, PanicReport, Slot, sim};

/// Handlers that a node may have.
pub const HANDLERS_MAX: usize = 1_024;

/// Why a handler was not attached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// A handler of this id is attached already.
    #[error("a telemetry handler called {0} is attached already; detach it first or choose another id")]
    AlreadyAttached(String),
    /// The node has as many handlers as it may have.
    #[error(
        "the node has {HANDLERS_MAX} telemetry handlers already; attach one for a prefix instead of many for names"
    )]
    TooMany,
}

type Call = dyn Fn(&Event<'_>) + Send + Sync;

#[derive(Clone)]
struct Handler {
    id: Arc<str>,
    prefix: Arc<str>,
    call: Arc<Call>,
}

/// A node's handlers. Replaced as a whole, so that emitting holds no lock while they run.
#[derive(Default)]
struct Handlers {
    any: AtomicBool,
    list: Mutex<Arc<Vec<Handler>>>,
}

fn of(node: &Node) -> &Handlers {
    node.slot(Slot::Telemetry, Handlers::default)
}

/// Calls `handler` on the current node's events whose name is `prefix` or begins with `prefix` and
/// a dot. Handlers run in the emitting task: they must be short. One that panics is detached.
///
/// # Errors
/// If the id is taken or the node has too many handlers.
pub fn attach(id: &str, prefix: &str, handler: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Result<(), AttachError> {
    let node = Node::current();
    let handlers = of(&node);
    let mut list = handlers.list.lock();
    if list.iter().any(|handler| &*handler.id == id) {
        return Err(AttachError::AlreadyAttached(id.to_owned()));
    }
    if list.len() >= HANDLERS_MAX {
        return Err(AttachError::TooMany);
    }
    Arc::make_mut(&mut list).push(Handler { id: id.into(), prefix: prefix.into(), call: Arc::new(handler) });
    handlers.any.store(true, Ordering::Release);
    Ok(())
}

/// Detaches a handler of the current node; false if there is none of this id.
pub fn detach(id: &str) -> bool {
    detach_from(&Node::current(), id)
}

fn detach_from(node: &Node, id: &str) -> bool {
    of(node).remove(|handler| &*handler.id == id)
}

impl Handlers {
    fn remove(&self, is_meant: impl Fn(&Handler) -> bool) -> bool {
        let mut list = self.list.lock();
        let (gone, kept): (Vec<_>, Vec<_>) = list.iter().cloned().partition(is_meant);
        self.any.store(!kept.is_empty(), Ordering::Release);
        let before = std::mem::replace(&mut *list, Arc::new(kept));
        // A handler's own Drop may come back here: it must not find the lock held.
        drop(list);
        drop(before);
        !gone.is_empty()
    }
}

/// The current node's handlers: id and prefix.
pub fn handlers() -> Vec<(String, String)> {
    let node = Node::current();
    let list = of(&node).list.lock();
    list.iter().map(|handler| (handler.id.to_string(), handler.prefix.to_string())).collect()
}

/// Whether anybody would hear an event now: a simulator, or a handler of the current node.
#[inline]
pub fn is_heard() -> bool {
    sim::is_simulated() || Header::with(|header| header.and_then(|header| listening(header.node())).is_some())
}

#[inline]
fn listening(node: &Node) -> Option<&Handlers> {
    let handlers = node.slot_if_set::<Handlers>(Slot::Telemetry)?;
    handlers.any.load(Ordering::Acquire).then_some(handlers)
}

/// Tells a simulation's invariants, then the current node's handlers. Usually called by
/// [`event!`](crate::event).
pub fn emit(event: &Event<'_>) {
    sim::world(|world| world.observe(event));
    // Handlers may emit events themselves, so the header is not held on to while they run.
    let node = Header::with(|header| {
        let node = header?.node();
        listening(node)?;
        // A node that was killed has nobody left to listen; only its Drop code runs.
        (!node.is_dead()).then(|| Arc::clone(node))
    });
    if let Some(node) = node {
        dispatch(&node, event);
    }
}

#[cold]
fn dispatch(node: &Node, event: &Event<'_>) {
    let list = Arc::clone(&of(node).list.lock());
    for handler in list.iter().filter(|handler| matches(&handler.prefix, event.name)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (handler.call)(event))) {
            let report = PanicReport::from_payload(payload);
            // This very handler: another may have its id by now. Who detaches it, tells.
            if of(node).remove(|other| Arc::ptr_eq(&other.call, &handler.call)) {
                tracing::error!(
                    handler = &*handler.id,
                    event = event.name,
                    "a telemetry handler panicked and was detached: {report}"
                );
            }
        }
    }
}

fn matches(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// Emits an event: its name, its measurements (numbers), its metadata (facts).
///
/// Nothing is allocated. While nobody listens, the numbers and facts are not even worked out: what
/// stands there must not have effects.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// simurgh_telemetry::event!("shop.order.placed", { cents: 1999, items: 3 }, { country: "CH" });
/// simurgh_telemetry::event!("shop.opened");
/// # });
/// ```
#[macro_export]
macro_rules! event {
    ($name:literal $(, { $($measurement:ident : $number:expr),* $(,)? } $(, { $($fact:ident : $value:expr),* $(,)? })?)? $(,)?) => {
        if $crate::is_heard() {
            // Any number will do; beyond 53 bits the last ones do not matter for sums.
            #[allow(clippy::cast_lossless, clippy::cast_precision_loss, clippy::unnecessary_cast)]
            let measurements: &[(&'static str, f64)] =
                &[$($((::core::stringify!($measurement), $number as f64)),*)?];
            $crate::emit(&$crate::Event {
                name: $name,
                measurements,
                metadata: &[$($($((::core::stringify!($fact), $crate::Value::from($value))),*)?)?],
            });
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use simurgh_runtime::run;

    fn heard(f: impl FnOnce() + Send + 'static) -> Vec<String> {
        run("test", async move {
            let names = Arc::new(Mutex::new(Vec::new()));
            let into = Arc::clone(&names);
            attach("test", "net", move |event| into.lock().push(event.name.to_owned())).unwrap();
            f();
            let names = names.lock();
            names.clone()
        })
    }

    #[test]
    fn a_prefix_ends_at_a_dot() {
        let names = heard(|| {
            event!("net");
            event!("net.accept", { count: 1 });
            event!("network.accept", { count: 1 }, { peer: "a" });
        });
        assert_eq!(names, ["net", "net.accept"]);
    }

    #[test]
    fn a_handler_that_panics_is_detached_and_hurts_nobody() {
        let names = heard(|| {
            attach("bad", "", |_| panic!("on purpose")).unwrap();
            event!("net.one");
            event!("net.two");
            assert_eq!(handlers(), [("test".to_owned(), "net".to_owned())]);
        });
        assert_eq!(names, ["net.one", "net.two"]);
    }

    #[test]
    fn a_handler_may_emit_attach_and_detach() {
        let names = heard(|| {
            attach("busy", "net.one", |_| {
                event!("net.two");
                attach("late", "", |_| ()).unwrap();
                assert!(detach("busy"));
            })
            .unwrap();
            event!("net.one");
            event!("net.one");
            assert_eq!(handlers().iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["test", "late"]);
        });
        assert_eq!(names, ["net.one", "net.two", "net.one"]);
    }

    #[test]
    fn what_a_handler_owns_may_use_the_handlers_when_it_is_dropped() {
        struct Leaving;
        impl Drop for Leaving {
            fn drop(&mut self) {
                event!("net.left");
                detach("another");
            }
        }
        let names = heard(|| {
            let leaving = Leaving;
            attach("leaving", "x", move |_| {
                let _ = &leaving;
            })
            .unwrap();
            assert!(detach("leaving"));
        });
        assert_eq!(names, ["net.left"]);
    }

    #[test]
    fn nothing_is_worked_out_for_nobody() {
        run("test", async {
            assert!(!is_heard());
            let worked_out = std::cell::Cell::new(0);
            event!("net.one", { count: worked_out.replace(1) });
            assert_eq!(worked_out.get(), 0);
            attach("x", "elsewhere", |_| ()).unwrap();
            assert!(is_heard());
            detach("x");
            assert!(!is_heard());
        });
        event!("outside.of.any.task");
    }

    #[test]
    fn ids_are_unique_and_handlers_bounded() {
        run("test", async {
            for number in 0..HANDLERS_MAX {
                attach(&number.to_string(), "x", |_| ()).unwrap();
            }
            assert_eq!(attach("more", "x", |_| ()), Err(AttachError::TooMany));
            assert_eq!(attach("7", "x", |_| ()), Err(AttachError::AlreadyAttached("7".into())));
            assert!(detach("7") && !detach("7"));
            attach("more", "x", |_| ()).unwrap();
        });
    }
}
