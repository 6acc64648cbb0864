//! One named case for each thing that the web layer promises. The same bodies run in memory, on sockets and in
//! the simulator; `ci/conformance web` makes a table of them.
//!
//! ```text
//!   cases() ──> Case ──> Stage ──┬─ memory:    straight into the endpoint
//!                                ├─ sockets:   a server on a free port of loopback
//!                                └─ simulator: the same server, under several seeds
//! ```

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod case;
mod conn;
mod cors;
mod errors;
mod extraction;
mod files;
mod lives;
mod multipart;
mod parsers;
mod plugs;
mod router;
mod security;
mod sessions;
mod streams;
mod telling;
mod tower;

use case::{Arm, Case, check};

/// All cases, by subject.
fn cases() -> Vec<Case> {
    [
        conn::cases(),
        plugs::cases(),
        tower::cases(),
        router::cases(),
        extraction::cases(),
        parsers::cases(),
        multipart::cases(),
        sessions::cases(),
        security::cases(),
        files::cases(),
        streams::cases(),
        cors::cases(),
        errors::cases(),
        telling::cases(),
        lives::cases(),
    ]
    .concat()
}

#[test]
fn every_case_in_memory() {
    check(Arm::Memory, &cases());
}

#[test]
fn every_case_on_sockets() {
    check(Arm::Sockets, &cases());
}

#[test]
fn every_case_in_the_simulator() {
    check(Arm::Simulator, &cases());
}

#[test]
fn names_are_unique_and_say_their_subject() {
    let cases = cases();
    let mut names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    for case in &cases {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '_';
        assert!(case.name.matches('.').count() == 1 && case.name.chars().all(is_name), "{}", case.name);
        assert!(!case.what.is_empty() && !case.what.contains('|'), "{}: {}", case.name, case.what);
    }
}
