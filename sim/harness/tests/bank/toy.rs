//! A counter to which two tasks add, in several versions: one before a change, others after it.

use std::sync::Arc;

use simurgh_harness::{Registry, Seat, Subject};
use simurgh_runtime::observe::{Event, Value};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{self as runtime, Scope};
use simurgh_sim::{Invariant, Seen};

/// The variable that says which version a process runs; its workers inherit it.
pub(crate) const VERSION: &str = "TOY_VERSION";
/// Rounds of each task: few, so that some seeds fail and some do not.
const ROUNDS: u64 = 3;

/// What a version does.
#[derive(Debug, Clone, Copy)]
struct Version {
    /// Something may come between the look and the change: the bug.
    is_torn: bool,
    /// One await more than before, which matters to nobody.
    awaits_more: bool,
    passes_probe: bool,
    /// Two tasks add; or one, and the place where it went wrong is there no more.
    adders: u64,
}

impl Version {
    fn of(name: &str) -> Self {
        let first = Self { is_torn: true, awaits_more: false, passes_probe: true, adders: 2 };
        match name {
            "await" => Self { awaits_more: true, ..first },
            "no-probe" => Self { passes_probe: false, ..first },
            "mended" => Self { is_torn: false, ..first },
            "mended-no-probe" => Self { is_torn: false, passes_probe: false, ..first },
            "elsewhere" => Self { adders: 0, ..first },
            _ => first,
        }
    }
}

/// The toy, in the version that the environment says.
pub(crate) fn registry() -> Registry {
    let version = Version::of(&std::env::var(VERSION).unwrap_or_default());
    Registry::new()
        .subject(Subject::new("toy", "a counter").role("server", move |_seat: Seat| serve(version)))
        .invariant("toy.adds_up", "no addition is lost", |_| AddsUp::default())
        .probe("toy.looked", "a task has looked, and will change what it saw")
}

async fn serve(version: Version) -> Result<(), String> {
    runtime::ready();
    let total = Arc::new(Mutex::new(0));
    let scope = Scope::new();
    for _ in 0..version.adders {
        scope.spawn("adder", add(Arc::clone(&total), version));
    }
    std::future::pending().await
}

async fn add(total: Arc<Mutex<u64>>, version: Version) {
    for _ in 0..ROUNDS {
        runtime::sleep(std::time::Duration::from_millis(20)).await;
        if version.awaits_more {
            runtime::yield_now().await;
        }
        let seen = *total.lock();
        if version.passes_probe {
            runtime::probe!("toy.looked");
        }
        say("toy.looks", seen);
        if version.is_torn {
            runtime::yield_now().await;
            *total.lock() = seen + 1;
        } else {
            *total.lock() += 1;
        }
        let now = *total.lock();
        say("toy.added", now);
    }
}

fn say(name: &'static str, total: u64) {
    let metadata = [("total", Value::U64(total))];
    runtime::sim::world(|world| world.observe(&Event { name, measurements: &[], metadata: &metadata }));
}

#[derive(Default)]
struct AddsUp {
    additions: u64,
}

impl Invariant for AddsUp {
    fn name(&self) -> &'static str {
        "toy.adds_up"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name == "toy.added" {
            self.additions += 1;
            let total = seen.event.u64("total").unwrap_or(0);
            if total != self.additions {
                return Err(format!("after {} additions the total is {total}", self.additions));
            }
        }
        Ok(())
    }
}
