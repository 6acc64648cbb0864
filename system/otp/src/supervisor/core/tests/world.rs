//! A world of fake processes around a core. It does what the core says, lets processes start, fail,
//! crash and end, and holds every action against what must always be true. It keeps accounts of its
//! own: it believes the core about nothing but who is called what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ExitReason;
use crate::supervisor::core::*;
use crate::supervisor::policy::{Backoff, Restart};

/// The delay of children that have one: how the world tells these timers from limits.
const DELAY: Duration = Duration::from_secs(1);

/// No time passes in the world, so that all restarts are within the window.
pub(super) const INTENSITY: u32 = 2;

/// What may happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Boot,
    /// A process that starts is ready; also one that was asked to end meanwhile.
    Ready(ChildKey),
    /// A process that was told to end does.
    Obeys(ChildKey),
    DelayOver(Timer),
    /// From here on: faults.
    Crash(ChildKey),
    EndsInOrder(ChildKey),
    StartFails(ChildKey),
    /// A limit of a start or a stop is over.
    LimitOver(Timer),
    Terminate(ChildKey),
    Restart(ChildKey),
    Delete(ChildKey),
    StartAnother,
    Shutdown,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) core: Core,
    options: Options,
    processes: BTreeMap<ChildKey, Process>,
    kinds: BTreeMap<ChildKey, Restart>,
    timers: BTreeMap<Timer, Duration>,
    /// Children that an operator terminated.
    held: BTreeSet<ChildKey>,
    /// Transient children that ended in order, and may stay down.
    finished: BTreeSet<ChildKey>,
    /// Children that were started once.
    were_started: BTreeSet<ChildKey>,
    /// Children that were ready once.
    were_ready: BTreeSet<ChildKey>,
    unanswered: BTreeSet<Request>,
    requests: u64,
    last_run: Option<Run>,
    restarted: u32,
    /// Lives that a restart takes down before anything starts.
    must_go: BTreeSet<Run>,
    booted: Option<bool>,
    is_ending: bool,
    is_over: bool,
}

#[derive(Debug, Clone, Copy)]
struct Process {
    run: Run,
    is_ready: bool,
    asked: bool,
    killed: bool,
}

/// The delay of children that wait before a restart.
pub(super) fn backoff() -> Backoff {
    Backoff { first: DELAY, factor: 1.0, max: DELAY, jitter: 0.0, reset_after: DELAY }
}

/// Fails with what was expected.
macro_rules! must {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

impl World {
    pub(super) fn new(options: Options, policies: Vec<Policy>, planted: Option<&'static str>) -> Self {
        let intensity = Intensity { restarts: INTENSITY, within: Duration::from_hours(1) };
        let options = Options { intensity, ..options };
        let mut core = Core::new(options, policies, 0).unwrap();
        core.planted = planted;
        let kinds = core.children().map(|child| (child.key, core.policy(child.key).unwrap().restart)).collect();
        Self {
            core,
            options,
            processes: BTreeMap::new(),
            kinds,
            timers: BTreeMap::new(),
            held: BTreeSet::new(),
            finished: BTreeSet::new(),
            were_started: BTreeSet::new(),
            were_ready: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            requests: 0,
            last_run: None,
            restarted: 0,
            must_go: BTreeSet::new(),
            booted: None,
            is_ending: false,
            is_over: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What leads on without any fault. If there is nothing, all is settled.
    pub(super) fn progress(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (&key, process) in &self.processes {
            if process.asked || process.killed {
                events.push(Event::Obeys(key));
            } else if !process.is_ready {
                events.push(Event::Ready(key));
            }
        }
        events.extend(
            self.timers.iter().filter(|(_, after)| **after == DELAY).map(|(&timer, _)| Event::DelayOver(timer)),
        );
        events
    }

    /// What may go wrong, or be wanted.
    pub(super) fn faults(&self) -> Vec<Event> {
        if self.is_over {
            return Vec::new();
        }
        let mut events = vec![Event::Shutdown];
        for (&key, process) in &self.processes {
            match process {
                Process { killed: true, .. } => {}
                Process { is_ready: true, .. } => events.extend([Event::Crash(key), Event::EndsInOrder(key)]),
                Process { asked: true, .. } => events.extend([Event::Ready(key), Event::StartFails(key)]),
                Process { .. } => events.push(Event::StartFails(key)),
            }
        }
        events.extend(
            self.timers.iter().filter(|(_, after)| **after != DELAY).map(|(&timer, _)| Event::LimitOver(timer)),
        );
        for &key in self.kinds.keys() {
            events.extend([Event::Terminate(key), Event::Restart(key)]);
        }
        events
    }

    /// Faults that the random walk adds: they change who there is.
    pub(super) fn changes(&self) -> Vec<Event> {
        let mut events: Vec<_> = self.kinds.keys().map(|&key| Event::Delete(key)).collect();
        events.extend((self.kinds.len() < 6).then_some(Event::StartAnother));
        events
    }

    /// Lets an event happen, and does and checks all that the core says about it.
    pub(super) fn step(&mut self, event: Event) -> Result<(), String> {
        let input = self.input(event);
        let mut actions = Vec::new();
        self.core.step(0, input, &mut actions);
        for action in actions {
            self.act(&action).map_err(|error| format!("{error}, at {action:?}"))?;
        }
        if self.progress().is_empty() && self.booted.is_some() { self.check_settled() } else { Ok(()) }
    }

    fn input(&mut self, event: Event) -> Input {
        let boom = ExitReason::error("boom");
        match event {
            Event::Boot => Input::Boot,
            Event::Ready(key) => {
                let process = self.processes.get_mut(&key).expect("it starts");
                process.is_ready = true;
                if !process.asked {
                    self.were_ready.insert(key);
                }
                Input::Started { key, run: process.run }
            }
            Event::Obeys(key) => self.end(key, ExitReason::shutdown("asked")),
            Event::Crash(key) | Event::StartFails(key) => self.end(key, boom),
            Event::EndsInOrder(key) => self.end(key, ExitReason::Normal),
            Event::DelayOver(timer) | Event::LimitOver(timer) => {
                self.timers.remove(&timer);
                Input::Due { timer }
            }
            Event::Terminate(key) => {
                self.held.insert(key);
                self.ask(Ask::Terminate(key))
            }
            Event::Restart(key) => self.ask(Ask::Restart(key)),
            Event::Delete(key) => self.ask(Ask::Delete(key)),
            Event::StartAnother => self.ask(Ask::Start(Policy::new(&format!("another {}", self.requests)))),
            Event::Shutdown => {
                self.is_ending = true;
                Input::Shutdown { reason: ExitReason::shutdown("enough") }
            }
        }
    }

    fn ask(&mut self, ask: Ask) -> Input {
        self.requests += 1;
        let request = Request(self.requests);
        self.unanswered.insert(request);
        Input::Operator { request, ask }
    }

    fn end(&mut self, key: ChildKey, reason: ExitReason) -> Input {
        let Process { run, is_ready, asked, killed } = self.processes.remove(&key).expect("it lives");
        if !asked && !killed && reason.is_orderly() && self.kinds.get(&key) == Some(&Restart::Transient) {
            self.finished.insert(key);
        }
        self.must_go.remove(&run);
        if is_ready { Input::Exited { key, run, reason } } else { Input::StartFailed { key, run, reason } }
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        must!(!self.is_over || matches!(action, Action::Answer { .. }), "something is done after the end");
        match action {
            Action::Admitted { key, .. } => drop(self.kinds.insert(*key, Restart::Permanent)),
            Action::Start { key, run } => self.start(*key, *run)?,
            Action::Stop { key, run, how } => self.stop(*key, *run, *how)?,
            Action::Forget { key } => {
                must!(!self.processes.contains_key(key), "a child is forgotten that has a process");
                must!(self.kinds.remove(key).is_some(), "a child is forgotten twice");
            }
            Action::Arm { timer, after } => must!(self.timers.insert(*timer, *after).is_none(), "armed twice"),
            Action::Disarm { timer } => must!(self.timers.remove(timer).is_some(), "disarmed, and not armed"),
            Action::Report(report) => self.reported(report)?,
            Action::Answer { request, answer } => {
                must!(self.unanswered.remove(request), "an answer to nobody");
                self.answered(answer);
            }
            Action::Booted(result) => {
                must!(self.booted.is_none(), "booted twice");
                self.booted = Some(result.is_ok());
            }
            Action::End { .. } => {
                must!(self.processes.is_empty(), "orphans: {:?}", self.processes.keys());
                must!(self.booted.is_some(), "ended, and nobody heard of the boot");
                must!(self.timers.is_empty(), "ended with timers");
                (self.is_ending, self.is_over) = (true, true);
            }
        }
        Ok(())
    }

    fn start(&mut self, key: ChildKey, run: Run) -> Result<(), String> {
        must!(!self.is_ending, "a start during the end");
        must!(!self.processes.contains_key(&key), "two lives of one child");
        must!(self.last_run < Some(run), "a run is numbered twice");
        must!(self.kinds.contains_key(&key), "a child is started that is not known");
        let again = !self.were_started.insert(key);
        must!(!again || self.kinds[&key] != Restart::Temporary, "a temporary child is restarted");
        must!(self.must_go.is_empty(), "a start before all of the group are gone");
        if self.is_in_order() {
            let busy = self.processes.values().any(|process| !process.is_ready || process.asked || process.killed);
            must!(!busy, "a start beside another start or stop");
            let down = |earlier: &ChildKey| !self.processes.contains_key(earlier);
            let mut earlier = self.kinds.keys().take_while(|earlier| **earlier < key).filter(|earlier| down(earlier));
            let may_be_down = |earlier: &ChildKey| self.held.contains(earlier) || self.finished.contains(earlier);
            must!(earlier.all(may_be_down), "a start before that of an earlier sibling");
        }
        self.last_run = Some(run);
        self.finished.remove(&key);
        self.processes.insert(key, Process { run, is_ready: false, asked: false, killed: false });
        Ok(())
    }

    fn stop(&mut self, key: ChildKey, run: Run, how: StopHow) -> Result<(), String> {
        let in_order = self.is_in_order();
        let is_last = self.processes.keys().all(|&other| other <= key);
        let others = self.processes.iter().filter(|(other, _)| **other != key);
        let beside = others.filter(|(_, process)| process.asked).count();
        let held = self.held.contains(&key);
        let Some(process) = self.processes.get_mut(&key).filter(|process| process.run == run) else {
            return Err("a stop of what is not there".to_owned());
        };
        must!(!process.killed, "a stop after a kill");
        must!(how == StopHow::Kill || !process.asked, "asked to end twice");
        if in_order && how == StopHow::Shutdown {
            must!(beside == 0, "a stop beside another");
            must!(is_last || (held && !self.is_ending), "a stop out of order");
        }
        match how {
            StopHow::Shutdown => process.asked = true,
            StopHow::Kill => process.killed = true,
        }
        Ok(())
    }

    fn reported(&mut self, report: &Report) -> Result<(), String> {
        match report.decision {
            Decision::Restarted | Decision::RestartedIn(_) => {
                self.restarted += 1;
                must!(self.restarted <= INTENSITY, "more restarts than the intensity bears");
                let first = match self.options.strategy {
                    Strategy::OneForOne => return Ok(()),
                    Strategy::OneForAll => ChildKey(0),
                    Strategy::RestForOne => report.key,
                };
                // The group's finished come back: they may not be down any longer.
                self.finished.retain(|&key| key < first);
                self.must_go.extend(self.processes.range(first..).map(|(_, process)| process.run));
            }
            Decision::Escalated => {
                must!(self.restarted == INTENSITY, "escalated after {} restarts", self.restarted);
                self.is_ending = true;
            }
            Decision::RolledBack => {
                must!(!self.were_ready.contains(&report.key), "a restart is rolled back");
                self.is_ending = true;
            }
            Decision::NotRestarted => {
                // An operator's start that failed leaves the child down.
                if !self.finished.contains(&report.key) {
                    self.held.insert(report.key);
                }
            }
            Decision::GivenUp(_) | Decision::Overran(_) => {}
        }
        Ok(())
    }

    fn answered(&mut self, answer: &Result<ChildKey, Refusal>) {
        if let Ok(key) = answer
            && self.processes.get(key).is_some_and(|process| process.is_ready && !process.asked)
        {
            self.held.remove(key);
        }
    }

    /// Nothing is under way: then all must be as it should be.
    fn check_settled(&self) -> Result<(), String> {
        must!(self.unanswered.is_empty(), "{} requests were never answered", self.unanswered.len());
        must!(!self.is_ending || self.is_over, "the end does not come");
        must!(self.timers.is_empty(), "timers are armed for nothing");
        if self.is_over {
            return Ok(());
        }
        for (&key, &kind) in &self.kinds {
            let lives = self.processes.contains_key(&key);
            let may_be_down = self.held.contains(&key) || (kind == Restart::Transient && self.finished.contains(&key));
            must!(lives || may_be_down, "{key:?} is down, and nobody starts it");
        }
        let known: BTreeSet<_> = self.kinds.keys().copied().collect();
        let listed: BTreeSet<_> = self.core.children().map(|child| child.key).collect();
        must!(known == listed, "the core lists others than those that there are");
        let running = self.core.children().filter(|child| child.state == ChildState::Running).count();
        must!(running == self.processes.len(), "the core counts others than those that run");
        Ok(())
    }

    fn is_in_order(&self) -> bool {
        let is_up = self.booted.is_some() && !self.is_ending;
        self.options.strategy != Strategy::OneForOne || !(is_up || self.options.concurrent)
    }
}
