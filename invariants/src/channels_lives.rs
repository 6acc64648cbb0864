//! `channel.join_leave_paired` and `channel.no_old_incarnation`

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{ByNode, number, text};

/// A channel that has joined ends once: before another of the same client takes over, when the client leaves, or soon
/// after its connection has ended. When all clients have gone none is left.
///
/// Reads of the server `channel.app.join` and `channel.app.end` {`life`, `socket`, `topic`}, in between
/// `channel.app.ending` of one that was left or has stopped (its client knows, and another may join while it tidies
/// up), and `channel.app.quiet`
/// long after the last connection has ended. Planted bugs: `channels.join-left-behind` keeps a channel that has joined
/// while its connection ended, `channels.replace-not-awaited` starts one while the former still runs.
#[derive(Debug, Default)]
pub struct ChannelPaired {
    nodes: ByNode<BTreeMap<u64, Place>>,
}

/// Where a channel is.
#[derive(Debug)]
struct Place {
    socket: u64,
    topic: String,
    is_ending: bool,
}

impl Invariant for ChannelPaired {
    fn name(&self) -> &'static str {
        "channel.join_leave_paired"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if !seen.event.name.starts_with("channel.app.") {
            return Ok(());
        }
        let lives = self.nodes.of(seen.node);
        let (life, socket, topic) = (number(seen, "life"), number(seen, "socket"), text(seen, "topic"));
        match seen.event.name {
            "channel.app.join" => {
                let is_beside = |other: &Place| other.socket == socket && other.topic == topic && !other.is_ending;
                if lives.values().any(is_beside) {
                    return Err(format!("a second channel of socket {socket} joins {topic} beside the first"));
                }
                lives.insert(life, Place { socket, topic: topic.to_owned(), is_ending: false });
            }
            "channel.app.ending" => {
                if let Some(place) = lives.get_mut(&life) {
                    place.is_ending = true;
                }
            }
            "channel.app.end" if lives.remove(&life).is_none() => {
                return Err(format!("a channel of {topic} ends that had not joined, or had ended"));
            }
            "channel.app.quiet" => {
                if let Some(Place { socket, topic, .. }) = lives.values().next() {
                    return Err(format!("socket {socket} has gone, and its channel in {topic} is there still"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn node_ended(&mut self, node: &str) {
        self.nodes.forget(node);
    }
}

/// After the answer to a join, no frame of a former life of the channel comes on that connection; and after a channel's
/// close nothing of its topic, until the client joins again.
///
/// Reads of clients, each with {`client`, `topic`}: `channel.joining`, `channel.joined` {`life`}, `channel.left`,
/// `channel.received`, and `channel.framed` {`life`, `event`} with each frame that bears a life. Planted bugs:
/// `channels.close-after-join` tells of the former channel's end only then, `channels.hears-after-close` keeps a channel
/// subscribed while it tidies up.
#[derive(Debug, Default)]
pub struct ChannelNoOldIncarnation {
    lives: BTreeMap<(u64, String), u64>,
    closed: BTreeSet<(u64, String)>,
}

impl Invariant for ChannelNoOldIncarnation {
    fn name(&self) -> &'static str {
        "channel.no_old_incarnation"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let names = ["channel.joining", "channel.joined", "channel.left", "channel.received", "channel.framed"];
        if !names.contains(&seen.event.name) {
            return Ok(());
        }
        let (key, life) = ((number(seen, "client"), text(seen, "topic").to_owned()), number(seen, "life"));
        let (client, topic) = (key.0, key.1.clone());
        match (seen.event.name, self.lives.get(&key)) {
            ("channel.joining", _) => drop(self.closed.remove(&key)),
            ("channel.joined", _) => drop(self.lives.insert(key, life)),
            ("channel.received", _) if self.closed.contains(&key) => {
                return Err(format!("client {client} was told that its channel in {topic} has ended, and hears more"));
            }
            ("channel.left", _) => drop(self.lives.remove(&key)),
            ("channel.framed", Some(now)) if *now != life => {
                return Err(format!("client {client} is in life {now} of {topic}, and gets a frame of life {life}"));
            }
            ("channel.framed", now) if text(seen, "event") == "phx_close" && now == Some(&life) => {
                self.lives.remove(&key);
                self.closed.insert(key);
            }
            _ => {}
        }
        Ok(())
    }
}
