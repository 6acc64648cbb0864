use std::process::ExitCode;

use simurgh::prelude::*;

fn main() -> ExitCode {
    telemetry::logs::install();
    let addr = runtime::env::var("CHAT_ADDR").unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    match addr.parse() {
        Ok(addr) => runtime::exit_code(runtime::run("chat", chat::serve(addr))),
        Err(_) => runtime::exit_code(Err(format!("CHAT_ADDR: {addr:?} is not an address like 127.0.0.1:4000"))),
    }
}
