//! The names of a node: the registry that every node has.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use simurgh_runtime::Node;

use super::{RegisterError, Registry, Via};
use crate::cell::Process;
use crate::table::Table;
use crate::{Named, Pid, Server};

/// A name of a process: text. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Registers the running process by a name of its node (Erlang's `register/2`). The name is free again
/// when the process ends.
///
/// ```
/// use simurgh_otp::{self as otp};
///
/// simurgh_runtime::run("doc", async {
///     let (clerk, end) = otp::spawn_monitor("clerk", async {
///         otp::register("clerk").unwrap();
///         assert_eq!(otp::whereis("clerk"), Some(otp::self_pid()));
///     });
///     assert_eq!((end.await.pid, otp::whereis("clerk")), (clerk, None));
/// });
/// ```
///
/// # Errors
/// [`RegisterError`]: the name is taken, the process is about to end, or who asks is none.
///
/// # Panics
/// Outside of a task of a node.
pub fn register(name: impl Into<Name>) -> Result<(), RegisterError> {
    names().register(name.into(), ())
}

/// Gives back a name of the running process; false if it has not got it.
///
/// # Panics
/// Outside of a task of a node.
pub fn unregister(name: &str) -> bool {
    names().unregister(name) > 0
}

/// Who has this name on the current node.
///
/// # Panics
/// Outside of a task of a node.
pub fn whereis(name: &str) -> Option<Pid> {
    Table::of(&Node::current()).names().whereis(name)
}

/// The server of this name, whoever that is at each use: see [`Via`].
///
/// # Panics
/// Outside of a task of a node.
pub fn named<S: Server>(name: impl Into<Name>) -> Named<S> {
    Via::new(names(), name.into())
}

/// The names of the current node: [`Start::name`](crate::Start::name) and [`register`] put them there.
///
/// # Panics
/// Outside of a task of a node.
pub fn names() -> Registry<Name> {
    Table::of(&Node::current()).names().clone()
}

/// The names of a process's node.
pub(crate) fn names_of(process: &dyn Process) -> &Registry<Name> {
    Table::of(process.core().header.node()).names()
}

impl Name {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
