//! Scenario files for the simulator: failures described as data, run from seeds, judged by named invariants, reported.
//!
//! A [`Registry`] holds the names that files may use: subjects with their programs ([`Subject`]), what clients do
//! ([`Workload`]), kinds of faults ([`FaultKind`]), invariants, probes, selectors. [`main`] is the command line on it;
//! an application calls it from a target with `harness = false`. A run is a function of build, file and seed, and
//! comes to a [`Report`].

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // it stands beside the simulator: it starts processes and reads the real clock

mod bank;
mod base;
mod cargo_test;
mod chaos;
mod command;
mod fault;
mod file;
mod judge;
mod plan;
mod property;
mod reach;
mod record;
mod registry;
mod render;
mod report;
mod run;
mod select;
mod set;
mod shrink;
mod subject;
mod sweep;
mod value;
mod worker;

pub use command::main;
pub use fault::{FaultKind, Strike, Takes};
pub use file::{Problems, Scenario, json_schema};
pub use judge::{CLASSES, exit_code};
pub use property::{Property, Steps};
pub use reach::{Reached, Spot, Trail};
pub use registry::{Params, Registry};
pub use render::{About, Size, Standing};
pub use report::{
    Differs, Evidence, FaultReport, InvariantReport, Judgement, Life, LogLine, Message, NodeReport, Phase, ProbeReport,
    Report, RoleReport,
};
pub use select::Selecting;
pub use set::SetReport;
pub use subject::{Client, Op, Place, Seat, Subject, Workload, World};
pub use sweep::{SweepFinding, SweepReport, SweptProbe, SweptScenario};
pub use value::Value;
