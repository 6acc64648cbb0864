//! Servers beside their peers: `web_server hyper|axum|ours|tungstenite|fastwebsockets|websocket`, on a
//! free port that it prints, with one worker thread (`TOKIO_WORKER_THREADS=1`).
//!
//! The first three answer `GET /plain` with `Hello, world!` and `GET /json` with a small object that is
//! serialized for each request; the others echo text and binary messages on whatever path is asked for.

mod beside;
mod ours;

use serde::Serialize;

/// After a peer's name: on tokio's current-thread scheduler, not on the one for many threads.
const ALONE: &str = "-alone";

pub const PLAIN: &str = "Hello, world!";

#[derive(Serialize)]
pub struct Answer {
    message: &'static str,
    number: u64,
    tags: [&'static str; 3],
}

pub fn answer() -> Answer {
    Answer { message: PLAIN, number: 42, tags: ["red", "green", "blue"] }
}

fn main() {
    let server = std::env::args().nth(1).unwrap_or_default();
    let (server, is_alone) = server.strip_suffix(ALONE).map_or((&*server, false), |server| (server, true));
    match server {
        "hyper" => beside::run(is_alone, beside::hyper()),
        "axum" => beside::run(is_alone, beside::axum()),
        "tungstenite" => beside::run(is_alone, beside::tungstenite()),
        "fastwebsockets" => beside::run(is_alone, beside::fastwebsockets()),
        "ours" => ours::http(),
        "websocket" => ours::websocket(),
        _ => panic!("usage: web_server hyper|axum|ours|tungstenite|fastwebsockets|websocket"),
    }
}
