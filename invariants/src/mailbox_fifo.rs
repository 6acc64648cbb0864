//! `mailbox.fifo_per_sender`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number};

/// Messages of one sender are handled in the order in which they were sent.
///
/// Reads of servers `mailbox.handled` {`process`, `sender`, `number`}, with numbers that ascend for
/// each sender. Planted bug: `otp.mailbox-overtakes` puts the message back, behind others, with which
/// the budget of a busy server runs out.
#[derive(Debug, Default)]
pub struct MailboxFifoPerSender {
    last: ByNode<BTreeMap<(u64, u64), u64>>,
}

impl Invariant for MailboxFifoPerSender {
    fn name(&self) -> &'static str {
        "mailbox.fifo_per_sender"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "mailbox.handled" {
            return Ok(());
        }
        let (process, sender, now) = (number(seen, "process"), number(seen, "sender"), number(seen, "number"));
        match self.last.of(seen.node).insert((process, sender), now) {
            Some(last) if last >= now => {
                Err(format!("{process} handled message {now} of sender {sender} after message {last}"))
            }
            _ => Ok(()),
        }
    }

    fn node_ended(&mut self, node: &str) {
        self.last.forget(node);
    }
}
