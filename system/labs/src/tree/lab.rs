//! The lab: points 2.1 to 2.9, on real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use simurgh::config::Source;
use simurgh::otp::observer::{self, Tree};
use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh::telemetry;

use super::semantics;
use crate::demo::{Child, Points, said_back, until};
use crate::echo::{Echo, EchoSettings};

/// Bar for a restart, from the kill to the next acceptor's first accept.
const RESTART_BAR: Duration = Duration::from_millis(10);
/// Connections that are shown in the picture; with thousands it would be nothing but them.
const SHOWN: u64 = 3;

/// Whom the lab kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// The process that accepts.
    Acceptor,
    /// One connection's process.
    Connection,
}

/// What the lab can be told.
#[derive(Debug, Clone, Copy)]
pub struct LabOptions {
    /// Whom it kills.
    pub kill: Killed,
    /// Connections that are open meanwhile.
    pub connections: u64,
}

/// Runs the lab.
///
/// # Errors
/// If a point fails, or the machine does not have what it takes.
pub async fn run(options: LabOptions) -> Result<(), String> {
    let mut points = Points::default();
    let source = Source::new()
        .var("ECHO_ADDR", "127.0.0.1:0")
        .var("ECHO_HANDSHAKE_TIMEOUT", "10m")
        .var("ECHO_READ_TIMEOUT", "10m");
    let settings = EchoSettings::load(&source).map_err(|errors| errors.to_string())?;
    let echo = Echo::start(&settings).await.map_err(|error| error.to_string())?;
    points.show("2.1", "the application starts", &format!("ok, root {}", echo.root), otp::is_alive(echo.root));
    let addr = echo.listener.local_addr();

    let mut clients = Child::start(&["__echo-clients", &addr.to_string()])?;
    clients.ask_numbers::<1>(&format!("connect {SHOWN}")).await?;
    until(|| echo.listener.count() as u64 == SHOWN).await;
    let tree = observer::tree();
    out!("{tree}");
    let shown = has_the_tree(&tree);
    points.show("2.2", "the observer shows the tree", &format!("{} processes, as above", tree.count()), shown);

    let more = options.connections - SHOWN;
    let [made] = clients.ask_numbers(&format!("connect {more}")).await?;
    until(|| echo.listener.count() as u64 == options.connections).await;
    out!("  {} connections are open", SHOWN + made);
    match options.kill {
        Killed::Acceptor => kill_the_acceptor(&mut points, &echo, addr).await?,
        Killed::Connection => kill_a_connection(&mut points, &echo)?,
    }
    bystanders(&mut points, &echo, &mut clients, options).await?;
    handler_crash(&mut points, &echo, &mut clients).await?;
    semantics::strategies(&mut points).await?;
    semantics::server(&mut points).await?;
    semantics::application(&mut points).await?;
    dynamic(&mut points, &echo);
    clients.ask("close").await?;
    echo.stop().await;
    points.end()
}

/// Application > supervisor > acceptor and connections > one row for each connection.
fn has_the_tree(tree: &Tree) -> bool {
    let paths: Vec<String> = tree.paths().into_iter().map(|(path, _)| path).collect();
    let has = |wanted: &str| paths.iter().any(|path| path.contains(wanted));
    let connections = paths.iter().filter(|path| path.contains("connections") && path.contains("connection ")).count();
    has("acceptor") && has("connections") && connections as u64 == SHOWN
}

/// When the listener last began to accept, in nanoseconds of the lab's own clock.
async fn restarted_after(echo: &Echo) -> Result<(Pid, Pid, Duration), String> {
    let start = Instant::now();
    let accepting = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&accepting);
    let note = move |_: &telemetry::Event<'_>| heard.store(start.elapsed().as_nanos() as u64, Ordering::Release);
    telemetry::attach("lab.tree", "net.listener.accepting", note).map_err(|error| error.to_string())?;
    let before = echo.listener.acceptor().ok_or("there is no acceptor")?;
    let killed = start.elapsed();
    otp::kill(before);
    let waited = timeout(5.secs(), until(|| accepting.load(Ordering::Acquire) > 0)).await;
    telemetry::detach("lab.tree");
    waited.map_err(|_| "the acceptor is not restarted")?;
    let took = Duration::from_nanos(accepting.load(Ordering::Acquire)).saturating_sub(killed);
    let after = echo.listener.acceptor().ok_or("there is no acceptor")?;
    Ok((before, after, took))
}

async fn kill_the_acceptor(points: &mut Points, echo: &Echo, addr: SocketAddr) -> Result<(), String> {
    out!("  kill acceptor {}", echo.listener.acceptor().ok_or("there is no acceptor")?);
    let (before, after, took) = restarted_after(echo).await?;
    for crash in otp::crashes().iter().filter(|crash| crash.pid == before) {
        out!("{}", indented(&crash.to_string()));
    }
    let logged = otp::crashes().iter().any(|crash| crash.pid == before);
    let fact = format!("{before} is killed, {after} accepts {took:?} later (bar {RESTART_BAR:?})");
    let passed = logged && before != after && took <= RESTART_BAR;
    points.show("2.3", "the acceptor's crash and restart are logged", &fact, passed);
    let mut newcomer = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
    let served = said_back(&mut newcomer, b"hello again\n").await;
    points.show("2.4", "a new connection is served by the new acceptor", "12 bytes", served);
    drop(newcomer);
    Ok(())
}

fn kill_a_connection(points: &mut Points, echo: &Echo) -> Result<(), String> {
    let victim = echo.listener.connections().iter().find_map(|one| one.pid).ok_or("there is no connection")?;
    otp::kill(victim);
    points.show("2.3", "an untrappable kill ends a connection's process", &victim.to_string(), true);
    Ok(())
}

/// All connections but the one that was killed still echo.
async fn bystanders(points: &mut Points, echo: &Echo, clients: &mut Child, options: LabOptions) -> Result<(), String> {
    let spared = options.connections - u64::from(options.kill == Killed::Connection);
    until(|| echo.listener.count() as u64 == spared).await;
    let [right, _] = clients.ask_numbers::<2>("echo 1").await?;
    let lost = spared.saturating_sub(right);
    let fact = format!("{lost} of {} open connections lost", options.connections);
    points.show("2.4", "old connections go on", &fact, lost == 0);
    Ok(())
}

/// A connection's process crashes: it takes only itself down.
async fn handler_crash(points: &mut Points, echo: &Echo, clients: &mut Child) -> Result<(), String> {
    let before = echo.listener.count();
    let victim = echo.listener.connections().iter().find_map(|one| one.pid).ok_or("there is no connection")?;
    otp::kill(victim);
    until(|| echo.listener.count() == before - 1).await;
    let [right, _] = clients.ask_numbers::<2>("echo 1").await?;
    let fact = format!("{victim} killed, {right} of {} others echo", before - 1);
    points.show("2.5", "a connection that crashes takes only itself down", &fact, right == before as u64 - 1);
    Ok(())
}

/// The connections are children of a dynamic supervisor, which knows each of them.
fn dynamic(points: &mut Points, echo: &Echo) {
    let tree = observer::tree();
    let rows = tree.paths();
    let children = rows.iter().filter(|(path, _)| path.contains("connections") && path.contains("connection ")).count();
    let fact = format!("{children} children, {} connections counted", echo.listener.count());
    points.show("2.9", "connections live under a dynamic supervisor", &fact, children == echo.listener.count());
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
