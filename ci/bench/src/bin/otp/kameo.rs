//! Kameo, without tracing. Actors end when nobody refers to them any more.

use std::future::ready;
use std::time::{Duration, Instant};

use kameo::error::Infallible;
use kameo::mailbox;
use kameo::message::{Context, Message};
use kameo::prelude::{Actor, ActorRef, Spawn};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::{DONE, LIMIT, MAILBOX, each, idle, restarts, spawned, unknown};

struct Counter(u64);
struct Ask(u64);
struct Tell(u64, u64);

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "spawn" => {
            let spawn = || {
                Counter::spawn(());
                ready(())
            };
            spawned(count, spawn).await
        }
        "call" => call(count).await,
        "cast128" => cast(count, 128).await,
        "cast1024" => cast(count, 1_024).await,
        "idle" => idle(count, |_| ready(Counter::spawn_with_mailbox((), mailbox::bounded(MAILBOX)))).await,
        "restart" => restart(count).await,
        _ => unknown(figure),
    }
}

impl Actor for Counter {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(0))
    }
}

impl Message<Ask> for Counter {
    type Reply = u64;

    async fn handle(&mut self, Ask(more): Ask, _: &mut Context<Self, u64>) -> u64 {
        self.0 += more;
        self.0
    }
}

impl Message<Tell> for Counter {
    type Reply = ();

    async fn handle(&mut self, Tell(more, last): Tell, _: &mut Context<Self, ()>) {
        self.0 += more;
        if last == 1 {
            DONE.notify_one();
        }
    }
}

async fn call(count: u64) -> Vec<f64> {
    let server = Counter::spawn_with_mailbox((), mailbox::bounded(MAILBOX));
    let since = Instant::now();
    for _ in 0..count {
        server.ask(Ask(1)).reply_timeout(LIMIT).send().await.expect("an answer");
    }
    each(count, since)
}

async fn cast(count: u64, bound: usize) -> Vec<f64> {
    let server = Counter::spawn_with_mailbox((), mailbox::bounded(bound));
    let since = Instant::now();
    for number in 1..=count {
        server.tell(Tell(number, u64::from(number == count))).send().await.expect("it lives");
    }
    DONE.notified().await;
    each(count, since)
}

struct Supervisor;

impl Actor for Supervisor {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

type Lives = UnboundedSender<(Instant, ActorRef<Mortal>)>;
struct Mortal;

impl Actor for Mortal {
    type Args = Lives;
    type Error = Infallible;

    async fn on_start(lives: Lives, me: ActorRef<Self>) -> Result<Self, Infallible> {
        let _ = lives.send((Instant::now(), me));
        Ok(Self)
    }
}

async fn restart(count: u64) -> Vec<f64> {
    let (tell, lives) = unbounded_channel();
    let supervisor = Supervisor::spawn(());
    let _mortal = Mortal::supervise(&supervisor, tell).restart_limit(u32::MAX, Duration::from_millis(1)).spawn().await;
    restarts(count, lives, |life| life.kill()).await
}
