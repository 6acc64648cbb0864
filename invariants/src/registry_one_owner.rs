//! `registry.one_owner`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number, text};

/// A unique key has one owner at most, a name never points at a process whose end was told, and a child
/// that is started under a name has it when it begins, each time. (Of unique registries only.)
///
/// Reads `otp.registry.register` and `.unregister` {`registry`, `key`, `process`}, `otp.process.stop`
/// {`process`}, `otp.child.start` {`child`, `process`}; of those who start them `name.child` {`child`}
/// for each child that has names, and of those who look up `name.found` {`process`}. Planted bugs:
/// `registry.two-owners` does not look who has the key; `registry.stale-name` clears up a little after the end
/// was told.
#[derive(Debug, Default)]
pub struct RegistryOneOwner {
    nodes: ByNode<Registries>,
}

#[derive(Debug, Default)]
struct Registries {
    /// By registry and key.
    owners: BTreeMap<(String, u64), u64>,
    ended: BTreeSet<u64>,
    named_children: BTreeSet<String>,
}

impl Invariant for RegistryOneOwner {
    fn name(&self) -> &'static str {
        "registry.one_owner"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let known = self.nodes.of(seen.node);
        let process = number(seen, "process");
        let key = || (text(seen, "registry").to_owned(), number(seen, "key"));
        let wrong = match seen.event.name {
            "otp.registry.register" => known.register(key(), process),
            "otp.registry.unregister" => {
                let key = key();
                if known.owners.get(&key) == Some(&process) {
                    known.owners.remove(&key);
                }
                None
            }
            "otp.process.stop" => {
                known.ended.insert(process);
                let left = known.owners.iter().find(|(_, owner)| **owner == process);
                left.map(|((registry, _), _)| format!("process {process} has ended, and has a name in {registry}"))
            }
            "name.child" => {
                known.named_children.insert(text(seen, "child").to_owned());
                None
            }
            "otp.child.start" if known.named_children.contains(text(seen, "child")) => (!known.has_a_name(process))
                .then(|| format!("{} is started as process {process}, without its name", text(seen, "child"))),
            "name.found" if known.ended.contains(&process) => {
                Some(format!("a name points at process {process}, which has ended"))
            }
            "name.found" if !known.has_a_name(process) => {
                Some(format!("a name points at process {process}, which has none"))
            }
            _ => None,
        };
        wrong.map_or(Ok(()), |wrong| Err(format!("{}: {wrong}", seen.node)))
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Registries {
    fn register(&mut self, key: (String, u64), process: u64) -> Option<String> {
        if self.ended.contains(&process) {
            return Some(format!("process {process} has ended, and is registered in {}", key.0));
        }
        let registry = key.0.clone();
        let before = self.owners.insert(key, process)?;
        Some(format!("a key of {registry} is given to process {process} while process {before} has it"))
    }

    fn has_a_name(&self, process: u64) -> bool {
        self.owners.values().any(|owner| *owner == process)
    }
}
