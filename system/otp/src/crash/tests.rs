//! Ten crashes, as people see them.

use std::future::Future;

use simurgh_runtime::DurationExt;
use tokio::sync::mpsc;

use super::*;
use crate::{ChildSpec, Context, Flow, InitError, Reply, Server, Shutdown, Start, Supervisor, SupervisorRef, observer};

/// A server that does as it is told.
#[derive(Clone, Copy)]
enum Actor {
    Works,
    InitFails,
    InitHangs,
}

enum Ask {
    Count(Reply<u64>),
    Break(&'static str),
    Give(&'static str),
    Hang(Reply<()>),
}

impl Server for Actor {
    type Message = Ask;

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        match self {
            Self::Works => Ok(()),
            Self::InitFails => Err("the ledger cannot be read".into()),
            Self::InitHangs => std::future::pending().await,
        }
    }

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
        match ask {
            Ask::Count(reply) => reply.send(1),
            Ask::Break(why) => panic!("{why}"),
            Ask::Give(why) => return Flow::fail(why),
            Ask::Hang(reply) => {
                reply.send(());
                std::future::pending::<()>().await;
            }
        }
        Flow::Continue
    }

    fn name_of(ask: &Ask) -> &'static str {
        match ask {
            Ask::Count(_) => "Ask::Count",
            Ask::Break(_) => "Ask::Break",
            Ask::Give(_) => "Ask::Give",
            Ask::Hang(_) => "Ask::Hang",
        }
    }
}

/// The report of the process `label`, when `f` has made it crash.
fn report(label: &'static str, f: impl Future<Output = ()> + Send + 'static) -> CrashReport {
    simurgh_runtime::run("test", async move {
        let (sender, mut crashed) = mpsc::unbounded_channel();
        simurgh_telemetry::attach("test", "otp.process.crash", move |event| {
            let _ = sender.send(format!("{:?}", event.metadata));
        })
        .unwrap();
        f.await;
        loop {
            if let Some(report) = crashes().iter().find(|report| report.label.to_string() == label) {
                return (**report).clone();
            }
            crashed.recv().await;
        }
    })
}

/// As people see it, without what differs from run to run.
fn screen(label: &'static str, f: impl Future<Output = ()> + Send + 'static) -> String {
    let screen = report(label, f).to_string();
    assert!(screen.lines().count() <= 20 && screen.lines().all(|row| row.chars().count() <= COLUMNS), "{screen}");
    screen.lines().map(normal).collect::<Vec<_>>().join("\n")
}

const COLUMNS: usize = 100;

fn normal(row: &str) -> String {
    if row.starts_with("lived ") {
        return "lived      (a while)".to_owned();
    }
    let mut normal = String::new();
    let mut rest = row;
    while let Some(at) = rest.find("<0.") {
        normal += &rest[..at];
        normal += "<pid>";
        rest = rest[at..].split_once('>').map_or("", |(_, after)| after);
    }
    normal += rest;
    match normal.split_once(".rs:") {
        Some((file, _)) => format!("{file}.rs:(line)"),
        None => normal,
    }
}

/// A supervisor of two actors.
async fn shop() -> SupervisorRef {
    let adder = ChildSpec::server(|| Actor::Works).shutdown(Shutdown::Timed(1.millis()));
    let shop = Supervisor::one_for_one().intensity(0, 5.secs()).child("adder", adder).child("other", || Actor::Works);
    let root = Supervisor::one_for_one().child("shop", shop).start("root").await.unwrap();
    SupervisorRef::of(root.which_children().await.unwrap()[0].pid.unwrap()).unwrap()
}

/// A root with one actor that is restarted.
async fn root() -> SupervisorRef {
    Supervisor::one_for_one().child("adder", || Actor::Works).start("root").await.unwrap()
}

async fn tell(supervisor: &SupervisorRef, ask: Ask) {
    let adder = supervisor.child::<Actor>("adder").await.unwrap();
    adder.call(Ask::Count).await.unwrap();
    adder.try_cast(ask).map_err(|_| "dead").unwrap();
}

macro_rules! crash {
    ($name:ident, $label:literal, $f:expr) => {
        #[test]
        fn $name() {
            insta::assert_snapshot!(screen($label, $f));
        }
    };
}

crash!(a_panic_with_a_message, "adder", async { tell(&root().await, Ask::Break("the sum is negative")).await });

crash!(a_panic_in_a_plain_process, "sweeper", async {
    let sweeper = ChildSpec::task(|| async { assert_eq!(1 + 1, 3, "arithmetic") }).temporary();
    Supervisor::one_for_one().child("sweeper", sweeper).start("root").await.unwrap();
});

crash!(an_error_that_was_returned, "adder", async { tell(&root().await, Ask::Give("out of paper")).await });

crash!(an_init_that_fails, "adder", async {
    assert!(crate::start("adder", Actor::InitFails).await.is_err());
});

crash!(an_init_that_takes_too_long, "adder", async {
    let slow = || Start::new(Label::None, Actor::InitHangs).init_timeout(1.millis());
    assert!(Supervisor::one_for_one().child("adder", slow).start("root").await.is_err());
});

crash!(a_kill_by_an_operator, "adder", async {
    let adder = root().await.child::<Actor>("adder").await.unwrap();
    assert!(observer::kill(adder.pid()));
});

crash!(the_exit_of_a_linked_process, "partner", async {
    let (begin, begun) = tokio::sync::oneshot::channel::<()>();
    let worker = crate::spawn("worker", async {
        let _ = begun.await;
        Err::<(), _>("lost the thread")
    });
    crate::spawn("partner", async move {
        crate::link(worker);
        let _ = begin.send(());
        std::future::pending::<()>().await;
    });
});

crash!(a_supervisor_over_its_intensity, "shop", async { tell(&shop().await, Ask::Break("again")).await });

crash!(a_child_that_overruns_its_shutdown, "adder", async {
    let shop = shop().await;
    let adder = shop.child::<Actor>("adder").await.unwrap();
    adder.call(Ask::Hang).await.unwrap();
    shop.terminate_child("adder").await.unwrap();
});

crash!(a_panic_that_nobody_supervises, "loner", async {
    crate::spawn::<()>("loner", async {
        panic!("first row\nsecond row\u{1b}[2J, and {}", "more and more ".repeat(60));
    });
});

#[test]
fn a_report_as_json() {
    let json = report("adder", async { tell(&root().await, Ask::Break("\"quoted\"")).await }).to_json();
    assert!(json.contains(r#""reason":"panic","detail":"panic: \"quoted\", at "#), "{json}");
    assert!(json.contains(r#""last_message":"Ask::Break","exit_of":null,"handled":1,"waiting":0,"#), "{json}");
    assert!(json.ends_with(r#""decision":"restarted"}"#), "{json}");
    assert_eq!(json.lines().count(), 1);
}

#[test]
fn what_waited_is_counted() {
    let report = report("adder", async {
        let adder = crate::start("adder", Actor::Works).await.unwrap();
        adder.suspend().await.unwrap();
        (0..3).for_each(|_| drop(adder.try_cast(Ask::Give("late"))));
        crate::kill(adder.pid());
    });
    assert_eq!((report.waiting, report.handled), (3, 0));
}

#[test]
fn as_many_crashes_are_remembered_as_is_said() {
    simurgh_runtime::run("test", async {
        for _ in 0..CRASHES_MAX + 20 {
            crate::spawn_monitor("victim", async { Err::<(), _>("no") }).1.await;
        }
        // The last report may still be on its way when its monitor hears.
        assert!(crashes().len() >= CRASHES_MAX - 1 && crashes().len() <= CRASHES_MAX);
    });
}

#[test]
fn names_without_their_modules() {
    for (long, short) in [
        ("u64", "u64"),
        ("shop::orders::Ask", "Ask"),
        ("Ask::Break", "Ask::Break"),
        ("shop::Ask::Break", "Ask::Break"),
        ("(u64, alloc::vec::Vec<core::option::Option<a::B>>)", "(u64, Vec<Option<B>>)"),
        ("&str", "&str"),
    ] {
        assert_eq!(short_name(long), short);
    }
}
