//! Ours: the program `echo` as it is shipped, with its logs, its signals and its default limits.

use std::process::ExitCode;

use simurgh::runtime;
use simurgh_labs::echo::{self, EchoSettings};

fn main() -> ExitCode {
    let mut settings = EchoSettings::load(&Default::default()).expect("defaults");
    settings.addr.set_port(0);
    simurgh::telemetry::logs::install();
    runtime::exit_code(runtime::run("echo", echo::main(settings)))
}
