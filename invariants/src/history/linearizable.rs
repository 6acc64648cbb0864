//! `history.linearizable`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use simurgh_sim::{Evidence, Invariant, Seen};

use super::model::value;
use super::{Asked, Ended, History, Judgement, Misfit, Operation, Point, Register, Told, judge};
use crate::by_node::{is, number, text};

/// Steps that the search for one key may take.
pub const HISTORY_BUDGET: u64 = 2_000_000;
/// Up to so many operations on a key, it is judged at each end of one; the run so ends where it went wrong.
const AT_ONCE_MAX: usize = 400;
/// Operations that a message shows before the one that does not fit.
const SHOWN_MAX: usize = 6;

/// What clients were told of registers, each with its key, can have come from one register for each key that does one
/// operation after the other: history.linearizable.
///
/// Reads `history.invoke` {`client`, `op`: `read`, `write` or `swap`, `key`, `value`, `from`}, `history.ok` {`client`;
/// `value`: what was read, none if there was nothing; `swapped`}, `history.fail` {`client`} and `history.info`
/// {`client`}. A client is a number of its node, 0 if it has only one, and does one thing at a time; of a node that dies all stays open. A
/// history of a few operations is judged at each answer, a longer one in the calm and at the end. Planted bugs:
/// `register.read-one` asks one replica alone; `register.ack-one` calls a write done when one has it;
/// `register.quorum-of-reachable` takes the majority of those whom it reaches; `register.new-version-on-retry` writes
/// again under a new version; `register.no-write-back` does not make sure that what it read stays;
/// `register.unsynced` answers before it is on disk; `register.late-is-failed` calls a failure what it only has not
/// heard of.
#[derive(Debug, Default)]
pub struct HistoryLinearizable {
    keys: BTreeMap<String, History<Asked, Told>>,
    /// The key of what a client is in.
    at: BTreeMap<String, String>,
    /// What was not judged since it changed.
    changed: BTreeSet<String>,
    events: u64,
    judged: u64,
    inconclusive: BTreeSet<String>,
    evidence: Vec<Evidence>,
}

impl HistoryLinearizable {
    /// How often a history of a key was judged.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    fn invoke(&mut self, client: String, seen: &Seen<'_>, point: Point) -> Result<(), String> {
        let input = match text(seen, "op") {
            "read" => Asked::Read,
            "write" => Asked::Write(number(seen, "value")),
            "swap" => Asked::Cas { from: seen.event.u64("from"), to: number(seen, "value") },
            other => return Err(format!("client {client} asks for {other:?}: there is read, write and swap")),
        };
        if let Some(key) = self.at.get(&client) {
            return Err(format!("client {client} asks while it waits for an answer on {key}"));
        }
        let key = text(seen, "key").to_owned();
        self.keys.entry(key.clone()).or_default().invoke(&client, input, point)?;
        self.at.insert(client, key);
        Ok(())
    }

    fn ended(&mut self, client: &str, seen: &Seen<'_>, point: Point) -> Result<(), String> {
        let key = self.at.remove(client).ok_or_else(|| format!("client {client} has not asked, and is told"))?;
        let history = self.keys.entry(key.clone()).or_default();
        match seen.event.name {
            "history.ok" => {
                let asked = history.asked_by(client);
                let output = match asked {
                    Some(Asked::Read) | None => Told::Read(seen.event.u64("value")),
                    Some(Asked::Write(_)) => Told::Written,
                    Some(Asked::Cas { .. }) => Told::Swapped(is(seen, "swapped")),
                };
                history.ok(client, output, point)?;
                let judged_now = history.operations().len() <= AT_ONCE_MAX;
                self.changed.insert(key.clone());
                if judged_now { self.judge(&key) } else { Ok(()) }
            }
            "history.fail" => history.fail(client, point).map(drop),
            _ => history.info(client).map(drop),
        }
    }

    fn judge(&mut self, key: &str) -> Result<(), String> {
        self.changed.remove(key);
        self.judged += 1;
        let operations = self.keys.get(key).map(History::operations).unwrap_or_default();
        match judge(&Register, operations, HISTORY_BUDGET) {
            Judgement::Linearizable(_) => Ok(()),
            Judgement::Inconclusive => {
                self.inconclusive.insert(key.to_owned());
                Ok(())
            }
            Judgement::NotLinearizable(misfit) => {
                let explained = explain(key, operations, &misfit);
                let last = &operations[misfit.operation];
                let seen = last.to_string();
                let expected = match last.input {
                    Asked::Read => format!("{} read {}", last.client, value(misfit.state)),
                    _ => format!("an answer of a register that holds {}", value(misfit.state)),
                };
                self.evidence = vec![Evidence { key: key.to_owned(), expected, seen }];
                Err(explained)
            }
        }
    }

    fn judge_changed(&mut self) -> Result<(), String> {
        let changed: Vec<String> = self.changed.iter().cloned().collect();
        changed.iter().try_for_each(|key| self.judge(key))
    }
}

/// The longest prefix that fits, its end, and the operation that does not.
fn explain(key: &str, operations: &[Operation<Asked, Told>], misfit: &Misfit<Option<u64>>) -> String {
    let last = &operations[misfit.operation];
    let mut text = format!(
        "{key:?}: {last} does not fit: the register holds {} then. {} operations took effect before; the last of them, in an \
         order that fits:",
        value(misfit.state),
        misfit.order.len(),
    );
    for place in misfit.order.iter().skip(misfit.order.len().saturating_sub(SHOWN_MAX)) {
        let _ = write!(text, "\n    {}", operations[*place]);
    }
    let says_failed = |operation: &&Operation<Asked, Told>| {
        let read = matches!(last.ended, Ended::Ok(Told::Read(Some(read)), _) if operation.input == Asked::Write(read));
        read && matches!(operation.ended, Ended::Fail(_))
    };
    if let Some(failed) = operations.iter().find(says_failed) {
        let _ = write!(text, "\n    and of what failed, and so did nothing: {failed}");
    }
    let is_open = |operation: &&Operation<Asked, Told>| {
        operation.ended == Ended::Open && operation.invoked.number < last.invoked.number
    };
    let open = operations.iter().filter(is_open).count();
    if open > 0 {
        let _ = write!(text, "\n    and {open} that are open may have taken effect or not");
    }
    text
}

impl Invariant for HistoryLinearizable {
    fn name(&self) -> &'static str {
        "history.linearizable"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.event.name.starts_with("history.") {
            return Ok(());
        }
        self.events += 1;
        let point = Point { at: seen.at, number: self.events };
        let client = match number(seen, "client") {
            0 => seen.node.to_owned(),
            number => format!("{}/{number}", seen.node),
        };
        match seen.event.name {
            "history.invoke" => self.invoke(client, seen, point),
            "history.ok" | "history.fail" | "history.info" => self.ended(&client, seen, point),
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        let is_dead = |client: &str| client.split('/').next() == Some(node);
        self.at.retain(|client, _| !is_dead(client));
        self.keys.values_mut().for_each(|history| history.forget(is_dead));
    }

    fn calm(&mut self) -> Result<(), String> {
        self.judge_changed()
    }

    fn end(&mut self) -> Result<(), String> {
        self.judge_changed()
    }

    fn inconclusive(&self) -> Option<String> {
        let key = self.inconclusive.first()?;
        let count = self.inconclusive.len();
        Some(format!("the budget of {HISTORY_BUDGET} steps was used up for {count} keys, {key} among them"))
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.evidence.clone()
    }
}
