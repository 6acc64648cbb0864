//! What operators ask for. Each request is answered once: now, or when the child is ready or gone.

use super::{Action, Ask, Asked, ChildKey, Core, Life, Phase, Policy, Refusal, Request, Wish, order};
use crate::supervisor::order::ConfigError;
use crate::supervisor::policy::Restart;

impl Core {
    pub(super) fn ask(&mut self, request: Request, ask: Ask) {
        let done = match ask {
            _ if matches!(self.phase, Phase::Ending { .. } | Phase::Ended) => Err(Refusal::Ending),
            Ask::Start(policy) => self.ask_start(request, policy),
            Ask::Terminate(key) => self.known(key).and_then(|()| self.ask_terminate(request, key)),
            Ask::Remove(key) => self.known(key).and_then(|()| self.ask_remove(request, key)),
            Ask::Restart(key) => self.known(key).and_then(|()| self.ask_restart(request, key)),
            Ask::Delete(key) => self.known(key).and_then(|()| self.ask_delete(key)),
        };
        match done {
            Ok(Done::Later) => {}
            Ok(Done::Now(key)) => self.out.push(Action::Answer { request, answer: Ok(key) }),
            Err(refusal) => self.out.push(Action::Answer { request, answer: Err(refusal) }),
        }
    }

    fn known(&self, key: ChildKey) -> Result<(), Refusal> {
        if self.children.contains_key(&key) { Ok(()) } else { Err(Refusal::NotFound) }
    }

    fn ask_start(&mut self, request: Request, policy: Policy) -> Result<Done, Refusal> {
        if self.ids.contains_key(&policy.id) {
            return Err(Refusal::AlreadyPresent(policy.id));
        }
        order::check_significance(&policy, self.options.auto_shutdown)?;
        if let Some(unknown) = policy.wait_for.iter().find(|id| !self.ids.contains_key(*id)) {
            let unknown = unknown.clone();
            return Err(ConfigError::UnknownSibling { child: policy.id, unknown }.into());
        }
        let key = self.add(policy);
        self.change(key, |child| child.asked = Some(Asked::Start(request)));
        self.out.push(Action::Admitted { request, key });
        Ok(Done::Later)
    }

    fn ask_terminate(&mut self, request: Request, key: ChildKey) -> Result<Done, Refusal> {
        if let Some(Asked::Terminate(_)) = self.children[&key].asked {
            return Err(Refusal::Busy);
        }
        self.answer_start(key, Err(Refusal::Stopped));
        self.cancel_wait(key);
        self.hold(key);
        self.change(key, super::Child::doom);
        if self.children[&key].doomed {
            self.change(key, |child| child.asked = Some(Asked::Terminate(request)));
            return Ok(Done::Later);
        }
        if self.children[&key].is_temporary() {
            self.remove(key);
        }
        Ok(Done::Now(key))
    }

    /// From now on it is one that is forgotten once it is gone, also if nobody is left to ask for that.
    fn ask_remove(&mut self, request: Request, key: ChildKey) -> Result<Done, Refusal> {
        self.change(key, |child| child.policy.restart = Restart::Temporary);
        self.ask_terminate(request, key)
    }

    fn ask_restart(&mut self, request: Request, key: ChildKey) -> Result<Done, Refusal> {
        let asked = if self.cancel_wait(key) {
            Asked::Hurry(request)
        } else if self.is_down(key) {
            Asked::Restart(request)
        } else {
            return Err(Refusal::NotDown);
        };
        self.change(key, |child| {
            child.wish = Wish::Up;
            child.failures = 0;
            child.asked = Some(asked);
            if let Some(budget) = &mut child.budget {
                budget.clear();
            }
        });
        Ok(Done::Later)
    }

    fn ask_delete(&mut self, key: ChildKey) -> Result<Done, Refusal> {
        if !self.is_down(key) {
            return Err(Refusal::NotDown);
        }
        self.remove(key);
        Ok(Done::Now(key))
    }

    /// Whether a child is down and stays down.
    fn is_down(&self, key: ChildKey) -> bool {
        let child = &self.children[&key];
        child.life == Life::Down && !child.is_wanted()
    }
}

/// When a request is answered.
enum Done {
    Now(ChildKey),
    Later,
}
