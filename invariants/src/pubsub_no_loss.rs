//! `pubsub.no_loss_while_connected`

use std::collections::BTreeMap;

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, is, measured, number, text};

/// Who is subscribed to a topic from before a broadcast until after it gets the message, or it is counted
/// as dropped or replaced by the subscriber's own policy. Nobody gets what is not meant for it.
///
/// Reads `pubsub.subscribe` and `pubsub.unsubscribe` {`topic`, `subscriber`}; of publishers `pubsub.sent`
/// {`topic`, `sender`, `number`, `from`} after the broadcast (`from` is the subscriber that it leaves out, or
/// 0); of subscribers `pubsub.received` {`topic`, `subscriber`, `sender`, `number`}, and `pubsub.census`
/// {`topic`, `subscriber`, `closed`} with what its outbox has counted, before it leaves. Planted bugs:
/// `pubsub.topic-taken-away` forgets a topic when one of its subscribers leaves, `pubsub.place-not-asked`
/// lets a subscription that was closed take a stranger's place with it, `pubsub.panic-stops` serves nobody
/// after one that panics, `pubsub.from-forgotten` leaves nobody out, `pubsub.drop-unsaid` counts
/// no drop, `pubsub.recv-holds-on` takes a message and waits, so that who gives up loses it.
#[derive(Debug, Default)]
pub struct PubsubNoLoss {
    nodes: ByNode<BTreeMap<String, BTreeMap<u64, Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    sent: u64,
    received: u64,
}

impl Invariant for PubsubNoLoss {
    fn name(&self) -> &'static str {
        "pubsub.no_loss_while_connected"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let name = seen.event.name;
        if !["pubsub.subscribe", "pubsub.unsubscribe", "pubsub.sent", "pubsub.received", "pubsub.census"]
            .contains(&name)
        {
            return Ok(());
        }
        let subscriber = number(seen, "subscriber");
        let topic = self.nodes.of(seen.node).entry(text(seen, "topic").to_owned()).or_default();
        match name {
            "pubsub.subscribe" => drop(topic.insert(subscriber, Account::default())),
            "pubsub.unsubscribe" => drop(topic.remove(&subscriber)),
            "pubsub.sent" => {
                let from = number(seen, "from");
                topic.iter_mut().filter(|(id, _)| **id != from).for_each(|(_, account)| account.sent += 1);
            }
            "pubsub.received" => {
                if let Some(account) = topic.get_mut(&subscriber) {
                    account.received += 1;
                }
            }
            _ => {
                if let Some(account) = topic.get(&subscriber).filter(|_| !is(seen, "closed")) {
                    return account.census(seen);
                }
            }
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

impl Account {
    fn census(&self, seen: &Seen<'_>) -> Result<(), String> {
        let Self { sent, received } = self;
        let (waiting, dropped) = (measured(seen, "waiting"), measured(seen, "dropped"));
        let replaced = measured(seen, "replaced");
        if *sent == received + waiting + dropped + replaced {
            return Ok(());
        }
        Err(format!(
            "{sent} messages were sent to subscriber {} of {}: it received {received}, {waiting} wait, {dropped} were dropped, {replaced} replaced",
            number(seen, "subscriber"),
            text(seen, "topic"),
        ))
    }
}
