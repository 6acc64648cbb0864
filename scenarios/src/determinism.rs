//! Faults of determinism that the interposer cannot tame: each must be reported as such.
//!
//! Each of these draws a decision from something that is no function of the seed. The simulations
//! must end with the verdict `nondeterminism`, at the first event that differs, with both sides.

#![allow(unsafe_code)] // a raw system call, which is the fault

use std::sync::atomic::{AtomicU64, Ordering};

use simurgh::prelude::*;
use simurgh_sim::{Outcome, Profile, Registry, Sim, Simulation};

pub(crate) fn register(registry: Registry) -> Registry {
    let add = |registry: Registry, name, about, decide: fn() -> u64| {
        let simulation = Simulation::new(name, about, move |sim| subject(sim, decide));
        registry.with(simulation.profile(Profile::calm()).expect("nondeterminism"))
    };
    let registry = add(registry, "determinism/address", "a program that goes by where its memory lies", by_address);
    let registry =
        add(registry, "determinism/clock", "a program that asks the kernel for the time itself", by_raw_clock);
    add(registry, "determinism/global", "a program that counts across runs in a static", by_global_counter)
}

/// A node that waits as long as its decision says, a few times.
async fn subject(sim: Sim, decide: fn() -> u64) -> Outcome {
    let node = sim.node("subject", move || async move {
        for round in 0..10u64 {
            sleep((1 + decide() % 50).millis()).await;
            event!("subject.round", { round: round });
        }
    });
    node.ended().await;
    Ok(())
}

/// Sorts boxes by their addresses: which of them is first depends on the allocator and on where the
/// kernel put the heap.
fn by_address() -> u64 {
    let boxes: Vec<Box<u64>> = (0..16).map(Box::new).collect();
    boxes.iter().map(|one| std::ptr::from_ref::<u64>(one) as u64 >> 12).fold(0, u64::wrapping_add)
}

/// `clock_gettime` past libc, so past the interposer.
fn by_raw_clock() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid pointer, for the length of the call.
    unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_nsec as u64 / 1_000
}

/// A counter that outlives the run.
fn by_global_counter() -> u64 {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    COUNTER.fetch_add(1, Ordering::Relaxed)
}
