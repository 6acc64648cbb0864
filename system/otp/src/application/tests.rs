//! Each sentence about applications, on the real runtime.

use std::future::pending;

use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{DurationExt, run, timeout};
use simurgh_telemetry::attach;

use super::*;
use crate::{Context, Flow, InitError, Server, kill};

/// What a stage does in its life.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    Good,
    FailsInit,
    HangsInInit,
    HangsAtEnd,
}

struct Part(Habit);

impl Server for Part {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        match self.0 {
            Habit::FailsInit => Err("no disk".into()),
            Habit::HangsInInit => pending().await,
            Habit::Good | Habit::HangsAtEnd => Ok(()),
        }
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }

    async fn terminate(&mut self, _: &ExitReason, _: &mut Context<Self>) {
        if self.0 == Habit::HangsAtEnd {
            pending::<()>().await;
        }
    }
}

fn part(habit: Habit) -> ChildSpec {
    ChildSpec::server(move || Part(habit))
}

/// The steps, as `stage what`.
fn steps() -> Arc<Mutex<Vec<String>>> {
    let steps: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = Arc::clone(&steps);
    attach("steps", "otp.application.stage", move |event| {
        let fact = |name| event.metadata.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
        into.lock().push(format!("{} {}", fact("stage").unwrap(), fact("what").unwrap()));
    })
    .unwrap();
    steps
}

fn three(last: Habit) -> Application {
    Application::new("shop")
        .stage("store", 1.secs(), part(Habit::Good))
        .hook("migrate", || async {})
        .stage("cache", 1.secs(), part(Habit::Good))
        .stage("listener", 30.millis(), part(last))
}

const UP: [&str; 6] =
    ["store starting", "store ready", "migrate starting", "migrate ready", "cache starting", "cache ready"];
const DOWN: [&str; 4] = ["cache stopping", "cache stopped", "store stopping", "store stopped"];

#[test]
fn stages_start_in_order_and_stop_in_reverse() {
    run("test", async {
        let steps = steps();
        let running = three(Habit::Good).start().await.unwrap();
        assert_eq!(running.root().count_children().await.unwrap().running, 3);
        let root = running.root().clone();
        let stopped = running.stop().await;
        assert_eq!(
            stopped.iter().map(|stop| (&*stop.stage, stop.killed)).collect::<Vec<_>>(),
            [("listener", false), ("cache", false), ("store", false)]
        );
        assert!(root.reason().is_some_and(|reason| reason.is_orderly()));
        let listener = ["listener starting", "listener ready", "listener stopping", "listener stopped"];
        assert_eq!(*steps.lock(), [&UP[..], &listener, &DOWN].concat());
        assert_eq!(crate::count(), 0);
    });
}

#[test]
fn a_stage_that_fails_or_hangs_is_named_and_those_before_it_are_stopped() {
    for habit in [Habit::FailsInit, Habit::HangsInInit] {
        run("test", async move {
            let steps = steps();
            let failure = three(habit).start().await.unwrap_err();
            assert_eq!((&*failure.stage, failure.stopped.len()), ("listener", 2));
            let what = failure.to_string();
            let why =
                if habit == Habit::FailsInit { "no disk" } else { "it was not ready within 30ms, its start_timeout" };
            assert!(what.starts_with("shop did not start: `listener` failed after") && what.contains(why), "{what}");
            assert_eq!(*steps.lock(), [&UP[..], &["listener starting", "listener failed"], &DOWN].concat());
            assert_eq!(crate::count(), 0, "nothing is left");
        });
    }
}

#[test]
fn a_hook_that_fails_panics_or_hangs_ends_the_start() {
    async fn failure(application: Application) -> (String, String, usize) {
        let failure = application.start().await.unwrap_err();
        assert_eq!(crate::count(), 0);
        (failure.stage.to_string(), failure.reason.to_string(), failure.stopped.len())
    }
    run("test", async {
        let with = || Application::new("shop").stage("store", 1.secs(), part(Habit::Good));
        let failed = failure(with().hook("hook", || async { Err::<(), _>("no schema") })).await;
        assert_eq!(failed, ("hook".into(), "error: no schema".into(), 1));
        let failed = failure(with().hook::<std::future::Ready<()>>("hook", || panic!("bad hook"))).await;
        assert!(failed.1.contains("bad hook"), "{failed:?}");
        let failed = failure(with().hook_within("hook", 5.millis(), pending::<()>)).await;
        assert_eq!(failed.1, "error: it was not done within 5ms");
    });
}

#[test]
fn a_stage_that_hangs_at_the_end_is_killed_at_its_limit_and_named() {
    run("test", async {
        let outcome = three(Habit::HangsAtEnd).run_until(async {}).await;
        assert_eq!(outcome.code(), 0, "the signal came during the start: {outcome}");
        let running = three(Habit::HangsAtEnd).start().await.unwrap();
        let outcome = running.run_until(async {}).await;
        assert_eq!((outcome.code(), outcome.to_string().as_str()), (5, "stopped, and had to kill listener"));
        assert_eq!(crate::count(), 0);
    });
}

#[test]
fn codes_tell_a_failed_start_from_a_crash() {
    run("test", async {
        assert_eq!(three(Habit::FailsInit).run_until(pending::<()>()).await.code(), 3);
        let crash = async {
            let running = three(Habit::Good).intensity(0, 5.secs()).start().await.unwrap();
            let cache = running.root().child::<Part>("cache").await.unwrap();
            kill(cache.pid());
            running.run_until(pending::<()>()).await
        };
        let outcome = crash.await;
        assert!(matches!(&outcome, Outcome::Crashed(ExitReason::Error(_))) && outcome.code() == 4, "{outcome}");
    });
}

#[test]
fn a_stage_that_crashes_is_restarted_with_those_after_it() {
    run("test", async {
        let running = three(Habit::Good).start().await.unwrap();
        let pids = |children: Vec<crate::ChildInfo>| children.iter().map(|child| child.pid).collect::<Vec<_>>();
        let before = pids(running.root().which_children().await.unwrap());
        kill(before[1].unwrap());
        loop {
            let children = running.root().which_children().await.unwrap();
            let all_run = children.iter().all(|child| child.state == crate::ChildState::Running);
            let now = pids(children);
            if all_run && now[1] != before[1] && now[2] != before[2] {
                assert_eq!(now[0], before[0]);
                break;
            }
        }
        assert!(running.stop().await.iter().all(|stage| !stage.killed));
    });
}

#[test]
fn a_signal_during_the_start_ends_it_in_order_and_dropping_it_kills() {
    run("test", async {
        let hangs = || {
            Application::new("shop").stage("store", 1.secs(), part(Habit::Good)).stage(
                "slow",
                50.millis(),
                ChildSpec::server(|| crate::Start::new("slow", Part(Habit::HangsInInit)).init_timeout(1.mins())),
            )
        };
        let Outcome::Stopped(stopped) = hangs().run_until(simurgh_runtime::sleep(5.millis())).await else { panic!() };
        assert_eq!(stopped.iter().map(|stop| &*stop.stage).collect::<Vec<_>>(), ["slow", "store"]);
        assert_eq!(crate::count(), 0);
        assert!(timeout(5.millis(), hangs().start()).await.is_err());
        while crate::count() > 0 {
            simurgh_runtime::yield_now().await;
        }
    });
}
