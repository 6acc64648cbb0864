//! Processes that nodes start: what they read and write, how they end, what they outlive.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::io;
use std::os::unix::process::ExitStatusExt;

use simurgh_runtime::process::{Child, Command, ExitStatus, Stdio};
use simurgh_runtime::signal::{self, Signal};
use simurgh_runtime::{self as runtime, DurationExt, env, fs, stdio};
use simurgh_sim::{Exit, Kill, Node, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Copies its input to its output, as cat(1) does.
async fn cat() -> io::Result<()> {
    let (mut input, mut output) = (stdio::stdin(), stdio::stdout());
    tokio::io::copy(&mut input, &mut output).await.map(drop)
}

async fn fails() -> Result<(), &'static str> {
    Err("as planned")
}

async fn panics() {
    panic!("as planned");
}

/// Ends in order on SIGTERM, after it has said so in a file of the machine.
async fn careful() -> io::Result<()> {
    let end = signal::shutdown()?;
    runtime::out!("ready");
    end.await;
    fs::atomic_replace("ended", env::args()[1].clone()).await
}

async fn sleeper() {
    runtime::sleep(3_600.secs()).await;
}

fn register(sim: Sim) {
    sim.program("cat", cat);
    sim.program("fails", fails);
    sim.program("careful", careful);
    sim.program("sleeper", sleeper);
    sim.program("panics", panics);
}

async fn said(child: &mut Child) -> io::Result<String> {
    let mut said = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut said).await?;
    Ok(said)
}

async fn line(child: &mut Child) -> io::Result<()> {
    while child.stdout.as_mut().unwrap().read_u8().await? != b'\n' {}
    Ok(())
}

async fn finished(node: &Node) -> Result<(), String> {
    match node.ended().await {
        Exit::Finished => Ok(()),
        other => Err(format!("{other:?}, {:?}", node.output())),
    }
}

#[simurgh_sim::test(seeds = 30)]
async fn what_goes_in_comes_out_however_much_it_is(sim: Sim) {
    register(sim);
    let node = sim.node("node", || async {
        let mut cat = Command::new("/bin/cat").spawn()?;
        let (mut input, bytes) = (cat.stdin.take().unwrap(), vec![7; 300_000]);
        let writer = runtime::spawn(async move {
            input.write_all(&bytes).await // more than a pipe holds: it waits for the reader
        });
        let mut back = Vec::new();
        cat.stdout.take().unwrap().read_to_end(&mut back).await?;
        writer.await.map_err(io::Error::other)??;
        assert_eq!(back, vec![7; 300_000]);
        assert!(cat.wait().await?.success());
        assert_eq!(Command::new("no-such-program").spawn().unwrap_err().kind(), io::ErrorKind::NotFound);
        io::Result::Ok(())
    });
    finished(&node).await?;
}

#[simurgh_sim::test(seeds = 30)]
async fn each_end_has_its_status(sim: Sim) {
    register(sim);
    let node = sim.node("node", || async {
        let code = |status: ExitStatus| (status.code(), status.signal());
        let quiet = |name: &str| Command::new(name).stdout(Stdio::Null).stdin(Stdio::Null);
        assert_eq!(code(quiet("cat").spawn()?.wait().await?), (Some(0), None));
        assert_eq!(code(quiet("fails").spawn()?.wait().await?), (Some(1), None));
        assert_eq!(code(quiet("panics").spawn()?.wait().await?), (Some(101), None));
        let mut killed = quiet("sleeper").spawn()?;
        killed.kill().await?;
        assert_eq!(code(killed.wait().await?), (None, Some(9)));
        let mut terminated = quiet("sleeper").spawn()?;
        terminated.signal(Signal::Terminate)?;
        assert_eq!(code(terminated.wait().await?), (None, Some(15)));
        let mut careful = Command::new("careful").arg("on request").spawn()?;
        line(&mut careful).await?;
        careful.signal(Signal::Terminate)?;
        assert_eq!(code(careful.wait().await?), (Some(0), None));
        assert_eq!(fs::read("ended").await?, b"on request");
        io::Result::Ok(())
    });
    finished(&node).await?;
}

#[simurgh_sim::test(seeds = 30)]
async fn a_reader_that_has_gone_breaks_the_pipe_and_a_writer_ends_it(sim: Sim) {
    register(sim);
    let node = sim.node("node", || async {
        let mut cat = Command::new("cat").spawn()?;
        let mut input = cat.stdin.take().unwrap();
        input.write_all(b"half").await?;
        cat.kill().await?;
        assert_eq!(input.write_all(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(said(&mut cat).await?.len() <= 4, "what was written is there, and then the end");
        io::Result::Ok(())
    });
    finished(&node).await?;
}

/// Starts a child that would say a second later that it is still there, and ends in order when it is asked to.
async fn parent() -> io::Result<()> {
    let late = Command::new("late").stdout(Stdio::Null);
    let late = if env::var("DETACHED").is_some() { late.detached() } else { late };
    let _child = late.spawn()?;
    let end = signal::shutdown()?;
    runtime::ready();
    end.await;
    Ok(())
}

async fn late() -> io::Result<()> {
    runtime::sleep(1.secs()).await;
    fs::atomic_replace("ended", "late").await
}

/// What a child left on its machine before it ended, read by the node's next version.
async fn left_on(node: &Node) -> Vec<String> {
    node.upgrade(|| async {
        let found = fs::read("ended").await;
        runtime::out!("{}", found.map_or("nothing".into(), |text| String::from_utf8_lossy(&text).into_owned()));
    });
    node.ended().await;
    node.output()
}

#[simurgh_sim::test(seeds = 20)]
async fn a_crash_of_the_parent_closes_its_pipes_and_leaves_the_child(sim: Sim) {
    sim.program("watches", || async {
        runtime::out!("ready");
        let mut nothing = Vec::new();
        stdio::stdin().read_to_end(&mut nothing).await?; // until the parent is gone
        fs::atomic_replace("ended", "alone").await
    });
    let node = sim.node("node", || async {
        let mut child = Command::new("watches").spawn()?;
        line(&mut child).await?;
        runtime::ready();
        std::future::pending::<io::Result<()>>().await
    });
    node.started().await?;
    sim.kill(&node, Kill::Crash);
    runtime::sleep(1.secs()).await;
    assert_eq!(left_on(&node).await, ["alone"]);
}

async fn left_after(sim: Sim, detached: bool, end: impl AsyncFnOnce(&Node)) -> Result<Vec<String>, String> {
    sim.program("late", late);
    let node = sim.node("node", parent);
    if detached {
        node.set_var("DETACHED", "yes");
    }
    node.started().await?;
    end(&node).await;
    assert!(!node.is_running());
    runtime::sleep(5.secs()).await;
    Ok(left_on(&node).await)
}

#[simurgh_sim::test(seeds = 20)]
async fn children_end_with_the_power_of_their_machine(sim: Sim) {
    let left = left_after(sim, true, async |node| sim.kill(node, Kill::Power)).await?;
    assert_eq!(left, ["nothing"]);
}

#[simurgh_sim::test(seeds = 20)]
async fn children_end_with_a_parent_that_ends_in_order(sim: Sim) {
    let left = left_after(sim, false, async |node| drop(node.stop(10.secs()).await)).await?;
    assert_eq!(left, ["nothing"]);
}

#[simurgh_sim::test(seeds = 20)]
async fn detached_children_outlive_their_parent(sim: Sim) {
    let left = left_after(sim, true, async |node| drop(node.stop(10.secs()).await)).await?;
    assert_eq!(left, ["late"]);
}
