//! Servers: processes that own a state and handle typed messages one after another.

use std::error::Error;
use std::future::Future;

use crate::{Context, Down, Exit, ExitReason};

/// What a server that fails to start says: any error, or just words.
pub type InitError = Box<dyn Error + Send + Sync>;

/// A process that owns a state and handles messages one after another (OTP's `gen_server`).
///
/// A message is whatever the server says it is, usually an enum; one that wants an answer carries a
/// [`Reply`](crate::Reply). Only `handle` has to be written.
///
/// ```
/// use simurgh_otp::{self as otp, Context, Flow, Reply, Server};
///
/// struct Counter(u64);
///
/// enum Command {
///     Add(u64),
///     Total(Reply<u64>),
/// }
///
/// impl Server for Counter {
///     type Message = Command;
///
///     async fn handle(&mut self, command: Command, _cx: &mut Context<Self>) -> Flow {
///         match command {
///             Command::Add(more) => self.0 += more,
///             Command::Total(reply) => reply.send(self.0),
///         }
///         Flow::Continue
///     }
/// }
///
/// simurgh_runtime::run("doc", async {
///     let counter = otp::start("counter", Counter(40)).await.unwrap();
///     counter.cast(Command::Add(2)).await.unwrap();
///     assert_eq!(counter.call(Command::Total).await, Ok(42));
/// });
/// ```
///
/// | OTP | here |
/// | --- | --- |
/// | `init/1` | [`Server::init`], with a time limit; the starter waits for it |
/// | `handle_call/3`, `handle_cast/2` | [`Server::handle`]; a call's message carries its `Reply` |
/// | `handle_info/2` | [`Server::info`]: exits and downs |
/// | `handle_continue/2` | [`Context::continue_with`]: a message before all others |
/// | `terminate/2` | [`Server::terminate`] |
/// | `code_change/3` | [`Server::VERSION`], [`Server::export`], [`Server::code_change`] |
pub trait Server: Sized + Send + 'static {
    /// What it handles.
    type Message: Send + 'static;

    /// The version of what [`Server::export`] writes.
    const VERSION: u32 = 1;

    /// Runs first, in the new process. Whoever starts the server waits until it returns, at most the
    /// start's time limit; long work belongs behind [`Context::continue_with`].
    ///
    /// # Errors
    /// The server does not start, and its starter gets the reason.
    fn init(&mut self, cx: &mut Context<Self>) -> impl Future<Output = Result<(), InitError>> + Send {
        let _ = cx;
        async { Ok(()) }
    }

    /// Handles one message.
    fn handle(&mut self, message: Self::Message, cx: &mut Context<Self>) -> impl Future<Output = Flow> + Send;

    /// Handles what the system tells: by default nothing.
    fn info(&mut self, info: Info, cx: &mut Context<Self>) -> impl Future<Output = Flow> + Send {
        let _ = (info, cx);
        async { Flow::Continue }
    }

    /// Runs last on each orderly end: a stop by [`Flow::Stop`], a supervisor's or an operator's
    /// shutdown. Not after a panic (the state may be half changed), a kill, or the exit of a linked
    /// process that is not trapped. A shutdown's time limit bounds it.
    fn terminate(&mut self, reason: &ExitReason, cx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        let _ = (reason, cx);
        async {}
    }

    /// Gives back memory that can be had again, before a long wait: see [`Flow::Hibernate`].
    fn hibernate(&mut self) {}

    /// A name for a message, for crash reports and traces. By default the name of the type; a
    /// `match` over the variants says more.
    fn name_of(message: &Self::Message) -> &'static str {
        let _ = message;
        std::any::type_name::<Self::Message>()
    }

    /// The state in words, for operators. By default the name of the type.
    fn describe(&self) -> String {
        std::any::type_name::<Self>().to_owned()
    }

    /// The state as bytes, for another version of the program to go on with; none if it cannot.
    fn export(&self) -> Option<Vec<u8>> {
        None
    }

    /// Takes over the state that `version` of this server has exported.
    ///
    /// # Errors
    /// If it cannot be taken over. The server goes on with the state it has.
    fn code_change(&mut self, version: u32, state: &[u8]) -> Result<(), InitError> {
        let _ = state;
        Err(format!("version {} cannot take over a state of version {version}", Self::VERSION).into())
    }
}

/// What a server does after a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flow {
    /// Goes on.
    Continue,
    /// Goes on, and expects to wait long: memory that can be had again is given back.
    Hibernate,
    /// Ends for this reason, after [`Server::terminate`].
    Stop(ExitReason),
}

impl Flow {
    /// Ends in order.
    pub fn stop() -> Self {
        Self::Stop(ExitReason::Normal)
    }

    /// Ends with an error.
    pub fn fail(error: impl std::fmt::Display) -> Self {
        Self::Stop(ExitReason::error(error))
    }
}

/// What the system tells a server.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Info {
    /// A linked process has ended, and this one traps exits.
    Exit(Exit),
    /// A process monitored by [`Context::monitor`] has ended.
    Down(Down),
}
