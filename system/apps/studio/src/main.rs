//! The studio as a program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use simurgh::config::{self, Source};
use simurgh::http::client;
use simurgh::prelude::*;
use simurgh::telemetry::logs;
use studio::app;
use studio::settings::Settings;

const HELP: &str = "\
Chat rooms with presence, and a page on what runs.

usage: studio [--port P] [--config FILE]
       studio check [--port P] [--config FILE]

  --port P        listens on 127.0.0.1:P (0 takes a free port); goes before STUDIO_ADDR
  --config FILE   reads settings from a TOML file
  check           asks the studio that runs with these settings whether it is ready

It ends with 0 when it was asked to end (SIGTERM, Ctrl-C) and has, with 1 if it could not start, could not go on or
had to kill something at its end, with 2 if its settings are wrong: all that is wrong is said, and nothing started.
check ends with 0 if it is ready, else with 1.

Settings, by environment variable and by name in the file:
";

enum Wish {
    Serve(Settings),
    Check(Settings),
    Help,
}

fn main() -> ExitCode {
    match wish(runtime::env::args().into_iter().skip(1)) {
        Ok(Wish::Serve(settings)) => {
            logs::install();
            runtime::exit_code(runtime::run("studio", app::main(settings)))
        }
        Ok(Wish::Check(settings)) => runtime::exit_code(runtime::run("check", check(settings))),
        Ok(Wish::Help) => {
            out!("{HELP}{}", config::help(Settings::FIELDS).trim_end());
            ExitCode::SUCCESS
        }
        Err(why) => {
            err!("error: {why}");
            ExitCode::from(2)
        }
    }
}

/// What the command line, the environment and the file say.
fn wish(args: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut args = args.peekable();
    let is_check = args.next_if(|arg| arg == "check").is_some();
    let mut source = Source::from_env();
    let mut port = None;
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        match arg.as_str() {
            "--help" | "-h" => return Ok(Wish::Help),
            "--port" => {
                let text = value()?;
                let number = text.parse::<u16>();
                port = Some(number.map_err(|_| format!("--port: \"{text}\" is not a number from 0 to 65535"))?);
            }
            "--config" => source = source.file(&value()?),
            other => return Err(format!("there is no {other}; studio --help lists what there is")),
        }
    }
    if let Some(port) = port {
        source = source.var("STUDIO_ADDR", &format!("127.0.0.1:{port}"));
    }
    let settings = Settings::load(&source).map_err(|errors| errors.to_string())?;
    Ok(if is_check { Wish::Check(settings) } else { Wish::Serve(settings) })
}

/// Whether the studio at the address of these settings is ready.
async fn check(settings: Settings) -> Result<(), String> {
    let mut addr = settings.addr;
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() { [127, 0, 0, 1].into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    let asked = timeout(3.secs(), client::get(&format!("http://{addr}/readyz"))).await;
    let response = asked.map_err(|_| format!("{addr} does not answer within 3 s"))?;
    let response = response.map_err(|error| format!("{addr} does not answer: {error}"))?;
    if response.status().is_success() { Ok(()) } else { Err(format!("{addr} is not ready: {}", response.status())) }
}
