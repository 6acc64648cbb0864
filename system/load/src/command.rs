//! The command line.

use std::process::ExitCode;

use simurgh::prelude::*;

use crate::options::{Command, Options};

/// Does what a command line says, and prints the report. `called` is how it was called, for help and errors: `cargo
/// load`, `simurgh load`; `args` is what follows that.
pub fn main(called: &str, args: &[String]) -> ExitCode {
    let as_called = |text: &str| text.replace("cargo load", called);
    match Options::parse(args) {
        Ok(Command::Help(text)) => {
            out!("{}", as_called(text).trim_end());
            ExitCode::SUCCESS
        }
        Ok(Command::Channels(options)) => runtime::exit_code(runtime::run("load", async move {
            let report = crate::run(&options).await.map_err(String::from)?;
            out!("{}", if options.json { report.to_json() } else { report.to_text() });
            report.verdict()
        })),
        Err(error) => {
            err!("error: {}", as_called(&error.to_string()));
            ExitCode::from(2)
        }
    }
}
