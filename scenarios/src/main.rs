//! `cargo sim`: runs the simulations of this repository.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    simurgh_harness::main(&scenarios::files::registry())
}
