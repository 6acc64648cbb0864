//! Names: a node's publish/subscribe systems, to be found from any of its processes.

use std::collections::BTreeMap;
use std::sync::Arc;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Node, Slot};

use crate::{NameError, PubSub};

/// Named systems of one node.
pub(crate) const NAMES_MAX: usize = 64;

#[derive(Default)]
struct Names(Mutex<BTreeMap<Arc<str>, PubSub>>);

impl Names {
    fn of(node: &Node) -> &Self {
        node.slot(Slot::PubSubs, Self::default)
    }
}

impl PubSub {
    /// Makes it known on the current node under its name, until [`PubSub::unregister`] or the node's end.
    ///
    /// ```
    /// use simurgh_pubsub::PubSub;
    ///
    /// simurgh_runtime::run("doc", async {
    ///     PubSub::local("chat").register().unwrap();
    ///     let chat = PubSub::find("chat").unwrap();
    ///     assert!(PubSub::local("chat").register().is_err(), "the name is taken");
    ///     chat.unregister();
    ///     assert!(PubSub::find("chat").is_none());
    /// });
    /// ```
    ///
    /// # Errors
    /// [`NameError`]: the name is taken (also by itself), or the node has 64 of them.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn register(&self) -> Result<(), NameError> {
        let node = Node::current();
        let mut names = Names::of(&node).0.lock();
        if names.contains_key(self.name()) {
            return Err(NameError::Taken { name: self.name().into() });
        }
        if names.len() >= NAMES_MAX {
            return Err(NameError::TooMany { max: NAMES_MAX });
        }
        names.insert(self.name().into(), self.clone());
        Ok(())
    }

    /// The one of this name on the current node.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn find(name: &str) -> Option<Self> {
        Names::of(&Node::current()).0.lock().get(name).cloned()
    }

    /// Takes the name away, if it is this one's; who has it goes on with it.
    ///
    /// # Panics
    /// Outside of a task of a node.
    pub fn unregister(&self) {
        let node = Node::current();
        let mut names = Names::of(&node).0.lock();
        let taken = names.get(self.name()).is_some_and(|known| known == self).then(|| names.remove(self.name()));
        drop(names);
        drop(taken);
    }
}
