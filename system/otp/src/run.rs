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
use crate::process::running;
use crate::server::InitError;
use crate::signal::{Exit, Signal, Wish};
use crate::table::Table;
use crate::{Context, ExitReason, Flow, Info, Server};

/// Runs a server until it ends.
///
/// This future is what an idle server costs most. So it is one piece, in which nothing stands twice:
/// what is awaited seldom is boxed, and what is captured is used where it lies.
pub(crate) fn run<S: Server>(
    mut server: S,
    process: Arc<Served<S::Message>>,
    init_timeout: Duration,
    begun: Option<port::Sender<()>>,
) -> impl Future<Output = ExitReason> + Send {
    let init_ms = u32::try_from(init_timeout.as_millis()).unwrap_or(u32::MAX);
    let mut cx = Context::new(process);
    async move {
        if cx.process().resource != 0 {
            sim::world(|world| world.hold(cx.process().resource));
        }
        if let Some(reason) = cx.process().core.reason() {
            return reason; // told to end before it began: its name is taken, or its parent has ended
        }
        if let Err(reason) = within(init_ms, server.init(&mut cx)).await {
            return reason;
        }
        begin(&cx.process().core, begun);
        let reason = loop {
            let flow = match poll_fn(|task| cx.poll_next(task)).await {
                Next::Message(message) if cx.traces => Box::pin(handle_traced(&mut server, message, &mut cx)).await,
                Next::Message(message) => {
                    let working = Working(S::name_of(&message));
                    let flow = server.handle(message, &mut cx).await;
                    working.done(&cx.process().core, &flow);
                    flow
                }
                Next::Signal(signal) => match Box::pin(heed(&mut server, signal, &mut cx)).await {
                    ControlFlow::Continue(flow) => flow,
                    ControlFlow::Break(reason) => break reason,
                },
            };
            match flow {
                Flow::Continue => {}
                Flow::Hibernate => {
                    server.hibernate();
                    cx.shrink();
                }
                Flow::Stop(reason) => break reason,
            }
        };
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
async fn within(limit_ms: u32, init: impl Future<Output = Result<(), InitError>>) -> Result<(), ExitReason> {
    let mut init = pin!(init);
    let at_once = poll_fn(|cx| Poll::Ready(init.as_mut().poll(cx))).await;
    let done = match at_once {
        Poll::Ready(done) => done,
        Poll::Pending => {
            let limit = Duration::from_millis(u64::from(limit_ms));
            match Box::pin(timeout(limit, init)).await {
                Ok(done) => done,
                Err(_) => {
                    return Err(ExitReason::error(format_args!(
                        "its init took longer than {limit:?}; leave long work to Context::continue_with, or raise its init_timeout"
                    )));
                }
            }
        }
    };
    done.map_err(ExitReason::error)
}

/// Handles a message, and tells of it.
async fn handle_traced<S: Server>(server: &mut S, message: S::Message, cx: &mut Context<S>) -> Flow {
    let name = S::name_of(&message);
    let working = Working(name);
    let since = Instant::now();
    let flow = server.handle(message, cx).await;
    working.done(&cx.process().core, &flow);
    told(&cx.process().core, name, since.elapsed());
    flow
}

/// Does what a signal says; breaks if that is to end.
async fn heed<S: Server>(server: &mut S, signal: Box<Signal>, cx: &mut Context<S>) -> ControlFlow<ExitReason, Flow> {
    let flow = match *signal {
        Signal::Exit(exit) | Signal::ChildExit(exit, _) => match from_parent(&cx.process().core, &exit) {
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

/// The time in which the message of this name is handled. Forgotten when all went well: so it costs next
/// to nothing, and a process that ends meanwhile, however it ends, has said at what.
struct Working(&'static str);

impl Working {
    fn done(self, core: &Core, flow: &Flow) {
        // One writer, so no read-modify-write is needed.
        core.handled.store(core.handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        if !matches!(flow, Flow::Stop(_)) {
            std::mem::forget(self);
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        // Looked up, since it is seldom wanted: a reference would be a part of every idle server.
        if let Some(process) = running() {
            process.core().note_last_message(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(u64);

    impl Server for Counter {
        type Message = (u64, u64);

        async fn handle(&mut self, (more, _): (u64, u64), _: &mut Context<Self>) -> Flow {
            self.0 += more;
            Flow::Continue
        }
    }

    #[test]
    fn an_idle_server_is_small() {
        simurgh_runtime::run("test", async {
            let server = crate::start("counter", Counter(1)).await.unwrap();
            let task = run(Counter(0), Arc::clone(&server.process), Duration::ZERO, None);
            // With what tokio and the process add, it fits into three of the 128 bytes that tasks are cut to.
            assert!(size_of_val(&task) <= 200, "{}", size_of_val(&task));
            // With the two counts of an Arc and what glibc's malloc adds, the record takes 336 bytes and that
            // task 400. The 32 that are left of 768 are the least that malloc can leave before the next task;
            // if the record were larger, it would have to leave 144.
            assert!(size_of::<Served<(u64, u64)>>() <= 312, "{}", size_of::<Served<(u64, u64)>>());
        });
    }
}
