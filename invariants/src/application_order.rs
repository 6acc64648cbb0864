//! `application.order`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, is, measured, number, text};

/// What a step and an end may take beyond their limits: a kill, and those who are quick.
const SLACK_NS: u64 = 500_000_000;

/// The steps of an application begin in the order given, each when the one before is ready; after a
/// failure or the signal none begins any more, and the stages that stand stop in reverse, one by one,
/// all of them. Each step is done, and each stage stopped, within its limit, and the whole end within
/// the sum of those of the stages that stood. The exit code says what came of it.
///
/// Reads `otp.application.stage` {`stage`, `what`}, and of those who run applications, one at a time on
/// a node: `application.step` {`limit_ns`, `stage`, `hook`} of each step in order,
/// `application.signal`, and `application.outcome` {`code`}. Planted bugs:
/// `application.stops-in-order` stops the first stage first; `application.forgets-stage` rolls back all but the first.
#[derive(Debug, Default)]
pub struct ApplicationOrder {
    nodes: ByNode<Application>,
}

#[derive(Debug, Default)]
struct Application {
    steps: Vec<Step>,
    places: BTreeMap<String, usize>,
    /// How many steps have begun.
    begun: usize,
    failed: bool,
    killed: bool,
    /// When the end began, and until when it must be over.
    end_ns: Option<(u64, u64)>,
}

#[derive(Debug)]
struct Step {
    limit_ns: u64,
    hook: bool,
    state: State,
    since_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Starting,
    Ready,
    Failed,
    Stopping,
    Gone,
}

impl Invariant for ApplicationOrder {
    fn name(&self) -> &'static str {
        "application.order"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let application = self.nodes.of(seen.node);
        let now_ns = seen.at.0;
        let stage = text(seen, "stage");
        let wrong = match seen.event.name {
            "application.step" => {
                let (limit_ns, hook) = (measured(seen, "limit_ns"), is(seen, "hook"));
                application.places.insert(stage.to_owned(), application.steps.len());
                application.steps.push(Step { limit_ns, hook, state: State::Waits, since_ns: 0 });
                Ok(())
            }
            "application.signal" => {
                application.ends(now_ns);
                Ok(())
            }
            "otp.application.stage" => match application.places.get(stage) {
                Some(&place) => application.told(place, text(seen, "what"), now_ns),
                None => Err("is no step of it".to_owned()),
            },
            "application.outcome" => std::mem::take(application).over(number(seen, "code"), now_ns),
            _ => Ok(()),
        };
        wrong.map_err(|why| format!("{}: {stage} {why}", seen.node))
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Application {
    fn told(&mut self, place: usize, what: &str, now_ns: u64) -> Result<(), String> {
        let last_is_ready = self.begun == 0 || self.steps[self.begun - 1].state == State::Ready;
        let top = self.steps.iter().rposition(Step::stands);
        let step = &mut self.steps[place];
        let before = step.state;
        let in_time = now_ns - step.since_ns <= step.limit_ns + SLACK_NS;
        step.state = match what {
            "starting" if self.end_ns.is_some() => return Err("begins, though the end has begun".to_owned()),
            "starting" if place != self.begun || before != State::Waits => return Err("begins out of turn".to_owned()),
            "starting" if !last_is_ready => return Err("begins before the one before it is ready".to_owned()),
            "starting" => State::Starting,
            "stopping" if self.end_ns.is_none() => return Err("is stopped, though nothing ends".to_owned()),
            "stopping" if top != Some(place) => {
                return Err(format!("is stopped out of turn: step {place}, while step {top:?} stands"));
            }
            "stopping" => State::Stopping,
            _ if !in_time => return Err(format!("is {what} after {} ns", now_ns - step.since_ns)),
            "ready" if before == State::Starting => State::Ready,
            "failed" if before == State::Starting => State::Failed,
            "stopped" | "killed" if before == State::Stopping => State::Gone,
            _ => return Err(format!("is {what}, and was {before:?}")),
        };
        if matches!(what, "starting" | "stopping") {
            step.since_ns = now_ns;
        }
        match what {
            "starting" => self.begun += 1,
            "failed" => {
                self.failed = true;
                self.ends(now_ns);
            }
            "killed" => self.killed = true,
            _ => {}
        }
        Ok(())
    }

    /// It ends from now on, within the limits of what stands.
    fn ends(&mut self, now_ns: u64) {
        let limits_ns: u64 = self.steps.iter().filter(|step| step.stands()).map(|step| step.limit_ns).sum();
        self.end_ns.get_or_insert((now_ns, now_ns + limits_ns + SLACK_NS));
    }

    fn over(self, code: u64, now_ns: u64) -> Result<(), String> {
        if let Some(left) = self.steps.iter().position(Step::stands) {
            return Err(format!("it is over, and step {left} was not stopped"));
        }
        if let Some((began_ns, until_ns)) = self.end_ns
            && now_ns > until_ns
        {
            return Err(format!("its end took {} ns, and may take {}", now_ns - began_ns, until_ns - began_ns));
        }
        let expected = match self {
            Self { failed: true, .. } => 3,
            Self { killed: true, .. } => 5,
            _ => 0,
        };
        if code == expected { Ok(()) } else { Err(format!("its code is {code}, and should be {expected}")) }
    }
}

impl Step {
    fn stands(&self) -> bool {
        !self.hook && matches!(self.state, State::Starting | State::Ready | State::Stopping)
    }
}
