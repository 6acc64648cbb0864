//! The echo service as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh::runtime;
use simurgh_labs::echo::{self, EchoSettings};

fn main() -> ExitCode {
    runtime::exit_code(runtime::run("echo", echo::main(EchoSettings::default())))
}
