//! Classes of verdicts, and what makes two failures the same.

use simurgh_sim::{Draws, Purpose, Verdict};

use crate::report::Judgement;

/// The classes of verdicts: name, exit code of a command that ends with it, and what it means.
pub const CLASSES: [(&str, u8, &str); 24] = [
    ("pass", 0, "nothing was wrong"),
    ("failed", 1, "the simulation's own code failed"),
    ("invariant", 10, "safety: a named invariant did not hold"),
    ("unsupervised-panic", 11, "safety: a task panicked and nobody was left to see it"),
    ("shared-state", 12, "safety: nodes share something that no network could cut"),
    ("crash", 13, "the process of the run died"),
    ("never", 14, "safety: a probe was passed that must never be"),
    ("reach", 15, "the set of seeds did not pass a probe that it must"),
    ("effect", 16, "faults did not have the effect that they must: they tested nothing"),
    ("not-found", 17, "a planted bug was not found by the set of seeds"),
    ("stale", 18, "an entry of the bank does not come to the old spot any more: it shows nothing"),
    ("gone", 19, "an open entry of the bank passes: say what mended it"),
    ("deadlock", 20, "liveness: nothing is runnable and nothing is due"),
    ("no-progress", 21, "liveness: nothing but heartbeats for too long"),
    ("wait-cycle", 22, "liveness: tasks wait for each other in a circle"),
    ("livelock", 23, "liveness: the step limit was reached"),
    ("stuck-poll", 24, "liveness: a poll did not return"),
    ("liveness", 25, "liveness: a healed core made no progress in time"),
    ("stuck-impossible", 26, "no progress, and the faults that remain make progress impossible"),
    ("refused", 30, "the code asked for something that cannot be simulated"),
    ("nondeterminism", 40, "the same seed gave two different runs"),
    ("harness", 50, "the harness itself failed: a canary was not seen"),
    ("host-timeout", 51, "the run took too long in real time"),
    ("inconclusive", 60, "a checker could not say"),
];

/// The exit code of a class.
pub fn exit_code(class: &str) -> u8 {
    CLASSES.iter().find(|(name, ..)| *name == class).map_or(50, |(_, code, _)| *code)
}

impl Judgement {
    /// The judgement of a run that found nothing wrong.
    pub(crate) fn pass() -> Self {
        Self { class: "pass".into(), ..Self::default() }
    }

    /// A judgement of a class; `roles` are the roles of the topology, whose nodes' names are normalised away.
    pub(crate) fn new(class: &str, invariant: &str, message: &str, roles: &[String]) -> Self {
        let normalised = normalise(message, roles);
        let role = roles.iter().find(|role| message.contains(role.as_str())).cloned().unwrap_or_default();
        let node = if role.is_empty() { String::new() } else { node_of(message, &role) };
        let mut judgement = Self {
            class: class.to_owned(),
            exit_code: exit_code(class),
            invariant: invariant.to_owned(),
            message: message.to_owned(),
            normalised,
            role,
            node,
            ..Self::default()
        };
        judgement.fingerprint = judgement.make_fingerprint();
        judgement
    }

    /// That of a verdict of the simulator.
    pub(crate) fn of_verdict(verdict: &Verdict, roles: &[String]) -> Self {
        // A panic or a deadlock lists tasks, which differ from run to run: its first line is what it is.
        let first = verdict.message().lines().next().unwrap_or_default().to_owned();
        let mut judgement = Self::new(verdict.class().0, verdict.invariant(), verdict.message(), roles);
        let short = first.split("; waiting:").next().unwrap_or(&first).split("; alive:").next().unwrap_or(&first);
        judgement.normalised = normalise(short, roles);
        judgement.fingerprint = judgement.make_fingerprint();
        judgement
    }

    fn make_fingerprint(&self) -> String {
        if self.class == "pass" {
            return String::new();
        }
        let what = format!("{}\n{}\n{}\n{}", self.class, self.invariant, self.normalised, self.role);
        format!("{:016x}", Draws::new(0).named(Purpose::User, &what).u64())
    }
}

/// A message without numbers, names of nodes, ids, and what stands in quotes.
fn normalise(message: &str, roles: &[String]) -> String {
    let mut out = String::new();
    for (index, part) in message.split('"').enumerate() {
        if index % 2 == 1 {
            out.push_str("\"..\"");
            continue;
        }
        let mut word = String::new();
        for c in part.chars().chain([' ']) {
            if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') {
                word.push(c);
                continue;
            }
            out.push_str(&plain(&std::mem::take(&mut word), roles));
            out.push(c);
        }
        out.pop();
    }
    out
}

/// A word, if it is one: else what it stands for.
fn plain(word: &str, roles: &[String]) -> String {
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if bare.len() < word.len() && roles.iter().any(|role| role == bare) {
        return bare.to_owned();
    }
    let starts_with_digit = word.starts_with(|c: char| c.is_ascii_digit());
    let changes_case =
        word.chars().zip(word.chars().skip(1)).filter(|(one, next)| one.is_lowercase() && next.is_uppercase());
    if starts_with_digit {
        let end = if word.ends_with('.') { "." } else { "" };
        return format!("N{end}");
    }
    if word.chars().any(|c| c.is_ascii_digit()) || changes_case.count() > 1 { "ID".to_owned() } else { word.to_owned() }
}

fn node_of(message: &str, role: &str) -> String {
    let from = message.find(role).unwrap_or(0);
    message[from..].chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_defect_has_one_fingerprint_and_every_class_its_own_code() {
        let roles = ["node".to_owned(), "client".to_owned()];
        let one = Judgement::new("invariant", "a.b", "node1 read 7 after \"x\" at 1.5s", &roles);
        let other = Judgement::new("invariant", "a.b", "node3 read 12 after \"yy\" at 20.25s", &roles);
        assert_eq!(one.normalised, "node read N after \"..\" at N");
        assert_eq!(normalise("room:1 lists GIZyUhquIRrsBYgc, x1. In 3 s.", &[]), "room:N lists ID, ID In N s.");
        assert_eq!(one.fingerprint, other.fingerprint);
        assert_eq!((one.role.as_str(), one.node.as_str()), ("node", "node1"));
        assert_ne!(one.fingerprint, Judgement::new("invariant", "a.c", "node1 read 7", &roles).fingerprint);
        let codes: std::collections::BTreeSet<u8> = CLASSES.iter().map(|(_, code, _)| *code).collect();
        assert_eq!(codes.len(), CLASSES.len());
    }
}
