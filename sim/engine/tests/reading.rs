//! What a run keeps for who reads of it: notes, and messages that never arrived, with what stopped them.

#![allow(clippy::unwrap_used)] // a test

use std::net::SocketAddr;
use std::slice::from_ref;
use std::sync::Arc;

use simurgh_runtime::net::{TcpListener, TcpStream};
use simurgh_runtime::{self as runtime, DurationExt, note};
use simurgh_sim::{Body, Kill, Profile, Report, RunConfig, Sim, Stop, run_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn body<F>(f: impl Fn(Sim) -> F + Send + Sync + 'static) -> Body
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move |sim| Box::pin(f(sim)))
}

fn run(keep: usize, body: &Body) -> Report {
    let report = run_once(&RunConfig { keep, ..RunConfig::new(1, Profile::calm()) }, body);
    assert_eq!(report.failure, None);
    report
}

#[test]
fn a_note_is_read_and_leaves_the_run_as_it_is() {
    let noting = |notes: bool| {
        body(move |_| async move {
            if notes {
                note!("waits {} ms before it asks again", 50);
            }
            runtime::sleep(50.millis()).await;
            Ok(())
        })
    };
    let (with, without) = (run(100, &noting(true)), run(100, &noting(false)));
    assert_eq!((with.hash, with.events), (without.hash, without.events));
    let notes: Vec<&str> =
        with.kept.iter().filter(|event| event.kind == "note").map(|event| event.words.as_str()).collect();
    assert_eq!(notes, ["waits 50 ms before it asks again"]);
    assert_eq!(with.kept.len(), without.kept.len() + 1);
}

async fn hears() {
    let mut listener = TcpListener::bind(SocketAddr::from(([0, 0, 0, 0], 80))).await.unwrap();
    runtime::ready();
    let mut streams = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        streams.push(runtime::spawn(async move {
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all).await;
        }));
    }
}

async fn says(to: SocketAddr) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(b"first\n").await.unwrap();
    runtime::sleep(1.secs()).await;
    stream.write_all(b"second\n").await.unwrap();
    runtime::sleep(1.secs()).await;
    let again = TcpStream::connect(to);
    let _ = runtime::timeout(500.millis(), again).await;
    runtime::sleep(1.secs()).await;
}

/// What did not arrive, if `strike` strikes after the first message: sender, receiver, stop, text, and milliseconds from
/// sending to stopping.
fn undelivered(strike: fn(&Sim, &[simurgh_sim::Node; 2])) -> Vec<String> {
    let body = body(move |sim| async move {
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let to = SocketAddr::new(hears.ip(), 80);
        let says = sim.node("says", move || says(to));
        runtime::sleep(500.millis()).await;
        strike(&sim, &[hears, says.clone()]);
        says.ended().await;
        Ok(())
    });
    let report = run(100, &body);
    assert!(report.messages.iter().any(|message| message.begins == "first\\n"), "{:?}", report.messages);
    assert!(report.messages.iter().all(|message| message.begins != "second\\n"), "{:?}", report.messages);
    assert!(run(0, &body).undelivered.is_empty(), "nobody reads");
    let told = |message: &simurgh_sim::Undelivered| {
        let ms = (message.stopped.0 - message.sent.0) / 1_000_000;
        format!("{} to {}: {:?} \"{}\" after {ms} ms", message.from, message.to, message.stop, message.begins)
    };
    assert!(report.undelivered.iter().all(|message| (message.len == 0) == (message.connection == 0)));
    report.undelivered.iter().map(told).collect()
}

#[test]
fn what_a_cut_a_clog_a_kill_and_a_reset_took_is_known() {
    let cut = undelivered(|sim, [hears, says]| sim.partition(from_ref(hears), from_ref(says)));
    assert_eq!(cut, ["says to hears: Cut \"second\\n\" after 1 ms", "says to hears: Cut \"\" after 1 ms"]);
    let clogged = undelivered(|sim, [hears, says]| sim.clog(from_ref(says), from_ref(hears)));
    assert_eq!(clogged, ["says to hears: Clogged \"second\\n\" after 1 ms", "says to hears: Clogged \"\" after 1 ms"]);
    let off = undelivered(|sim, [hears, _]| sim.kill(hears, Kill::Power));
    assert_eq!(off, ["says to hears: Off \"second\\n\" after 1 ms", "says to hears: Off \"\" after 1 ms"]);
    let forgotten = undelivered(|sim, [hears, _]| assert!(sim.forget_one(hears)));
    assert_eq!(forgotten, ["says to hears: Unread \"second\\n\" after 1 ms"]);
    let words = [Stop::Cut, Stop::Clogged, Stop::Off, Stop::Broken, Stop::Unread, Stop::End].map(Stop::word);
    assert_eq!(words, ["cut", "clogged", "off", "broken", "unread", "end"]);
}
