//! Who replicates.

use std::fmt;
use std::sync::Arc;

/// Which life of a node it is: when it started, and a number that no other life has.
///
/// The later one is greater, unless the node's wall clock was set back between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Microseconds since 1970 by the node's clock.
    pub started_us: u64,
    /// Drawn at the start.
    pub unique: u64,
}

/// A replica of a tracker: the name of a node, and which of its lives. A node that starts again is a new
/// replica, and what its former life tracked is gone.
///
/// ```
/// use simurgh_channels::presence::{ReplicaId, Version};
///
/// let before = ReplicaId::new("chat-1", Version { started_us: 1_000, unique: 7 });
/// let after = ReplicaId::new("chat-1", Version { started_us: 2_000, unique: 3 });
/// assert!(before != after && before.version() < after.version());
/// assert_eq!(before.to_string(), "chat-1@1000-7");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId {
    name: Arc<str>,
    version: Version,
}

impl ReplicaId {
    /// The replica of the node `name` in that life.
    pub fn new(name: impl Into<Arc<str>>, version: Version) -> Self {
        Self { name: name.into(), version }
    }

    /// The replica of this node in this life, from the runtime's clock and chance.
    pub fn here(name: impl Into<Arc<str>>) -> Self {
        let started_us = (simurgh_runtime::Timestamp::now().as_nanos() / 1_000).max(0) as u64;
        Self::new(name, Version { started_us, unique: simurgh_runtime::random::u64() })
    }

    /// The node's name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Which of its lives.
    pub fn version(&self) -> Version {
        self.version
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}-{}", self.name, self.version.started_us, self.version.unique)
    }
}
