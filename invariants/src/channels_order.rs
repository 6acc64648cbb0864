//! `pubsub.no_duplicate` and `pubsub.fifo_per_sender`, over the wire

use std::collections::{BTreeMap, BTreeSet};

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{is, number, text};

/// Of clients and topics.
type ByClient<T> = BTreeMap<(u64, String), T>;

fn key(seen: &Seen<'_>) -> (u64, String) {
    (number(seen, "client"), text(seen, "topic").to_owned())
}

/// Over the wire: a client gets a broadcast at most once, through all its joins. One that resumes a topic may get
/// again what had come after its last cursor.
///
/// Reads of clients, each with {`client`, `topic`}: `channel.received` {`sender`, `number`}, `channel.cursor`, and
/// `channel.left` {`resumes`}. Planted bug: `channels.resume-one-too-many` replays what the cursor has counted.
#[derive(Debug, Default)]
pub struct ChannelNoDuplicate {
    had: ByClient<Had>,
}

#[derive(Debug, Default)]
struct Had {
    all: BTreeSet<(u64, u64)>,
    since_cursor: Vec<(u64, u64)>,
}

impl Invariant for ChannelNoDuplicate {
    fn name(&self) -> &'static str {
        "pubsub.no_duplicate"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "channel.received" => {
                let (had, message) =
                    (self.had.entry(key(seen)).or_default(), (number(seen, "sender"), number(seen, "number")));
                had.since_cursor.push(message);
                if !had.all.insert(message) {
                    let ((client, topic), (sender, number)) = (key(seen), message);
                    return Err(format!("client {client} got message {number} of sender {sender} in {topic} twice"));
                }
            }
            "channel.cursor" => self.had.entry(key(seen)).or_default().since_cursor.clear(),
            "channel.left" if is(seen, "resumes") => {
                let had = self.had.entry(key(seen)).or_default();
                for message in had.since_cursor.drain(..) {
                    had.all.remove(&message);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Over the wire: broadcasts of one sender come in the order in which they were sent.
///
/// Reads of clients, each with {`client`, `topic`}: `channel.received` {`sender`, `number`}, with numbers that ascend
/// for each sender, and `channel.left`, after which what is replayed may come again. Planted bug:
/// `channels.outbox-overtakes` puts a frame before the last that waits.
#[derive(Debug, Default)]
pub struct ChannelFifo {
    last: ByClient<BTreeMap<u64, u64>>,
}

impl Invariant for ChannelFifo {
    fn name(&self) -> &'static str {
        "pubsub.fifo_per_sender"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "channel.received" => {
                let (sender, now) = (number(seen, "sender"), number(seen, "number"));
                // The same again is a duplicate, which is another checker's.
                match self.last.entry(key(seen)).or_default().insert(sender, now) {
                    Some(before) if before > now => {
                        let (client, topic) = key(seen);
                        Err(format!(
                            "client {client} got message {now} of sender {sender} in {topic} after message {before}"
                        ))
                    }
                    _ => Ok(()),
                }
            }
            "channel.left" => {
                self.last.remove(&key(seen));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
