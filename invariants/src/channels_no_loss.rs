//! `pubsub.no_loss_while_connected` and `channel.gap_reported`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{is, number, text};

/// Over the wire: a client that is in a topic from before a broadcast until after it gets the broadcast.
///
/// Reads of the server `channel.said` {`topic`, `sender`, `number`} with each broadcast; of clients, each with
/// {`client`, `topic`}: `channel.joined`, `channel.left` (also when its connection is cut), `channel.received`
/// {`sender`, `number`}, `channel.asked` before a message that is answered, and `channel.synced` when the answer is
/// there: what was said before it asked has come before the answer. Planted bug: `channels.reply-before-subscribe`
/// tells a client that it has joined before it is subscribed.
#[derive(Debug, Default)]
pub struct ChannelNoLoss {
    topics: BTreeMap<String, Said>,
}

/// A client that resumes a topic after a cut gets all that was said in it since it joined first, or is told of a gap.
///
/// Reads what [`ChannelNoLoss`] reads, but that a cut (`channel.left` with `resumes`) ends nothing; and
/// `channel.resumed` {`client`, `topic`, `gap`}, from which on nothing is owed to it if there is a gap. Planted bug:
/// `channels.resume-gap-unsaid` never tells.
#[derive(Debug, Default)]
pub struct ChannelGapReported {
    topics: BTreeMap<String, Said>,
}

/// What was said in a topic, and who has heard of it.
#[derive(Debug, Default)]
struct Said {
    /// Senders and numbers, in their order.
    log: Vec<(u64, u64)>,
    clients: BTreeMap<u64, Heard>,
}

#[derive(Debug)]
struct Heard {
    /// From where on all is owed.
    since: usize,
    /// Until where, when it asked.
    asked: Option<usize>,
    received: BTreeSet<(u64, u64)>,
}

impl Said {
    fn begin(&mut self, client: u64) {
        let heard = Heard { since: self.log.len(), asked: None, received: BTreeSet::new() };
        self.clients.insert(client, heard);
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let (client, message) = (number(seen, "client"), (number(seen, "sender"), number(seen, "number")));
        let until = self.log.len();
        match (seen.event.name, self.clients.get_mut(&client)) {
            ("channel.said", _) => self.log.push(message),
            ("channel.received", Some(heard)) => drop(heard.received.insert(message)),
            ("channel.asked", Some(heard)) => heard.asked = Some(until),
            ("channel.left", Some(heard)) => heard.asked = None,
            ("channel.synced", Some(heard)) => {
                let Some(until) = heard.asked.take() else { return Ok(()) };
                let owed = self.log.get(heard.since..until).unwrap_or_default();
                if let Some((sender, number)) = owed.iter().find(|message| !heard.received.contains(*message)) {
                    return Err(format!(
                        "client {client} was in {} and never got message {number} of sender {sender}",
                        text(seen, "topic")
                    ));
                }
                heard.since = heard.since.max(until);
            }
            _ => {}
        }
        Ok(())
    }
}

fn is_ours(name: &str) -> bool {
    ["channel.said", "channel.received", "channel.asked", "channel.left", "channel.synced"].contains(&name)
}

impl Invariant for ChannelNoLoss {
    fn name(&self) -> &'static str {
        "pubsub.no_loss_while_connected"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let is_join = seen.event.name == "channel.joined";
        if !is_join && !is_ours(seen.event.name) {
            return Ok(());
        }
        let topic = self.topics.entry(text(seen, "topic").to_owned()).or_default();
        match seen.event.name {
            "channel.joined" => topic.begin(number(seen, "client")),
            "channel.left" => drop(topic.clients.remove(&number(seen, "client"))),
            _ => return topic.event(seen),
        }
        Ok(())
    }
}

impl Invariant for ChannelGapReported {
    fn name(&self) -> &'static str {
        "channel.gap_reported"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let is_resumed = seen.event.name == "channel.resumed";
        if !is_resumed && !is_ours(seen.event.name) {
            return Ok(());
        }
        let (topic, client) = (self.topics.entry(text(seen, "topic").to_owned()).or_default(), number(seen, "client"));
        match seen.event.name {
            "channel.resumed" if is(seen, "gap") || !topic.clients.contains_key(&client) => topic.begin(client),
            "channel.resumed" => {}
            "channel.left" if !is(seen, "resumes") => drop(topic.clients.remove(&client)),
            _ => return topic.event(seen),
        }
        Ok(())
    }
}
