//! A server for the suites: `serve ours|axum ADDRESS`, or `serve websocket ADDRESS`.
//!
//! - `GET /` answers `hello`, `POST /echo` what it was sent (at most 1 MiB), `GET /large` 64 MiB,
//!   `GET /redirect?to=..` sends on to what it is told, as a careless handler would.
//! - `websocket` echoes every message.
//!
//! It ends when its standard input ends, so that nothing is left when the suite dies.

#![forbid(unsafe_code)]

#[path = "../serve/axum.rs"]
mod beside;
#[path = "../serve/ours.rs"]
mod ours;

use std::io::Read;
use std::net::SocketAddr;

/// Bytes of a body that is echoed.
const BODY_LEN_MAX: usize = 1 << 20;
/// Bytes of the large answer.
const LARGE_LEN: usize = 64 << 20;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match &args[..] {
        [what, address] => address.parse::<SocketAddr>().ok().map(|address| (what.as_str(), address)),
        _ => None,
    };
    match parsed {
        Some(("ours", address)) => ours::http(address, until_input_ends),
        Some(("websocket", address)) => ours::websocket(address, until_input_ends),
        Some(("axum", address)) => beside::http(address, until_input_ends),
        _ => {
            eprintln!("usage: serve ours|websocket|axum ADDRESS");
            std::process::exit(2);
        }
    }
}

fn until_input_ends() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
