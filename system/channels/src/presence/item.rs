//! One presence, and what becomes of it.

use std::sync::Arc;

use super::Meta;

/// One presence: a process of some node under a key of a topic, with its meta. Never changed: an update makes
/// another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The topic.
    pub topic: Arc<str>,
    /// The key: who is present, as the application names it.
    pub key: Box<str>,
    /// The process, by its number on its own node.
    pub owner: u64,
    /// What is known.
    pub meta: Meta,
}

/// A presence has come to be seen here, or is not seen any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whether it came.
    pub joined: bool,
    /// Which.
    pub item: Arc<Item>,
}

impl Change {
    /// It came.
    pub fn join(item: Arc<Item>) -> Self {
        Self { joined: true, item }
    }

    /// It went.
    pub fn leave(item: Arc<Item>) -> Self {
        Self { joined: false, item }
    }
}
