//! `mailbox.bounded`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, measured, number, text};

/// A mailbox never holds more messages than its bound, and each message that was taken is handled or
/// was said to be shed: nothing is lost silently.
///
/// Reads `otp.mailbox.shed` {`process`, `how`}; of senders `mailbox.sent` {`process`} when a message was
/// taken; of servers `mailbox.handled` {`process`}; and `mailbox.census` {`high_water`, `shed`, `bound`,
/// `process`} when all is handled. Planted bugs: `otp.mailbox-off-by-one` has room for one more,
/// `otp.block-loses` drops what waited too long, `otp.shed-unsaid` says nothing of what it sheds.
#[derive(Debug, Default)]
pub struct MailboxBounded {
    nodes: ByNode<BTreeMap<u64, Accounts>>,
}

#[derive(Debug, Default)]
struct Accounts {
    sent: u64,
    handled: u64,
    shed: u64,
    replaced: u64,
}

impl Invariant for MailboxBounded {
    fn name(&self) -> &'static str {
        "mailbox.bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let process = number(seen, "process");
        let accounts = match seen.event.name {
            "otp.mailbox.shed" | "mailbox.sent" | "mailbox.handled" | "mailbox.census" => {
                self.nodes.of(seen.node).entry(process).or_default()
            }
            _ => return Ok(()),
        };
        match seen.event.name {
            "otp.mailbox.shed" if text(seen, "how") == "replaced" => accounts.replaced += 1,
            "otp.mailbox.shed" => accounts.shed += 1,
            "mailbox.sent" => accounts.sent += 1,
            "mailbox.handled" => accounts.handled += 1,
            _ => return accounts.census(seen),
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Accounts {
    fn census(&self, seen: &Seen<'_>) -> Result<(), String> {
        let (process, bound) = (number(seen, "process"), measured(seen, "bound"));
        let high_water = measured(seen, "high_water");
        if high_water > bound {
            return Err(format!("the mailbox of {process} held {high_water} messages; its bound is {bound}"));
        }
        let Self { sent, handled, shed, replaced } = self;
        if *sent != handled + shed + replaced {
            return Err(format!(
                "the mailbox of {process} took {sent} messages: {handled} were handled, {shed} shed, {replaced} replaced"
            ));
        }
        let counted = measured(seen, "shed");
        if counted != *shed {
            return Err(format!("the mailbox of {process} counts {counted} messages that it shed; it shed {shed}"));
        }
        Ok(())
    }
}
