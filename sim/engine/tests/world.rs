//! The simulator, seen from a test that uses it: time, network, nodes, verdicts.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts programs, and asks what the bans keep from others

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simurgh_runtime::net::{TcpListener, TcpStream};
use simurgh_runtime::sync::AsyncMutex;
use simurgh_runtime::{self as runtime, DurationExt, Instant};
use simurgh_sim::{Body, Exit, Kill, Profile, Report, RunConfig, Sim, Strategies, Verdict, run_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn body<F>(f: impl Fn(Sim) -> F + Send + Sync + 'static) -> Body
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move |sim| Box::pin(f(sim)))
}

fn run(seed: u64, profile: Profile, body: &Body) -> Report {
    run_once(&RunConfig { in_words: true, ..RunConfig::new(seed, profile) }, body)
}

fn passes(seed: u64, profile: Profile, body: &Body) -> Report {
    let report = run(seed, profile, body);
    if let Some(failure) = &report.failure {
        panic!("seed {seed}: {failure}\n{}", report.last_events);
    }
    report
}

async fn serve_echo() -> io::Result<()> {
    let mut listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).await?;
    runtime::ready();
    loop {
        let (mut stream, _) = listener.accept().await?;
        drop(runtime::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok(len @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..len]).await.is_err() {
                    return;
                }
            }
        }));
    }
}

async fn echo_once(addr: SocketAddr, text: &[u8]) -> io::Result<Vec<u8>> {
    let stream = TcpStream::connect(addr).await?;
    let (mut read, mut write) = stream.into_split();
    let sent = text.to_vec();
    let writer = runtime::spawn(async move {
        write.write_all(&sent).await?;
        write.shutdown().await
    });
    let mut back = Vec::new();
    read.read_to_end(&mut back).await?;
    writer.await.map_err(io::Error::other)??;
    Ok(back)
}

fn echo_body() -> Body {
    body(|sim| async move {
        let server = sim.node("server", serve_echo);
        server.started().await?;
        let addr = SocketAddr::new(server.ip(), 7);
        let text: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let back = echo_once(addr, &text).await.map_err(|error| error.to_string())?;
        if back == text { Ok(()) } else { Err(format!("{} bytes came back", back.len())) }
    })
}

#[test]
fn bytes_come_back_whole_in_every_world() {
    passes(0, Profile::calm(), &echo_body());
    for seed in 0..50 {
        passes(seed, Profile::nasty(), &echo_body());
    }
}

#[test]
fn a_seed_gives_the_same_run_again_and_another_seed_another() {
    let hash = |seed| passes(seed, Profile::nasty(), &echo_body()).hash;
    let hashes: Vec<u64> = (0..20).map(hash).collect();
    assert_eq!(hashes, (0..20).map(hash).collect::<Vec<_>>());
    let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
    assert_eq!(distinct.len(), hashes.len());
}

#[test]
fn recorded_decisions_replay_the_run() {
    for strategies in [Strategies::Any, Strategies::PosOnly] {
        for seed in 0..10 {
            let config = RunConfig::new(seed, Profile { strategies, ..Profile::nasty() });
            let recorded = run_once(&RunConfig { record: true, ..config.clone() }, &echo_body());
            let replayed = run_once(&RunConfig { replay: Some(recorded.decisions.clone()), ..config }, &echo_body());
            assert_eq!(recorded.hash, replayed.hash, "seed {seed}, {} decisions", recorded.decisions.len());
        }
    }
}

#[test]
fn an_hour_passes_in_no_time_and_clocks_agree() {
    let report = passes(
        3,
        Profile::nasty(),
        &body(|sim| async move {
            let (ours, std, wall) = (Instant::now(), std::time::Instant::now(), std::time::SystemTime::now());
            runtime::sleep(3600.secs()).await;
            assert_eq!(ours.elapsed(), std.elapsed());
            assert!(ours.elapsed() >= 3600.secs() && ours.elapsed() < 3601.secs());
            assert_eq!(wall.elapsed().unwrap(), std.elapsed());
            assert_eq!(sim.elapsed(), runtime::Timestamp::now().as_nanos().abs_diff(1_767_225_600_000_000_000).nanos());
            Ok(())
        }),
    );
    assert!(report.polls < 10, "{} polls", report.polls);
}

trait Nanos {
    fn nanos(self) -> Duration;
}

impl Nanos for u64 {
    fn nanos(self) -> Duration {
        Duration::from_nanos(self)
    }
}

#[test]
fn tokios_own_timers_and_tasks_work_inside() {
    passes(
        5,
        Profile::nasty(),
        &body(|_sim| async move {
            let start = Instant::now();
            tokio::time::sleep(Duration::from_secs(90)).await;
            assert!(start.elapsed() >= 90.secs() && start.elapsed() < 91.secs());
            let foreign = tokio::spawn(async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                tokio::task::yield_now().await;
                7
            });
            assert_eq!(foreign.await.map_err(|error| error.to_string())?, 7);
            assert_eq!(tokio::time::timeout(Duration::from_secs(1), runtime::sleep(10.millis())).await, Ok(()));
            assert!(tokio::time::timeout(Duration::from_millis(10), runtime::sleep(1.secs())).await.is_err());
            Ok(())
        }),
    );
}

#[test]
fn a_partition_delays_and_heals_without_loss() {
    for seed in 0..20 {
        let body = body(|sim| async move {
            let nodes = sim.nodes(1, serve_echo).await?;
            let addr = SocketAddr::new(nodes[0].ip(), 7);
            let client = sim.node("client", move || async move {
                let mut stream = TcpStream::connect(addr).await?;
                runtime::ready();
                for round in 0..50u8 {
                    stream.write_all(&[round; 100]).await?;
                    let mut back = [0; 100];
                    stream.read_exact(&mut back).await?;
                    assert_eq!(back, [round; 100]);
                    runtime::sleep(20.millis()).await;
                }
                io::Result::Ok(())
            });
            client.started().await?;
            sim.partition(&nodes, std::slice::from_ref(&client));
            runtime::sleep(30.secs()).await;
            assert!(client.is_running(), "nothing gets through");
            sim.rejoin(&nodes, std::slice::from_ref(&client));
            match client.ended().await {
                Exit::Finished => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        let report = passes(seed, Profile::nasty(), &body);
        assert!(report.effects.of(simurgh_sim::Effect::Partition) > 0);
    }
}

/// Reads until the connection ends, and prints how.
async fn read_until_it_ends(addr: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(addr).await?;
    runtime::ready();
    let read = runtime::timeout(60.secs(), stream.read(&mut [0; 8])).await;
    runtime::out!(
        "{}",
        match read {
            Err(_) => "silence".to_owned(),
            Ok(Ok(len)) => format!("{len} bytes"),
            Ok(Err(error)) => error.kind().to_string(),
        }
    );
    Ok(())
}

fn after(kill: Kill, expected: &'static str) -> Body {
    body(move |sim| async move {
        let server = sim.node("server", serve_echo);
        server.started().await?;
        let addr = SocketAddr::new(server.ip(), 7);
        let client = sim.node("client", move || read_until_it_ends(addr));
        client.started().await?;
        sim.kill(&server, kill);
        assert_eq!(server.exit(), Some(Exit::Killed));
        client.ended().await;
        assert_eq!(client.output(), [expected]);
        server.restart();
        server.started().await?;
        assert_eq!(echo_once(addr, b"again").await.map_err(|error| error.to_string())?, b"again");
        Ok(())
    })
}

#[test]
fn a_crash_resets_and_a_power_cut_is_silent() {
    for seed in 0..20 {
        passes(seed, Profile::nasty().without_faults(), &after(Kill::Crash, "connection reset"));
        passes(seed, Profile::nasty().without_faults(), &after(Kill::Power, "silence"));
    }
}

#[test]
fn nobody_listening_refuses_and_handles_run_out() {
    let body = body(|sim| async move {
        let node = sim.node("server", serve_echo);
        node.started().await?;
        let refused = TcpStream::connect(SocketAddr::new(node.ip(), 9)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let nowhere = TcpStream::connect("10.99.99.99:7".parse().unwrap()).await.unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::TimedOut);
        sim.limit_handles(&node, Some(0));
        let mut stream = TcpStream::connect(SocketAddr::new(node.ip(), 7)).await.map_err(|error| error.to_string())?;
        // The connection waits in the backlog; the server's accept failed, and its program with it.
        assert!(stream.read(&mut [0; 1]).await.is_err());
        assert!(matches!(node.exit(), Some(Exit::Failed(why)) if why.contains("Too many open files")));
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_stop_is_orderly_and_a_pause_only_delays() {
    async fn program() -> io::Result<()> {
        let end = runtime::signal::shutdown()?;
        runtime::ready();
        let signal = end.await;
        runtime::sleep(100.millis()).await;
        runtime::out!("{signal:?}, in order");
        Ok(())
    }
    let body = body(|sim| async move {
        let node = sim.node("service", program);
        node.started().await?;
        sim.pause(&node, 5.secs());
        let start = Instant::now();
        assert_eq!(node.stop(60.secs()).await, Exit::Finished);
        assert!(start.elapsed() >= 5.secs(), "{:?}", start.elapsed());
        assert_eq!(node.output(), ["Terminate, in order"]);
        Ok(())
    });
    passes(1, Profile::nasty(), &body);
}

#[test]
fn files_survive_a_kill() {
    async fn program() -> io::Result<()> {
        let starts = match runtime::fs::read("starts").await {
            Ok(content) => content[0] + 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 1,
            Err(error) => return Err(error),
        };
        runtime::fs::atomic_replace("starts", [starts]).await?;
        runtime::out!("start {starts}");
        runtime::ready();
        std::future::pending().await
    }
    let body = body(|sim| async move {
        let node = sim.node("service", program);
        node.started().await?;
        for kill in [Kill::Crash, Kill::Power] {
            sim.kill(&node, kill);
            node.restart();
            node.started().await?;
        }
        assert_eq!(node.output(), ["start 1", "start 2", "start 3"]);
        Ok(())
    });
    passes(1, Profile::nasty(), &body);
}

fn verdict(report: Report) -> String {
    report.failure.map_or_else(|| "pass".into(), |failure| failure.to_string())
}

#[test]
fn a_deadlock_is_named() {
    let body = body(|_sim| async move {
        let (_keep, receive) = tokio::sync::oneshot::channel::<()>();
        receive.await.map_err(|error| error.to_string())
    });
    let text = verdict(run(1, Profile::nasty(), &body));
    assert!(text.starts_with("deadlock: nothing is runnable") && text.contains("world task 1 (body)"), "{text}");
}

#[test]
fn a_livelock_ends_at_the_step_limit() {
    let body = body(|_sim| async move {
        loop {
            runtime::yield_now().await;
        }
    });
    let config = RunConfig { max_polls: 10_000, ..RunConfig::new(1, Profile::nasty()) };
    let text = verdict(run_once(&config, &body));
    assert!(text.starts_with("livelock: the body had not ended after 10000 polls"), "{text}");
}

#[test]
fn a_loop_that_waits_for_the_clock_ends() {
    let body = body(|_sim| async move {
        let deadline = Instant::now() + 1.millis();
        while Instant::now() < deadline {
            runtime::yield_now().await;
        }
        Ok(())
    });
    passes(1, Profile::nasty(), &body);
}

#[test]
fn a_circle_of_locks_is_named() {
    let body = body(|_sim| async move {
        let (one, two) = (Arc::new(AsyncMutex::named("books", ())), Arc::new(AsyncMutex::named("accounts", ())));
        let scope = runtime::Scope::new();
        for (label, first, second) in [("clerk", one.clone(), two.clone()), ("teller", two, one)] {
            scope.spawn(label, async move {
                let _first = first.lock().await;
                runtime::sleep(10.millis()).await;
                let _second = second.lock().await;
            });
        }
        scope.wait().await.map_err(|error| error.to_string())
    });
    let text = verdict(run(1, Profile::nasty(), &body));
    assert!(
        text.starts_with("wait-cycle:") && text.contains("(clerk) waits for accounts") && text.contains("(teller)"),
        "{text}"
    );
}

#[test]
fn no_progress_is_told_from_heartbeats() {
    let body = body(|sim| async move {
        sim.expect_progress(600.secs());
        loop {
            runtime::sleep(10.secs()).await;
        }
    });
    let text = verdict(run(1, Profile::nasty(), &body));
    assert!(text.starts_with("no-progress: nothing but heartbeats for 600s"), "{text}");
}

#[test]
fn nodes_that_share_a_channel_are_found_out() {
    static WOKEN: AtomicU64 = AtomicU64::new(0);
    let body = body(|sim| async move {
        let notify = Arc::new(tokio::sync::Notify::new());
        let waits = notify.clone();
        let waiter = sim.node("waiter", move || {
            let waits = waits.clone();
            async move {
                waits.notified().await;
                WOKEN.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _waker = sim.node("waker", move || {
            let notify = notify.clone();
            async move {
                runtime::sleep(10.millis()).await;
                notify.notify_one();
            }
        });
        waiter.ended().await;
        Ok(())
    });
    let text = verdict(run(1, Profile::nasty(), &body));
    assert!(
        text.starts_with("shared-state: waker task 1 (main) woke waiter task 1 (main) without the network"),
        "{text}"
    );
}

#[test]
fn drop_code_of_a_killed_node_has_no_effect() {
    struct Tells;
    impl Drop for Tells {
        fn drop(&mut self) {
            runtime::out!("dropped");
            drop(runtime::spawn(async { runtime::out!("spawned by a dead node") }));
        }
    }
    let body = body(|sim| async move {
        let node = sim.node("service", || async {
            let _tells = Tells;
            runtime::ready();
            std::future::pending::<()>().await;
        });
        node.started().await?;
        sim.kill(&node, Kill::Crash);
        runtime::sleep(1.secs()).await;
        assert!(node.output().is_empty(), "{:?}", node.output());
        assert!(sim.effects().of(simurgh_sim::Effect::DeadCall) >= 2);
        Ok(())
    });
    passes(1, Profile::nasty(), &body);
}

#[test]
fn a_panic_nobody_sees_fails_the_run_and_one_that_is_seen_does_not() {
    let unseen = body(|_sim| async move {
        drop(runtime::spawn(async { panic!("nobody looks") }));
        runtime::sleep(1.secs()).await;
        Ok(())
    });
    let text = verdict(run(1, Profile::nasty(), &unseen));
    assert!(
        text.starts_with("unsupervised-panic:") && text.contains("nobody looks") && text.contains("world.rs:"),
        "{text}"
    );
    let seen = body(|_sim| async move {
        assert!(runtime::spawn(async { panic!("seen") }).await.is_err());
        Ok(())
    });
    passes(1, Profile::nasty(), &seen);
}

#[test]
fn a_thread_is_refused_and_its_culprit_named() {
    let body = body(|sim| async move {
        let node = sim.node("service", || async {
            let refused = std::thread::Builder::new().spawn(|| ());
            assert!(refused.is_err());
        });
        node.ended().await;
        Ok(())
    });
    let text = verdict(run(1, Profile::nasty(), &body));
    assert!(text.starts_with("refused: service task 1 (main) tried to start an OS thread"), "{text}");
}

#[test]
fn entropy_maps_and_wall_time_are_functions_of_the_seed() {
    static SEEN: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
    let body = body(|_sim| async move {
        let set: std::collections::HashSet<u32> = (0..20).collect();
        let order: Vec<u32> = set.into_iter().collect();
        let mut bytes = [0u8; 8];
        // SAFETY: a buffer of eight bytes.
        unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), 8, 0) };
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        SEEN.lock().unwrap().push(format!("{order:?} {bytes:?} {wall:?} {}", runtime::random::u64()));
        Ok(())
    });
    for seed in [1, 1, 2] {
        passes(seed, Profile::nasty(), &body);
    }
    let seen = SEEN.lock().unwrap();
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}

#[test]
fn a_bug_inside_one_poll_needs_preemption() {
    // Check, then act across an await that is always ready.
    async fn program() -> Result<(), String> {
        let free = Arc::new(AtomicU64::new(1));
        let (send, _keep) = tokio::sync::mpsc::channel::<()>(1000);
        let scope = runtime::Scope::new();
        for _ in 0..2 {
            let (free, send) = (free.clone(), send.clone());
            scope.spawn("taker", async move {
                if free.load(Ordering::Relaxed) > 0 {
                    let _ = send.send(()).await;
                    free.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
        scope.wait().await.map_err(|error| error.to_string())?;
        if free.load(Ordering::Relaxed) == 0 { Ok(()) } else { Err("taken twice".into()) }
    }
    let body = body(|sim| async move {
        match sim.node("service", program).ended().await {
            Exit::Failed(why) => Err(why),
            _ => Ok(()),
        }
    });
    let pos = Profile { strategies: Strategies::PosOnly, ..Profile::nasty() };
    let failures =
        |profile: Profile| (0..200).filter(|seed| run(*seed, profile.clone(), &body).failure.is_some()).count();
    assert_eq!(failures(Profile::calm()), 0);
    assert_eq!(failures(Profile { preempt_max: 0.0, ..Profile::nasty() }), 0);
    assert!(failures(Profile::nasty()) > 0);
    assert!(failures(pos) > 0);
}

#[simurgh_sim::test(seeds = 30)]
async fn a_simulation_is_a_plain_test(sim: Sim) {
    let nodes = sim.nodes(2, serve_echo).await?;
    let addr = SocketAddr::new(nodes[1].ip(), 7);
    let back = echo_once(addr, b"hello").await?;
    assert_eq!(back, b"hello");
}

#[test]
fn verdicts_have_classes() {
    assert_eq!(Verdict::Deadlock(String::new()).class().0, "deadlock");
}
