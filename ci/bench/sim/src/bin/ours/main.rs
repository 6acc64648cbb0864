//! The loads in our simulator: `ours FIGURE SECONDS SIMULATED_SECONDS`.
//!
//! Besides the figures of all arms: `words4`, W with every event of the trace kept in words; `own4` and `own100`, W on our own
//! HTTP and WebSocket; `polls` and `tokio-polls`; `scale10` and `scale500`; `repeats`.

mod own;
mod polls;
mod scale;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bench_sim::work::{self, CLIENTS, LATENCY, Load, PORT, SERVERS, World};
use simurgh_runtime as runtime;
use simurgh_runtime::net::{TcpListener, TcpStream};
use simurgh_sim::{Body, Profile, Report, RunConfig, Strategies, run_once};

struct Ours;

impl World for Ours {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn listen() -> io::Result<TcpListener> {
        TcpListener::bind(([0, 0, 0, 0], PORT).into()).await
    }

    async fn accept(listener: &mut TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    async fn connect(to: IpAddr) -> io::Result<TcpStream> {
        TcpStream::connect((to, PORT).into()).await
    }

    async fn sleep(time: Duration) {
        runtime::sleep(time).await;
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> impl Future<Output = ()> + Send {
        let task = runtime::spawn(task);
        async move { task.await.expect("an end") }
    }
}

fn main() {
    let (figure, seconds, simulated) = work::arguments();
    match figure.as_str() {
        "words4" => {
            let words = |seed| RunConfig { full_trace: true, ..config(seed) };
            let (seeds, took) = work::measure(seconds, |seed| drop(passed(run_once(&words(seed), &body(Load::Web, 4, CLIENTS)))));
            println!("{}", seeds / took * 60.0);
        }
        "own4" | "own100" => {
            let hosts = if figure == "own4" { 4 } else { CLIENTS };
            let (seeds, took) = work::measure(seconds, |seed| drop(passed(run_once(&config(seed), &own::body(hosts)))));
            println!("{}", seeds / took * 60.0);
        }
        "polls" => println!("{}", polls::ours(seconds)),
        "tokio-polls" => println!("{}", polls::tokio(seconds)),
        "scale10" => println!("{}", scale::ns_per_delivery(10, 5, seconds)),
        "scale500" => println!("{}", scale::ns_per_delivery(500, 10, seconds)),
        "repeats" => repeats(seconds as u64),
        _ => work::figure(&figure, seconds, simulated, |load, hosts, clients, seed| {
            passed(run_once(&config(seed), &body(load, hosts, clients)));
        }),
    }
}

/// The world of the benchmark: the latencies of W, tasks in random order, and no faults.
fn config(seed: u64) -> RunConfig {
    let latency_ns = Some((LATENCY.0.as_nanos() as u64, LATENCY.1.as_nanos() as u64));
    let strategies = Strategies::RandomOnly;
    let profile = Profile { latency_varies: true, latency_ns, strategies, ..Profile::calm() };
    RunConfig { max_polls: u64::MAX, ..RunConfig::new(seed, profile) }
}

fn passed(report: Report) -> Report {
    if let Some(failure) = &report.failure {
        panic!("seed {}: {failure}", report.seed);
    }
    report
}

fn body(load: Load, hosts: usize, clients: usize) -> Body {
    Arc::new(move |sim| {
        Box::pin(async move {
            let servers: [IpAddr; SERVERS] =
                std::array::from_fn(|number| sim.node(&format!("server{number}"), move || load.serve::<Ours>()).ip());
            let each = clients / hosts;
            let hosts: Vec<_> = (0..hosts)
                .map(|host| sim.node(&format!("clients{host}"), move || load.ask::<Ours>(host * each, each, servers)))
                .collect();
            for host in hosts {
                match host.ended().await {
                    simurgh_sim::Exit::Finished => {}
                    other => return Err(format!("{other:?}")),
                }
            }
            Ok(())
        })
    })
}

/// Prints one hash for each of `seeds` runs of W: to be the same in another process, in another order.
fn repeats(seeds: u64) {
    let hash = |seed| passed(run_once(&config(seed), &body(Load::Web, 4, CLIENTS))).hash;
    let backwards: Vec<u64> = (0..seeds).rev().map(hash).collect();
    let threads: Vec<_> = (0..seeds).map(|seed| std::thread::spawn(move || hash(seed))).collect();
    let together: Vec<u64> = threads.into_iter().map(|thread| thread.join().expect("a run")).collect();
    let same = together.iter().eq(backwards.iter().rev());
    println!("{} {}", u64::from(same), together.iter().fold(0, |sum: u64, hash| sum.rotate_left(7) ^ hash));
}
