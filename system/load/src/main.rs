//! `cargo load channels`: see `--help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh::prelude::*;

fn main() -> ExitCode {
    let args: Vec<String> = runtime::env::args().into_iter().skip(1).collect();
    simurgh_load::main("cargo load", &args)
}
