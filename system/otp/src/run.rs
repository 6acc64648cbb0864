//! A server's life: init, one message after another, terminate.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use simurgh_runtime::{Instant, planted, sim, timeout};
use simurgh_sync::port;
use simurgh_telemetry::event;

use crate::cell::{Core, Served};
use crate::context::Next;
use crate::server::InitError;
use crate::signal::{Exit, Signal, Wish};
use crate::table::Table;
use crate::{Context, ExitReason, Flow, Info, Server};

/// Runs a server until it ends.
///
/// This future is what an idle server costs most: what is awaited seldom is boxed, and what is
/// captured is used where it lies, since a local would be a second place for it.
pub(crate) fn run<S: Server>(
    mut server: S,
    process: Arc<Served<S::Message>>,
    init_timeout: Duration,
    begun: Option<port::Sender<()>>,
) -> impl Future<Output = ExitReason> + Send {
    let mut cx = Context::new(Arc::clone(&process));
    async move {
        if process.resource != 0 {
            sim::world(|world| world.hold(process.resource));
        }
        if let Some(reason) = process.core.reason() {
            return reason; // told to end before it began: its name is taken, or its parent has ended
        }
        if let Err(reason) = within(init_timeout, server.init(&mut cx)).await {
            return reason;
        }
        begin(&process.core, begun);
        let reason = work(&mut server, &process.core, &mut cx).await;
        server.terminate(&reason, &mut cx).await;
        reason
    }
}

/// Tells whoever waits for the start that it is done.
pub(crate) fn begin(core: &Core, begun: Option<port::Sender<()>>) {
    if let Some(begun) = begun {
        let _ = begun.send(()); // the starter gave up
    }
    if let Some(parent) = &core.parent
        && !core.member
    {
        let _ = parent.signal(Box::new(Signal::Ready(core.pid())));
    }
}

/// Awaits an init for at most `limit`. Most are ready at once, and need no timer.
async fn within(limit: Duration, init: impl Future<Output = Result<(), InitError>>) -> Result<(), ExitReason> {
    let mut init = pin!(init);
    let at_once = poll_fn(|cx| Poll::Ready(init.as_mut().poll(cx))).await;
    let done = match at_once {
        Poll::Ready(done) => done,
        Poll::Pending => match Box::pin(timeout(limit, init)).await {
            Ok(done) => done,
            Err(_) => {
                return Err(ExitReason::error(format_args!(
                    "its init took longer than {limit:?}; leave long work to Context::continue_with, or raise its init_timeout"
                )));
            }
        },
    };
    done.map_err(ExitReason::error)
}

/// One message or signal after another; why it ends.
async fn work<S: Server>(server: &mut S, core: &Core, cx: &mut Context<S>) -> ExitReason {
    loop {
        let flow = match cx.next().await {
            Next::Message(message) if cx.traces => Box::pin(handle_traced(server, message, core, cx)).await,
            Next::Message(message) => {
                let working = Working { core, name: S::name_of(&message) };
                let flow = server.handle(message, cx).await;
                working.done(&flow);
                flow
            }
            Next::Signal(signal) => match Box::pin(heed(server, signal, core, cx)).await {
                ControlFlow::Continue(flow) => flow,
                ControlFlow::Break(reason) => return reason,
            },
        };
        match flow {
            Flow::Continue => {}
            Flow::Hibernate => {
                server.hibernate();
                cx.shrink();
            }
            Flow::Stop(reason) => return reason,
        }
    }
}

/// Handles a message, and tells of it.
async fn handle_traced<S: Server>(server: &mut S, message: S::Message, core: &Core, cx: &mut Context<S>) -> Flow {
    let name = S::name_of(&message);
    let working = Working { core, name };
    let since = Instant::now();
    let flow = server.handle(message, cx).await;
    working.done(&flow);
    told(core, name, since.elapsed());
    flow
}

/// Does what a signal says; breaks if that is to end.
async fn heed<S: Server>(
    server: &mut S,
    signal: Box<Signal>,
    core: &Core,
    cx: &mut Context<S>,
) -> ControlFlow<ExitReason, Flow> {
    let flow = match *signal {
        Signal::Exit(exit) | Signal::ChildExit(exit, _) => match from_parent(core, &exit) {
            Some(reason) => return ControlFlow::Break(reason),
            None => server.info(Info::Exit(exit), cx).await,
        },
        Signal::Down { down, .. } => server.info(Info::Down(down), cx).await,
        Signal::Shutdown(_) if planted!("otp.shutdown-ignored") => Flow::Continue,
        Signal::Shutdown(reason) => return ControlFlow::Break(reason),
        Signal::Ready(_) => Flow::Continue,
        Signal::Operator(wish) => {
            grant(server, wish, cx);
            Flow::Continue
        }
    };
    ControlFlow::Continue(flow)
}

/// The parent's own end is an order to end, also for who traps exits.
fn from_parent(core: &Core, exit: &Exit) -> Option<ExitReason> {
    let parent = core.parent.as_ref()?;
    (parent.pid() == exit.pid).then(|| exit.reason.clone())
}

/// Does what an operator wishes.
fn grant<S: Server>(server: &mut S, wish: Wish, cx: &mut Context<S>) {
    match wish {
        Wish::Suspend(done) => {
            cx.set_suspended(true);
            let _ = done.send(());
        }
        Wish::Resume => cx.set_suspended(false),
        Wish::Trace(on) => cx.traces = on,
        Wish::Visit(visit) => visit(server as &mut dyn Any),
        Wish::Describe(to) => drop(to.send(server.describe())),
    }
}

#[cold]
fn told(core: &Core, name: &'static str, took: Duration) {
    let pid = core.pid();
    Table::of(core.header.node()).recent.traced(pid, name, took);
    event!("otp.server.message", { duration_ns: took.as_nanos() }, { process: pid.number(), message: name });
    tracing::info!(%pid, message = name, took_us = took.as_micros() as u64, "handled a message");
}

/// The time in which a message is handled. Forgotten when all went well: so it costs next to nothing,
/// and a process that ends meanwhile, however it ends, has said at what.
struct Working<'a> {
    core: &'a Core,
    name: &'static str,
}

impl Working<'_> {
    fn done(self, flow: &Flow) {
        // One writer, so no read-modify-write is needed.
        let handled = &self.core.handled;
        handled.store(handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !matches!(flow, Flow::Stop(_)) {
            std::mem::forget(self);
        }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.core.note_last_message(self.name);
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr)] // it prints sizes for who minds them
mod sizes {
    use super::*;
    struct C(u64);
    impl Server for C {
        type Message = (u64, u64);
        async fn handle(&mut self, m: (u64, u64), _: &mut Context<Self>) -> Flow {
            self.0 += m.0;
            Flow::Continue
        }
    }
    #[test]
    fn sizes() {
        simurgh_runtime::run("x", async {
            let s = crate::start("x", C(1)).await.unwrap();
            let p = Arc::clone(&s.process);
            let f = run(C(0), p, Duration::ZERO, None);
            let mut cx = Context::<C>::new(Arc::clone(&s.process));
            eprintln!(
                "run {} cx {} served {} core {} mailbox {} header {}",
                size_of_val(&f),
                size_of::<Context<C>>(),
                size_of::<Served<(u64, u64)>>(),
                size_of::<Core>(),
                size_of_val(&s.process.mailbox),
                size_of::<simurgh_runtime::Header>()
            );
            let mut c = C(0);
            eprintln!(
                "work {} next {}",
                {
                    let f = work(&mut c, &s.process.core, &mut cx);
                    size_of_val(&f)
                },
                {
                    let f = cx.next();
                    size_of_val(&f)
                }
            );
            eprintln!("signal {} next {}", size_of::<Signal>(), size_of::<Next<(u64, u64)>>());
        });
    }
}
