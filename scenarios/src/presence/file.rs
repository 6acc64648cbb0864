//! Presence for scenario files: `scenarios/presence/*.toml`.

use simurgh::prelude::*;
use simurgh_harness::{Registry, Seat, Subject, World};
use simurgh_invariants::{PresenceConverges, PresenceDiffsReplay, PresenceOneDiff};

use super::{PLANTED, PORT, server};

/// Registers the subject `presence` and what belongs to it.
pub(crate) fn register(registry: Registry) -> Registry {
    let subject = Subject::new("presence", "replicas of presence; people come, change and go on each node")
        .role("node", node)
        .on_calm(calm)
        .on_end(settled);
    let registry = registry
        .subject(subject)
        .invariant("presence.converges", "each node lists exactly who is there, once the world is whole", |_| {
            PresenceConverges::default()
        })
        .invariant("presence.one_diff_per_change", "each change is told once", |_| PresenceOneDiff::default())
        .invariant("presence.diffs_replay", "who applies all diffs has what the server has", |_| PresenceDiffsReplay);
    PLANTED.iter().fold(registry, |registry, bug| registry.planted(bug, "see the invariant that catches it"))
}

async fn node(seat: Seat) -> Result<(), String> {
    let others = seat.of_role("node").filter(|place| place.name != seat.name());
    let peers = others.map(|place| (place.name.clone(), (place.ip, PORT).into())).collect();
    server::run(seat.name().to_owned(), peers).await
}

async fn calm(world: World) -> Result<(), String> {
    for node in world.of_role("node") {
        node.set_var("CALM", "1");
        node.started().await?;
    }
    Ok(())
}

async fn settled(_world: World) -> Result<(), String> {
    event!("presence.settled");
    Ok(())
}
