//! `call.one_reply_or_error`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Moment, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// How long the news may take that no answer will come.
const NEWS_NS: u64 = 1_000_000;

/// Each call ends exactly once, with its answer or an error, within its limit; and at once when its
/// server has ended or its reply was dropped.
///
/// Reads, of callers, `call.begin` {`limit_ns`, `id`, `server`}, `call.end` {`id`, `result`: `ok` or
/// a code} and `call.gone` {`id`} of a caller that ended itself; of who answers, `call.answered` {`id`}
/// before it does and `call.dropped` {`id`}; and `otp.process.stop`. Planted bugs:
/// `otp.call-forgets-the-dead` waits out its limit, `otp.reply-forgotten` says nothing of a drop.
#[derive(Debug, Default)]
pub struct CallOneReplyOrError {
    nodes: ByNode<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    open: BTreeMap<u64, Open>,
    /// When the open calls must be over, the next first.
    due_ns: BTreeSet<(u64, u64)>,
    answered: BTreeSet<u64>,
}

#[derive(Debug)]
struct Open {
    server: u64,
    due_ns: u64,
}

impl Invariant for CallOneReplyOrError {
    fn name(&self) -> &'static str {
        "call.one_reply_or_error"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let calls = self.nodes.of(seen.node);
        if let Some((due_ns, id)) = calls.due_ns.first().filter(|(due_ns, _)| seen.at.0 > *due_ns) {
            return Err(format!("call {id} should have been over at {}", Moment(*due_ns)));
        }
        let id = number(seen, "id");
        match seen.event.name {
            "call.begin" => {
                let due_ns = seen.at.0 + measured(seen, "limit_ns") + NEWS_NS;
                calls.open.insert(id, Open { server: number(seen, "server"), due_ns });
                calls.due_ns.insert((due_ns, id));
            }
            "call.end" => return calls.end(id, text(seen, "result")),
            "call.gone" => drop(calls.close(id)),
            "call.answered" if !calls.answered.insert(id) => return Err(format!("call {id} was answered twice")),
            "call.dropped" => calls.hurry(id, seen.at.0),
            "otp.process.stop" => {
                let server = number(seen, "process");
                let ids: Vec<u64> =
                    calls.open.iter().filter(|(_, call)| call.server == server).map(|(id, _)| *id).collect();
                ids.into_iter().for_each(|id| calls.hurry(id, seen.at.0));
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Calls {
    fn close(&mut self, id: u64) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.due_ns.remove(&(open.due_ns, id));
        Some(open)
    }

    fn end(&mut self, id: u64, result: &str) -> Result<(), String> {
        if self.close(id).is_none() {
            return Err(format!("call {id} ended twice"));
        }
        if result == "ok" && !self.answered.contains(&id) {
            return Err(format!("call {id} has an answer that nobody gave"));
        }
        Ok(())
    }

    /// The call must end now.
    fn hurry(&mut self, id: u64, now: u64) {
        if let Some(open) = self.open.get_mut(&id) {
            self.due_ns.remove(&(open.due_ns, id));
            open.due_ns = open.due_ns.min(now + NEWS_NS);
            self.due_ns.insert((open.due_ns, id));
        }
    }
}
