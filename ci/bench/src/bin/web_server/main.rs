//! Servers beside their peers: `web_server hyper|axum|ours|tungstenite|fastwebsockets|websocket`, on a
//! free port that it prints, with one worker thread (`TOKIO_WORKER_THREADS=1`).
//!
//! The first three answer `GET /plain` with `Hello, world!` and `GET /json` with a small object that is
//! serialized for each request; the others echo text and binary messages on whatever path is asked for.

mod beside;
mod ours;

use serde::Serialize;

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
    match std::env::args().nth(1).as_deref() {
        Some("hyper") => beside::run(beside::hyper()),
        Some("axum") => beside::run(beside::axum()),
        Some("tungstenite") => beside::run(beside::tungstenite()),
        Some("fastwebsockets") => beside::run(beside::fastwebsockets()),
        Some("ours") => ours::http(),
        Some("websocket") => ours::websocket(),
        _ => panic!("usage: web_server hyper|axum|ours|tungstenite|fastwebsockets|websocket"),
    }
}
