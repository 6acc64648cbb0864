//! What must hold of values and versions alone, whatever the machines do: at level `property`.

use proptest::collection::vec;
use simurgh_harness::{Property, Steps};

use super::wire::{Tagged, Version};

/// Replicas hear of the same values in any order, and more than once: they hold the same.
pub(super) fn newest_wins() -> Property {
    Property::told(
        "register.newest_wins",
        "who has heard the same, in any order and more than once, holds the same",
        || vec((1..4u64, 1..5u64), 1..6),
        |versions, steps| {
            let heard: Vec<Tagged> = versions
                .into_iter()
                .map(|(time, op)| Tagged { version: Version { time, op }, value: Some(op) })
                .collect();
            let backwards = heard.iter().rev().copied().collect();
            let twice = heard.iter().chain(&heard).copied().collect();
            let turned = heard[1..].iter().chain(&heard[..1]).copied().collect();
            let once = held(&heard);
            let others: [(&str, Vec<Tagged>); 3] = [("backwards", backwards), ("twice", twice), ("turned", turned)];
            let Some((how, heard_so)) = others.into_iter().find(|(_, other)| held(other) != once) else {
                return Ok(());
            };
            tell("heard as it was generated", &heard, steps);
            tell(&format!("heard {how}"), &heard_so, steps);
            Err(format!("heard {how}, \"{}\" is held and not \"{once}\"", held(&heard_so)))
        },
    )
}

/// The steps of a replica that hears this.
fn tell(how: &str, heard: &[Tagged], steps: &Steps) {
    steps.way(how);
    for (place, tagged) in heard.iter().enumerate() {
        let before = held(&heard[..place]);
        let Version { time, op } = tagged.version;
        let does = if tagged.replaces(before) { "keeps it".to_owned() } else { format!("stays at \"{before}\"") };
        steps.step(format!("hears the value of operation {op}, of time {time}: {does}"));
    }
    steps.step(format!("holds \"{}\"", held(heard)));
}

/// What a replica holds that has heard this.
fn held(heard: &[Tagged]) -> Tagged {
    heard.iter().fold(Tagged::default(), |held, tagged| if tagged.replaces(held) { *tagged } else { held })
}
