//! The names that scenario files may use: explicit, and extended by applications.

use std::collections::BTreeMap;
use std::sync::Arc;

use simurgh_sim::{Invariant, Node};

use crate::fault::FaultKind;
use crate::property::Property;
use crate::select::{self, Selecting};
use crate::subject::{Subject, Workload};
use crate::value::Value;

type MakeInvariant = Arc<dyn Fn(&Params) -> Box<dyn Invariant> + Send + Sync>;
type Select = Arc<dyn Fn(&Selecting<'_>) -> Vec<Node> + Send + Sync>;

/// The registries of a program: subjects, workloads, faults, invariants, probes, selectors, planted bugs, properties,
/// and the simulations that are no scenario files.
///
/// ```
/// use simurgh_harness::Registry;
/// use simurgh_sim::{Invariant, Seen};
///
/// #[derive(Default)]
/// struct OneOwner;
/// impl Invariant for OneOwner {
///     fn name(&self) -> &'static str {
///         "lease.one_owner"
///     }
/// }
///
/// let registry = Registry::new()
///     .invariant("lease.one_owner", "a lease has one owner at a time", |_params| OneOwner)
///     .probe("lease.renewed", "a lease was renewed before it ran out")
///     .word("lease.taken until", "when the lease ends, by its owner's clock")
///     .selector("owner", "the node that has the lease", |nodes| nodes.first_that(|node| node.name() == "node1"))
///     .planted("lease.never-ends", "the owner does not look at the clock");
/// # let _ = registry;
/// ```
#[derive(Clone)]
pub struct Registry {
    pub(crate) simulations: simurgh_sim::Registry,
    pub(crate) subjects: BTreeMap<&'static str, Subject>,
    pub(crate) workloads: BTreeMap<&'static str, Workload>,
    pub(crate) properties: BTreeMap<&'static str, Property>,
    pub(crate) invariants: BTreeMap<&'static str, InvariantKind>,
    pub(crate) faults: BTreeMap<&'static str, FaultKind>,
    pub(crate) probes: BTreeMap<&'static str, &'static str>,
    pub(crate) words: BTreeMap<&'static str, &'static str>,
    pub(crate) selectors: BTreeMap<&'static str, Selector>,
    pub(crate) planted: BTreeMap<&'static str, &'static str>,
    pub(crate) files: Option<&'static str>,
}

/// A registered invariant.
#[derive(Clone)]
pub(crate) struct InvariantKind {
    pub(crate) about: &'static str,
    pub(crate) make: MakeInvariant,
}

impl InvariantKind {
    /// The moments at which a file may have it asked; whatever its parameters, so it is made with none.
    pub(crate) fn checks(&self) -> &'static [&'static str] {
        (self.make)(&Params::default()).checks()
    }
}

/// A registered selector.
#[derive(Clone)]
pub(crate) struct Selector {
    pub(crate) about: &'static str,
    pub(crate) select: Select,
}

/// The parameters of an invariant in a scenario file: `params = { within = "2s" }`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(pub(crate) BTreeMap<String, Value>);

impl Params {
    /// The parameter of this name, if it is set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A number, or what it is if none is set.
    pub fn number_or(&self, name: &str, default: f64) -> f64 {
        match self.get(name) {
            Some(Value::Number(number)) => *number,
            _ => default,
        }
    }

    /// A time, or what it is if none is set.
    pub fn time_or(&self, name: &str, default: std::time::Duration) -> std::time::Duration {
        match self.get(name) {
            Some(Value::Time(ns)) => std::time::Duration::from_nanos(*ns),
            _ => default,
        }
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry with the faults and selectors that every program has.
    pub fn new() -> Self {
        let registry = Self {
            simulations: simurgh_sim::Registry::new(),
            subjects: BTreeMap::new(),
            workloads: BTreeMap::new(),
            properties: BTreeMap::new(),
            invariants: BTreeMap::new(),
            faults: BTreeMap::new(),
            probes: BTreeMap::new(),
            words: BTreeMap::new(),
            selectors: BTreeMap::new(),
            planted: BTreeMap::new(),
            files: None,
        };
        let registry = crate::fault::built_in().fold(registry, Registry::fault);
        let registry = COUNTS.into_iter().fold(registry, |registry, (name, about)| registry.word(name, about));
        select::built_in(registry)
    }

    /// The simulations that are functions, not files.
    pub fn simulations(mut self, simulations: simurgh_sim::Registry) -> Self {
        self.simulations = simulations;
        self
    }

    /// The folder of the application's scenario files, from its package's folder: `scenarios`. With it, the target that
    /// calls [`main`](crate::main) is a test as others are: `cargo test` runs every file there under its seeds
    /// (`SIM_SEEDS=1000 cargo test` under so many), those whose paths contain the words that `cargo test WORDS` names.
    pub fn files(mut self, folder: &'static str) -> Self {
        self.files = Some(folder);
        self
    }

    /// Adds a subject.
    ///
    /// # Panics
    /// If there is one of that name, as with all that follow.
    pub fn subject(mut self, subject: Subject) -> Self {
        add(&mut self.subjects, "subject", subject.name, subject);
        self
    }

    /// Adds a workload of a subject that is there already.
    ///
    /// # Panics
    /// If there is no such subject, too.
    pub fn workload(mut self, workload: Workload) -> Self {
        let (name, subject) = (workload.name, workload.subject);
        assert!(self.subjects.contains_key(subject), "{name} is a workload of {subject}, which is not registered");
        add(&mut self.workloads, "workload", name, workload);
        self
    }

    /// Adds a property.
    pub fn property(mut self, property: Property) -> Self {
        add(&mut self.properties, "property", property.name, property);
        self
    }

    /// Adds an invariant: its name, what must hold, and how it is made for a run. It is made without parameters too, to ask
    /// for its [`Invariant::checks`].
    pub fn invariant<I: Invariant + 'static>(
        mut self,
        name: &'static str,
        about: &'static str,
        make: impl Fn(&Params) -> I + Send + Sync + 'static,
    ) -> Self {
        let make: MakeInvariant = Arc::new(move |params| Box::new(make(params)));
        add(&mut self.invariants, "invariant", name, InvariantKind { about, make });
        self
    }

    /// Adds a kind of fault.
    pub fn fault(mut self, kind: FaultKind) -> Self {
        add(&mut self.faults, "fault", kind.name, kind);
        self
    }

    /// Declares a probe, so that one that is never passed is a miss and not merely absent.
    pub fn probe(mut self, name: &'static str, about: &'static str) -> Self {
        add(&mut self.probes, "probe", name, about);
        self
    }

    /// Says what a telemetry event, or a field of it, means, for who reads a report and knows neither: an event's name
    /// (`lease.taken`), a field of one event (`lease.taken until`), or a field of whatever event (`owner`). Reports show
    /// those that appear in them.
    pub fn word(mut self, name: &'static str, about: &'static str) -> Self {
        add(&mut self.words, "word", name, about);
        self
    }

    /// Adds a selector: whom a fault strikes, as the world is when it does. None, and the fault is refused.
    pub fn selector(
        mut self,
        name: &'static str,
        about: &'static str,
        select: impl Fn(&Selecting<'_>) -> Vec<Node> + Send + Sync + 'static,
    ) -> Self {
        add(&mut self.selectors, "selector", name, Selector { about, select: Arc::new(select) });
        self
    }

    /// Declares a planted bug.
    pub fn planted(mut self, name: &'static str, about: &'static str) -> Self {
        add(&mut self.planted, "planted bug", name, about);
        self
    }
}

/// Fields by which any event of an operation says how many answers it had: reports look for them.
const COUNTS: [(&str, &str); 3] = [
    ("asked", "how many were asked, in the step of the operation that had the fewest answers"),
    ("needed", "how many answers the operation waited for"),
    ("counted", "how many answers it had when it went on, or gave up"),
];

fn add<T>(map: &mut BTreeMap<&'static str, T>, what: &str, name: &'static str, item: T) {
    assert!(map.insert(name, item).is_none(), "two of one name: {what} {name}");
}
