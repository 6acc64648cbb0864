//! The echo service as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh::config::{self, Source};
use simurgh::prelude::*;
use simurgh::telemetry::logs;
use simurgh_labs::echo::{self, EchoSettings};

const HELP: &str = "\
Listens for TCP connections and sends every byte back.

usage: echo [--port P] [--config FILE]

  --port P        listens on 127.0.0.1:P (0 takes a free port); goes before ECHO_ADDR
  --config FILE   reads settings from a TOML file

Settings, by environment variable and by name in the file:
";

fn main() -> ExitCode {
    match settings(runtime::env::args().into_iter().skip(1)) {
        Ok(Some(settings)) => {
            logs::install();
            runtime::exit_code(runtime::run("echo", echo::main(settings)))
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(why) => {
            err!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// What the command line, the environment and the file say; none if only help was wanted.
fn settings(mut args: impl Iterator<Item = String>) -> Result<Option<EchoSettings>, String> {
    let mut source = Source::from_env();
    let mut port = None;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--help" | "-h" => {
                out!("{HELP}{}", config::help(EchoSettings::FIELDS).trim_end());
                return Ok(None);
            }
            "--port" => {
                let text = value()?;
                port = Some(
                    text.parse::<u16>().map_err(|_| format!("--port: \"{text}\" is not a number from 0 to 65535"))?,
                );
            }
            "--config" => source = source.file(&value()?),
            other => return Err(format!("there is no {other}; echo --help lists what there is")),
        }
    }
    if let Some(port) = port {
        source = source.var("ECHO_ADDR", &format!("127.0.0.1:{port}"));
    }
    EchoSettings::load(&source).map(Some).map_err(|errors| errors.to_string())
}
