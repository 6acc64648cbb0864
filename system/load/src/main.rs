//! `cargo load channels`: see `--help`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh::prelude::*;
use simurgh_load::{Command, Options};

fn main() -> ExitCode {
    let args: Vec<String> = runtime::env::args().into_iter().skip(1).collect();
    match Options::parse(&args) {
        Ok(Command::Help(text)) => {
            out!("{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Ok(Command::Channels(options)) => runtime::exit_code(runtime::run("load", async move {
            let report = simurgh_load::run(&options).await.map_err(String::from)?;
            out!("{}", if options.json { report.to_json() } else { report.to_text() });
            report.verdict()
        })),
        Err(error) => {
            err!("error: {error}");
            ExitCode::from(2)
        }
    }
}
