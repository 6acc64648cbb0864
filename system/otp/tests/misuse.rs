//! Misuse gets an answer: each mistake that a user of processes makes is told at once, or at the limit
//! that was set, in words that say what, on whom, and what to do next. On the real machine.

use std::future::Future;
use std::hint::spin_loop;
use std::sync::Arc;
use std::time::Duration;

use simurgh_otp::{
    self as otp, CallError, CastError, ChildSpec, Context, DynamicError, DynamicSupervisor, ExitReason, Flow,
    InitError, Policy, RegisterError, Remote, Reply, Server, ServerRef, Start, Supervisor,
};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{DurationExt, Instant, join, timeout, watchdog};

/// Runs a test on a node, and does not let it hang.
fn answers(test: impl Future<Output = ()> + Send + 'static) {
    simurgh_runtime::run("misuse", async { timeout(20.secs(), test).await.expect("an answer, and no hang") });
}

/// A clerk does what it is told, well or badly.
#[derive(Default)]
struct Clerk {
    kept: Vec<u64>,
    asked_itself: Option<CallError>,
}

enum Order {
    Keep(u64),
    Count(Reply<usize>),
    Forget(Reply<usize>),
    #[allow(dead_code)] // whoever asks holds on to it, and is told that nobody will answer
    AskYourself(Reply<usize>),
    Fail(Reply<usize>),
    Hold(Duration, Reply<Option<String>>),
}

impl Server for Clerk {
    type Message = Order;

    async fn handle(&mut self, order: Order, cx: &mut Context<Self>) -> Flow {
        match order {
            Order::Keep(number) => self.kept.push(number),
            Order::Count(reply) => reply.send(self.kept.len()),
            Order::Forget(reply) => drop(reply),
            Order::AskYourself(_) => self.asked_itself = cx.me().call(Order::Count).await.err(),
            Order::Fail(_reply) => return Flow::fail("out of paper"),
            Order::Hold(time, reply) => {
                let since = Instant::now();
                while since.elapsed() < time {
                    spin_loop();
                }
                reply.send(std::thread::current().name().map(str::to_owned));
            }
        }
        Flow::Continue
    }
}

async fn clerk() -> ServerRef<Clerk> {
    otp::start("clerk", Clerk::default()).await.expect("it starts")
}

/// A clerk that handles nothing, with a mailbox of this policy for one message, which is in it.
async fn full(policy: Policy) -> ServerRef<Clerk> {
    let clerk = Start::new("clerk", Clerk::default()).mailbox(policy, 1).start().await.expect("it starts");
    clerk.suspend().await.expect("it obeys");
    clerk.try_cast(Order::Keep(1)).expect("there is room for one");
    clerk
}

#[test]
fn a_call_to_oneself() {
    answers(async {
        let clerk = clerk().await;
        let since = Instant::now();
        assert!(matches!(clerk.call(Order::AskYourself).await, Err(CallError::NoReply { .. })));
        assert!(since.elapsed() < 1.secs(), "it is refused, not waited for");
        let error = clerk.visit(|clerk| clerk.asked_itself.take()).await.unwrap().expect("its call failed");
        let pid = clerk.pid();
        assert_eq!(
            error.to_string(),
            format!("{pid} called itself, and could not answer while it waits; send it a message, or call a function")
        );
    });
}

/// Asks the other before it answers, so many times.
struct Asks {
    other: Option<ServerRef<Asks>>,
    limit: Duration,
    times: u32,
    errors: Vec<CallError>,
}

enum Message {
    Meet(ServerRef<Asks>),
    Price(Reply<u64>),
}

impl Server for Asks {
    type Message = Message;

    async fn handle(&mut self, message: Message, _: &mut Context<Self>) -> Flow {
        match message {
            Message::Meet(other) => self.other = Some(other),
            Message::Price(reply) => {
                if let Some(other) = self.other.as_ref().filter(|_| self.times > 0) {
                    self.times -= 1;
                    self.errors.extend(other.call_within(self.limit, Message::Price).await.err());
                }
                reply.send(1);
            }
        }
        Flow::Continue
    }
}

/// ```text
///   books     ── asks accounts ──── gives up ── asks again ──────────────────►
///   accounts  ── asks books ──────────────────────────────── gives up ───────►
///             0 ms                  200 ms                   300 ms
/// ```
#[test]
fn two_servers_that_call_each_other() {
    answers(async {
        let asks = |limit, times| Asks { other: None, limit, times, errors: Vec::new() };
        let books = otp::start("books", asks(200.millis(), 2)).await.unwrap();
        let accounts = otp::start("accounts", asks(300.millis(), 1)).await.unwrap();
        books.cast(Message::Meet(accounts.clone())).await.unwrap();
        accounts.cast(Message::Meet(books.clone())).await.unwrap();
        assert_eq!(books.call(Message::Price).await, Ok(1));

        let of_accounts = accounts.visit(|accounts| accounts.errors.clone()).await.unwrap();
        let of_books = books.visit(|books| books.errors.clone()).await.unwrap();
        let expected = |caller: &ServerRef<Asks>, server: &ServerRef<Asks>, after| {
            let (caller, server) = (caller.pid(), server.pid());
            format!(
                "no answer from {server} within {after}; it may still do what it was asked; a circle of calls: \
                 {caller} waits for {server} waits for {caller}; let one of them cast instead of call"
            )
        };
        assert_eq!(of_books[0].to_string(), expected(&books, &accounts, "200ms"));
        assert_eq!(of_accounts[0].to_string(), expected(&accounts, &books, "300ms"));
    });
}

#[test]
fn a_server_that_blocks_its_thread() {
    answers(async {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&reports);
        watchdog::on_stuck(move |stuck| heard.lock().push((Instant::now(), stuck.clone())));
        let clerk = clerk().await;
        let begun = Instant::now();
        let thread = clerk.call(|reply| Order::Hold(400.millis(), reply)).await.unwrap().expect("a thread has a name");

        let (at, stuck) = reports.lock().first().cloned().expect("it is named while it holds its thread");
        assert!(at - begun <= 200.millis(), "named after {:?}", at - begun);
        let (pid, polls, for_ms) = (clerk.pid(), stuck.polls, stuck.for_ms);
        assert_eq!(
            stuck.to_string(),
            format!(
                "task clerk {pid} holds thread {thread}: its poll {polls} has not returned for {for_ms} ms; blocking \
                 work belongs into runtime::blocking, such a task on a thread of its own (isolated)"
            )
        );
    });
}

#[test]
fn a_name_that_is_taken() {
    answers(async {
        let named = || Start::new("clerk", Clerk::default()).name("clerk");
        let owner = named().start().await.unwrap().pid();
        let error = named().start().await.unwrap_err().to_string();
        let taken = error.strip_prefix("clerk did not start: error: ").expect("it names the process");
        assert!(taken.ends_with(&format!("is taken by {owner}; choose another, or wait for its end")), "{taken}");

        let error = Supervisor::one_for_one().child("two", named).start("root").await.unwrap_err();
        assert_eq!(error.to_string(), format!("root did not start: error: child `two` did not start: error: {taken}"));

        let (late, _end) = otp::spawn_monitor("late", std::future::pending::<()>());
        let registry: otp::Registry<u32> = otp::Registry::unique("rooms");
        registry.register_for(owner, 17, ()).unwrap();
        let error = registry.register_for(late, 17, ()).unwrap_err();
        assert!(matches!(error, RegisterError::AlreadyRegistered { pid, .. } if pid == owner));
        assert_eq!(
            error.to_string(),
            format!("the key 17 of the registry rooms is taken by {owner}; choose another, or wait for its end")
        );
    });
}

/// Is never ready.
struct Never;

impl Server for Never {
    type Message = ();

    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), InitError> {
        std::future::pending().await
    }

    async fn handle(&mut self, (): (), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }
}

#[test]
fn a_child_that_never_starts() {
    const INIT: &str =
        "its init took longer than 50ms; leave long work to Context::continue_with, or raise its init_timeout";
    answers(async {
        let impatient = || Start::new("never", Never).init_timeout(50.millis());
        let error = impatient().start().await.unwrap_err();
        assert_eq!(error.to_string(), format!("never did not start: error: {INIT}"));

        let error = Supervisor::one_for_one().child("child", impatient).start("root").await.unwrap_err();
        assert_eq!(error.to_string(), format!("root did not start: error: child `child` did not start: error: {INIT}"));

        let child = ChildSpec::server(|| Never).start_timeout(50.millis());
        let error = Supervisor::one_for_one().child("child", child).start("root").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "root did not start: error: child `child` did not start: error: \
             it was not ready within 50ms, its start_timeout"
        );
    });
}

#[test]
fn a_supervisor_over_its_intensity() {
    answers(async {
        let tree = Supervisor::one_for_one().intensity(1, 5.secs()).child("clerk", Clerk::default);
        let root = tree.start("root").await.unwrap();
        let end = root.monitor();
        while root.reason().is_none() {
            if let Ok(clerk) = root.child::<Clerk>("clerk").await {
                clerk.call(Order::Fail).await.unwrap_err();
            }
        }
        assert_eq!(
            end.await.reason.to_string(),
            "error: reached its restart intensity, more than 1 in 5s; last child `clerk`: error: out of paper"
        );
        let error = root.which_children().await.unwrap_err();
        assert!(matches!(error, CallError::Died { .. }), "{error}");
    });
}

#[test]
fn a_mailbox_that_is_full() {
    answers(async {
        let overloaded = |clerk: &ServerRef<Clerk>| {
            let pid = clerk.pid();
            format!("{pid} is overloaded: its mailbox is full; ask less often, or give it another policy or bound")
        };
        // Who does not wait has the message back.
        let fails = full(Policy::Fail).await;
        let error = fails.try_cast(Order::Keep(2)).unwrap_err();
        let pid = fails.pid();
        assert_eq!(
            error.to_string(),
            format!(
                "the mailbox of {pid} is full; the message comes back with this error, to be sent later or dropped"
            )
        );
        assert!(matches!(error.into_message(), Order::Keep(2)));
        assert!(matches!(fails.cast(Order::Keep(3)).await, Err(CastError::Full { message: Order::Keep(3), .. })));
        assert_eq!(fails.call(Order::Count).await.unwrap_err().to_string(), overloaded(&fails));

        // Who waits for room does so to the limit, and no longer.
        let blocks = full(Policy::Block).await;
        assert!(matches!(blocks.try_cast(Order::Keep(2)), Err(CastError::Full { .. })));
        let error = blocks.call_within(50.millis(), Order::Count).await.unwrap_err();
        assert_eq!(error.to_string(), overloaded(&blocks));

        // A call whose message is shed hears of it at once, whether it came late or waits already.
        let newest = full(Policy::ShedNewest).await;
        assert_eq!(newest.call(Order::Count).await.unwrap_err().to_string(), overloaded(&newest));
        let oldest = full(Policy::ShedOldest).await;
        let (shed, sent) = join!(oldest.call(Order::Count), async { oldest.try_cast(Order::Keep(2)) });
        sent.unwrap();
        assert_eq!(shed.unwrap_err().to_string(), overloaded(&oldest));
    });
}

#[test]
fn a_reply_that_is_dropped() {
    answers(async {
        let clerk = clerk().await;
        let since = Instant::now();
        let error = clerk.call(Order::Forget).await.unwrap_err();
        assert!(since.elapsed() < 1.secs(), "at once, and not at the limit");
        let pid = clerk.pid();
        assert_eq!(
            error.to_string(),
            format!(
                "{pid} dropped the reply of this call without an answer; each way through its handle must send one, \
                 or keep the reply"
            )
        );
        assert_eq!(clerk.call(Order::Count).await, Ok(0), "it lives");
    });
}

#[test]
fn a_call_to_the_dead() {
    const ADVICE: &str = "look it up again, its supervisor may have started another";
    answers(async {
        let clerk = clerk().await;
        let (pid, since) = (clerk.pid(), Instant::now());
        let died = format!("no answer from {pid}: it has ended (error: out of paper); {ADVICE}");
        assert_eq!(clerk.call(Order::Fail).await.unwrap_err().to_string(), died, "it ends during the call");
        clerk.monitor().await;
        assert_eq!(clerk.call(Order::Count).await.unwrap_err().to_string(), died, "it has ended before the call");
        assert_eq!(
            clerk.try_cast(Order::Keep(1)).unwrap_err().to_string(),
            format!("{pid} has ended (error: out of paper) and takes no message; {ADVICE}")
        );
        assert!(since.elapsed() < 1.secs(), "at once, and not at the limit");
    });
}

#[test]
fn two_children_of_one_id() {
    answers(async {
        let twice = Supervisor::one_for_one().child("clerk", Clerk::default).child("clerk", Clerk::default);
        assert_eq!(
            twice.start("root").await.unwrap_err().to_string(),
            "root did not start: error: two children are called `clerk`: an id names one child of a supervisor; \
             rename one"
        );
        let root = Supervisor::one_for_one().child("clerk", Clerk::default).start("root").await.unwrap();
        let error = root.start_child("clerk", Clerk::default).await.unwrap_err();
        assert_eq!(error.to_string(), "there is a child called `clerk` already; choose another id, or delete that one");
        assert_eq!(root.count_children().await.unwrap().running, 1);
    });
}

#[test]
fn children_that_wait_for_each_other() {
    answers(async {
        let waits_for = |sibling| ChildSpec::server(Clerk::default).wait_for(sibling);
        let circle = Supervisor::one_for_one().child("books", waits_for("accounts"));
        let error = circle.child("accounts", waits_for("books")).start("root").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "root did not start: error: these children wait for each other, so that none can start: books, accounts; \
             take one wait_for away"
        );
    });
}

#[test]
fn a_dynamic_supervisor_at_its_limit() {
    answers(async {
        let sessions = DynamicSupervisor::limit(1);
        let children = sessions.handle();
        let supervisor = sessions.start("sessions").await.unwrap();
        let first = children.spawn("session", std::future::pending::<()>()).unwrap();
        let error = children.spawn("session", async {}).unwrap_err();
        assert_eq!(error, DynamicError::MaxChildren { limit: 1 });
        assert_eq!(error.to_string(), "no more than 1 children: try again when one has ended, or raise the limit");
        let end = otp::monitor(first);
        otp::kill(first);
        end.await;
        children.spawn("session", async {}).expect("there is room again");
        assert_eq!(supervisor.stop(5.secs()).await, ExitReason::Normal);
    });
}

/// A server whose messages could go to other nodes.
struct Prices;

impl Server for Prices {
    type Message = (String, u64);

    async fn handle(&mut self, _: (String, u64), _: &mut Context<Self>) -> Flow {
        Flow::Continue
    }
}

#[test]
fn a_call_to_another_node() {
    answers(async {
        let prices = Remote::<Prices>::new("zurich", "prices");
        let expected = "prices on zurich is out of reach: this node belongs to no cluster yet; run the server here and \
                        call its ServerRef, or speak to zurich over HTTP";
        assert_eq!(prices.call::<u64>(("apples".into(), 3)).await.unwrap_err().to_string(), expected);
        assert_eq!(prices.cast(("apples".into(), 3)).await.unwrap_err().to_string(), expected);
    });
}
