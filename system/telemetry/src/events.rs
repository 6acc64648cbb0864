//! Emitting events, and the handlers that a node has for them.

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
    #[error("the node has {HANDLERS_MAX} telemetry handlers already; attach one for a prefix instead of many for names")]
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
pub fn attach(
    id: &str,
    prefix: &str,
    handler: impl Fn(&Event<'_>) + Send + Sync + 'static,
) -> Result<(), AttachError> {
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
    let handlers = of(node);
    let mut list = handlers.list.lock();
    let before = list.len();
    Arc::make_mut(&mut list).retain(|handler| &*handler.id != id);
    handlers.any.store(!list.is_empty(), Ordering::Release);
    list.len() < before
}

/// The current node's handlers: id and prefix.
pub fn handlers() -> Vec<(String, String)> {
    let node = Node::current();
    let list = of(&node).list.lock();
    list.iter().map(|handler| (handler.id.to_string(), handler.prefix.to_string())).collect()
}

/// Tells a simulation's invariants, then the current node's handlers. Usually called by
/// [`event!`](crate::event).
#[inline]
pub fn emit(event: &Event<'_>) {
    sim::world(|world| world.observe(event));
    // Cloned only when somebody listens: handlers may emit events and switch tasks themselves.
    let listening = Header::with(|header| {
        let node = header?.node();
        let handlers = node.slot_if_set::<Handlers>(Slot::Telemetry)?;
        handlers.any.load(Ordering::Acquire).then(|| Arc::clone(node))
    });
    if let Some(node) = listening {
        dispatch(&node, event);
    }
}

#[cold]
fn dispatch(node: &Node, event: &Event<'_>) {
    let list = Arc::clone(&of(node).list.lock());
    for handler in list.iter().filter(|handler| matches(&handler.prefix, event.name)) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (handler.call)(event))) {
            detach_from(node, &handler.id);
            let report = PanicReport::from_payload(payload);
            tracing::error!(handler = &*handler.id, event = event.name, "a telemetry handler panicked and was detached: {report}");
        }
    }
}

fn matches(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.is_empty() || rest.starts_with('.'))
}

/// Emits an event: its name, its measurements (numbers), its metadata (facts).
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
        $crate::emit(&$crate::Event {
            name: $name,
            measurements: &[$($((::core::stringify!($measurement), $number as f64)),*)?],
            metadata: &[$($($((::core::stringify!($fact), $crate::Value::from($value))),*)?)?],
        })
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
