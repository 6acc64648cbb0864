//! `effect.exactly_once`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::number;

/// An operation with an idempotency key takes effect exactly once if its client is told that it is done, never if it is
/// told that it failed, and at most once if it is not known.
///
/// Reads `effect.begun` {`key`}, `effect.applied` {`key`, `as`}, as which effect it was applied: the same one may be seen
/// in many places; and of who asked `effect.ok` {`key`}, `effect.fail` {`key`} or `effect.unknown` {`key`}. Planted bugs:
/// `register.new-version-on-retry` begins anew what may have been done; `register.late-is-failed` says that it failed.
#[derive(Debug, Default)]
pub struct OnceEffect {
    effects: BTreeMap<u64, BTreeSet<u64>>,
    told: BTreeMap<u64, Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Ok,
    Fail,
    Unknown,
}

impl OnceEffect {
    fn judge(&self, key: u64) -> Result<(), String> {
        let effects = self.effects.get(&key).map_or(0, BTreeSet::len);
        match self.told.get(&key).copied().unwrap_or(Told::Nothing) {
            _ if effects > 1 => Err(format!("operation {key} took effect {effects} times")),
            Told::Ok if effects == 0 => Err(format!("operation {key} is said to be done, and had no effect")),
            Told::Fail if effects > 0 => Err(format!("operation {key} is said to have failed, and had an effect")),
            Told::Nothing | Told::Ok | Told::Fail | Told::Unknown => Ok(()),
        }
    }
}

impl Invariant for OnceEffect {
    fn name(&self) -> &'static str {
        "effect.exactly_once"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let told = match seen.event.name {
            "effect.begun" => Told::Nothing,
            "effect.ok" => Told::Ok,
            "effect.fail" => Told::Fail,
            "effect.unknown" => Told::Unknown,
            "effect.applied" => {
                let key = number(seen, "key");
                self.effects.entry(key).or_default().insert(number(seen, "as"));
                return self.judge(key);
            }
            _ => return Ok(()),
        };
        let key = number(seen, "key");
        let before = self.told.insert(key, told);
        if before.is_some() && (before != Some(Told::Nothing) || told == Told::Nothing) {
            return Err(format!("operation {key} was {before:?} and is {told:?}: a key is used once"));
        }
        self.judge(key)
    }
}
