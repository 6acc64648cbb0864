//! What a checker knows of each node, and what it reads of an event.

use std::collections::BTreeMap;

use simurgh_sim::Seen;

/// Knowledge of each node's process; forgotten when that ends.
#[derive(Debug)]
pub(crate) struct ByNode<T>(BTreeMap<String, T>);

impl<T> Default for ByNode<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Default> ByNode<T> {
    pub(crate) fn of(&mut self, node: &str) -> &mut T {
        if !self.0.contains_key(node) {
            self.0.insert(node.to_owned(), T::default());
        }
        self.0.get_mut(node).expect("it was inserted if it was missing")
    }

    pub(crate) fn forget(&mut self, node: &str) {
        self.0.remove(node);
    }
}

/// The number called `name`, as a fact; 0 if it is missing.
pub(crate) fn number(seen: &Seen<'_>, name: &str) -> u64 {
    seen.event.u64(name).unwrap_or(0)
}

/// The number called `name`, as a measurement; 0 if it is missing.
pub(crate) fn measured(seen: &Seen<'_>, name: &str) -> u64 {
    seen.event.measurement(name).unwrap_or(0.0) as u64
}

/// The text called `name`; empty if it is missing.
pub(crate) fn text<'a>(seen: &'a Seen<'_>, name: &str) -> &'a str {
    seen.event.str(name).unwrap_or_default()
}

/// Whether `name` is true.
pub(crate) fn is(seen: &Seen<'_>, name: &str) -> bool {
    matches!(seen.event.metadata(name), Some(simurgh_sim::Value::Bool(true)))
}
