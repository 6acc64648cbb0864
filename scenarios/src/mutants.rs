//! The mutants: bugs planted in real services, by which the simulations and the default world are judged.
//!
//! Each must be found in [`Profile::nasty`](simurgh_sim::Profile::nasty), from every seed on that is tried, and missed
//! without faults: what first come, first served shows needs no simulator. `cargo sim mutants` measures;
//! `reports/mutants.md` is what came of it.

use std::path::Path;

use simurgh_sim::{Mutant, Mutants, Registry};

pub(crate) fn register(registry: Registry) -> Registry {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a folder of the workspace").to_owned();
    registry.mutants(Mutants { all: &ALL, root, sources: "system".into(), report: "reports/mutants.md".into() })
}

const fn mutant(bug: &'static str, kind: &'static str, simulation: &'static str) -> Mutant {
    Mutant { bug, kind, simulation }
}

const ALL: [Mutant; 30] = [
    mutant("net.cap-check-then-act", "check then act", "echo/chaos"),
    mutant("net.lost-wakeup", "lost wakeup", "echo/chaos"),
    mutant("net.count-not-decremented", "place leaked by a reset", "echo/chaos"),
    mutant("net.kill-leaves-entry", "place leaked by a kill", "echo/chaos"),
    mutant("net.drain-forgets-state", "drain that misses a state", "echo/chaos"),
    mutant("net.accept-not-tried-again", "error that is never tried again", "echo/chaos"),
    mutant("ws.short-read", "short read", "http/clients"),
    mutant("ws.short-write", "short write", "channels/rooms"),
    mutant("channels.drain-at-once", "drain of all at once", "channels/deploy"),
    mutant("otp.message-lost-to-preemption", "message lost when preempted", "otp/mailboxes"),
    mutant("supervisor.exit-lost-to-preemption", "exit lost when preempted", "otp/restarts"),
    mutant("pubsub.message-lost-to-preemption", "message lost when preempted", "pubsub/churn"),
    mutant("presence.removal-without-tick", "stale state after a split", "presence/replicas"),
    mutant("presence.old-version-kept", "ghost: a former life's presences", "presence/replicas"),
    mutant("presence.resurrects", "ghost: the dead come back", "presence/replicas"),
    mutant("presence.down-unnoticed", "ghost: of a node that fell silent", "presence/replicas"),
    mutant("presence.leave-told-twice", "stale leave", "presence/replicas"),
    mutant("presence.gap-taken-for-seen", "gap taken for seen", "presence/replicas"),
    mutant("presence.silence-by-wall", "clock going back", "presence/replicas"),
    mutant("history.unsynced", "missing sync", "disk/history"),
    mutant("history.sync-again", "failed sync tried again", "disk/history"),
    mutant("history.acked-before-sync", "answer before the sync", "disk/history"),
    mutant("history.short-read", "short read", "disk/history"),
    mutant("history.short-write", "short write", "disk/history"),
    mutant("history.found-is-safe", "found taken for durable", "disk/history"),
    mutant("history.directory-unsynced", "directory not synced", "disk/history"),
    mutant("history.retry-without-key", "retry without a key", "disk/history"),
    mutant("fs.rename-unsynced", "rename without directory sync", "disk/history"),
    mutant("fs.replace-unsynced", "missing sync before a rename", "disk/history"),
    mutant("fs.replace-short-write", "short write", "disk/history"),
];
