//! How tasks behave on tokio. The simulator's tests show the same for the other arm.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::{run, timeout};

#[test]
fn a_task_has_an_identity_also_while_it_is_dropped() {
    struct Tells(Option<oneshot::Sender<String>>);
    impl Drop for Tells {
        fn drop(&mut self) {
            let label = Header::with(|header| header.map_or_else(String::new, |header| header.label().to_string()));
            let _ = self.0.take().map(|sender| sender.send(label));
        }
    }
    run("test", async {
        let (started, has_started) = oneshot::channel();
        let (sender, dropped) = oneshot::channel();
        let task = Builder::new().label(("worker", 7)).spawn(async move {
            let tells = Tells(Some(sender));
            let _ = started.send(());
            std::future::pending::<()>().await;
            drop(tells);
        });
        has_started.await.unwrap();
        task.abort();
        assert_eq!(dropped.await.unwrap(), "worker 7");
        assert!(matches!(task.await, Err(JoinError::Cancelled)));
    });
}

#[test]
fn a_panic_is_reported_with_its_place() {
    run("test", async {
        let error = spawn(async { panic!("no luck") }).await.map(|never: ()| never).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no luck") && text.contains("tests.rs:"), "{text}");
    });
}

#[test]
fn equal_messages_do_not_mix_up_their_places() {
    run("test", async {
        let first = spawn(async { panic!("the same words") });
        let second = spawn(async { panic!("the same words") });
        let place = |joined: Result<(), JoinError>| match joined {
            Err(JoinError::Panic(report)) => report.location.unwrap(),
            other => panic!("{other:?} is no panic"),
        };
        let (second, first) = (place(second.await), place(first.await));
        let line = |place: &str| place.split(':').nth(1).unwrap().parse::<u32>().unwrap();
        assert_eq!(line(&second), line(&first) + 1, "{first} {second}");
    });
}

#[test]
fn a_scope_waits_for_all_and_tells_the_first_failure() {
    run("test", async {
        let scope = Scope::new();
        let (go, gate) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        scope.spawn("patient", async move {
            let _ = gate.await;
            let _ = done.send(());
        });
        scope.spawn("fails", async move {
            let _go = go; // dropped by the panic: only then may the other one end
            panic!("one of two");
        });
        let error = scope.wait().await.unwrap_err();
        assert!(error.to_string().contains("one of two"), "{error}");
        is_done.await.unwrap();
        scope.wait().await.unwrap();
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_the_tasks_in_their_scope() {
    run("test", async {
        let (held, released) = oneshot::channel::<()>();
        let scope = Scope::new();
        scope.spawn("holds", async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        assert!(timeout(Duration::ZERO, scope.wait()).await.is_err());
        drop(scope);
        assert!(released.await.is_err(), "the task was dropped");
    });
}

#[test]
fn a_shield_outlives_its_waiter_and_passes_on_a_panic() {
    run("test", async {
        let (go, gate) = oneshot::channel::<()>();
        let (done, is_done) = oneshot::channel();
        let waiter = spawn(shield(async move {
            let _ = gate.await;
            let _ = done.send(());
        }));
        waiter.abort();
        assert!(waiter.await.is_err());
        let _ = go.send(());
        is_done.await.unwrap();

        let error = spawn(shield(async { panic!("under the shield") })).await.map(|never: ()| never).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("under the shield") && text.contains("tests.rs:"), "{text}");
    });
}

#[test]
fn blocking_work_has_a_node_completes_without_its_caller_and_passes_on_a_panic() {
    run("test", async {
        assert_eq!(blocking(|| Node::current().name().to_owned()).await, "test");

        let (go, gate) = std::sync::mpsc::channel::<()>();
        let (done, is_done) = oneshot::channel();
        drop(blocking(move || {
            let _ = gate.recv();
            let _ = done.send(());
        }));
        let _ = go.send(());
        is_done.await.unwrap();

        let error = spawn(async { blocking(|| panic!("in the pool")).await }).await.map(|never: ()| never).unwrap_err();
        assert!(error.to_string().contains("in the pool"), "{error}");
    });
}

#[test]
fn a_yield_lets_the_others_go_first() {
    run("test", async {
        let order = Arc::new(crate::sync::Mutex::new(Vec::new()));
        let both = |name: &'static str| {
            let order = Arc::clone(&order);
            async move {
                order.lock().push(name);
                yield_now().await;
                order.lock().push(name);
            }
        };
        crate::join!(both("a"), both("b"));
        let order = order.lock();
        assert_eq!(order[..2], ["a", "b"], "neither went on before the other had begun");
    });
}

#[test]
fn children_carry_what_their_parent_carries() {
    run("test", async {
        Carried::set(Some(Arc::new(Carried { trace: None, locale: Some("de-CH".into()) })));
        let inherited = spawn(async { Carried::current() }).await.unwrap();
        assert_eq!(inherited.unwrap().locale.as_deref(), Some("de-CH"));
        let own = Builder::new().carried(None).spawn(async { Carried::current() }).await.unwrap();
        assert_eq!(own, None);
    });
}

#[test]
fn the_panic_of_main_goes_on_in_the_caller() {
    let payload = catch_unwind(|| run("test", async { panic!("main gave up") })).map(|never: ()| never).unwrap_err();
    let report = PanicReport::from_payload(payload);
    assert!(report.message.contains("main gave up"), "{report}");
}
