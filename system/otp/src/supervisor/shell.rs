//! The process around the core: carries out what it decides.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::ready;
use std::time::Duration;

use simurgh_runtime::collections::HashMap;
use simurgh_runtime::{Instant, Label, random};
use simurgh_sync::mailbox::Entry;
use simurgh_sync::port;
use simurgh_telemetry::event;
use tokio::task::coop;

mod crowd;

use self::crowd::Members;
use super::core::{
    Action, Ask, ChildKey, Core, Decision, Input, Options, Refusal, Report, Request, Run, StopHow, Timer,
};
use super::policy::{Restart, Shutdown};
use super::reference::{ChildInfo, Message};
use super::spec::ChildSpec;
use crate::cell::{Process, Served};
use crate::crash::CrashReport;
use crate::crowd::{Crowd, NoRoom};
use crate::run::begin;
use crate::signal::{Signal, Wish};
use crate::timer::{TimerRef, Timers};
use crate::{ExitReason, Pid, Reply};

/// A supervisor at work.
pub(super) struct Shell {
    me: Arc<Served<Message>>,
    core: Core,
    since: Instant,
    specs: HashMap<ChildKey, ChildSpec>,
    lives: HashMap<Pid, Life>,
    pids: HashMap<Run, Arc<dyn Process>>,
    timers: Timers<Timer>,
    armed: HashMap<Timer, TimerRef>,
    requests: HashMap<Request, Asked>,
    next_request: u64,
    out: Vec<Action>,
    /// Crashes that wait for what is decided about them.
    crashes: Vec<(Run, Box<CrashReport>)>,
    /// Decisions about lives that have not ended yet: those that overran their shutdown.
    overruns: HashMap<Run, String>,
    begun: Option<port::Sender<()>>,
    /// Of a dynamic supervisor: the children that were not started here.
    members: Option<Members>,
}

struct Life {
    key: ChildKey,
    run: Run,
    ready: bool,
}

/// A request under way.
struct Asked {
    spec: Option<ChildSpec>,
    reply: Reply<Result<Option<Pid>, Refusal>>,
}

/// What comes next.
enum Event {
    Entry(Entry<Message, Signal>),
    Due(Timer),
}

impl Shell {
    pub(super) fn new(
        me: Arc<Served<Message>>,
        core: Core,
        specs: HashMap<ChildKey, ChildSpec>,
        begun: Option<port::Sender<()>>,
    ) -> Self {
        Self {
            me,
            core,
            since: Instant::now(),
            specs,
            lives: HashMap::default(),
            pids: HashMap::default(),
            timers: Timers::default(),
            armed: HashMap::default(),
            requests: HashMap::default(),
            next_request: 0,
            out: Vec::new(),
            crashes: Vec::new(),
            overruns: HashMap::default(),
            begun,
            members: None,
        }
    }

    /// Of a dynamic supervisor, whose members are stopped like this.
    pub(super) fn with_members(mut self, how: Shutdown) -> Self {
        self.members = Some(Members::new(how));
        self
    }

    /// Supervises until the core says that it is over.
    pub(super) async fn run(mut self) -> ExitReason {
        let Options { strategy, intensity, .. } = self.core.options();
        event!("otp.supervisor.start", { restarts: intensity.restarts, within_ns: intensity.within.as_nanos() }, {
            supervisor: self.me.core.pid().number(), strategy: strategy.name(),
        });
        let mut over = self.step(Input::Boot);
        while over.is_none() {
            let event = self.next().await;
            over = self.handle(event);
        }
        self.outlive_members().await;
        event!("otp.supervisor.over", {}, { supervisor: self.me.core.pid().number() });
        over.unwrap_or(ExitReason::Normal)
    }

    fn handle(&mut self, event: Event) -> Option<ExitReason> {
        match event {
            Event::Due(timer) => {
                self.armed.remove(&timer);
                self.step(Input::Due { timer })
            }
            Event::Entry(Entry::Message(message)) => self.asked(message),
            Event::Entry(Entry::Signal(signal)) => self.told(signal),
        }
    }

    async fn next(&mut self) -> Event {
        poll_fn(|cx| {
            let coop = ready!(coop::poll_proceed(cx));
            if let Some(timer) = self.timers.poll_due(cx) {
                coop.made_progress();
                return std::task::Poll::Ready(Event::Due(timer));
            }
            let entry = ready!(self.me.mailbox.poll_next(cx));
            coop.made_progress();
            if simurgh_runtime::planted!("supervisor.exit-lost-to-preemption") {
                drop(ready!(coop::poll_proceed(cx))); // with an exit in hand
            }
            std::task::Poll::Ready(Event::Entry(match entry {
                Entry::Message(parcel) => Entry::Message(parcel.value),
                Entry::Signal(signal) => Entry::Signal(*signal),
            }))
        })
        .await
    }

    /// Tells the core, and does what it says; the reason if that is to end.
    fn step(&mut self, input: Input) -> Option<ExitReason> {
        let now_ns = self.since.elapsed().as_nanos() as u64;
        let mut out = std::mem::take(&mut self.out);
        let was_ending = self.core.is_ending();
        self.core.step(now_ns, input, &mut out);
        if self.core.is_ending() {
            if !was_ending {
                event!("otp.supervisor.ending", {}, { supervisor: self.me.core.pid().number() });
            }
            self.ask_members();
        }
        let mut over = None;
        for action in out.drain(..) {
            if let Action::End { reason } = action {
                over = Some(reason);
            } else {
                self.act(action);
            }
        }
        self.out = out;
        // What nothing was decided about: a child that was being stopped.
        for (run, crash) in self.crashes.drain(..) {
            let overrun = self.overruns.get(&run).map(String::as_str);
            crash.decided(overrun.unwrap_or("none: it was being stopped")).tell();
        }
        over
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { key, run } => self.start(key, run),
            Action::Stop { run, how, .. } => self.stop(run, how),
            Action::Admitted { request, key } => {
                if let Some(spec) = self.requests.get_mut(&request).and_then(|asked| asked.spec.take()) {
                    self.specs.insert(key, spec);
                }
            }
            Action::Forget { key } => {
                self.specs.remove(&key);
                self.me.core.crowd(Crowd::forget);
            }
            Action::Arm { timer, after } => {
                let armed = self.timers.add(after, timer);
                self.armed.insert(timer, armed);
            }
            Action::Disarm { timer } => {
                if let Some(armed) = self.armed.remove(&timer) {
                    self.timers.cancel(armed);
                }
            }
            Action::Report(report) => self.report(&report),
            Action::Answer { request, answer } => self.answer(request, answer),
            Action::Booted(Ok(())) => {
                event!("otp.supervisor.up", { children: self.core.count().specs });
                begin(&self.me.core, self.begun.take());
            }
            Action::Booted(Err(error)) => {
                event!("otp.supervisor.rolled_back", {}, { reason: error.reason.kind() });
                drop(self.begun.take());
            }
            Action::End { .. } => {}
        }
    }

    fn start(&mut self, key: ChildKey, run: Run) {
        let Some(spec) = self.specs.get(&key) else { return };
        let me = Arc::clone(&self.me) as Arc<dyn Process>;
        let child = (spec.start)(me, Label::Owned(Arc::clone(&spec.policy.id)));
        event!("otp.child.start", { run: run.0, place: key.0 }, {
            supervisor: self.me.core.pid().number(), child: &*spec.policy.id, process: child.pid().number(),
            permanent: spec.policy.restart == Restart::Permanent,
        });
        self.lives.insert(child.pid(), Life { key, run, ready: false });
        self.pids.insert(run, child);
    }

    fn stop(&mut self, run: Run, how: StopHow) {
        let Some(child) = self.pids.get(&run) else { return };
        let reason = match how {
            StopHow::Kill => ExitReason::Kill,
            StopHow::Shutdown => ExitReason::shutdown("its supervisor stops it"),
        };
        event!("otp.child.stop", {}, {
            supervisor: self.me.core.pid().number(), process: child.pid().number(), asked: how == StopHow::Shutdown,
        });
        let asked = how == StopHow::Shutdown && child.signal(Box::new(Signal::Shutdown(reason.clone()))).is_ok();
        if !asked {
            child.core().doom(reason);
        }
    }

    fn told(&mut self, signal: Signal) -> Option<ExitReason> {
        match signal {
            Signal::ChildExit(exit, report) => {
                let Some(Life { key, run, ready }) = self.lives.remove(&exit.pid) else {
                    return report.and_then(|report| {
                        report.tell();
                        None
                    });
                };
                self.pids.remove(&run);
                self.crashes.extend(report.map(|report| (run, report)));
                let reason = exit.reason;
                event!("otp.child.exit", {}, {
                    supervisor: self.me.core.pid().number(), process: exit.pid.number(), reason: reason.kind(),
                });
                let over = self.step(if ready {
                    Input::Exited { key, run, reason }
                } else {
                    Input::StartFailed { key, run, reason }
                });
                self.overruns.remove(&run);
                over
            }
            Signal::Ready(pid) => {
                let life = self.lives.get_mut(&pid)?;
                life.ready = true;
                let (key, run) = (life.key, life.run);
                event!("otp.child.ready", {}, { supervisor: self.me.core.pid().number(), process: pid.number() });
                self.step(Input::Started { key, run })
            }
            Signal::Exit(exit) if self.me.core.parent.as_ref().is_some_and(|parent| parent.pid() == exit.pid) => {
                self.step(Input::Shutdown { reason: exit.reason })
            }
            Signal::Shutdown(reason) => self.step(Input::Shutdown { reason }),
            Signal::Operator(Wish::Describe(to)) => {
                let count = self.core.count();
                let _ = to.send(format!("supervisor of {} children, {} ready", count.specs, count.running));
                None
            }
            // A supervisor that is suspended would supervise nobody.
            Signal::Operator(_) | Signal::Exit(_) | Signal::Down { .. } => None,
        }
    }

    fn asked(&mut self, message: Message) -> Option<ExitReason> {
        let key_of = |core: &Core, id: &str| core.key_of(id).ok_or(Refusal::NotFound);
        let (ask, spec, reply) = match message {
            Message::Start(spec, reply) => (Ok(Ask::Start(spec.policy.clone())), Some(*spec), reply),
            Message::Terminate(id, reply) => (key_of(&self.core, &id).map(Ask::Terminate), None, reply),
            Message::Remove(id, reply) => (key_of(&self.core, &id).map(Ask::Remove), None, reply),
            Message::Restart(id, reply) => (key_of(&self.core, &id).map(Ask::Restart), None, reply),
            Message::Delete(id, reply) => (key_of(&self.core, &id).map(Ask::Delete), None, reply),
            Message::Which(reply) => {
                reply.send(self.which());
                return None;
            }
            Message::Count(reply) => {
                reply.send(self.core.count());
                return None;
            }
        };
        let ask = match ask {
            Ok(ask) => ask,
            Err(refusal) => {
                reply.send(Err(refusal));
                return None;
            }
        };
        let room = if spec.is_some() { self.me.core.crowd(Crowd::keep) } else { None };
        if let Some(Err(refused)) = room {
            reply.send(Err(match refused {
                NoRoom::Full { limit } => Refusal::MaxChildren { limit },
                NoRoom::Ended => Refusal::Ending,
            }));
            return None;
        }
        self.next_request += 1;
        let request = Request(self.next_request);
        self.requests.insert(request, Asked { spec, reply });
        self.step(Input::Operator { request, ask })
    }

    fn answer(&mut self, request: Request, answer: Result<ChildKey, Refusal>) {
        let Some(asked) = self.requests.remove(&request) else { return };
        if asked.spec.is_some() {
            self.me.core.crowd(Crowd::forget); // it was not admitted
        }
        let pid = |key| self.lives.iter().find(|(_, life)| life.key == key).map(|(pid, _)| *pid);
        asked.reply.send(answer.map(pid));
    }

    fn which(&self) -> Vec<ChildInfo> {
        self.core
            .children()
            .map(|child| ChildInfo {
                pid: child.run.and_then(|run| self.pids.get(&run)).map(|process| process.pid()),
                id: child.id,
                state: child.state,
                restarts: child.restarts,
            })
            .collect()
    }

    fn report(&mut self, report: &Report) {
        let decision = words(&report.decision);
        let delay = if let Decision::RestartedIn(delay) = report.decision { delay } else { Duration::ZERO };
        event!("otp.supervisor.decision", { delay_ns: delay.as_nanos() }, {
            supervisor: self.me.core.pid().number(),
            child: &*report.id,
            reason: report.reason.kind(),
            decision: &*decision,
        });
        let place = self.crashes.iter().position(|(run, _)| *run == report.run);
        if let Some(place) = place {
            let (_, crash) = self.crashes.swap_remove(place);
            crash.decided(&decision).tell();
        } else if matches!(report.decision, Decision::Overran(_)) {
            self.overruns.insert(report.run, decision);
        }
    }
}

/// What was decided, in words.
fn words(decision: &Decision) -> String {
    match decision {
        Decision::Restarted => "restarted".into(),
        Decision::RestartedIn(delay) => format!("restarted in {delay:?}"),
        Decision::NotRestarted => "not restarted".into(),
        Decision::GivenUp(budget) => {
            format!("given up: more than {} restarts in {:?}", budget.restarts, budget.within)
        }
        Decision::Escalated => "one restart too many: its supervisor ends too".into(),
        Decision::RolledBack => "its supervisor does not come up".into(),
        Decision::Overran(limit) => format!("killed: it had not stopped within {limit:?}"),
    }
}

/// A seed for the jitter of delays.
pub(super) fn dice() -> u64 {
    random::u64()
}
