//! Ours: processes, servers, supervisors.

use std::future::{pending, ready};
use std::time::{Duration, Instant};

use simurgh_otp::{
    self as otp, Context, DynamicSupervisor, Flow, InitError, Pid, Policy, Registry, Reply, Server, Start, Supervisor,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::yield_now;

use crate::{DONE, each, idle, restarts, spawned, unknown};

/// Processes that are registered, of which one is looked up.
const KEYS: u64 = 1_000;

struct Ask(u64, Reply<u64>);
struct Tell(u64, u64);

const _: () = assert!(size_of::<Ask>() <= 24 && size_of::<Tell>() == 16);

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "spawn" => {
            let spawn = || {
                otp::spawn("nothing", async {});
                ready(())
            };
            spawned(count, spawn).await
        }
        "call" => call(count).await,
        "cast128" => cast(count, 128).await,
        "cast1024" => cast(count, 1_024).await,
        "idle" => idle(count, |_| async { otp::start("server", Asked(0)).await.expect("a start") }).await,
        "bare" => idle(count, |_| ready(otp::spawn("process", pending::<()>()))).await,
        "supervised" => supervised(count).await,
        "restart" => restart(count).await,
        "lookup" => lookup(count).await,
        _ => unknown(figure),
    }
}

struct Asked(u64);

impl Server for Asked {
    type Message = Ask;

    async fn handle(&mut self, Ask(more, reply): Ask, _: &mut Context<Self>) -> Flow {
        self.0 += more;
        reply.send(self.0);
        Flow::Continue
    }
}

async fn call(count: u64) -> Vec<f64> {
    let server = otp::start("server", Asked(0)).await.expect("a start");
    let since = Instant::now();
    for _ in 0..count {
        server.call(|reply| Ask(1, reply)).await.expect("an answer");
    }
    each(count, since)
}

struct Told(u64);

impl Server for Told {
    type Message = Tell;

    async fn handle(&mut self, Tell(more, last): Tell, _: &mut Context<Self>) -> Flow {
        self.0 += more;
        if last == 1 {
            DONE.notify_one();
        }
        Flow::Continue
    }
}

async fn cast(count: u64, bound: usize) -> Vec<f64> {
    let start = Start::new("server", Told(0)).mailbox(Policy::Block, bound);
    let server = start.start().await.expect("a start");
    let since = Instant::now();
    for number in 1..=count {
        server.cast(Tell(number, u64::from(number == count))).await.expect("it lives");
    }
    DONE.notified().await;
    each(count, since)
}

/// Each with a label of its own and a monitor.
async fn supervised(count: u64) -> Vec<f64> {
    let supervisor = DynamicSupervisor::limit(usize::MAX);
    let children = supervisor.handle();
    let _supervisor = supervisor.start("supervisor").await.expect("a start");
    let start = |number| {
        let children = &children;
        async move {
            let child = children.start(("server", number), Asked(0)).await.expect("a start");
            let monitor = child.monitor();
            (child, monitor)
        }
    };
    idle(count, start).await
}

struct Mortal(UnboundedSender<(Instant, Pid)>);

impl Server for Mortal {
    type Message = Ask;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        Ok(self.0.send((Instant::now(), cx.pid()))?)
    }

    async fn handle(&mut self, Ask(..): Ask, _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }
}

async fn restart(count: u64) -> Vec<f64> {
    let (tell, lives) = unbounded_channel();
    let supervisor = Supervisor::one_for_one()
        .intensity(u32::MAX, Duration::from_millis(1))
        .child("mortal", move || Mortal(tell.clone()));
    let _supervisor = supervisor.start("supervisor").await.expect("a start");
    restarts(count, lives, otp::kill).await
}

async fn lookup(count: u64) -> Vec<f64> {
    let rooms: Registry<u64> = Registry::unique("rooms");
    for key in 0..KEYS {
        rooms.register_for(otp::spawn("room", pending::<()>()), key, ()).expect("it is free");
    }
    let since = Instant::now();
    for number in 0..count {
        let key = std::hint::black_box(number * 7 % KEYS);
        assert!(std::hint::black_box(rooms.whereis(&key)).is_some());
        if number % 4_096 == 0 {
            yield_now().await;
        }
    }
    each(count, since)
}
