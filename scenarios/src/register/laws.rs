//! What must hold of values and versions alone, whatever the machines do: at level `property`.

use proptest::collection::vec;
use simurgh_harness::Property;

use super::wire::{Tagged, Version};

/// Replicas hear of the same values in any order, and more than once: they hold the same.
pub(super) fn newest_wins() -> Property {
    Property::new(
        "register.newest_wins",
        "who has heard the same, in any order and more than once, holds the same",
        || vec((1..4u64, 1..5u64), 1..6),
        |versions| {
            let heard: Vec<Tagged> = versions
                .into_iter()
                .map(|(time, op)| Tagged { version: Version { time, op }, value: Some(op) })
                .collect();
            let once = held(heard.iter());
            let others = [
                ("backwards", held(heard.iter().rev())),
                ("twice", held(heard.iter().chain(&heard))),
                ("turned", held(heard[1..].iter().chain(&heard[..1]))),
            ];
            match others.into_iter().find(|(_, other)| *other != once) {
                None => Ok(()),
                Some((how, other)) => Err(format!("heard {how}, \"{other}\" is held and not \"{once}\"")),
            }
        },
    )
}

/// What a replica holds that has heard this.
fn held<'a>(heard: impl Iterator<Item = &'a Tagged>) -> Tagged {
    heard.fold(Tagged::default(), |held, tagged| if tagged.replaces(held) { *tagged } else { held })
}
