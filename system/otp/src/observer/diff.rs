//! What has changed from one moment to another.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use simurgh_telemetry::logs::OneLine;

use super::Tree;
use crate::{Pid, ProcessInfo, json};

/// What has changed between two trees. Its `Display` is one line for each change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Processes that are new.
    pub started: Vec<Place>,
    /// Processes that are gone.
    pub ended: Vec<Place>,
    /// Processes that are gone, and have a successor of the same label under the same supervisors.
    pub restarted: Vec<Restarted>,
    /// Processes that have handled messages, or whose mailbox has another length or has shed.
    pub changed: Vec<Change>,
}

/// A process and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which process.
    pub pid: Pid,
    /// The labels from the root down to it: `root > shop > adder`.
    pub path: String,
}

/// A process that took the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarted {
    /// Who is gone.
    pub before: Pid,
    /// Who is there instead.
    pub after: Pid,
    /// The labels from the root down.
    pub path: String,
}

/// A process whose counters have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Who, and where.
    pub place: Place,
    /// Messages handled meanwhile.
    pub handled: u64,
    /// Messages and signals that waited, before and after.
    pub waiting: (usize, usize),
    /// Messages shed meanwhile.
    pub shed: u64,
}

impl Tree {
    /// What has changed from `before` to `after`.
    ///
    /// A process that is not shown in one of them, being one too many, counts as not there.
    pub fn diff(before: &Tree, after: &Tree) -> Diff {
        let index = |tree: &Tree| -> BTreeMap<Pid, (String, ProcessInfo)> {
            tree.paths().into_iter().map(|(path, info)| (info.pid, (path, info.clone()))).collect()
        };
        let (old, new) = (index(before), index(after));
        let mut diff = Diff::default();
        // By path, the oldest last: each successor takes the place of one predecessor.
        let mut gone: BTreeMap<&str, Vec<Pid>> = BTreeMap::new();
        for (pid, (path, _)) in old.iter().rev().filter(|(pid, _)| !new.contains_key(pid)) {
            gone.entry(path).or_default().push(*pid);
        }
        for (&pid, (path, info)) in &new {
            let place = || Place { pid, path: path.clone() };
            match old.get(&pid) {
                Some((_, earlier)) => diff.changed.extend(Change::between(earlier, info, place)),
                // A root has nobody who would restart it.
                None => match gone.get_mut(path.as_str()).filter(|_| info.parent.is_some()).and_then(Vec::pop) {
                    Some(earlier) => {
                        diff.restarted.push(Restarted { before: earlier, after: pid, path: path.clone() });
                    }
                    None => diff.started.push(place()),
                },
            }
        }
        for (path, pids) in gone {
            diff.ended.extend(pids.into_iter().map(|pid| Place { pid, path: path.to_owned() }));
        }
        diff.ended.sort_unstable_by_key(|place| place.pid);
        diff
    }
}

impl Change {
    fn between(before: &ProcessInfo, after: &ProcessInfo, place: impl FnOnce() -> Place) -> Option<Self> {
        let counts = |info: &ProcessInfo| info.mailbox.as_ref().map_or((0, 0), |counts| (counts.len, counts.shed));
        let ((was, shed_before), (is, shed_after)) = (counts(before), counts(after));
        let handled = after.handled.saturating_sub(before.handled);
        let shed = shed_after.saturating_sub(shed_before);
        let changed = handled > 0 || was != is || shed > 0;
        changed.then(|| Self { place: place(), handled, waiting: (was, is), shed })
    }
}

impl Diff {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// As a JSON object on one line.
    pub fn to_json(&self) -> String {
        let places = |out: &mut String, places: &[Place]| {
            json::list(out, places, |out, Place { pid, path }| {
                json::object(out, |it| {
                    it.text("pid", pid).text("path", path);
                });
            });
        };
        let mut out = String::new();
        json::object(&mut out, |it| {
            it.field("started", |out| places(out, &self.started));
            it.field("ended", |out| places(out, &self.ended));
            it.field("restarted", |out| {
                json::list(out, &self.restarted, |out, Restarted { before, after, path }| {
                    json::object(out, |it| {
                        it.text("before", before).text("after", after).text("path", path);
                    });
                });
            });
            it.field("changed", |out| {
                json::list(out, &self.changed, |out, Change { place, handled, waiting, shed }| {
                    json::object(out, |it| {
                        it.text("pid", place.pid).text("path", &place.path).number("handled", handled);
                        it.number("waiting_before", waiting.0).number("waiting_after", waiting.1).number("shed", shed);
                    });
                });
            });
        });
        out
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing has changed");
        }
        let mut lines = Vec::new();
        for Place { pid, path } in &self.started {
            lines.push(format!("+ {} {pid} started", OneLine(path)));
        }
        for Place { pid, path } in &self.ended {
            lines.push(format!("- {} {pid} ended", OneLine(path)));
        }
        for Restarted { before, after, path } in &self.restarted {
            lines.push(format!("* {} {before} restarted as {after}", OneLine(path)));
        }
        for Change { place, handled, waiting: (was, is), shed } in &self.changed {
            let mut line = format!("  {} {} handled {handled}", OneLine(&place.path), place.pid);
            if was != is {
                write!(line, ", waiting {was} -> {is}")?;
            }
            if *shed > 0 {
                write!(line, ", shed {shed}")?;
            }
            lines.push(line);
        }
        f.write_str(&lines.join("\n"))
    }
}
