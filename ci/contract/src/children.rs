//! What the processes of the cases run: for the kernel this program, started again; for the simulator a function.

use std::io;
use std::process::ExitCode;

use simurgh_runtime::signal;
use simurgh_runtime::{self as runtime, DurationExt, env, stdio};

/// Says which of them this program is to be.
pub const CHILD: &str = "CONTRACT_CHILD";

macro_rules! children {
    ($($name:ident)*) => {
        /// Registers all of them in a simulation.
        pub fn register(sim: simurgh_sim::Sim) {
            $(sim.program(stringify!($name), $name);)*
        }

        /// What this process is to be, if it was started for that.
        pub fn of_this_process() -> Option<ExitCode> {
            let name = std::env::var(CHILD).ok()?;
            $(if name == stringify!($name) {
                return Some(runtime::exit_code(runtime::run(stringify!($name), $name())));
            })*
            None
        }
    };
}

children! { finishes fails panics sleeps listens copies speaks tells late }

async fn finishes() -> io::Result<()> {
    Ok(())
}

async fn fails() -> io::Result<()> {
    Err(io::Error::other("as planned"))
}

async fn panics() -> io::Result<()> {
    panic!("as planned");
}

async fn sleeps() -> io::Result<()> {
    runtime::out!("ready");
    runtime::sleep(3_600.secs()).await;
    Ok(())
}

async fn listens() -> io::Result<()> {
    let end = signal::shutdown()?;
    runtime::out!("ready");
    end.await;
    Ok(())
}

async fn copies() -> io::Result<()> {
    tokio::io::copy(&mut stdio::stdin(), &mut stdio::stdout()).await.map(drop)
}

async fn speaks() -> io::Result<()> {
    runtime::out!("these are my last words");
    Ok(())
}

async fn tells() -> io::Result<()> {
    runtime::out!("{:?} {:?}", &env::args()[1..], env::var("CONTRACT_WORD"));
    Ok(())
}

async fn late() -> io::Result<()> {
    runtime::sleep(500.millis()).await;
    runtime::out!("late");
    Ok(())
}
