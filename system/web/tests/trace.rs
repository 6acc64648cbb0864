//! The way of a request, as it is recorded and printed.

use std::sync::Arc;

use simurgh_runtime::sync::Mutex;
use simurgh_web::{Conn, Endpoint, Error, Outcome, Plug, Result, STEPS_MAX, Step, Trace, router, test};

mod pages {
    use simurgh_web::{Conn, Error, Result};

    pub(crate) async fn home(_: &mut Conn) -> &'static str {
        "home"
    }

    pub(crate) async fn fails(_: &mut Conn) -> Result<&'static str> {
        Err(Error::forbidden("no", "Not for you."))
    }

    pub(crate) async fn panics(_: &mut Conn) -> &'static str {
        panic!("a handler's panic")
    }
}

async fn first(_: &mut Conn) {}

async fn keyed(conn: &mut Conn) -> Result {
    if conn.header("x-key").is_none() { Err(Error::forbidden("no_key", "A key is needed.")) } else { Ok(()) }
}

async fn closed(conn: &mut Conn) {
    conn.text("closed");
    conn.halt();
}

router! {
    pipeline browser { first; }
    pipeline locked { keyed; first; }
    pipeline shut { closed; first; }

    scope "/" through browser {
        get "/" => pages::home;
        get "/fails" => pages::fails;
        get "/panics" => pages::panics;
        scope "/locked" through locked { get "/" => pages::home; }
        scope "/shut" through shut { get "/" => pages::home; }
    }
}

/// The traces of requests for these targets.
fn traces(plugs: impl Plug, targets: &'static [&'static str]) -> Vec<Trace> {
    simurgh_runtime::run("test", async move {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&seen);
        let endpoint = Endpoint::new(plugs).traced(move |_, trace| into.lock().push(trace.clone()));
        for target in targets {
            test::get(&endpoint, target).await;
        }
        let seen = seen.lock();
        seen.clone()
    })
}

/// Names, indented, and what became of them.
fn tree(trace: &Trace) -> String {
    let line = |step: &Step| {
        let detail = step.detail.map(|detail| format!(" {detail}")).unwrap_or_default();
        let outcome = if step.outcome == Outcome::Passed { String::new() } else { format!(": {}", step.outcome) };
        format!("{}{} {}{detail}{outcome}", "  ".repeat(step.depth), step.way.arrow(), step.name)
    };
    trace.steps().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_way_in_and_out() {
    let traces = traces((first, router()), &["/"]);
    let expected = "\
-> endpoint
  -> first
  -> router /
    -> pipeline browser
      -> first
    -> handler pages::home
    <- pipeline browser
      <- first
<- endpoint
  <- router
  <- first";
    assert_eq!(tree(&traces[0]), expected);
    let steps = traces[0].steps();
    assert!(steps.windows(2).all(|pair| pair[0].at <= pair[1].at), "in the order in which they began");
    assert!(steps.iter().all(|step| step.took.is_some()));
    assert!(steps[0].took >= steps[2].took, "what is within is counted");
}

#[test]
fn what_is_registered_for_the_response_is_a_step() {
    async fn registers(conn: &mut Conn) {
        conn.register_before_send(|_| Ok(()));
        conn.register_before_send(|_| Err(Error::forbidden("late", "Too late.")));
        conn.text("registered");
    }
    let traces = traces(registers, &["/"]);
    let expected = "\
-> registers
<- registers
<- registered before_send: failed with 403
<- registered before_send";
    assert_eq!(tree(&traces[0]), expected);
}

#[test]
fn a_way_that_ends_early_says_where() {
    let traces = traces(router(), &["/fails", "/locked", "/shut", "/nowhere"]);
    let end = |trace: &Trace| {
        let ended = trace.steps().iter().filter(|step| step.outcome != Outcome::Passed);
        ended.map(|step| format!("{} {}", step.name, step.outcome)).collect::<Vec<_>>().join(", ")
    };
    let ends: Vec<String> = traces.iter().map(end).collect();
    let expected =
        ["handler pages::fails failed with 403", "keyed failed with 403", "closed halted", "router failed with 404"];
    assert_eq!(ends, expected);
    assert!(!tree(&traces[1]).contains("handler"), "{}", tree(&traces[1]));
}

#[test]
fn a_panic_is_where_it_was() {
    let traces = traces((first, router()), &["/panics"]);
    let expected = "\
-> endpoint
  -> first
  -> router /panics
    -> pipeline browser
      -> first
    -> handler pages::panics: failed with 500
<- endpoint
  <- router
  <- first";
    assert_eq!(tree(&traces[0]), expected);
    let unfinished = traces[0].steps().iter().filter(|step| step.took.is_none()).count();
    assert_eq!(unfinished, 3, "endpoint, router and handler came to no end");
}

#[test]
fn it_is_printed_as_a_tree_with_times() {
    let traces = traces((first, router()), &["/locked"]);
    let text = traces[0].to_string();
    let mut lines = text.lines();
    let heading = lines.next().unwrap();
    assert!(heading.starts_with("step ") && heading.ends_with("         at         took"), "{text}");
    assert!(lines.next().unwrap().starts_with("-> endpoint  "), "{text}");
    assert!(text.contains("         -> keyed") && text.contains(" \u{b5}s  failed with 403\n"), "{text}");
}

#[test]
fn steps_are_bounded() {
    /// Calls another very often.
    struct Deep;
    impl Plug for Deep {
        async fn call(&self, conn: &mut Conn) -> Result {
            for _ in 0..STEPS_MAX {
                conn.run(&first).await;
            }
            conn.text("deep");
            Ok(())
        }
    }
    let traces = traces(Deep, &["/"]);
    // Deep itself, in and out, and each call of the other.
    assert_eq!((traces[0].steps().len(), traces[0].omitted()), (STEPS_MAX, 2));
    assert!(traces[0].to_string().ends_with("and 2 steps more\n"));
    assert!(traces[0].steps()[0].took.is_some());
}

#[test]
fn nothing_is_recorded_for_nobody() {
    simurgh_runtime::run("test", async {
        let endpoint = Endpoint::new(async |conn: &mut Conn| conn.text(format!("{:?}", conn.trace().is_none())));
        assert_eq!(test::text(test::get(&endpoint, "/").await).await, "true");
    });
}
