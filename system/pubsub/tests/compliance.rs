//! The suite for adapters: the local one and a loopback of three nodes pass, and each way to be wrong
//! breaks a rule.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use simurgh_pubsub::compliance::{self, Cluster, NotCompliant};
use simurgh_pubsub::{Adapter, AdapterError, Inlet, LinkCounts, Message, NodeName, Payload, PubSub, Wire};
use simurgh_runtime::run;
use simurgh_runtime::sync::Mutex;
use simurgh_sim::{Outcome, Sim};

/// How a loopback is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    SameName,
    LosesSome,
    Twice,
    ToItselfToo,
    Late,
    DirectToAll,
    UnknownIsFine,
    NobodyIsAnError,
    TopicsByPrefix,
    NoEvent,
    BytesAsText,
    LargeIsLost,
    NoDispatcher,
    CountsNothing,
}

/// Nodes in one process that hand each other bytes.
struct Hub {
    flaw: Flaw,
    nodes: Mutex<Vec<(NodeName, Inlet)>>,
}

struct Loopback {
    hub: Arc<Hub>,
    name: NodeName,
    sent: Mutex<u64>,
    late: Mutex<BTreeMap<(NodeName, String), Bytes>>,
}

impl Loopback {
    fn bytes(&self, message: &Message) -> Result<Bytes, AdapterError> {
        let (topic, event, payload) = (message.topic(), message.event(), message.payload().clone());
        let flawed = match (self.hub.flaw, &payload) {
            (Flaw::NoEvent, _) => Message::of(topic, "", payload),
            (Flaw::BytesAsText, Payload::Binary(bytes)) => {
                Message::raw_json(topic, event, serde_json::to_vec(&**bytes).unwrap())
            }
            (Flaw::NoDispatcher, _) => Message::of(topic, event, payload),
            (Flaw::TopicsByPrefix, _) if topic.starts_with("room:") => Message::of("room:1", event, payload),
            _ => message.clone(),
        };
        let bytes = flawed.encoded::<Wire>();
        bytes.map(|bytes| (*bytes).clone()).map_err(|error| AdapterError::Unreachable { why: error.to_string().into() })
    }

    fn send(&self, to: impl Fn(&NodeName) -> bool, message: &Message) -> Result<(), AdapterError> {
        let bytes = self.bytes(message)?;
        let nodes = self.hub.nodes.lock().clone();
        if self.hub.flaw != Flaw::CountsNothing {
            *self.sent.lock() += 1;
        }
        let sent = *self.sent.lock();
        for (name, inlet) in nodes.iter().filter(|(name, _)| to(name)) {
            match self.hub.flaw {
                Flaw::LosesSome if sent.is_multiple_of(3) => {}
                Flaw::LargeIsLost if bytes.len() > 65_536 => {}
                Flaw::Late if ["odd", "even"].contains(&message.topic()) => {
                    // Of two messages on one topic the first comes after the second.
                    let key = (name.clone(), message.topic().to_owned());
                    let waits = self.late.lock().remove(&key);
                    match waits {
                        None => drop(self.late.lock().insert(key, bytes.clone())),
                        Some(before) => [&bytes, &before].into_iter().for_each(|bytes| {
                            inlet.deliver_wire(bytes).unwrap();
                        }),
                    }
                }
                flaw => {
                    for _ in 0..=usize::from(flaw == Flaw::Twice) {
                        inlet
                            .deliver_wire(&bytes)
                            .map_err(|error| AdapterError::Unreachable { why: error.to_string().into() })?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl std::ops::Deref for Loopback {
    type Target = Hub;

    fn deref(&self) -> &Hub {
        &self.hub
    }
}

impl Adapter for Loopback {
    fn start(&self, inlet: Inlet) -> Result<(), AdapterError> {
        self.nodes.lock().push((self.name.clone(), inlet));
        Ok(())
    }

    fn node_name(&self) -> NodeName {
        self.name.clone()
    }

    fn broadcast(&self, message: &Message) -> Result<(), AdapterError> {
        if self.flaw == Flaw::NobodyIsAnError && message.topic() == "empty" {
            return Err(AdapterError::Unreachable { why: "nobody is there".into() });
        }
        self.send(|name| *name != self.name || self.flaw == Flaw::ToItselfToo, message)
    }

    fn direct_broadcast(&self, node: &NodeName, message: &Message) -> Result<(), AdapterError> {
        let is_known = self.nodes.lock().iter().any(|(name, _)| name == node);
        if !is_known && self.flaw != Flaw::UnknownIsFine {
            return Err(AdapterError::UnknownNode { node: node.clone() });
        }
        let to_all = self.flaw == Flaw::DirectToAll;
        self.send(|name| name == node || (to_all && *name != self.name), message)
    }

    fn links(&self) -> Vec<LinkCounts> {
        let to = NodeName::from("the others");
        vec![LinkCounts { to, sent: *self.sent.lock(), delivered: None, dropped: 0 }]
    }
}

struct Loopbacks(Flaw);

impl Cluster for Loopbacks {
    async fn nodes(&mut self) -> Vec<PubSub> {
        let hub = Arc::new(Hub { flaw: self.0, nodes: Mutex::default() });
        let node = |number| {
            let name = if self.0 == Flaw::SameName { "same".to_owned() } else { format!("node{number}") };
            let adapter = Loopback {
                hub: Arc::clone(&hub),
                name: name.as_str().into(),
                sent: Mutex::default(),
                late: Mutex::default(),
            };
            PubSub::with_adapter("compliance", Arc::new(adapter)).unwrap()
        };
        (0..Self::NODES).map(node).collect()
    }
}

struct Alone;

impl Cluster for Alone {
    const NODES: usize = 1;

    async fn nodes(&mut self) -> Vec<PubSub> {
        vec![PubSub::local("compliance")]
    }
}

#[test]
fn the_local_adapter_complies() {
    assert_eq!(run("test", async { compliance::check(&mut Alone).await }), Ok(()));
}

fn loopback(flaw: Flaw) -> Result<(), NotCompliant> {
    run("test", async move { compliance::check(&mut Loopbacks(flaw)).await })
}

#[test]
fn a_loopback_complies() {
    assert_eq!(loopback(Flaw::None), Ok(()));
}

/// In the simulator, where it costs nothing to wait for what does not come.
#[simurgh_sim::test(seeds = 2)]
async fn each_flaw_breaks_a_rule(_sim: Sim) -> Outcome {
    for (flaw, rule) in [
        (Flaw::SameName, "names.distinct"),
        (Flaw::LosesSome, "broadcast.everywhere_once"),
        (Flaw::LosesSome, "order.per_sender_and_topic"),
        (Flaw::Twice, "broadcast.everywhere_once"),
        (Flaw::ToItselfToo, "broadcast.everywhere_once"),
        (Flaw::ToItselfToo, "broadcast_from.skips_one"),
        (Flaw::Late, "order.per_sender_and_topic"),
        (Flaw::DirectToAll, "direct.one_node"),
        (Flaw::UnknownIsFine, "direct.unknown_node"),
        (Flaw::NobodyIsAnError, "nobody.no_error"),
        (Flaw::TopicsByPrefix, "topics.apart"),
        (Flaw::NoEvent, "content.survives"),
        (Flaw::BytesAsText, "content.survives"),
        (Flaw::LargeIsLost, "content.large_or_told"),
        (Flaw::NoDispatcher, "dispatcher.travels"),
        (Flaw::CountsNothing, "links.counted"),
    ] {
        let broken = compliance::check(&mut Loopbacks(flaw)).await.err().ok_or(format!("{flaw:?} complies"))?;
        if !broken.breaks(rule) {
            return Err(format!("{flaw:?} should break {rule}: {broken}").into());
        }
    }
    Ok(())
}
