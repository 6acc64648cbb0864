//! Scripts: a tree in a line, and then what happens and what is done about it, line by line.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::ExitReason;
use crate::supervisor::core::*;
use crate::supervisor::policy::{Backoff, Restart};

/// Plays a script.
///
/// The tree is `strategy[ intensity][ any | all]: child, child, ..`, a child is its id and what
/// differs from a permanent one: `transient`, `temporary`, `significant`, `brutal`, `infinite`,
/// `after=x`, `delay=SECONDS`, `budget=N`. A line of the script is `what happens => what is done`.
/// Timers are kept here, and fall due as time passes.
#[track_caller]
pub(super) fn check(tree: &str, script: &str) {
    let mut stage = Script::new(tree);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (input, expected) = line.split_once("=>").expect("a line is `input => actions`");
        let done = stage.play(input.trim());
        assert_eq!(done, expected.trim(), "after `{}`", input.trim());
    }
}

struct Script {
    core: Core,
    now_ns: u64,
    ids: BTreeMap<ChildKey, Arc<str>>,
    runs: BTreeMap<ChildKey, Run>,
    timers: BTreeMap<Timer, u64>,
    requests: u64,
}

impl Script {
    fn new(tree: &str) -> Self {
        let (options, children) = tree.split_once(':').expect("a tree is `strategy: children`");
        let policies = children.split(',').map(policy).collect();
        let core = Core::new(self::options(options), policies, 0).expect("a tree that makes sense");
        let ids = core.children().map(|child| (child.key, child.id)).collect();
        Self { core, now_ns: 0, ids, runs: BTreeMap::new(), timers: BTreeMap::new(), requests: 0 }
    }

    fn play(&mut self, line: &str) -> String {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let input = match verb {
            "boot" => Input::Boot,
            "ready" => Input::Started { key: self.key(rest), run: self.run(rest) },
            "fails" => Input::StartFailed { key: self.key(rest), run: self.run(rest), reason: boom() },
            "crash" => self.exited(rest, boom()),
            "ends" => self.exited(rest, ExitReason::Normal),
            "gone" => self.exited(rest, ExitReason::shutdown("asked")),
            "shutdown" => Input::Shutdown { reason: ExitReason::shutdown("enough") },
            "start" => self.ask(Ask::Start(policy(rest))),
            "terminate" => self.ask(Ask::Terminate(self.key(rest))),
            "restart" => self.ask(Ask::Restart(self.key(rest))),
            "delete" => self.ask(Ask::Delete(self.key(rest))),
            "after" => return self.pass(rest.parse().expect("seconds")),
            "states" => return self.states(),
            _ => panic!("`{verb}` is no verb of a script"),
        };
        let actions = self.step(input);
        self.render(&actions)
    }

    fn step(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        self.core.step(self.now_ns, input, &mut actions);
        for action in &actions {
            match *action {
                Action::Arm { timer, after } => drop(self.timers.insert(timer, self.now_ns + nanos(after))),
                Action::Disarm { timer } => drop(self.timers.remove(&timer).expect("it was armed")),
                Action::Start { key, run } => drop(self.runs.insert(key, run)),
                _ => {}
            }
        }
        self.ids.extend(self.core.children().map(|child| (child.key, child.id)));
        actions
    }

    /// Lets time pass, and timers fall due.
    fn pass(&mut self, seconds: u64) -> String {
        let until_ns = self.now_ns + seconds * 1_000_000_000;
        let mut all = Vec::new();
        loop {
            let next = self.timers.iter().map(|(&timer, &due_ns)| (due_ns, timer)).min();
            let Some((due_ns, timer)) = next.filter(|(due_ns, _)| *due_ns <= until_ns) else { break };
            self.timers.remove(&timer);
            self.now_ns = due_ns;
            all.extend(self.step(Input::Due { timer }));
        }
        self.now_ns = until_ns;
        self.render(&all)
    }

    fn ask(&mut self, ask: Ask) -> Input {
        self.requests += 1;
        Input::Operator { request: Request(self.requests), ask }
    }

    fn exited(&self, id: &str, reason: ExitReason) -> Input {
        Input::Exited { key: self.key(id), run: self.run(id), reason }
    }

    /// The last child that was called so.
    fn key(&self, id: &str) -> ChildKey {
        *self.ids.iter().rev().find(|(_, name)| &***name == id).expect("a child of the tree").0
    }

    /// Its last run.
    fn run(&self, id: &str) -> Run {
        *self.runs.get(&self.key(id)).expect("a child that was started")
    }

    fn states(&self) -> String {
        let states = self.core.children().map(|child| format!("{} {:?}", child.id, child.state));
        states.collect::<Vec<_>>().join(", ")
    }

    fn render(&self, actions: &[Action]) -> String {
        let render = |action: &Action| match action {
            Action::Admitted { key, .. } => Some(format!("admit {}", self.ids[key])),
            Action::Start { key, .. } => Some(format!("start {}", self.ids[key])),
            Action::Stop { key, how: StopHow::Shutdown, .. } => Some(format!("stop {}", self.ids[key])),
            Action::Stop { key, how: StopHow::Kill, .. } => Some(format!("kill {}", self.ids[key])),
            Action::Forget { key } => Some(format!("forget {}", self.ids[key])),
            Action::Report(Report { id, decision, .. }) => Some(format!("({id} {})", words(*decision))),
            Action::Answer { request, answer: Ok(_) } => Some(format!("#{} ok", request.0)),
            Action::Answer { request, answer: Err(refusal) } => Some(format!("#{} refused: {refusal}", request.0)),
            Action::Booted(Ok(())) => Some("booted".to_owned()),
            Action::Booted(Err(error)) => Some(format!("not booted: {error}")),
            Action::End { reason } => Some(format!("end by {reason}")),
            Action::Arm { .. } | Action::Disarm { .. } => None,
        };
        actions.iter().filter_map(render).collect::<Vec<_>>().join(", ")
    }
}

fn words(decision: Decision) -> String {
    match decision {
        Decision::Restarted => "restarted".to_owned(),
        Decision::RestartedIn(delay) => format!("in {delay:?}"),
        Decision::NotRestarted => "not restarted".to_owned(),
        Decision::GivenUp(_) => "given up".to_owned(),
        Decision::Escalated => "escalated".to_owned(),
        Decision::RolledBack => "rolled back".to_owned(),
        Decision::Overran(_) => "overran".to_owned(),
    }
}

fn boom() -> ExitReason {
    ExitReason::error("boom")
}

fn options(text: &str) -> Options {
    let mut options = Options::default();
    for word in text.split_whitespace() {
        match word {
            "one_for_one" => options.strategy = Strategy::OneForOne,
            "one_for_all" => options.strategy = Strategy::OneForAll,
            "rest_for_one" => options.strategy = Strategy::RestForOne,
            "any" => options.auto_shutdown = AutoShutdown::AnySignificant,
            "all" => options.auto_shutdown = AutoShutdown::AllSignificant,
            "concurrent" => options.concurrent = true,
            restarts => options.intensity.restarts = restarts.parse().expect("an intensity"),
        }
    }
    options
}

fn policy(text: &str) -> Policy {
    let mut words = text.split_whitespace();
    let mut policy = Policy::new(words.next().expect("a child has an id"));
    for word in words {
        match word.split_once('=').unwrap_or((word, "")) {
            ("transient", _) => policy.restart = Restart::Transient,
            ("temporary", _) => policy.restart = Restart::Temporary,
            ("significant", _) => policy.significant = true,
            ("brutal", _) => policy.shutdown = Shutdown::Brutal,
            ("infinite", _) => policy.shutdown = Shutdown::Infinite,
            ("after", id) => policy.wait_for.push(id.into()),
            ("delay", seconds) => {
                let first = Duration::from_secs(seconds.parse().expect("seconds"));
                let max = Duration::from_mins(1);
                policy.backoff = Some(Backoff { first, factor: 2.0, max, jitter: 0.0, reset_after: max });
            }
            ("budget", restarts) => {
                let restarts = restarts.parse().expect("a number of restarts");
                policy.budget = Some(Intensity { restarts, within: Duration::from_mins(10) });
            }
            _ => panic!("`{word}` says nothing about a child"),
        }
    }
    policy
}
