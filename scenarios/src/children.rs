//! A node that gives its work to processes, over pipes, while it and they crash.
//!
//! ```text
//!   parent   numbers its lives in a file; starts a worker, gives it jobs one by one, kills it if it is late, starts another
//!   worker   answers each line; fails, panics, hangs, falls silent; ends with its input
//!   chaos    the parent crashes, loses power, stops for a while: a crash leaves the worker, a power cut does not
//!   calm     each of four hundred jobs has had its answer, and no worker of an earlier life works
//! ```

use std::io;

use simurgh::prelude::*;
use simurgh::runtime::process::{Child, Command};
use simurgh::runtime::{env, fs, random, stdio};
use simurgh_invariants::WorkersEnd;
use simurgh_sim::{Effect, Exit, Outcome, Registry, Sim, Simulation};
use tokio::io::AsyncRead;

const JOBS: u64 = 400;

/// The planted bugs that `children/workers` must find.
pub const PLANTED: [&str; 1] = ["children.input-ignored"];

/// What a sweep must have done to the machine that parent and workers share.
const SHOWN: [Effect; 4] = [Effect::CrashPoint, Effect::Unsynced, Effect::DiskError, Effect::DiskFull];

pub(crate) fn register(registry: Registry) -> Registry {
    let about = "a node that gives its work to processes over pipes, while it and they crash: none is left behind";
    registry.with(Simulation::new("children/workers", about, workers).planted(&PLANTED).shows(&SHOWN))
}

/// The whole story: see the module.
///
/// # Errors
/// If the work is not done, or done wrong.
pub async fn workers(sim: Sim) -> Outcome {
    sim.watch(WorkersEnd::default());
    sim.program("worker", worker);
    let node = sim.node("parent", parent);
    node.started().await?;
    sim.chaos(std::slice::from_ref(&node), &[], 20.secs()).await?;
    match timeout(600.secs(), node.ended()).await {
        Ok(Exit::Finished) => Ok(()),
        other => Err(format!("the parent did not finish: {other:?}").into()),
    }
}

/// The program of the node.
async fn parent() -> Result<(), String> {
    let words = |error: io::Error| error.to_string();
    let life = kept("life").await.unwrap_or(0) + 1;
    while fs::atomic_replace("life", life.to_string()).await.is_err() {
        sleep(100.millis()).await; // the disk is full, or fails
    }
    event!("parent.started", {}, { life: life });
    runtime::ready();
    let mut worker: Option<Child> = None;
    for job in kept("done").await.map_or(0, |done| done + 1)..JOBS {
        let mut tries = 0;
        loop {
            tries += 1;
            if tries > 1_000 {
                return Err(format!("job {job} is not done"));
            }
            let mut child = match worker.take() {
                Some(child) => child,
                None => Command::new("worker").arg(life.to_string()).spawn().map_err(words)?,
            };
            match timeout(2.secs(), answer(&mut child, job)).await {
                Ok(Ok(answer)) if answer == job * 2 => {
                    worker = Some(child);
                    break;
                }
                Ok(Ok(answer)) => return Err(format!("{answer} is no answer to {job}")),
                Ok(Err(_)) => {
                    let status = child.wait().await.map_err(words)?;
                    if status.success() {
                        return Err(format!("a worker ended well in the middle of job {job}"));
                    }
                }
                Err(_) => {
                    child.kill().await.map_err(words)?;
                    if child.wait().await.map_err(words)?.code().is_some() {
                        return Err("who was killed has ended by itself".to_owned());
                    }
                }
            }
        }
        // If this fails, the next life does the job once more.
        let _ = fs::atomic_replace("done", job.to_string()).await;
        sleep(random::range(0..100).millis()).await;
    }
    let Some(mut worker) = worker else { return Ok(()) };
    match timeout(10.secs(), worker.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("with the end of its input a worker {status}")),
        Ok(Err(error)) => Err(words(error)),
        // Who works for a life that is over is the invariant's to find; this one works for the present life.
        Err(_) => worker.kill().await.map_err(words),
    }
}

async fn kept(name: &str) -> Option<u64> {
    loop {
        match fs::read(name).await {
            Ok(text) => return String::from_utf8_lossy(&text).parse().ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => sleep(100.millis()).await,
        }
    }
}

async fn answer(child: &mut Child, job: u64) -> io::Result<u64> {
    let input = child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    input.write_all(format!("{job}\n").as_bytes()).await?;
    let output = child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    let line = line_of(output).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    line.parse().map_err(io::Error::other)
}

/// The next line; none at the end, with or without a part of one.
async fn line_of(pipe: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = String::new();
    loop {
        match pipe.read_u8().await {
            Ok(b'\n') => return Ok(Some(line)),
            Ok(byte) => line.push(char::from(byte)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// The program of a worker: it ends with its input.
async fn worker() -> Result<(), String> {
    let life: u64 = env::args().get(1).and_then(|life| life.parse().ok()).ok_or("which life is this?")?;
    let mut input = stdio::stdin();
    loop {
        event!("worker.works", {}, { life: life });
        let line = match line_of(&mut input).await.map_err(|error| error.to_string())? {
            Some(line) => line,
            None if planted!("children.input-ignored") => {
                sleep(100.millis()).await;
                continue;
            }
            None => return Ok(()),
        };
        match random::range(0..40) {
            0 => return Err("no more".to_owned()),
            1 => panic!("as planned"),
            2 => sleep(3.secs()).await,
            _ => sleep(random::range(0..50).millis()).await,
        }
        let job: u64 = line.trim().parse().map_err(|_| format!("{line:?} is no job"))?;
        runtime::out!("{}", job * 2);
    }
}
