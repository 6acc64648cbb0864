//! A load generator for channels, in an open model: what is to be sent is sent at its time, whether or not the server
//! has answered, and a latency counts from the time at which it was to be sent. A server that stands still for 200 ms
//! shows in the percentiles as what it is to its clients.
//!
//! ```
//! use simurgh_load::{Command, Options};
//!
//! let args = ["channels", "echo", "--connections", "100", "--rate", "2000"].map(str::to_owned);
//! let Ok(Command::Channels(options)) = Options::parse(&args) else { panic!("these are options") };
//! assert_eq!((options.connections, options.rate), (100, 2_000));
//! ```
//!
//! It runs in the simulator too, as all that stands on the runtime does.

#![forbid(unsafe_code)]

mod client;
mod command;
mod figures;
mod histogram;
mod options;
mod report;
mod scenario;
mod shared;

pub use command::main;
pub use figures::Figures;
pub use histogram::Histogram;
pub use options::{Command, Options, OptionsError, Scenario};
pub use report::{Latency, Report};
pub use scenario::{RunError, run};
