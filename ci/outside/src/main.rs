//! The tally as a program.

use std::process::ExitCode;

use simurgh::runtime;

fn main() -> ExitCode {
    let addr = runtime::env::var("TALLY_ADDR").unwrap_or_else(|| "127.0.0.1:4001".into());
    match addr.parse() {
        Ok(addr) => runtime::exit_code(runtime::run("tally", outside::main(addr))),
        Err(_) => runtime::exit_code(Err(format!("TALLY_ADDR: \"{addr}\" is not an address like 127.0.0.1:4001"))),
    }
}
