//! Every field of a scenario file: its name, what it takes, its default, and what it means. Checks, the JSON schema and
//! the list of differences from the defaults all read this one table.

use crate::value::Unit;

/// What a field takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    /// A list of texts.
    Texts,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A number or a range of it.
    Number(Unit),
    /// A whole number, never drawn.
    Whole,
    Table(&'static Table),
    /// `[[...]]`, any number of them.
    Tables(&'static Table),
    /// A table whose keys are names, each with such a table.
    Named(&'static Table),
    /// A table whose keys are names, each with a number.
    Weights,
    /// A table whose keys are names, each with a number, a time, a text or a range.
    Values,
    /// A table whose keys are names, each with a text.
    Conditions,
    /// A text, or a list of names of nodes.
    Target,
    /// A list of lists of whole numbers.
    Decisions,
}

/// A field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: &'static str,
    pub(crate) about: &'static str,
}

/// A table of fields.
#[derive(Debug)]
pub(crate) struct Table {
    /// As it stands in a file.
    pub(crate) head: &'static str,
    pub(crate) fields: &'static [Field],
}

impl Table {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

const fn field(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Field {
    Field { name, kind, default, about }
}

const TIME: Kind = Kind::Number(Unit::Time);
const SHARE: Kind = Kind::Number(Unit::Share);
const COUNT: Kind = Kind::Number(Unit::Count);
const RATE: Kind = Kind::Number(Unit::Rate);

pub(crate) const ROOT: Table = Table {
    head: "the file",
    fields: &[
        field("schema", Kind::Whole, "1", "the form of the file: 1"),
        field("name", Kind::Text, "", "area, slash, risk"),
        field("why", Kind::Text, "", "which risk this file stands for, in one sentence"),
        field("extends", Kind::Text, "", "a file whose values hold where this one has none; from this file's folder"),
        field("level", Kind::OneOf(&["property", "concurrency", "distributed"]), "distributed", "what is explored"),
        field("tier", Kind::OneOf(&["pr", "nightly", "rare"]), "pr", "when it is swept"),
        field("weight", COUNT, "1", "its share of the time of a sweep"),
        field("tags", Kind::Texts, "", "words to find it by"),
        field("owner", Kind::Text, "", "who answers for it"),
        field("planted", Kind::Text, "", "the planted bug that the runs have"),
        field("topology", Kind::Named(&ROLE), "", "roles, and how many nodes of each"),
        field("link", Kind::Table(&LINK), "", "how the network behaves all the time"),
        field("disk", Kind::Table(&DISK), "", "how disks behave all the time"),
        field("clock", Kind::Table(&CLOCK), "", "how wrong wall clocks are"),
        field("time", Kind::Table(&TIMES), "", "how long the phases are, in virtual time"),
        field("schedule", Kind::Table(&SCHEDULE), "", "which task is next"),
        field("subject", Kind::Text, "", "a registered subject, if no workload says which"),
        field("workload", Kind::Tables(&WORKLOAD), "", "what clients do, or which property is tested"),
        field("fault", Kind::Tables(&FAULT), "", "what goes wrong in the chaos phase"),
        field("budget", Kind::Table(&BUDGET), "", "how much may go wrong at once"),
        field("swarm", Kind::Table(&SWARM), "", "what is left out of some seeds, and which parameters vary"),
        field("invariant", Kind::Tables(&INVARIANT), "", "what must hold"),
        field("expect", Kind::Table(&EXPECT), "", "what the runs must come to"),
        field("seeds", Kind::Table(&SEEDS), "", "how many seeds, and which"),
        field("shrink", Kind::Table(&SHRINK), "", "how failures are made small"),
        field("plan", Kind::Table(&PLAN), "", "of a resolved file: the seed, and the decisions of the schedule"),
        field("bank", Kind::Table(&BANK), "", "of an entry of the bank: what its run came to, and in which build"),
    ],
};

const ROLE: Table = Table {
    head: "[topology] role",
    fields: &[
        field("count", COUNT, "1", "nodes of this role"),
        field("only", Kind::Texts, "", "only these of them, by name and number: what shrinking has left"),
        field("zones", COUNT, "1", "failure domains that they are spread over"),
        field(
            "restart",
            Kind::OneOf(&["supervised", "never"]),
            "supervised",
            "whether a process that ended by itself starts again",
        ),
        field("versions", COUNT, "1", "versions of the program, given to nodes in turn"),
        field("knobs", Kind::Values, "", "parameters of this role alone"),
    ],
};

const LINK: Table = Table {
    head: "[link]",
    fields: &[
        field("latency", Kind::Table(&LATENCY), "", "how long a segment takes"),
        field("loss", SHARE, "0", "segments lost once and sent again; datagrams lost"),
        field("per_pair", TIME, "0", "the longest latency constant that a pair of nodes draws once"),
        field("split", SHARE, "0", "reads and writes that are cut short"),
        field("reorder", SHARE, "0", "datagrams held back so that later ones overtake them"),
        field("duplicate", SHARE, "0", "datagrams that arrive twice"),
        field("corrupt", SHARE, "0", "datagrams in which one bit is turned over"),
        field("no_fragments", SHARE, "0", "pairs of nodes between which no datagram longer than a packet passes"),
        field("bandwidth", Kind::Number(Unit::Bandwidth), "0", "the narrowest link; 0 is no limit"),
        field("half_open", RATE, "0", "connections that one side loses without the other being told"),
        field("lookup_fail", SHARE, "0", "host look-ups that fail for now"),
        field("lookup_slow", SHARE, "0", "host look-ups that take the resolver another try"),
    ],
};

const LATENCY: Table = Table {
    head: "[link] latency",
    fields: &[
        field(
            "shape",
            Kind::OneOf(&["fixed", "uniform", "exponential", "bimodal"]),
            "fixed",
            "`fast` always; `fast` to `slow`; `fast` and a mean of `slow` on top; mostly up to `fast`, sometimes up to `slow`",
        ),
        field("fast", TIME, "1ms", "the least, or the usual"),
        field("slow", TIME, "10ms", "the most, the mean, or the seldom"),
        field("slow_share", SHARE, "0.01", "of bimodal: how seldom"),
    ],
};

const DISK: Table = Table {
    head: "[disk]",
    fields: &[
        field("torn_write", SHARE, "0", "chance that in this run a power cut takes a part of what was not synced"),
        field("short", SHARE, "0", "reads and writes that are cut short"),
        field("read_error", SHARE, "0", "reads that fail with EIO"),
        field("write_error", SHARE, "0", "writes and changes of directories that fail with EIO"),
        field("sync_error", SHARE, "0", "syncs that fail with EIO"),
        field("lie", SHARE, "0", "syncs that say yes and do nothing"),
        field("latency", TIME, "0", "the longest that a write or sync takes"),
    ],
};

const CLOCK: Table = Table {
    head: "[clock]",
    fields: &[
        field("skew", TIME, "0", "how far a wall clock is off at the start, at most"),
        field("drift_ppm", Kind::Number(Unit::Number), "0", "microseconds that it gains or loses in a second, at most"),
    ],
};

const TIMES: Table = Table {
    head: "[time]",
    fields: &[
        field("warmup", TIME, "1s", "nothing goes wrong yet, and clients wait"),
        field("chaos", TIME, "10s", "faults strike, clients work"),
        field("calm", TIME, "10s", "all is mended; what must come true in the end has its time"),
        field("max_steps", COUNT, "50000000", "polls after which a run is a livelock"),
    ],
};

const SCHEDULE: Table = Table {
    head: "[schedule]",
    fields: &[
        field(
            "strategy",
            Kind::OneOf(&["random", "pct", "pos", "fifo"]),
            "random",
            "which of the tasks that are ready is next",
        ),
        field("depth", COUNT, "1..4", "of pct: changes of priority, and one"),
        field("length", COUNT, "128..32768", "of pct: polls among which they lie"),
        field("preempt", SHARE, "0", "polls in which an await that is ready is made to wait"),
    ],
};

const WORKLOAD: Table = Table {
    head: "[[workload]]",
    fields: &[
        field("name", Kind::Text, "", "a registered workload; at level property, a registered property"),
        field("clients", Kind::Text, "client", "the role whose nodes are its clients"),
        field("rate", RATE, "10/s", "operations of all clients together"),
        field("ops", Kind::Weights, "", "which operations, and how often beside each other"),
        field("most", COUNT, "", "operations of one client at most"),
        field("only", Kind::Texts, "", "only these, each client, hash sign, number: what shrinking has left"),
        field("cases", COUNT, "100", "at level property: inputs that one seed tries"),
    ],
};

const FAULT: Table = Table {
    head: "[[fault]]",
    fields: &[
        field(
            "id",
            Kind::Text,
            "",
            "its name in reports, and for its draws; its kind, and a number if there are several",
        ),
        field("kind", Kind::Text, "", "a registered kind"),
        field(
            "target",
            Kind::Target,
            "one",
            "a selector: one, minority, majority, ring, pair, all, role:x, zone:x, or a registered one; or a list of nodes",
        ),
        field("others", Kind::Texts, "", "for faults between two groups: the other one; everybody else if not given"),
        field("direction", Kind::OneOf(&["both", "in", "out"]), "both", "which ways of the target"),
        field("at", TIME, "", "once, so long after the chaos phase began"),
        field("every", TIME, "", "again and again, from start to start"),
        field("rate", RATE, "", "again and again, at random"),
        field("on", Kind::Text, "", "when this probe is passed"),
        field("nth", COUNT, "", "of on: only at the nth time since the chaos phase began"),
        field("hold", TIME, "1s", "how long it lasts"),
        field("gap", TIME, "0", "the least time between the end of one and the start of the next"),
        field("max", COUNT, "1000", "how often at most; of on, 8 unless said otherwise"),
        field("by", Kind::Number(Unit::Number), "", "how strong it is; what that means, the kind says"),
        field("coin", Kind::Whole, "", "what its selector draws from, once it is resolved"),
    ],
};

const BUDGET: Table = Table {
    head: "[budget]",
    fields: &[
        field("dead_at_once", COUNT, "", "nodes that may be dead or stopped at once"),
        field("keep", Kind::OneOf(&["quorum", "one", "nothing"]), "nothing", "what must always be alive and connected"),
        field("per_run", COUNT, "", "faults of a run"),
    ],
};

const SWARM: Table = Table {
    head: "[swarm]",
    fields: &[
        field(
            "omit",
            SHARE,
            "0",
            "chance that a kind of fault, an operation, a field of link, disk or clock, or a knob is off for a seed",
        ),
        field("knobs", Kind::Values, "", "parameters of the subject"),
        field("buggify", Kind::Table(&BUGGIFY), "", "places in the code that may do the unlikely"),
    ],
};

const BUGGIFY: Table = Table {
    head: "[swarm] buggify",
    fields: &[
        field("runs", SHARE, "0", "chance that it is on in a run"),
        field("site_on", SHARE, "0.25", "chance that a site is on in such a run"),
        field("fires", SHARE, "0.25", "chance that such a site fires"),
    ],
};

const INVARIANT: Table = Table {
    head: "[[invariant]]",
    fields: &[
        field("name", Kind::Text, "", "a registered invariant"),
        field(
            "check",
            Kind::OneOf(&["step", "event", "every", "calm", "end"]),
            "",
            "when it is asked whether it holds, beside its own hooks, if it can be asked then (sim list --names): after each poll, each event, each `period`, at the end of the calm phase, at the end; the first that it has, if nothing is said",
        ),
        field("period", TIME, "100ms", "of every"),
        field("params", Kind::Values, "", "its parameters"),
    ],
};

const EXPECT: Table = Table {
    head: "[expect]",
    fields: &[
        field("outcome", Kind::Text, "pass", "pass, or fail: and an invariant, a property or the class of a verdict"),
        field("reach", Kind::Texts, "", "probes that must be passed in at least one seed of the set"),
        field("never", Kind::Texts, "", "probes that must not be passed in any seed"),
        field("live", Kind::Table(&LIVE), "", "progress that must be made once a core is healed"),
        field(
            "effect",
            Kind::Conditions,
            "",
            "what faults must have done in the seeds of the set: kind = \"measure >= number\"",
        ),
    ],
};

const LIVE: Table = Table {
    head: "[expect] live",
    fields: &[
        field("core", Kind::OneOf(&["quorum", "all"]), "all", "which nodes are healed; the others stay as they are"),
        field("within", TIME, "10s", "how soon, from the start of the calm phase"),
        field("what", Kind::Texts, "", "calls_answered, converged, quiescent"),
    ],
};

const SEEDS: Table = Table {
    head: "[seeds]",
    fields: &[
        field("count", Kind::Weights, "", "seeds by tier"),
        field("base", Kind::OneOf(&["commit", "interval", "fixed"]), "fixed", "where seeds begin"),
        field("bank", Kind::Text, "", "the folder of failing seeds"),
        field("recheck", SHARE, "0.05", "seeds that are run twice, in two processes, and must come out the same"),
        field("stop", Kind::Text, "", "plateau:N ends a set when N seeds have reached nothing new"),
    ],
};

const SHRINK: Table = Table {
    head: "[shrink]",
    fields: &[
        field("runs", COUNT, "400", "runs that shrinking may take"),
        field(
            "keep",
            Kind::OneOf(&["same_failure", "any_failure"]),
            "same_failure",
            "what a smaller run must still show",
        ),
    ],
};

const PLAN: Table = Table {
    head: "[plan]",
    fields: &[
        field("seed", Kind::Text, "", "the seed, for what is drawn while it runs"),
        field(
            "decisions",
            Kind::Decisions,
            "",
            "the schedule: poll, place in the queue, budget; what is not listed is first come, first served",
        ),
        field("shrunk", Kind::Table(&SHRUNK), "", "of a file that was made small: what it was before"),
    ],
};

const SHRUNK: Table = Table {
    head: "[plan] shrunk",
    fields: &[
        field("from", Kind::Text, "", "the file that it was made of"),
        field("runs", Kind::Whole, "", "runs that it took"),
        field("fingerprint", Kind::Text, "", "which defect it shows"),
        field("before", Kind::Table(&SIZE), "", "how large the run was"),
        field("after", Kind::Table(&SIZE), "", "how large it is"),
    ],
};

const SIZE: Table = Table {
    head: "[plan] shrunk, a size",
    fields: &[
        field("nodes", Kind::Whole, "", "nodes, clients too"),
        field("faults", Kind::Whole, "", "faults that struck"),
        field("operations", Kind::Whole, "", "operations that were due"),
        field("decisions", Kind::Whole, "", "decisions of the schedule"),
        field("time", TIME, "", "virtual time until it failed"),
    ],
};

const BANK: Table = Table {
    head: "[bank]",
    fields: &[
        field("magic", Kind::Text, "", "simurgh bank"),
        field("form", Kind::Whole, "2", "the form of the entry: 2"),
        field("file", Kind::Text, "", "the scenario file that it came from"),
        field("scenario_hash", Kind::Text, "", "a hash of that file, with what it extends"),
        field("plan_hash", Kind::Text, "", "a hash of all of this file but [bank]"),
        field("commit", Kind::Text, "", "the commit that was run; with a plus if something had been changed since"),
        field("lock", Kind::Text, "", "a hash of Cargo.lock"),
        field("features", Kind::Text, "", "how the program was built: debug or release"),
        field("class", Kind::Text, "", "the class of the failure"),
        field("invariant", Kind::Text, "", "the invariant that did not hold, if it was one"),
        field("message", Kind::Text, "", "what was seen"),
        field("fingerprint", Kind::Text, "", "which defect it is"),
        field("event", Kind::Whole, "", "the number of the first bad event"),
        field("at", TIME, "", "when that was, in virtual time"),
        field("node", Kind::Text, "", "the node at which it was seen, if it was one"),
        field("trace_hash", Kind::Text, "", "the hash over all events, which holds within one build"),
        field("reach_fingerprint", Kind::Text, "", "a hash of reach"),
        field("reach", Kind::Table(&REACH), "", "what says that a run came to where this one failed"),
        field("opened", Kind::Text, "", "the day on which it was kept, in UTC"),
        field("fixed_by", Kind::Text, "", "the commit that mended it; it must pass from then on"),
        field("stale", Kind::Text, "", "why no run comes to the old spot any more; it is shown and never green"),
    ],
};

const REACH: Table = Table {
    head: "[bank] reach",
    fields: &[
        field("marks", Kind::Texts, "", "telemetry events by role and name, and probes: what happened last"),
        field("within", TIME, "", "how close together"),
        field("during", Kind::Texts, "", "kinds of faults that held then"),
        field("faults", Kind::Texts, "", "kinds of faults that had struck by then"),
        field("probes", Kind::Texts, "", "probes that had been passed by then"),
        field("asked", Kind::Text, "", "the invariant that did not hold"),
    ],
};
