//! Processes, as OTP has them: identities, links and monitors, servers, supervisors, names.
//!
//! The [`guide`] teaches all of it in one sitting, and has tables for who comes from Elixir, ractor,
//! kameo or actix.
//!
//! ```
//! use simurgh_otp::{self as otp, ExitReason};
//!
//! simurgh_runtime::run("doc", async {
//!     let worker = otp::spawn("worker", async { Err::<(), _>("out of paper") });
//!     let down = otp::monitor(worker).await;
//!     assert!(down.reason == ExitReason::error("out of paper") || down.reason == ExitReason::NoProcess);
//!
//!     let sleeper = otp::spawn("sleeper", std::future::pending::<()>());
//!     let monitor = otp::monitor(sleeper);
//!     otp::kill(sleeper);
//!     assert_eq!(monitor.await.reason, ExitReason::Kill);
//! });
//! ```
//!
//! How the parts meet: a process is a task of a node; its [`Pid`] is the node's number and the
//! task's; the node's table finds it by that. When it ends, for whatever reason, it is taken out of
//! the table, and each [`Monitor`] gets one [`Down`], after everything that the process did.
//!
//! A [`Server`] is a process with a state, a mailbox and typed messages. A [`Supervisor`] starts its children in order
//! and restarts those that fail; a [`DynamicSupervisor`] has many that come and go, a
//! [`TaskSupervisor`] those that work out one value ([`task`]), a [`PartitionSupervisor`] one kind by
//! key. An [`Application`] starts all of it stage by stage, and stops it in reverse.
//!
//! A [`Registry`] finds processes by key, and an [`Inbox`] is for a plain process that receives. The
//! [`observer`] shows what runs, and [`crashes`] what failed. A [`Remote`] names a server of another
//! node; there is no cluster yet, so it is refused.

#![forbid(unsafe_code)]

mod application;
mod call;
mod cast;
mod cell;
mod context;
mod crash;
mod crowd;
mod exit;
mod inbox;
mod json;
mod link;
mod monitor;
mod pid;
mod process;
mod recent;
mod registry;
mod remote;
mod reply;
mod run;
mod served;
mod server;
mod server_ref;
mod signal;
mod start;
mod state;
mod stuck;
mod supervisor;
mod table;
mod task;
mod timer;

pub mod guide;
pub mod observer;

pub use application::{Application, BootFailure, Outcome, Running, StageStop};
pub use call::{CALL_TIMEOUT, CallError, WaitsFor};
pub use cast::CastError;
pub use context::{Context, MonitorRef};
pub use crash::{CRASHES_MAX, CrashReport, crashes};
pub use exit::{ExitReason, IntoExit};
pub use inbox::{
    Inbox, InboxCounts, InboxRef, Mark, ReceiveError, STASH_CAPACITY, spawn_with_inbox, spawn_with_inbox_of,
};
pub use link::{exit, link, unlink};
pub use monitor::{Down, Monitor, monitor};
pub use pid::{ParsePidError, Pid};
pub use process::{Spawn, is_alive, kill, self_pid, set_label, spawn, spawn_link, spawn_monitor};
pub use registry::{
    Change, Entry, Key, Keys, ListenerRef, Name, Named, RegisterError, Registry, Stored, Via, named, names, register,
    unregister, whereis,
};
pub use remote::{Remote, RemoteError};
pub use reply::Reply;
pub use server::{Flow, Info, InitError, Server};
pub use server_ref::ServerRef;
pub use signal::Exit;
pub use simurgh_sync::mailbox::{Counts, Policy};
pub use start::{INIT_TIMEOUT, MAILBOX_CAPACITY, Start, StartError, start, start_link};
pub use state::{StateError, VersionedState};
pub use supervisor::{
    AutoShutdown, Backoff, BootError, ChildCount, ChildInfo, ChildSpec, ChildState, Children, ConfigError,
    DynamicError, DynamicSupervisor, Intensity, IntoChild, IntoStart, NotRunning, PartitionSupervisor, Partitions,
    Ready, Refusal, Restart, Shutdown, Strategy, Supervisor, SupervisorError, SupervisorRef,
};
pub use table::{Kind, ProcessInfo, count, info, list};
pub use task::{ItemError, Task, TaskStream, TaskSupervisor, Tasks, task};
pub use timer::TimerRef;
