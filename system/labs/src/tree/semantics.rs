//! What supervisors, servers and applications promise, each shown on a small tree.

use std::sync::Arc;

use simurgh::otp::{
    Application, ChildSpec, Context, ExitReason, Flow, Info, InitError, Reply, Server, Start, Strategy, Supervisor,
    SupervisorRef,
};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;

use crate::demo::{Points, until};

/// Point 2.6: of `a b c`, `b` is killed.
pub(super) async fn strategies(points: &mut Points) -> Result<(), String> {
    for (strategy, expected) in [
        (Strategy::OneForOne, "a kept, b restarted, c kept"),
        (Strategy::OneForAll, "a restarted, b restarted, c restarted"),
        (Strategy::RestForOne, "a kept, b restarted, c restarted"),
    ] {
        let idle = || ChildSpec::task(std::future::pending::<()>);
        let tree = Supervisor::new(strategy).child("a", idle()).child("b", idle()).child("c", idle());
        let tree = tree.start("strategies").await.map_err(|error| error.to_string())?;
        let before = pids(&tree).await?;
        otp::kill(before[1]);
        let mut after = pids(&tree).await?;
        for _ in 0..1_000 {
            if after.len() == 3 && !after.contains(&before[1]) {
                break;
            }
            sleep(1.millis()).await;
            after = pids(&tree).await?;
        }
        let fate = |index: usize| if before.get(index) == after.get(index) { "kept" } else { "restarted" };
        let fact = format!("a {}, b {}, c {}", fate(0), fate(1), fate(2));
        points.show("2.6", strategy_name(strategy), &fact, fact == expected);
        tree.stop(5.secs()).await;
    }
    Ok(())
}

fn strategy_name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one_for_one, b of a b c is killed",
        Strategy::OneForAll => "one_for_all, b of a b c is killed",
        Strategy::RestForOne => "rest_for_one, b of a b c is killed",
    }
}

async fn pids(tree: &SupervisorRef) -> Result<Vec<Pid>, String> {
    let children = tree.which_children().await.map_err(|error| error.to_string())?;
    Ok(children.into_iter().filter_map(|child| child.pid).collect())
}

/// What a server's callbacks write down.
type Diary = Arc<Mutex<Vec<&'static str>>>;

struct Clerk(Diary);

enum Ask {
    Continue,
    Note,
    Read(Reply<usize>),
}

impl Server for Clerk {
    type Message = Ask;

    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), InitError> {
        self.0.lock().push("init");
        let gone = otp::spawn("gone", async {});
        cx.monitor(gone);
        cx.continue_with(Ask::Continue);
        Ok(())
    }

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
        match ask {
            Ask::Continue => self.0.lock().push("continue"),
            Ask::Note => self.0.lock().push("cast"),
            Ask::Read(reply) => {
                let mut diary = self.0.lock();
                diary.push("call");
                reply.send(diary.len());
            }
        }
        Flow::Continue
    }

    async fn info(&mut self, info: Info, _: &mut Context<Self>) -> Flow {
        if matches!(info, Info::Down(_)) {
            self.0.lock().push("info");
        }
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.0.lock().push("terminate");
    }
}

/// Takes its time to start.
struct Slow;

impl Server for Slow {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        sleep(300.millis()).await;
        Ok(())
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }
}

/// Point 2.7: every callback, and an init that keeps nobody else waiting.
pub(super) async fn server(points: &mut Points) -> Result<(), String> {
    let diary = Diary::default();
    let clerk = Start::new("clerk", Clerk(Arc::clone(&diary))).start().await.map_err(|error| error.to_string())?;
    until(|| diary.lock().contains(&"info")).await;
    clerk.cast(Ask::Note).await.map_err(|error| error.to_string())?;
    clerk.call(Ask::Read).await.map_err(|error| error.to_string())?;
    clerk.stop(5.secs()).await;
    let written = diary.lock().join(", ");
    let passed = written == "init, continue, info, cast, call, terminate";
    points.show("2.7", "a server's callbacks", &written, passed);

    let tree = Supervisor::one_for_one().start("patient").await.map_err(|error| error.to_string())?;
    let starter = tree.clone();
    let starting = spawn(async move { starter.start_child("slow", || Slow).await });
    sleep(50.millis()).await;
    let asked = Instant::now();
    let count = tree.count_children().await.map_err(|error| error.to_string())?;
    let took = asked.elapsed();
    let passed = took < 100.millis() && count.running == 0 && count.specs == 1;
    let fact = format!("asked during an init of 300 ms, the supervisor answers in {took:?}");
    points.show("2.7", "an init does not block its supervisor", &fact, passed);
    starting.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    tree.stop(5.secs()).await;
    Ok(())
}

struct Stage(&'static str, &'static str, Diary);

impl Server for Stage {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        self.2.lock().push(self.0);
        Ok(())
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        self.2.lock().push(self.1);
    }
}

/// Point 2.8: stages start in order and stop in reverse.
pub(super) async fn application(points: &mut Points) -> Result<(), String> {
    let diary = Diary::default();
    let stage = |up, down| {
        let diary = Arc::clone(&diary);
        move || Stage(up, down, Arc::clone(&diary))
    };
    let hook = Arc::clone(&diary);
    let outcome = Application::new("shop")
        .stage("store", 5.secs(), stage("store up", "store down"))
        .hook("migrate", move || async move { hook.lock().push("migrated") })
        .stage("cache", 5.secs(), stage("cache up", "cache down"))
        .stage("door", 5.secs(), stage("door up", "door down"))
        .run_until(sleep(10.millis()))
        .await;
    let written = diary.lock().join(", ");
    let expected = "store up, migrated, cache up, door up, door down, cache down, store down";
    let fact = format!("{written}; exit code {}", outcome.code());
    points.show(
        "2.8",
        "an application starts in order and stops in reverse",
        &fact,
        written == expected && outcome.code() == 0,
    );
    Ok(())
}
