//! Supervisors: who is started, who is restarted, and what a failure takes down with it.
//!
//! ```text
//!                  inputs with a time                actions
//!   processes  ──────────────────────►  ┌──────┐  ───────────────►  start, stop, arm a timer,
//!   timers       started, gone, due,    │ Core │   what to do next  answer, report, end
//!   operators    a request, shut down   └──────┘
//! ```
//!
//! A [`Supervisor`] says what is supervised, the process around the core (`shell`) carries out what the
//! core decides, and a [`SupervisorRef`] is for operators. All that is decided is decided in `core`, which knows neither tasks nor a clock: the same inputs
//! at the same times give the same actions. What may be configured is in `policy`, and whether a
//! configuration makes sense, and in which order it starts, in `order`.

mod builder;
mod children;
mod core;
mod dynamic;
mod order;
mod partition;
mod policy;
mod reference;
mod shell;
mod spec;

pub use self::builder::Supervisor;
pub use self::children::{Children, DynamicError};
pub use self::core::{BootError, ChildCount, ChildState, Refusal};
pub use self::dynamic::DynamicSupervisor;
pub use self::order::ConfigError;
pub use self::partition::{NotRunning, PartitionSupervisor, Partitions};
pub use self::policy::{AutoShutdown, Backoff, Intensity, Restart, Shutdown, Strategy};
pub use self::reference::{ChildInfo, SupervisorError, SupervisorRef};
pub use self::spec::{ChildSpec, IntoChild, IntoStart, Ready};
