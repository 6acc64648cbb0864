//! The rules, in the order in which they run.

#![allow(clippy::unused_async)] // all are called alike

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Checked, expect, next, subscribe, text};
use crate::{
    AdapterError, BroadcastError, Dispatcher, Entries, Limits, Message, NodeName, Payload, PubSub, Subscription,
};

fn message(topic: &str, event: &str) -> Message {
    Message::raw_json(topic, event, "{}")
}

/// Each node has a name of its own, which stays.
pub(super) async fn names(nodes: &[PubSub]) -> Checked {
    let mut names: Vec<NodeName> = nodes.iter().map(PubSub::node_name).collect();
    if nodes.iter().map(PubSub::node_name).ne(names.iter().cloned()) {
        return Err("a node changes its name".into());
    }
    names.sort();
    match names.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => Err(format!("two nodes are called {}", two[0])),
        None => Ok(()),
    }
}

/// A broadcast of any node reaches a subscriber on each, once.
pub(super) async fn broadcast(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room")?;
    for (from, node) in nodes.iter().enumerate() {
        let events = [format!("a{from}"), format!("b{from}"), format!("c{from}")];
        for event in &events {
            node.broadcast(message("room", event)).map_err(text)?;
        }
        let events = events.each_ref().map(String::as_str);
        for (subscription, on) in subscriptions.iter_mut().zip(nodes) {
            expect(subscription, on, &events).await?;
        }
    }
    Ok(())
}

/// `broadcast_from` leaves out one subscription of its own node, and nobody elsewhere whose number is
/// the same.
pub(super) async fn broadcast_from(nodes: &[PubSub]) -> Checked {
    let mut first = subscribe(nodes, "room")?;
    let mut second = subscribe(nodes, "room")?;
    nodes[0].broadcast_from(first[0].id(), message("room", "not to one")).map_err(text)?;
    nodes[0].broadcast(message("room", "to all")).map_err(text)?;
    for (at, on) in nodes.iter().enumerate() {
        let events = if at == 0 { &["to all"][..] } else { &["not to one", "to all"] };
        expect(&mut first[at], on, events).await?;
        expect(&mut second[at], on, &["not to one", "to all"]).await?;
    }
    Ok(())
}

/// What is published on one node only stays there.
pub(super) async fn local(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room")?;
    nodes[0].local_broadcast(message("room", "local")).map_err(text)?;
    nodes[0].broadcast(message("room", "to all")).map_err(text)?;
    for (at, (subscription, on)) in subscriptions.iter_mut().zip(nodes).enumerate() {
        let events = if at == 0 { &["local", "to all"][..] } else { &["to all"] };
        expect(subscription, on, events).await?;
    }
    Ok(())
}

/// A direct broadcast reaches the node that is named, be it the own one, and no other.
pub(super) async fn direct(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room")?;
    for node in nodes {
        let event = format!("to {}", node.node_name());
        nodes[0].direct_broadcast(&node.node_name(), message("room", &event)).map_err(text)?;
    }
    nodes[0].broadcast(message("room", "to all")).map_err(text)?;
    for (subscription, on) in subscriptions.iter_mut().zip(nodes) {
        expect(subscription, on, &[&format!("to {}", on.node_name()), "to all"]).await?;
    }
    Ok(())
}

/// A node that is not there is an error.
pub(super) async fn unknown_node(nodes: &[PubSub]) -> Checked {
    let nowhere = NodeName::from("nowhere-at-all");
    match nodes[0].direct_broadcast(&nowhere, message("room", "to nobody")) {
        Err(BroadcastError::Remote { source: AdapterError::UnknownNode { node }, .. }) if node == nowhere => Ok(()),
        other => Err(format!("a message to a node that does not exist is answered by {other:?}")),
    }
}

/// That nobody is subscribed is no error.
pub(super) async fn nobody(nodes: &[PubSub]) -> Checked {
    let reached = nodes[0].broadcast(message("empty", "to nobody")).map_err(text)?;
    if reached.taken == 0 { Ok(()) } else { Err(format!("{} have it", reached.taken)) }
}

/// Topics are apart, also those of which one begins as the other, or that differ in case.
pub(super) async fn topics(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room:1")?;
    for topic in ["room:12", "room:", "Room:1", "room:1 ", ""] {
        nodes[0].broadcast(message(topic, "elsewhere")).map_err(text)?;
    }
    nodes[0].broadcast(message("room:1", "here")).map_err(text)?;
    for (subscription, on) in subscriptions.iter_mut().zip(nodes) {
        expect(subscription, on, &["here"]).await?;
    }
    Ok(())
}

/// Who has left gets nothing, and the topic is gone with the last.
pub(super) async fn unsubscribed(nodes: &[PubSub]) -> Checked {
    let mut stays = subscribe(nodes, "room")?;
    let leaves = subscribe(nodes, "room")?;
    let elsewhere = subscribe(nodes, "other")?;
    drop(elsewhere);
    drop(leaves);
    nodes[0].broadcast(message("other", "to nobody")).map_err(text)?;
    nodes[0].broadcast(message("room", "to those who stay")).map_err(text)?;
    for (subscription, on) in stays.iter_mut().zip(nodes) {
        expect(subscription, on, &["to those who stay"]).await?;
        let counts = on.counts();
        if (counts.topics, counts.subscribers, counts.delivered) != (1, 1, 1) {
            return Err(format!("{} counts {counts:?}", on.node_name()));
        }
    }
    Ok(())
}

const ROUNDS: usize = 8;
/// Fewer than any adapter may call too many.
const AT_ONCE: usize = 16;

/// Messages of one node on one topic come in their order, all, and once.
pub(super) async fn order(nodes: &[PubSub]) -> Checked {
    const TOPICS: [&str; 2] = ["odd", "even"];
    let mut subscriptions: Vec<Vec<Subscription>> =
        TOPICS.iter().map(|topic| subscribe(nodes, topic)).collect::<Result<_, _>>()?;
    let mut last: BTreeMap<(usize, usize, u64), u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        for number in round * AT_ONCE..(round + 1) * AT_ONCE {
            for (from, node) in nodes.iter().enumerate() {
                let topic = TOPICS[number % 2];
                node.broadcast(Message::json(topic, "n", &(from, number)).map_err(text)?).map_err(text)?;
            }
        }
        for (which, subscriptions) in subscriptions.iter_mut().enumerate() {
            for (at, subscription) in subscriptions.iter_mut().enumerate() {
                for _ in 0..nodes.len() * AT_ONCE / 2 {
                    let (from, number): (u64, u64) = next(subscription).await?.deserialize().map_err(text)?;
                    let before = last.insert((which, at, from), number);
                    let expected = before.map_or(which as u64, |before| before + 2);
                    if number != expected {
                        let node = nodes[at].node_name();
                        return Err(format!(
                            "{node} got {number} of node {from} on {:?}, not {expected}",
                            TOPICS[which]
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// What arrives is what was sent: topic, event and payload, byte by byte.
pub(super) async fn content(nodes: &[PubSub]) -> Checked {
    let long = "long:".to_owned() + &"x".repeat(Limits::default().topic_len_max - 5);
    let all_bytes: Vec<u8> = (0..=255).collect();
    for (topic, event, payload) in [
        ("room:\u{1f426} \"quoted\"\n", "new \u{e9}vent", Payload::Json(r#"{"body": "h\u00e9", "n": 1.50}"#.into())),
        (&long, "", Payload::Json("null".into())),
        ("", "bytes", Payload::Binary(all_bytes.into())),
        ("empty", "e", Payload::Binary("".into())),
        ("text", "e", Payload::Binary(r#"{"not": "json"}"#.into())),
    ] {
        let mut subscriptions = subscribe(nodes, topic)?;
        let sent = Message::of(topic, event, payload);
        nodes[0].broadcast(&sent).map_err(text)?;
        for subscription in &mut subscriptions {
            let came = next(subscription).await?;
            if came != sent {
                return Err(format!("{sent:?} became {came:?}"));
            }
        }
    }
    Ok(())
}

/// A large message arrives whole, or its sender is told.
pub(super) async fn large(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room")?;
    let sent = Message::binary("room", "large", vec![7; 1 << 20]);
    let told = match nodes[0].broadcast(&sent) {
        Ok(_) => false,
        Err(BroadcastError::Remote { source: AdapterError::TooLarge { .. }, .. }) => true,
        Err(other) => return Err(text(other)),
    };
    for (at, subscription) in subscriptions.iter_mut().enumerate() {
        if (at == 0 || !told) && next(subscription).await? != sent {
            return Err(format!("{} got another", nodes[at].node_name()));
        }
    }
    Ok(())
}

/// Delivers another message in the place of the one that came.
struct Renames;

impl Dispatcher for Renames {
    fn dispatch(&self, entries: &Entries<'_>, message: &Message) {
        let renamed = Message::of(message.topic(), "renamed", message.payload().clone());
        for entry in entries.iter() {
            entry.deliver(&renamed);
        }
    }
}

/// A message that names its dispatcher has it on each node.
pub(super) async fn dispatcher(nodes: &[PubSub]) -> Checked {
    let mut subscriptions = subscribe(nodes, "room")?;
    for node in nodes {
        node.add_dispatcher("renames", Arc::new(Renames)).map_err(text)?;
    }
    nodes[0].broadcast(message("room", "named").dispatched_by("renames")).map_err(text)?;
    for (subscription, on) in subscriptions.iter_mut().zip(nodes) {
        expect(subscription, on, &["renamed"]).await?;
    }
    Ok(())
}

/// What goes to other nodes is counted.
pub(super) async fn links(nodes: &[PubSub]) -> Checked {
    if nodes.len() < 2 {
        return Ok(());
    }
    let sent = || nodes[0].links().iter().map(|link| link.sent).sum::<u64>();
    let before = sent();
    let mut subscriptions = subscribe(nodes, "room")?;
    nodes[0].broadcast(message("room", "counted")).map_err(text)?;
    for (subscription, on) in subscriptions.iter_mut().zip(nodes) {
        expect(subscription, on, &["counted"]).await?;
    }
    if sent() > before { Ok(()) } else { Err(format!("the links say that {before} messages were sent, as before")) }
}
