//! The tally on three machines' worth of disasters, in a plain `cargo test`.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_sim::{Exit, Invariant, Kill, Seen, Sim};

/// A number that was given stays given: what is counted never falls.
#[derive(Default)]
struct NeverFalls {
    highest: f64,
}

impl Invariant for NeverFalls {
    fn name(&self) -> &'static str {
        "tally.never_falls"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name == "tally.counted" {
            let number = seen.event.measurement("number").unwrap_or(0.0);
            if number <= self.highest {
                return Err(format!("{number} after {}", self.highest));
            }
            self.highest = number;
        }
        Ok(())
    }
}

async fn say(stream: &mut TcpStream, name: &str) -> io::Result<u64> {
    stream.write_all(format!("{name}\n").as_bytes()).await?;
    let mut number = String::new();
    loop {
        match stream.read_u8().await? {
            b'\n' => return number.parse().map_err(io::Error::other),
            byte => number.push(byte as char),
        }
    }
}

#[simurgh_sim::test(seeds = 100)]
async fn each_number_is_given_once(sim: Sim) {
    sim.watch(NeverFalls::default());
    let server = sim.node("server", || outside::main("0.0.0.0:4001".parse().expect("an address")));
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), 4001);
    let given = Arc::new(Mutex::new(BTreeSet::new()));
    let clients: Vec<_> = (0..5)
        .map(|number| {
            let given = Arc::clone(&given);
            sim.node(&format!("client{number}"), move || {
                let given = Arc::clone(&given);
                async move {
                    let mut stream = TcpStream::connect(addr).await?;
                    for _ in 0..10 {
                        let number = say(&mut stream, "Rostam").await?;
                        assert!(given.lock().expect("one thread").insert(number), "{number} twice");
                    }
                    io::Result::Ok(())
                }
            })
        })
        .collect();
    sim.partition(std::slice::from_ref(&server), &clients[..2]);
    sleep(5.secs()).await;
    sim.heal();
    for client in &clients {
        assert_eq!(client.ended().await, Exit::Finished);
    }
    assert_eq!(given.lock().expect("one thread").len(), 50);
    assert_eq!(server.stop(60.secs()).await, Exit::Finished);
}

#[simurgh_sim::test(seeds = 20)]
async fn a_power_cut_forgets_and_the_service_comes_back(sim: Sim) {
    let server = sim.node("server", || outside::main("0.0.0.0:4001".parse().expect("an address")));
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), 4001);
    assert_eq!(say(&mut TcpStream::connect(addr).await?, "Zal").await?, 1);
    sim.kill(&server, Kill::Power);
    server.restart();
    server.started().await?;
    assert_eq!(say(&mut TcpStream::connect(addr).await?, "Zal").await?, 1);
}

/// Says it until the counter is there to answer.
async fn say_until_counted(stream: &mut TcpStream, name: &str) -> io::Result<u64> {
    loop {
        match say(stream, name).await {
            Err(error) if error.to_string().contains("invalid digit") => sleep(1.millis()).await,
            answer => return answer,
        }
    }
}

#[simurgh_sim::test(seeds = 100)]
async fn a_counter_that_is_killed_is_back_and_no_connection_is_lost(sim: Sim) {
    let server = sim.node("server", || async {
        otp::spawn("killer", async {
            sleep(10.secs()).await;
            let counter = otp::whereis(outside::COUNTER).expect("it runs");
            let end = otp::monitor(counter);
            otp::kill(counter);
            assert_eq!(end.await.reason, ExitReason::Kill);
            event!("test.killed", { count: 1 });
        });
        outside::main("0.0.0.0:4001".parse().expect("an address")).await
    });
    server.started().await?;
    let mut stream = TcpStream::connect(SocketAddr::new(server.ip(), 4001)).await?;
    for number in 1..=3 {
        assert_eq!(say(&mut stream, "Sohrab").await?, number);
    }
    sleep(20.secs()).await;
    assert_eq!(say_until_counted(&mut stream, "Sohrab").await?, 1, "another counter, the same connection");
    assert_eq!(say(&mut stream, "Sohrab").await?, 2);
    drop(stream);
    assert_eq!(server.stop(60.secs()).await, Exit::Finished);
}

#[simurgh_sim::test(seeds = 100)]
async fn names_are_said_while_the_counter_is_killed(sim: Sim) {
    let server = sim.node("server", || async {
        otp::spawn("killer", async {
            // As often as the application bears it.
            for _ in 0..3 {
                sleep(1.secs()).await;
                otp::whereis(outside::COUNTER).map(otp::kill);
            }
        });
        outside::main("0.0.0.0:4001".parse().expect("an address")).await
    });
    server.started().await?;
    let mut stream = TcpStream::connect(SocketAddr::new(server.ip(), 4001)).await?;
    for _ in 0..200 {
        assert!(say_until_counted(&mut stream, "Tahmine").await? > 0);
        sleep(25.millis()).await;
    }
    drop(stream);
    assert_eq!(server.stop(60.secs()).await, Exit::Finished);
}
