//! Supervisors: who is started, who is restarted, and what a failure takes down with it.
//!
//! ```text
//!                  inputs with a time                actions
//!   processes  ──────────────────────►  ┌──────┐  ───────────────►  start, stop, arm a timer,
//!   timers       started, gone, due,    │ Core │   what to do next  answer, report, end
//!   operators    a request, shut down   └──────┘
//! ```
//!
//! All that is decided is decided in `core`, which knows neither tasks nor a clock: the same inputs
//! at the same times give the same actions. What may be configured is in `policy`, and whether a
//! configuration makes sense, and in which order it starts, in `order`.

pub(crate) mod core;
pub(crate) mod order;
pub(crate) mod policy;
