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

/// What a run of a class did not do and has to: for failures that no invariant has words for.
const DEMANDS: [(&str, &str); 18] = [
    ("failed", "the simulation's own code comes to its end without an error"),
    ("unsupervised-panic", "no task panics without anybody to see it: a supervisor, or who waits for it"),
    ("shared-state", "nodes share nothing but the network"),
    ("crash", "the process of the run lives until it is over"),
    ("never", "a probe that the scenario calls impossible is never passed"),
    ("reach", "the seeds pass the probe that the scenario wants"),
    ("effect", "the faults have the effect that the scenario wants"),
    ("not-found", "the planted bug is found"),
    ("deadlock", "as long as the run is not over, some task can go on, or some time is waited for"),
    ("no-progress", "something other than heartbeats happens in the time that the simulation allows"),
    ("wait-cycle", "no tasks wait for each other in a circle"),
    ("livelock", "the run comes to its end within the steps that the scenario allows (time.max_steps)"),
    ("stuck-poll", "each poll of a task returns"),
    ("liveness", "when enough is healed, clients are answered and the world comes to rest in the time of expect.live"),
    (
        "stuck-impossible",
        "when enough is healed, who asks is answered: the faults that are left forbid it, so the scenario asks too much",
    ),
    ("refused", "the code asks only for what can be simulated"),
    ("nondeterminism", "one seed gives one run"),
    ("inconclusive", "every checker comes to a verdict within its budget"),
];

/// What a run that ended in a class has not done.
pub(crate) fn demand(class: &str) -> &'static str {
    DEMANDS.iter().find(|(known, _)| *known == class).map_or("", |(_, demand)| demand)
}

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
        // Further lines tell of this very run: a history, say. Of a process that died they are all that there is.
        let told = if class == "crash" { message } else { message.lines().next().unwrap_or_default() };
        let normalised = normalise(told, roles);
        let role = roles.iter().find(|role| normalised.contains(role.as_str())).cloned().unwrap_or_default();
        let node = if role.is_empty() { String::new() } else { node_of(told, &role) };
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
        let mut judgement = Self::new(verdict.class().0, verdict.invariant(), verdict.message(), roles);
        // A deadlock, or a livelock, lists tasks, and those differ from run to run: what it is stands before them.
        let short = ["; waiting:", "; alive:"].iter().find_map(|list| verdict.message().split_once(list));
        if let Some((short, _)) = short {
            let known = Self::new(verdict.class().0, verdict.invariant(), short, roles);
            (judgement.role, judgement.node) = (known.role, known.node);
            (judgement.normalised, judgement.fingerprint) = (known.normalised, known.fingerprint);
        }
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

/// A message without what is drawn or generated: numbers, names of nodes, ids, and whatever stands in quotes or brackets.
/// So a message puts a generated name, such as a key, in quotes: then one defect has one fingerprint.
fn normalise(message: &str, roles: &[String]) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut chars = message.chars().peekable();
    while let Some(c) = chars.next() {
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') {
            word.push(c);
            continue;
        }
        out.push_str(&plain(&std::mem::take(&mut word), roles));
        match c {
            '"' => {
                skip_quoted(&mut chars);
                out.push_str("\"..\"");
            }
            '[' => {
                skip_list(&mut chars);
                out.push_str("[..]");
            }
            c => out.push(c),
        }
    }
    out.push_str(&plain(&word, roles));
    out
}

/// To the end of a text in quotes, past quotes that are escaped in it.
fn skip_quoted(chars: &mut impl Iterator<Item = char>) {
    while let Some(c) = chars.next() {
        match c {
            '"' => return,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
}

/// To the end of a list, past lists and texts in it.
fn skip_list(chars: &mut impl Iterator<Item = char>) {
    let mut depth = 1;
    while let Some(c) = chars.next() {
        match c {
            '"' => skip_quoted(chars),
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// A word, if it is one: else what it stands for.
fn plain(word: &str, roles: &[String]) -> String {
    let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if bare.len() < word.len() && roles.iter().any(|role| role == bare) {
        return bare.to_owned();
    }
    let end = if word.ends_with('.') { "." } else { "" };
    // No value is a value as well: who reads nothing has read something wrong, as who reads 7.
    let is_number = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    if is_number || word.trim_end_matches('.') == "nothing" {
        return format!("N{end}");
    }
    let changes_case =
        word.chars().zip(word.chars().skip(1)).filter(|(one, next)| one.is_lowercase() && next.is_uppercase());
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

    #[test]
    fn every_class_that_a_run_can_fail_with_says_what_is_demanded() {
        // An invariant has its own words, and the others judge no run.
        let without = ["pass", "invariant", "stale", "gone", "harness", "host-timeout"];
        for (class, ..) in CLASSES {
            assert_eq!(demand(class).is_empty(), without.contains(&class), "{class}");
        }
    }

    #[test]
    fn what_is_generated_is_no_part_of_a_fingerprint() {
        let roles = ["replica".to_owned(), "client".to_owned()];
        let same = |class: &str, messages: &[&str]| {
            let of = |message: &&str| Judgement::new(class, "a.b", message, &roles).fingerprint;
            let all: std::collections::BTreeSet<String> = messages.iter().map(of).collect();
            assert_eq!(all.len(), 1, "{messages:?}");
        };
        // A key, an operation, a value or none at all, and what the history was.
        same(
            "invariant",
            &[
                "the \"write of pears\" of client1 was given up within 8 s; 1 clients wait",
                "the \"read of a \\\"b\\\"\" of client12 was given up within 2.5 s; 30 clients wait",
            ],
        );
        same(
            "invariant",
            &[
                "\"pears\": client4 read nothing (2.6s to 2.7s) does not fit: the register holds 20005 then. An order:\n  write 7",
                "\"x\": client1 read 3 (12.6s to 12.7s) does not fit: the register holds -1 then. An order:\n  read: nothing\n  b",
            ],
        );
        // Inputs of any length.
        same("invariant", &["it is 3 for [(1, 2)]", "it is 9 for [(1, 2), (3, [4]), \"]\"]", "it is nothing for []"]);
        // And what is another defect stays one.
        let of = |message: &str| Judgement::new("invariant", "a.b", message, &roles).fingerprint;
        assert_ne!(of("client1 read 7"), of("client1 wrote 7"));
        assert_ne!(of("client1 read 7"), of("replica1 read 7"));
    }

    #[test]
    fn whichever_tasks_a_livelock_leaves_alive_it_is_one_finding() {
        let roles = ["replica".to_owned(), "client".to_owned()];
        let of = |alive: &str, polls: u64| {
            let message = format!("the body had not ended after {polls} polls; alive: {alive}");
            Judgement::of_verdict(&Verdict::Livelock(message), &roles)
        };
        let (one, other) = (of("client1 task 1 (main), replica2 task 4 (gossip)", 500), of("client1 task 1 (main)", 9));
        assert_eq!((one.fingerprint.as_str(), one.role.as_str()), (other.fingerprint.as_str(), ""));
        assert!(one.message.contains("replica2 task 4"), "{}", one.message);
    }
}
