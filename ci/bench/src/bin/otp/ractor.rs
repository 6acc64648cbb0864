//! Ractor, without its features beyond tokio. Its mailboxes have no bound: its sender lets others go
//! first where a bound would make it wait.

use std::time::Instant;

use ractor::rpc::CallResult;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::yield_now;

use crate::{DONE, LIMIT, each, idle, restarts, spawned, unknown};

type Ready<T> = Result<T, ActorProcessingErr>;

pub async fn measure(figure: &str, count: u64) -> Vec<f64> {
    match figure {
        "spawn" => {
            let spawn = || async {
                Actor::spawn(None, Brief, ()).await.expect("a start");
            };
            spawned(count, spawn).await
        }
        "call" => call(count).await,
        "cast128" => cast(count, 128).await,
        "cast1024" => cast(count, 1_024).await,
        "idle" => idle(count, |_| async { Actor::spawn(None, Asked, ()).await.expect("a start").0 }).await,
        "restart" => restart(count).await,
        _ => unknown(figure),
    }
}

struct Brief;

impl Actor for Brief {
    type Msg = ();
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, me: ActorRef<()>, (): ()) -> Ready<()> {
        me.stop(None);
        Ok(())
    }
}

struct Asked;
struct Ask(u64, RpcReplyPort<u64>);

impl Actor for Asked {
    type Msg = Ask;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ask>, (): ()) -> Ready<u64> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Ask>, Ask(more, reply): Ask, total: &mut u64) -> Ready<()> {
        *total += more;
        let _ = reply.send(*total);
        Ok(())
    }
}

async fn call(count: u64) -> Vec<f64> {
    let (server, _) = Actor::spawn(None, Asked, ()).await.expect("a start");
    let since = Instant::now();
    for _ in 0..count {
        let answer = server.call(|reply| Ask(1, reply), Some(LIMIT)).await;
        assert!(matches!(answer, Ok(CallResult::Success(_))));
    }
    each(count, since)
}

struct Told;
struct Tell(u64, u64);

impl Actor for Told {
    type Msg = Tell;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Tell>, (): ()) -> Ready<u64> {
        Ok(0)
    }

    async fn handle(&self, _: ActorRef<Tell>, Tell(more, last): Tell, total: &mut u64) -> Ready<()> {
        *total += more;
        if last == 1 {
            DONE.notify_one();
        }
        Ok(())
    }
}

async fn cast(count: u64, bound: u64) -> Vec<f64> {
    let (server, _) = Actor::spawn(None, Told, ()).await.expect("a start");
    let since = Instant::now();
    for number in 1..=count {
        server.cast(Tell(number, u64::from(number == count))).expect("it lives");
        if number % bound == 0 {
            yield_now().await;
        }
    }
    DONE.notified().await;
    each(count, since)
}

type Lives = UnboundedSender<(Instant, ActorRef<()>)>;
struct Mortal;

impl Actor for Mortal {
    type Msg = ();
    type State = ();
    type Arguments = Lives;

    async fn pre_start(&self, me: ActorRef<()>, lives: Lives) -> Ready<()> {
        Ok(lives.send((Instant::now(), me))?)
    }
}

struct Restarter;

impl Actor for Restarter {
    type Msg = ();
    type State = Lives;
    type Arguments = Lives;

    async fn pre_start(&self, me: ActorRef<()>, lives: Lives) -> Ready<Lives> {
        Actor::spawn_linked(None, Mortal, lives.clone(), me.get_cell()).await?;
        Ok(lives)
    }

    async fn handle_supervisor_evt(&self, me: ActorRef<()>, event: SupervisionEvent, lives: &mut Lives) -> Ready<()> {
        if matches!(event, SupervisionEvent::ActorTerminated(..) | SupervisionEvent::ActorFailed(..)) {
            Actor::spawn_linked(None, Mortal, lives.clone(), me.get_cell()).await?;
        }
        Ok(())
    }
}

async fn restart(count: u64) -> Vec<f64> {
    let (tell, lives) = unbounded_channel();
    let _supervisor = Actor::spawn(None, Restarter, tell).await.expect("a start");
    restarts(count, lives, |life| life.kill()).await
}
