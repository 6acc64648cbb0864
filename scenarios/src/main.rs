//! `cargo sim`: runs the simulations of this repository.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    simurgh_sim::main(&scenarios::registry())
}
