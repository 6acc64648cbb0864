//! What a scenario is about: the programs of its nodes, what its clients do, and the parameters that they get.
//!
//! ```
//! use simurgh_harness::{Client, Registry, Seat, Subject, Workload};
//! use simurgh_runtime as runtime;
//!
//! async fn server(seat: Seat) -> Result<(), String> {
//!     let _lease = seat.time("lease");          // a knob, as the seed has it
//!     let _others = seat.of_role("node");       // name and address of each
//!     runtime::ready();
//!     std::future::pending().await
//! }
//!
//! async fn client(mut client: Client) -> Result<(), String> {
//!     while let Some(mut op) = client.next().await {
//!         let _key = op.draws.below(10);        // the same whatever other operations there are
//!         match op.name {
//!             "read" => { /* ... */ }
//!             _ => { /* ... */ }
//!         }
//!     }
//!     Ok(())
//! }
//!
//! let registry = Registry::new()
//!     .subject(Subject::new("register", "a register on several nodes").role("node", server).knob("lease", "2s"))
//!     .workload(Workload::new("register.ops", "register", "reads and writes", &["read", "write"], client));
//! # let _ = registry;
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime as runtime;
use simurgh_sim::{Draws, Node, Purpose, Sim, Stream};

use crate::value::{Value, parse_value};

/// What a program of a node makes.
pub(crate) type Program = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type RoleFn = Arc<dyn Fn(Seat) -> Program + Send + Sync>;
type ClientFn = Arc<dyn Fn(Client) -> Program + Send + Sync>;
type WorldFn = Arc<dyn Fn(World) -> Program + Send + Sync>;

/// What is simulated: its roles, each with a program, and its knobs.
#[derive(Clone)]
pub struct Subject {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) roles: BTreeMap<&'static str, RoleFn>,
    pub(crate) knobs: BTreeMap<&'static str, Value>,
    pub(crate) forms: Vec<(&'static str, &'static str)>,
    pub(crate) calm: Option<WorldFn>,
    pub(crate) finish: Option<WorldFn>,
}

impl Subject {
    /// A subject without roles.
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            roles: BTreeMap::new(),
            knobs: BTreeMap::new(),
            forms: Vec::new(),
            calm: None,
            finish: None,
        }
    }

    /// A role that scenarios give nodes to, in `[topology]`, and the program that each of its nodes runs: anew for each
    /// start.
    pub fn role<F>(mut self, name: &'static str, program: impl Fn(Seat) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.roles.insert(name, Arc::new(move |seat| Box::pin(program(seat))));
        self
    }

    /// A parameter that scenarios may set, for all roles (`[swarm] knobs`) or for one (`[topology]`), and its value if
    /// none does: a number, a time (`"500ms"`) or a text.
    ///
    /// # Panics
    /// If the value looks like a time or a range and is none.
    pub fn knob(mut self, name: &'static str, default: &str) -> Self {
        self.knobs.insert(name, parse_value(default).unwrap_or_else(|why| panic!("knob {name}: {why}")));
        self
    }

    /// How a message of its nodes reads, for who looks at a report and knows no line of the protocol: its words, with the
    /// fields in capitals (`"NUMBER put KEY VALUE"`), and what it means. Reports show those that their messages have.
    ///
    /// Of a protocol that is no text, reports show lengths alone, and no form fits.
    pub fn message(mut self, form: &'static str, about: &'static str) -> Self {
        self.forms.push((form, about));
        self
    }

    /// What the world does when all faults are mended, before the calm phase: tell the nodes, say an event.
    pub fn on_calm<F>(mut self, act: impl Fn(World) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.calm = Some(Arc::new(move |world| Box::pin(act(world))));
        self
    }

    /// What the world does at the end of the calm phase, before invariants are asked a last time: drain, say an event.
    pub fn on_end<F>(mut self, act: impl Fn(World) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.finish = Some(Arc::new(move |world| Box::pin(act(world))));
        self
    }
}

/// What clients do to a subject: their program, and the operations that it knows.
#[derive(Clone)]
pub struct Workload {
    pub(crate) name: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) about: &'static str,
    pub(crate) ops: Vec<&'static str>,
    pub(crate) client: ClientFn,
}

impl Workload {
    /// A workload on a registered subject. Each node of the role that the scenario names as `clients` runs `client`.
    pub fn new<F>(
        name: &'static str,
        subject: &'static str,
        about: &'static str,
        ops: &[&'static str],
        client: impl Fn(Client) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, subject, about, ops: ops.to_vec(), client: Arc::new(move |seat| Box::pin(client(seat))) }
    }
}

/// The world of a run, for what a subject does to it as a whole.
#[derive(Clone)]
pub struct World {
    /// The world.
    pub sim: Sim,
    /// All nodes, clients too, by role.
    pub nodes: Arc<BTreeMap<String, Vec<Node>>>,
}

impl World {
    /// The nodes of a role; none if there is no such role.
    pub fn of_role(&self, role: &str) -> &[Node] {
        self.nodes.get(role).map_or(&[], Vec::as_slice)
    }
}

/// A node of the topology as it was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name: its role and its number, from 1.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Its failure domain, from 1.
    pub zone: u32,
    /// The version of the program that it runs.
    pub version: u32,
    /// Its address.
    pub ip: IpAddr,
}

/// Where a program runs, among whom, and with which parameters.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Its own place.
    pub place: Place,
    pub(crate) all: Arc<Vec<Place>>,
    pub(crate) knobs: Arc<BTreeMap<String, Value>>,
    pub(crate) seed: u64,
}

impl Seat {
    /// Its node's name.
    pub fn name(&self) -> &str {
        &self.place.name
    }

    /// All places of a role, its own too if it is of that role.
    pub fn of_role(&self, role: &str) -> impl Iterator<Item = &Place> {
        self.all.iter().filter(move |place| place.role == role)
    }

    /// A knob that is a whole number.
    ///
    /// # Panics
    /// If the subject has no such knob, or it is no number.
    pub fn number(&self, knob: &str) -> u64 {
        match self.knob(knob) {
            Value::Number(number) => *number as u64,
            other => panic!("the knob {knob} is no number but {other}"),
        }
    }

    /// A knob that is a time.
    ///
    /// # Panics
    /// If the subject has no such knob, or it is no time.
    pub fn time(&self, knob: &str) -> Duration {
        match self.knob(knob) {
            Value::Time(ns) => Duration::from_nanos(*ns),
            other => panic!("the knob {knob} is no time but {other}"),
        }
    }

    /// A knob that is a text.
    ///
    /// # Panics
    /// If the subject has no such knob, or it is no text.
    pub fn text(&self, knob: &str) -> &str {
        match self.knob(knob) {
            Value::Text(text) => text,
            other => panic!("the knob {knob} is no text but {other}"),
        }
    }

    fn knob(&self, knob: &str) -> &Value {
        self.knobs.get(knob).unwrap_or_else(|| panic!("the subject has no knob {knob}: declare it with Subject::knob"))
    }

    /// Draws of this node for a purpose of its own: independent of all others, and the same for each of its lives.
    pub fn draws(&self, name: &str) -> Stream {
        Draws::new(self.seed).named(Purpose::Workload, &format!("{} {name}", self.place.name))
    }
}

/// A client: its seat, and the operations that it is to do.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where it runs.
    pub seat: Seat,
    pub(crate) sim: Sim,
    pub(crate) plan: Arc<Vec<Planned>>,
    pub(crate) next: usize,
}

/// An operation as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) at_ns: u64,
    pub(crate) is_last: bool,
}

/// An operation to do now.
#[derive(Debug, Clone)]
pub struct Op {
    /// Its number among those of its client, from 1. One that is left out leaves a gap.
    pub number: u64,
    /// What to do: one of the workload's operations.
    pub name: &'static str,
    /// It comes after all faults, to show that the subject answers again.
    pub is_last: bool,
    /// What it needs to draw: the same whatever other operations there are.
    pub draws: Stream,
}

impl Client {
    /// A life of a client: one that starts anew goes on with what is not due yet.
    pub(crate) fn new(seat: Seat, sim: Sim, plan: Arc<Vec<Planned>>) -> Self {
        let now = sim.elapsed().as_nanos() as u64;
        let next = plan.iter().position(|planned| planned.at_ns >= now).unwrap_or(plan.len());
        Self { seat, sim, plan, next }
    }

    /// Waits until the next operation is due. None when there are no more: the client's program then ends.
    pub async fn next(&mut self) -> Option<Op> {
        let planned = self.plan.get(self.next)?.clone();
        self.next += 1;
        runtime::sleep(Duration::from_nanos(planned.at_ns).saturating_sub(self.sim.elapsed())).await;
        let draws = self.seat.draws(&format!("operation {}", planned.number));
        Some(Op { number: planned.number, name: planned.name, is_last: planned.is_last, draws })
    }

    /// How many operations are left.
    pub fn left(&self) -> usize {
        self.plan.len() - self.next
    }
}
