//! Channels beside a bare broadcaster: `channels_server ours|bare`, on a free port that it prints, with one
//! worker thread (`TOKIO_WORKER_THREADS=1`).
//!
//! Both answer `phx_join` and `ping`, and send a `shout` to all others in its topic. The bare one looks for these words
//! in a message and otherwise lets it be: it has no processes, no limits and no counters.

mod bare;
mod ours;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("ours") => ours::run(),
        Some("bare") => bare::run(),
        _ => panic!("usage: channels_server ours|bare"),
    }
}
