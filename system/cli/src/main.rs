//! The `simurgh` command: a thin driver.
//!
//! What it runs is the application's own code. `simurgh sim` finds the application's scenario target, has cargo build
//! it, and becomes it (`exec`): terminal, signals and exit code are the target's own, and no simulator is in here.
//!
//! ```text
//!   simurgh sim run FILE ──> cargo metadata ──> cargo test --no-run ──> exec target/debug/deps/scenarios-.. sim run FILE
//!                            which package       build                   from here on: simurgh_harness::main
//! ```

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // it starts cargo, reads manifests, and gives its process to another program

mod build;
mod error;
mod package;
mod sim;

use std::process::ExitCode;

use simurgh::config::nearest;
use simurgh::prelude::*;

use error::Error;

const HELP: &str = "\
The command of Simurgh, for your own application.

usage: simurgh sim [OPTIONS] [COMMAND ...]     scenario files and simulations of the application in this folder
       simurgh load channels SCENARIO ...      load on a server of channels, with honest latencies
       simurgh COMMAND --help                  says more

examples: simurgh sim list
          simurgh sim run scenarios/split.toml --seeds 200
          simurgh load channels echo --connections 1000 --rate 20000
";

/// The commands, by name.
const COMMANDS: [&str; 3] = ["sim", "load", "help"];

fn main() -> ExitCode {
    let args: Vec<String> = runtime::env::args().into_iter().skip(1).collect();
    let (name, rest) = args.split_first().map_or(("help", &[][..]), |(name, rest)| (name.as_str(), rest));
    let done = match name {
        "help" | "--help" | "-h" => {
            out!("{}", HELP.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        "--version" | "-V" => {
            out!("simurgh {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
        "sim" => sim::command(rest),
        "load" => Ok(simurgh_load::main("simurgh load", rest)),
        other => Err(Error::Command { name: other.to_owned(), instead: instead(other, &COMMANDS) }),
    };
    done.unwrap_or_else(|error| {
        err!("error: {error}");
        ExitCode::from(2)
    })
}

/// What else there is: the nearest name, or all if none is near.
fn instead(wrong: &str, known: &[&str]) -> String {
    match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("the nearest is {near}"),
        None => format!("there are {}", known.join(", ")),
    }
}
