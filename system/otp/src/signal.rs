//! Signals: what the system tells a process, in the same queue as its messages.

use std::any::Any;

use simurgh_sync::port;

use crate::crash::CrashReport;
use crate::{Down, ExitReason, Pid};

/// One signal. Boxed in the queue: signals are few, and messages small.
pub(crate) enum Signal {
    /// A linked process has ended.
    Exit(Exit),
    /// A child has ended; with the report of its crash, if it was one.
    ChildExit(Exit, Option<Box<CrashReport>>),
    /// A monitored process has ended.
    Down { monitor: u64, down: Down },
    /// The parent, or an operator, asks for an orderly end.
    Shutdown(ExitReason),
    /// A child has come through its init.
    Ready(Pid),
    /// An operator's wish.
    Operator(Wish),
}

/// A linked process has ended: what a process that traps exits gets instead of ending too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Who ended.
    pub pid: Pid,
    /// Why.
    pub reason: ExitReason,
}

/// What an operator can ask of a running server.
pub(crate) enum Wish {
    /// Handle no messages until resumed.
    Suspend(port::Sender<()>),
    /// Go on.
    Resume,
    /// Tell of each message from now on, or no longer.
    Trace(bool),
    /// Do something with the state.
    Visit(Visit),
    /// Say in words what the state is.
    Describe(port::Sender<String>),
}

/// Something to do with a server's state, whose type the asker knows.
pub(crate) type Visit = Box<dyn FnOnce(&mut dyn Any) + Send>;
