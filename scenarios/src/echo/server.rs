//! The echo service as its production `main` runs it, with an operator who interferes.

use simurgh::config::Source;
use simurgh::prelude::*;
use simurgh::runtime::{random, yield_now};
use simurgh_labs::echo::{Echo, EchoSettings};

use super::PORT;

/// Connections that one client may have at once.
pub(crate) const PER_ADDRESS: usize = 2;

/// The program of a server node.
pub(crate) async fn main() -> Result<(), String> {
    let source = Source::new()
        .var("ECHO_ADDR", &format!("0.0.0.0:{PORT}"))
        .var("ECHO_MAX_CONNECTIONS", "30")
        .var("ECHO_MAX_PER_ADDRESS", &PER_ADDRESS.to_string());
    let settings = EchoSettings::load(&source).map_err(|errors| errors.to_string())?;
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let end = runtime::signal::shutdown().map_err(|error| words(&error))?;
    let echo = start(&settings).await.map_err(|error| words(&error))?;
    runtime::ready();
    select! {
        biased;
        _signal = end => {},
        () = operate(&echo) => {},
    }
    echo.stop().await;
    Ok(())
}

/// Starts the service. Out of file handles, it tries again, as its service manager would.
async fn start(settings: &EchoSettings) -> Result<Echo, simurgh_labs::echo::EchoError> {
    for _ in 0..50 {
        if let Ok(echo) = Echo::start(settings).await {
            return Ok(echo);
        }
        sleep(100.millis()).await;
    }
    Echo::start(settings).await
}

/// Interferes for a while: kills handlers, suspends and resumes the listener. Counts to the end.
async fn operate(echo: &Echo) {
    const MEDDLES: u32 = 30;
    for round in 0.. {
        sleep(random::range(100..400).millis()).await;
        event!("net.listener.census", { open: echo.listener.count() });
        if round >= MEDDLES {
            continue;
        }
        if buggify!("operator.kills") {
            kill_one(echo);
        }
        if random::chance(0.5) {
            echo.listener.suspend();
            yield_now().await;
            if random::chance(0.3) {
                sleep(random::range(1..50).millis()).await;
            }
            echo.listener.resume();
        }
    }
}

fn kill_one(echo: &Echo) {
    let connections = echo.listener.connections();
    if connections.is_empty() {
        return;
    }
    let index = random::range(0..connections.len() as u64) as usize;
    let Some(pid) = connections[index].pid else { return };
    event!("echo.handler_killed", { count: 1 }, { peer: &connections[index].peer.to_string() });
    otp::kill(pid);
    if planted!("echo.kills-a-neighbour")
        && let Some(pid) = connections.get(index + 1).and_then(|neighbour| neighbour.pid)
    {
        otp::kill(pid);
    }
}
