//! What a run came to, as data: JSON on the wire and on disk, and the source of every picture of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reach::{Reached, Trail};

/// The form that this program writes and reads.
pub(crate) const SCHEMA: u32 = 1;

/// One run of a scenario.
///
/// Times are virtual, in nanoseconds since the start of the run. Events are numbered from 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Always `simurgh report`.
    pub magic: String,
    /// The form of this report.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The file it came from.
    pub file: String,
    /// Why the scenario exists.
    pub why: String,
    /// `property`, `concurrency` or `distributed`.
    pub level: String,
    /// The seed.
    pub seed: u64,
    /// The planted bug that the run had, if any.
    pub planted: Option<String>,
    /// How it ended.
    pub verdict: Judgement,
    /// The rolling hash over all events, in hex.
    pub trace_hash: String,
    /// Events in all.
    pub events: u64,
    /// Polls in all.
    pub polls: u64,
    /// Virtual time in all.
    pub elapsed_ns: u64,
    /// What was run: the resolved scenario, a file that can be run itself.
    pub plan: String,
    /// Where the plan differs from what a scenario has that says nothing: field, default, value.
    pub differs: Vec<Differs>,
    /// Warm-up, chaos, calm.
    pub phases: Vec<Phase>,
    /// The roles, servers first.
    pub roles: Vec<RoleReport>,
    /// All nodes in the order of their addresses, clients too.
    pub nodes: Vec<NodeReport>,
    /// All faults in the order in which they struck, or were refused.
    pub faults: Vec<FaultReport>,
    /// What all faults did, by the name of the effect.
    pub effects: BTreeMap<String, u64>,
    /// The scoreboard.
    pub invariants: Vec<InvariantReport>,
    /// Probes that were declared or passed.
    pub probes: Vec<ProbeReport>,
    /// Counts and high-water marks.
    pub tally: BTreeMap<String, u64>,
    /// What was expected of the scenario and did not come true in this run.
    pub unmet: Vec<String>,
    /// The generated input for which a property does not hold.
    pub case: Option<Case>,
    /// The last messages between nodes.
    pub messages: Vec<Message>,
    /// The last messages between nodes that never arrived, in the order in which they were sent.
    pub undelivered: Vec<Undelivered>,
    /// How these messages read, if the subject says it.
    pub forms: Vec<Form>,
    /// The last events of all nodes in the order of time.
    pub log: Vec<LogLine>,
    /// The decisions of the schedule, if they were recorded: poll, place, budget.
    pub decisions: Vec<(u64, u32, Option<u8>)>,
    /// What happened last, by kind.
    pub trail: Trail,
    /// Whether the run came to the spot that was looked for, if one was.
    pub reached: Option<Reached>,
    /// What names in this report mean: events (`effect.applied`), fields of one event (`effect.applied as`) or of all
    /// (`key`), and what faults count (`count unsynced_lost`).
    pub words: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Judgement {
    /// `pass`, or the class of the failure: see `classes`.
    pub class: String,
    /// The exit code of the class.
    pub exit_code: u8,
    /// The invariant, if one did not hold.
    pub invariant: String,
    /// What must hold, and did not: in words. Empty for `pass`.
    pub demands: String,
    /// What was seen.
    pub message: String,
    /// The same without numbers, names of nodes and times: equal for two sights of one defect.
    pub normalised: String,
    /// The role of the node at which it was seen; empty for the world.
    pub role: String,
    /// That node.
    pub node: String,
    /// When.
    pub at_ns: u64,
    /// The number of the event.
    pub event: u64,
    /// A hash of class, invariant, normalised message and role, in hex: which defect this is. Empty for `pass`.
    pub fingerprint: String,
    /// What was expected and what was seen, by key; only what differs.
    pub evidence: Vec<Evidence>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What: a key, a node.
    pub key: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub seen: String,
}

/// A field of the plan that is not as it is by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// The field, with its tables.
    pub field: String,
    /// Its default; empty if it has none.
    pub default: String,
    /// What it is.
    pub value: String,
}

/// A part of the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// `warmup`, `chaos` or `calm`.
    pub name: String,
    /// From when.
    pub from_ns: u64,
    /// Until when.
    pub until_ns: u64,
}

/// A role, and how many of its nodes are in the run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoleReport {
    /// Its name.
    pub name: String,
    /// How many the file has of it, as the seed draws it.
    pub count: u32,
    /// How many of those run: a file that was made small leaves some out. Programs know of no others.
    pub runs: u32,
    /// Whether clients are of it.
    pub is_client: bool,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: String,
    /// Its role.
    pub role: String,
    /// Its failure domain.
    pub zone: u32,
    /// Its processes, one after the other.
    pub lives: Vec<Life>,
}

/// A process of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Life {
    /// When it started.
    pub from_ns: u64,
    /// When it ended, if it did.
    pub until_ns: Option<u64>,
    /// How: `finished`, `failed` or `killed`.
    pub how: String,
    /// Why, if it failed.
    pub why: String,
}

/// A fault of the plan, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// Its name in the plan.
    pub id: String,
    /// What kind of fault.
    pub kind: String,
    /// Whom it was to strike: the selector.
    pub target: String,
    /// Whom it struck.
    pub nodes: Vec<String>,
    /// For faults between two groups, the other one.
    pub others: Vec<String>,
    /// `both`, `in` or `out`, for faults between two groups.
    pub direction: String,
    /// When it struck, or was refused.
    pub at_ns: u64,
    /// When it was over.
    pub until_ns: Option<u64>,
    /// `effective`, `without-effect`, `weakened` or `refused`.
    pub outcome: String,
    /// Why it was weakened or refused.
    pub why: String,
    /// What it did while it lasted, by the name of the effect. Faults that overlap share what their kinds share.
    pub effects: BTreeMap<String, u64>,
}

/// An invariant on the scoreboard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvariantReport {
    /// Its name.
    pub name: String,
    /// When the scenario wants it to be asked.
    pub check: String,
    /// Events that it was shown.
    pub events: u64,
    /// How often it was asked whether it holds, at whatever hook.
    pub evaluated: u64,
    /// `held`, `violated` or `inconclusive`.
    pub verdict: String,
}

/// A probe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeReport {
    /// Its name.
    pub name: String,
    /// How often it was passed; 0 is a miss.
    pub count: u64,
    /// `reach` and `never`, as the scenario expects it, or nothing.
    pub expected: String,
    /// What it means that it is passed.
    pub about: String,
}

/// A message that arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// The sender.
    pub from: String,
    /// The receiver.
    pub to: String,
    /// When it was sent.
    pub sent_ns: u64,
    /// When it arrived.
    pub arrived_ns: u64,
    /// The number of the event of its arrival.
    pub event: u64,
    /// The connection: equal for all messages of one.
    pub connection: u64,
    /// Its length in bytes.
    pub len: usize,
    /// Its first bytes, escaped.
    pub begins: String,
}

/// The smallest input that was found for which a property does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// It, in words.
    pub input: String,
    /// What the law did with it, if it tells: a way for each of those that it compares.
    pub ways: Vec<Way>,
}

/// One of the ways that a law compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Which: an order, a program.
    pub name: String,
    /// Its steps.
    pub steps: Vec<String>,
}

/// How a kind of message reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Its words, with fields in capitals: `NUMBER put KEY VALUE`.
    pub form: String,
    /// What it means.
    pub about: String,
}

impl Form {
    /// Whether the beginning of a message, escaped, has a line of this form.
    pub(crate) fn fits(&self, begins: &str) -> bool {
        /// A report keeps no more bytes of a message, so its last line may lack its end.
        const CUT: usize = 48;
        let is_field = |word: &str| word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        let form: Vec<&str> = self.form.split(' ').collect();
        begins.trim_end_matches("\\n").split("\\n").any(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let alike = |(form, word): (&&str, &&str)| is_field(form) && !word.is_empty() || form == word;
            let is_whole = words.len() == form.len() || words.len() < form.len() && begins.len() >= CUT;
            let says = form.iter().zip(&words).any(|(form, word)| !is_field(form) && form == word);
            is_whole && says && form.iter().zip(&words).all(alike)
        })
    }
}

/// A message that never arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Undelivered {
    /// The sender.
    pub from: String,
    /// Whom it was for.
    pub to: String,
    /// When it was sent.
    pub sent_ns: u64,
    /// When it was stopped.
    pub stopped_ns: u64,
    /// By what: `cut`, `clogged`, `off`, `broken`, `unread`, or `end` if the run ended first.
    pub stop: String,
    /// The connection: equal for all messages of one, 0 for the request for one.
    pub connection: u64,
    /// Its length in bytes; 0 for a request for a connection.
    pub len: usize,
    /// Its first bytes, escaped.
    pub begins: String,
}

/// An event in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When.
    pub at_ns: u64,
    /// Its number.
    pub event: u64,
    /// The node; `world` is the test itself.
    pub node: String,
    /// The number of the task within its node.
    pub task: u64,
    /// `event`, `probe`, `write`, `arrive`, `kill`, `fault`, ...
    pub kind: String,
    /// What happened.
    pub text: String,
}

impl Report {
    /// Reads a report.
    ///
    /// # Errors
    /// If it is no report, or one of a form that this program does not know.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let report: Self = serde_json::from_str(text).map_err(|error| format!("this is no report: {error}"))?;
        if report.magic != MAGIC {
            return Err("this is no report: it does not begin with the magic \"simurgh report\"".into());
        }
        if report.schema != SCHEMA {
            return Err(format!("the report is of form {}, this program knows form {SCHEMA}", report.schema));
        }
        Ok(report)
    }

    /// Writes it, on one line.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a report is data")
    }

    /// Whether nothing was wrong in this run by itself.
    pub fn passed(&self) -> bool {
        self.verdict.class == "pass"
    }
}

/// The command that runs a seed of a file again.
pub(crate) fn replay_command(file: &str, seed: u64) -> String {
    format!("{} run {file} --seed {seed}", simurgh_sim::shared::called())
}

/// What every report begins with.
pub(crate) const MAGIC: &str = "simurgh report";
