//! A table of malformed and hostile requests, sent to ours and to axum in one run.
//!
//! `hostile OURS AXUM` takes the addresses of two servers that answer alike (see `serve`), prints a line
//! for each case and ends with 1 if ours has answered one in a way that the RFC does not allow.

#![forbid(unsafe_code)]

#[path = "../hostile/cases.rs"]
mod cases;
#[path = "../hostile/exchange.rs"]
mod exchange;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use cases::Case;
use exchange::{exchange, is_alive};

/// Cases that run at once; most of the time is spent on waiting.
const AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let addresses: Vec<SocketAddr> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    let [ours, axum] = addresses[..] else {
        eprintln!("usage: hostile OURS AXUM (addresses with ports)");
        return ExitCode::from(2);
    };
    let cases = cases::all();
    let mut report = head(cases.len());
    let mut failed = 0;
    let mut differing = 0;
    for (at, group) in cases.chunks(AT_ONCE).enumerate() {
        for (case, (by_ours, by_axum)) in group.iter().zip(run(group, ours, axum)) {
            let is_allowed = case.allowed.contains(&by_ours.as_str());
            failed += usize::from(!is_allowed);
            differing += usize::from(by_ours != by_axum);
            let _ = writeln!(report, "{}", row(case, &by_ours, &by_axum, is_allowed));
            if !is_allowed {
                eprintln!("FAILED {}: {by_ours}; allowed: {}", case.name, case.allowed.join("; "));
            }
        }
        eprintln!("{} of {} cases", (at * AT_ONCE + group.len()).min(cases.len()), cases.len());
    }
    let _ = writeln!(report, "\n{} cases, {failed} failed, {differing} answered otherwise than by axum.", cases.len());
    print!("{report}");
    ExitCode::from(u8::from(failed > 0))
}

/// Both answers to each case of a group, all at once.
fn run(group: &[Case], ours: SocketAddr, axum: SocketAddr) -> Vec<(String, String)> {
    thread::scope(|scope| {
        let running: Vec<_> = group
            .iter()
            .map(|case| {
                let beside = scope.spawn(move || exchange(axum, case));
                (scope.spawn(move || judged(ours, case)), beside)
            })
            .collect();
        let answer = |thread: thread::ScopedJoinHandle<'_, String>| thread.join().expect("an exchange does not panic");
        running.into_iter().map(|(ours, axum)| (answer(ours), answer(axum))).collect()
    })
}

/// What ours answers; a server that answers nobody else afterwards has not passed.
fn judged(ours: SocketAddr, case: &Case) -> String {
    let outcome = exchange(ours, case);
    if is_alive(ours) { outcome } else { format!("{outcome}, and then dead") }
}

fn head(cases: usize) -> String {
    format!(
        "# Hostile requests\n\n\
         {cases} requests, each sent to ours and to axum by `ci/conformance http`. An outcome is the statuses of all\n\
         answers in their order, then what became of the connection: `open` when it takes another request,\n\
         `closed`, `reset`, `cut` in the middle of an answer. Time limits of ours are 1 s in this run; axum has\n\
         none of its own.\n\n\
         | request | source | ours | axum | why |\n| --- | --- | --- | --- | --- |\n"
    )
}

fn row(case: &Case, ours: &str, axum: &str, is_allowed: bool) -> String {
    let mark = if is_allowed { "" } else { " **FAILED**" };
    let why = match case.why {
        why if ours != axum || !why.is_empty() => why,
        _ => "",
    };
    format!("| {} | {} | {ours}{mark} | {axum} | {why} |", case.name, case.source)
}
