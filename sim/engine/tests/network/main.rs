//! What a program sees of the network's faults: each by name, with the effect it counts.

#![allow(clippy::disallowed_types, clippy::unwrap_used)] // a test, which keeps what its runs saw

mod datagrams;
mod handshake;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::net::{BindOptions, TcpListener, TcpStream, UdpSocket, lookup_host};
use simurgh_runtime::{self as runtime, DurationExt, Instant};
use simurgh_sim::{Body, Datagrams, Effect, Exit, Kill, Lookups, Node, Profile, Report, RunConfig, Sim, run_once};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Twice as many are kept of a node's output.
const SAID: usize = 25;

fn body<F>(f: impl Fn(Sim) -> F + Send + Sync + 'static) -> Body
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move |sim| Box::pin(f(sim)))
}

fn passes(seed: u64, profile: Profile, body: &Body) -> Report {
    let report = run_once(&RunConfig { in_words: true, ..RunConfig::new(seed, profile) }, body);
    if let Some(failure) = &report.failure {
        panic!("seed {seed}: {failure}\n{}", report.last_events);
    }
    report
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Accepts, reads, and prints what it read and how reading ended.
async fn listens() -> io::Result<()> {
    let mut listener = TcpListener::bind("0.0.0.0:7".parse().unwrap()).await?;
    runtime::ready();
    loop {
        let (mut stream, _) = listener.accept().await?;
        drop(runtime::spawn(async move {
            let mut buffer = vec![0; 65_536];
            let mut total = 0;
            let end = loop {
                match stream.read(&mut buffer).await {
                    Ok(0) => break "the end".to_owned(),
                    Ok(len) => total += len,
                    Err(error) => break error.kind().to_string(),
                }
            };
            runtime::out!("{total} bytes, then {end}");
        }));
    }
}

async fn server(sim: Sim) -> Result<(Node, SocketAddr), String> {
    let node = sim.node("server", listens);
    node.started().await?;
    let addr = SocketAddr::new(node.ip(), 7);
    Ok((node, addr))
}

/// A datagram socket that prints what it hears, as it hears it.
async fn hears() -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:53".parse().unwrap()).await?;
    runtime::ready();
    let mut buffer = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await?;
        runtime::out!("{}", String::from_utf8_lossy(&buffer[..len]));
        socket.send_to(&buffer[..len], from).await?;
    }
}

/// Says the numbers up to `count`, one each millisecond, to `to`.
async fn says(to: SocketAddr, count: usize) -> io::Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await?;
    for number in 0..count {
        socket.send_to(format!("{number:04}").as_bytes(), to).await?;
        runtime::sleep(1.millis()).await;
    }
    Ok(())
}

/// Says numbers through `profile`'s network and returns what was heard, of thirty seeds.
fn heard(profile: &Profile, effect: Effect) -> Vec<Vec<String>> {
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = Arc::clone(&heard);
    let body = body(move |sim| {
        let keep = Arc::clone(&keep);
        async move {
            let hears = sim.node("hears", hears);
            hears.started().await?;
            let to = SocketAddr::new(hears.ip(), 53);
            sim.node("says", move || says(to, SAID)).ended().await;
            runtime::sleep(5.secs()).await;
            keep.lock().unwrap().push(hears.output());
            Ok(())
        }
    });
    let effects: u64 = (0..30).map(|seed| passes(seed, profile.clone(), &body).effects.of(effect)).sum();
    assert!(effects > 0, "{effect:?} was never seen");
    std::mem::take(&mut *heard.lock().unwrap())
}

fn datagrams(change: impl FnOnce(&mut Datagrams)) -> Profile {
    let mut profile = Profile::calm();
    change(&mut profile.datagrams);
    profile
}

fn all() -> Vec<String> {
    (0..SAID).map(|number| format!("{number:04}")).collect()
}

#[test]
fn nodes_are_found_by_name_and_the_resolver_may_be_slow_or_fail() {
    let ask = |sim: Sim| async move {
        let (node, addr) = server(sim).await?;
        let start = Instant::now();
        let found = lookup_host("server", 7).await;
        let took = start.elapsed();
        if sim.effects().of(Effect::LookupFailed) == 0 {
            assert_eq!(found.map_err(words)?, [addr]);
        } else {
            assert!(words(found.unwrap_err()).contains("Temporary failure"));
        }
        assert_eq!(took >= 5.secs(), sim.effects().of(Effect::LookupSlow) > 0);
        drop(node);
        Ok(())
    };
    let body = body(ask);
    passes(1, Profile::calm(), &body);
    let profile = Profile { lookups: Lookups { fail_max: 0.9, slow_max: 0.9 }, ..Profile::calm() };
    let reports: Vec<Report> = (0..30).map(|seed| passes(seed, profile.clone(), &body)).collect();
    for effect in [Effect::LookupFailed, Effect::LookupSlow] {
        let struck = reports.iter().filter(|report| report.effects.of(effect) > 0).count();
        assert!((1..30).contains(&struck), "{effect:?} in {struck} of 30");
    }
}

#[test]
fn look_ups_of_one_node_can_be_made_to_fail() {
    let body = body(|sim| async move {
        let (_server, addr) = server(sim).await?;
        let client = sim.node("client", || async {
            assert!(words(lookup_host("nobody", 1).await.unwrap_err()).contains("Name or service not known"));
            assert_eq!(lookup_host("10.0.0.9", 1).await?, ["10.0.0.9:1".parse().unwrap()]);
            runtime::ready();
            runtime::sleep(1.secs()).await;
            let start = Instant::now();
            assert!(lookup_host("server", 7).await.is_err());
            assert_eq!(start.elapsed().as_secs(), 10);
            runtime::sleep(20.secs()).await;
            runtime::out!("{}", lookup_host("server", 7).await?[0]);
            io::Result::Ok(())
        });
        client.started().await?;
        sim.fail_lookups(&client, true);
        runtime::sleep(20.secs()).await;
        sim.fail_lookups(&client, false);
        assert_eq!(client.ended().await, Exit::Finished);
        assert_eq!(client.output(), [addr.to_string()]);
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_clog_holds_everything_and_then_lets_it_go() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let to = SocketAddr::new(hears.ip(), 53);
        let client = sim.node("client", move || async move {
            let mut stream = TcpStream::connect(addr).await?;
            let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await?;
            runtime::ready();
            runtime::sleep(1.secs()).await;
            for number in 0..3 {
                stream.write_all(b"clogged").await?;
                socket.send_to(format!("{number}").as_bytes(), to).await?;
                runtime::sleep(1.secs()).await;
            }
            stream.shutdown().await?;
            let late = TcpStream::connect(addr).await;
            runtime::out!("{}", late.is_ok());
            runtime::sleep(60.secs()).await;
            io::Result::Ok(())
        });
        client.started().await?;
        let (one, others) = (std::slice::from_ref(&client), [server.clone(), hears.clone()]);
        sim.clog(one, &others);
        runtime::sleep(30.secs()).await;
        assert!(server.output().is_empty() && hears.output().is_empty() && client.output().is_empty());
        let held = sim.effects().of(Effect::Clog);
        assert!(held >= 5, "a flow, three datagrams, a request: {held}");
        sim.unclog(one, &others);
        runtime::sleep(100.millis()).await;
        assert_eq!(server.output(), ["21 bytes, then the end"]);
        assert_eq!(hears.output(), ["0", "1", "2"]);
        assert_eq!(client.output(), ["true"]);
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_clog_that_lasts_makes_writers_and_connectors_give_up() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            let mut stream = TcpStream::connect(addr).await?;
            runtime::ready();
            runtime::sleep(1.secs()).await;
            let start = Instant::now();
            let refused = TcpStream::connect(addr).await.unwrap_err();
            runtime::out!("connect: {} after {} s", refused.kind(), start.elapsed().as_secs());
            stream.write_all(b"lost").await?;
            let start = Instant::now();
            let error = stream.read(&mut [0; 1]).await.unwrap_err();
            runtime::out!("read: {} after {} s", error.kind(), start.elapsed().as_secs());
            assert_eq!(stream.write(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
            io::Result::Ok(())
        });
        client.started().await?;
        sim.clog(std::slice::from_ref(&client), std::slice::from_ref(&server));
        assert_eq!(client.ended().await, Exit::Finished);
        assert_eq!(client.output(), ["connect: timed out after 127 s", "read: timed out after 924 s"]);
        assert_eq!((sim.effects().of(Effect::ConnectTimeout), sim.effects().of(Effect::GiveUp)), (1, 1));
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_cut_that_lasts_makes_writers_and_connectors_give_up() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            let (_read, mut write) = TcpStream::connect(addr).await?.into_split();
            runtime::ready();
            runtime::sleep(1.secs()).await;
            let start = Instant::now();
            let refused = TcpStream::connect(addr).await.unwrap_err();
            runtime::out!("connect: {} after {} s", refused.kind(), start.elapsed().as_secs());
            let start = Instant::now();
            // The window is 64 KiB: the writer waits for room that nobody gives.
            let error = write.write_all(&vec![0; 100_000]).await.unwrap_err();
            runtime::out!("write: {}, {}", error.kind(), start.elapsed() > 900.secs());
            assert!(start.elapsed() < 1100.secs(), "{:?}", start.elapsed());
            io::Result::Ok(())
        });
        client.started().await?;
        sim.partition(std::slice::from_ref(&client), std::slice::from_ref(&server));
        assert_eq!(client.ended().await, Exit::Finished);
        assert_eq!(client.output(), ["connect: timed out after 127 s", "write: timed out, true"]);
        assert_eq!((sim.effects().of(Effect::ConnectTimeout), sim.effects().of(Effect::GiveUp)), (1, 1));
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_swizzle_holds_and_loses_nothing() {
    for seed in 0..20 {
        let body = body(|sim| async move {
            let (server, addr) = server(sim).await?;
            let mut nodes = vec![server.clone()];
            for number in 0..4 {
                nodes.push(sim.node(&format!("client{number}"), move || async move {
                    let mut stream = TcpStream::connect(addr).await?;
                    runtime::ready();
                    for _ in 0..100 {
                        stream.write_all(&[7; 10]).await?;
                        runtime::sleep(50.millis()).await;
                    }
                    stream.shutdown().await
                }));
            }
            for node in &nodes {
                node.started().await?;
            }
            let start = Instant::now();
            sim.swizzle(&nodes, 4.secs()).await;
            assert!(start.elapsed() <= Duration::from_millis(4001), "{:?}", start.elapsed());
            sim.eventually(60.secs(), || server.output().len() == 4).await?;
            assert_eq!(server.output(), ["1000 bytes, then the end"; 4]);
            assert!(sim.effects().of(Effect::Swizzle) > 0);
            Ok(())
        });
        passes(seed, Profile::nasty().without_faults(), &body);
    }
}

#[test]
fn a_narrow_link_takes_its_time_in_each_direction() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            runtime::ready();
            runtime::sleep(1.secs()).await;
            let mut streams = Vec::new();
            for _ in 0..8 {
                streams.push(TcpStream::connect(addr).await?);
            }
            for stream in &mut streams {
                stream.write_all(&vec![0; 50_000]).await?;
            }
            io::Result::Ok(())
        });
        client.started().await?;
        sim.limit_bandwidth(std::slice::from_ref(&client), std::slice::from_ref(&server), 100_000);
        let start = Instant::now();
        sim.eventually(120.secs(), || server.output().len() == 8).await?;
        // 400,000 bytes and the packets' heads, and pauses where the queue of 256 KiB was full.
        assert!((5..30).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        assert_eq!(server.output(), ["50000 bytes, then the end"; 8]);
        assert!(sim.effects().of(Effect::Bandwidth) > 0 && sim.effects().of(Effect::QueueFull) > 0);
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn a_narrow_link_drops_datagrams() {
    let body = body(|sim| async move {
        let hears = sim.node("hears", hears);
        hears.started().await?;
        let to = SocketAddr::new(hears.ip(), 53);
        let client = sim.node("client", move || async move {
            let socket = UdpSocket::bind("0.0.0.0:0".parse().unwrap()).await?;
            runtime::ready();
            runtime::sleep(1.secs()).await;
            for _ in 0..400 {
                socket.send_to(&[b'x'; 1000], to).await?;
            }
            io::Result::Ok(())
        });
        client.started().await?;
        sim.limit_bandwidth(std::slice::from_ref(&client), std::slice::from_ref(&hears), 1_000_000);
        client.ended().await;
        runtime::sleep(10.secs()).await;
        assert!((100..200).contains(&sim.effects().of(Effect::QueueFull)), "{:?}", sim.effects());
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn drawn_links_are_narrow_or_far_for_some_pairs_and_always_the_same() {
    let body = body(|sim| async move {
        let (_server, addr) = server(sim).await?;
        let mut times = Vec::new();
        for number in 0..6 {
            let client = sim.node(&format!("client{number}"), move || async move {
                for _ in 0..2 {
                    let start = Instant::now();
                    drop(TcpStream::connect(addr).await?);
                    runtime::out!("{}", start.elapsed().as_micros() / 1000);
                }
                io::Result::Ok(())
            });
            client.ended().await;
            let output = client.output();
            assert_eq!(output[0], output[1], "what a pair drew stays");
            times.push(output[0].clone());
        }
        times.sort();
        times.dedup();
        assert!(times.len() > 1, "{times:?}");
        Ok(())
    });
    let profile = Profile { pair_latency_max_ns: 200_000_000, ..Profile::calm() };
    let struck = (0..10).map(|seed| passes(seed, profile.clone(), &body).effects.of(Effect::SlowPair)).sum::<u64>();
    assert!(struck > 0);
}

#[test]
fn a_side_that_was_forgotten_is_found_out_by_the_next_word() {
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let waits = sim.node("waits", move || async move {
            let mut stream = TcpStream::connect(addr).await?;
            runtime::ready();
            let silence = runtime::timeout(3600.secs(), stream.read(&mut [0; 1])).await;
            runtime::out!("{}", if silence.is_err() { "silence" } else { "something" });
            stream.write_all(b"are you there?").await?;
            runtime::out!("{}", stream.read(&mut [0; 1]).await.unwrap_err().kind());
            io::Result::Ok(())
        });
        waits.started().await?;
        runtime::sleep(1.secs()).await;
        assert!(sim.forget_one(&server));
        runtime::sleep(1.secs()).await;
        assert_eq!(server.output(), ["0 bytes, then connection reset"]);
        assert_eq!(waits.ended().await, Exit::Finished);
        assert_eq!(waits.output(), ["silence", "connection reset"]);
        assert_eq!(sim.effects().of(Effect::HalfOpen), 1);
        assert!(!sim.forget_one(&server), "there is none left");
        Ok(())
    });
    passes(1, Profile::calm(), &body);
}

#[test]
fn the_chaos_of_the_network_strikes_and_mends() {
    let mut profile = Profile::nasty().without_faults();
    profile.faults.clog_every_ns = 500_000_000;
    profile.faults.swizzle_every_ns = 700_000_000;
    profile.faults.half_open_every_ns = 400_000_000;
    profile.faults.lookup_every_ns = 900_000_000;
    let body = body(|sim| async move {
        let (server, addr) = server(sim).await?;
        let client = sim.node("client", move || async move {
            runtime::ready();
            loop {
                let Ok(mut stream) = TcpStream::connect(lookup_host("server", addr.port()).await?[0]).await else {
                    continue;
                };
                while stream.write_all(&[0; 100]).await.is_ok() {
                    runtime::sleep(20.millis()).await;
                }
            }
            #[allow(unreachable_code)]
            io::Result::Ok(())
        });
        let nodes = [server, client];
        sim.chaos(&nodes, &[], 10.secs()).await?;
        let mut late = TcpStream::connect(addr).await.map_err(words)?;
        late.write_all(b"through").await.map_err(words)
    });
    let reports: Vec<Report> = (0..30).map(|seed| passes(seed, profile.clone(), &body)).collect();
    for effect in [Effect::Clog, Effect::Swizzle, Effect::HalfOpen, Effect::LookupFailed] {
        assert!(reports.iter().any(|report| report.effects.of(effect) > 0), "{effect:?} had no effect in 30 seeds");
    }
}
