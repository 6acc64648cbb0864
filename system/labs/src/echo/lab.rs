//! `lab echo`: the nine points of the echo service, on real sockets, with figures.

use std::net::SocketAddr;

use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;

use super::parts;
use crate::demo::{Child, Points, ProcessFigures, handles_max, said_back};

/// Files that the server and a client process need besides connections.
const OTHER_FILES: u64 = 64;
/// Connections that one client process holds at most.
const PER_CLIENT: u64 = 5_000;
/// Bar for the memory of an idle connection.
const BYTES_BAR: u64 = 16 * 1024;

/// What the lab can be told.
#[derive(Debug, Clone, Copy)]
pub struct LabOptions {
    /// Connections at once.
    pub connections: u64,
    /// Where the server listens.
    pub port: u16,
    /// Echoes on each connection, for the rate.
    pub rounds: u64,
}

/// Runs the lab.
///
/// # Errors
/// If a point fails, or the machine does not have what it takes.
pub async fn run(options: LabOptions) -> Result<(), String> {
    let most = handles_max().await?.saturating_sub(OTHER_FILES);
    if options.connections > most {
        return Err(format!(
            "{} connections need as many files in the server's process, which may have {most} besides its own; \
             raise the limit (ulimit -n {}) or ask for fewer (--conns {most})",
            options.connections,
            options.connections + OTHER_FILES
        ));
    }
    let mut points = Points::default();
    let mut server = Child::start(&["__echo-server", &options.port.to_string(), &options.connections.to_string()])?;
    let first = server.line().await?;
    let port: u16 =
        first.trim_start_matches("Listening on port ").trim_end_matches("...").parse().map_err(|_| first.clone())?;
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    points.show(
        "1.1",
        "start prints",
        &first,
        first == format!("Listening on port {port}...") && (options.port == 0 || port == options.port),
    );

    small_points(&mut points, &mut server, addr).await?;
    crash_of_a_client(&mut points, &mut server, addr).await?;
    many(&mut points, &mut server, addr, options).await?;
    points.end()
}

async fn connect(addr: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(addr).await.map_err(|error| format!("cannot connect to {addr}: {error}"))
}

/// Points 1.2 to 1.5: a handful of connections.
async fn small_points(points: &mut Points, server: &mut Child, addr: SocketAddr) -> Result<(), String> {
    let mut one = connect(addr).await?;
    let line = "Hello, Simurgh! \u{1F426} \0\u{7f}\r\n".as_bytes();
    points.show(
        "1.2",
        "one client's line comes back byte for byte",
        &format!("{} bytes", line.len()),
        said_back(&mut one, line).await,
    );

    let mut other = connect(addr).await?;
    one.write_all(b"half a li").await.map_err(|error| error.to_string())?; // and no more, for now
    let independent = said_back(&mut other, b"second client\n").await;
    points.show("1.3", "a second client is served while the first stalls", "14 bytes", independent);

    let list = server.ask("list").await?;
    let pids: std::collections::BTreeSet<&str> = list.split_whitespace().filter(|word| word.starts_with('<')).collect();
    points.show("1.4", "each connection is a process of its own", &list, pids.len() == 2);

    let mut stalled = Vec::new();
    let mut accepted = 0;
    for _ in 0..20 {
        let mut next = connect(addr).await?;
        accepted += u32::from(said_back(&mut next, b"and on\n").await);
        next.write_all(b"stalls he").await.map_err(|error| error.to_string())?;
        stalled.push(next);
    }
    points.show(
        "1.5",
        "the accept loop hands off and goes on",
        &format!("{accepted} of 20 accepted behind stalled ones"),
        accepted == 20,
    );
    drop((one, other, stalled));
    wait_for_count(server, 0).await.map(drop)
}

/// Point 1.6: a client process dies.
async fn crash_of_a_client(points: &mut Points, server: &mut Child, addr: SocketAddr) -> Result<(), String> {
    let mut survivor = connect(addr).await?;
    said_back(&mut survivor, b"before\n").await;
    let mut victim = Child::start(&["__echo-clients", &addr.to_string()])?;
    victim.ask("connect 50").await?;
    let before = wait_for_count(server, 51).await?;
    victim.kill().await?;
    let after = wait_for_count(server, 1).await?;
    let alive = said_back(&mut survivor, b"after\n").await;
    let fact = format!("{before} connections before kill -9, {after} after, and that one is served");
    points.show(
        "1.6",
        "a client process that crashes leaves the others alive",
        &fact,
        before == 51 && after == 1 && alive,
    );
    Ok(())
}

async fn wait_for_count(server: &mut Child, wanted: u64) -> Result<u64, String> {
    let mut count = 0;
    for _ in 0..1_000 {
        [count] = server.ask_numbers("count").await?;
        if count == wanted {
            break;
        }
        sleep(10.millis()).await;
    }
    Ok(count)
}

/// Points 1.7 to 1.9, and the kill of one handler in a hundred, with many connections.
async fn many(points: &mut Points, server: &mut Child, addr: SocketAddr, options: LabOptions) -> Result<(), String> {
    let wanted = options.connections;
    wait_for_count(server, 0).await?;
    let idle = ProcessFigures::of(server.id()).await?;
    let (mut clients, mut sizes) = (Vec::new(), Vec::new());
    let mut connected = 0;
    let began = Instant::now();
    while connected < wanted {
        let size = (wanted - connected).min(PER_CLIENT);
        let mut client = Child::start(&["__echo-clients", &addr.to_string()])?;
        let [made] = client.ask_numbers(&format!("connect {size}")).await?;
        connected += made;
        clients.push(client);
        sizes.push(size);
        err!("  {connected} of {wanted} connections");
        if made < size {
            break;
        }
    }
    // A connection is made when the kernel has queued it; it is accepted when the server counts it.
    let count = wait_for_count(server, connected).await?;
    let took = began.elapsed();
    let full = ProcessFigures::of(server.id()).await?;
    let [listed] = server.ask_numbers("listed").await?;
    points.show(
        "1.7",
        "active connections are listed and counted",
        &format!("{listed} listed, {count} counted, {connected} made"),
        listed == connected && count == connected,
    );

    let mut probe = connect(addr).await?;
    let start = Instant::now();
    let served = said_back(&mut probe, b"among thousands\n").await;
    points.show(
        "1.8",
        "processes that wait in receive block nobody",
        &format!("one line in {:?} beside {connected} that wait", start.elapsed()),
        served,
    );
    drop(probe);
    wait_for_count(server, connected).await?;

    let bytes = (full.resident_kib.saturating_sub(idle.resident_kib)) * 1024 / connected.max(1);
    let rate = connected as f64 / took.as_secs_f64();
    let fact = format!(
        "{connected} at once; {bytes} B of resident memory for each, silent so far (bar {BYTES_BAR}); {rate:.0} accepted a second"
    );
    points.show("1.9", "the number of connections is measured", &fact, connected == wanted && bytes <= BYTES_BAR);

    echoes(points, server, &mut clients, options.rounds, connected).await?;
    let rested = ProcessFigures::of(server.id()).await?;
    let bytes = (rested.resident_kib.saturating_sub(idle.resident_kib)) * 1024 / connected.max(1);
    let fact =
        format!("{bytes} B of resident memory for each, idle again after {} echoes (bar {BYTES_BAR})", options.rounds);
    points.show("rest", "an idle connection keeps no buffer", &fact, bytes <= BYTES_BAR);
    kills(points, server, &mut clients, connected).await?;
    for mut client in clients {
        client.ask("close").await?;
    }
    let left = wait_for_count(server, 0).await?;
    points.show("end", "the count goes back to zero", &format!("{left} left"), left == 0);
    drain(points, server, addr).await
}

/// The end in order, with connections open: each is told, finishes, and hears an end, not a reset.
async fn drain(points: &mut Points, server: &mut Child, addr: SocketAddr) -> Result<(), String> {
    const OPEN: usize = 10;
    let mut open = Vec::new();
    for _ in 0..OPEN {
        let mut stream = connect(addr).await?;
        said_back(&mut stream, b"until the end\n").await;
        open.push(stream);
    }
    let drained = server.ask("drain").await?;
    let mut heard = 0;
    for mut stream in open {
        heard += usize::from(matches!(timeout(10.secs(), stream.read(&mut [0; 1])).await, Ok(Ok(0))));
    }
    let refused = TcpStream::connect(addr).await.is_err();
    let fact = format!(
        "{drained}; {heard} of {OPEN} heard the end; a newcomer is {}",
        if refused { "refused" } else { "let in" }
    );
    let passed = drained == format!("drained: {OPEN} finished, 0 killed") && heard == OPEN && refused;
    points.show("end", "the drain ends open connections in order", &fact, passed);
    Ok(())
}

/// Rounds of echoes over all connections: a rate, and the server's processor time for one.
async fn echoes(
    points: &mut Points,
    server: &mut Child,
    clients: &mut [Child],
    rounds: u64,
    connected: u64,
) -> Result<(), String> {
    let before = ProcessFigures::of(server.id()).await?;
    let start = Instant::now();
    let mut right = 0;
    let mut answers = Vec::new();
    for client in clients.iter_mut() {
        answers.push(client.ask_numbers::<2>(&format!("echo {rounds}")).await?);
    }
    for [good, _bad] in answers {
        right += good;
    }
    let took = start.elapsed();
    let after = ProcessFigures::of(server.id()).await?;
    let expected = rounds * connected;
    let cpu = (after.cpu_us - before.cpu_us) as f64 / right.max(1) as f64;
    let rate = right as f64 / took.as_secs_f64();
    // The kernel counts processor time in ticks: what one tick more or less would make.
    let give = ProcessFigures::TICK_US as f64 / right.max(1) as f64;
    let fact = format!(
        "{right} of {expected} lines right; {rate:.0} a second, {cpu:.1} us (+-{give:.1}) of the server's processor each"
    );
    points.show("rate", "echoes over all connections", &fact, right == expected);
    Ok(())
}

/// Kills one handler in a hundred; nobody else may notice.
async fn kills(points: &mut Points, server: &mut Child, clients: &mut [Child], connected: u64) -> Result<(), String> {
    let [killed] = server.ask_numbers("kill 1").await?;
    wait_for_count(server, connected - killed).await?;
    let (mut good, mut bad) = (0, 0);
    for client in clients.iter_mut() {
        let [right, wrong] = client.ask_numbers("echo 1").await?;
        good += right;
        bad += wrong;
    }
    let hurt = bad.saturating_sub(killed);
    let fact = format!("{killed} handlers killed, {good} others echo, {hurt} bystanders hurt");
    points.show(
        "kill",
        "one handler in a hundred is killed",
        &fact,
        hurt == 0 && good == connected - killed && killed > 0,
    );
    Ok(())
}

pub use parts::{clients, server};
