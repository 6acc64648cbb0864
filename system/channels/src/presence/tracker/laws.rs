//! What must hold whatever the network does: messages are lost, doubled and come in any order, nodes end and start
//! again, time passes.

use super::tests::{id, meta};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const NODES: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    Track(usize, u8, u8, u8),
    Update(usize, u8, u8, u8),
    Untrack(usize, u8, u8, u8),
    End(usize, u8),
    /// The node's clock goes on, and it does what is due.
    Tick(usize),
    /// One of the messages on their way arrives; it stays there if it is to come again.
    Deliver(prop::sample::Index, bool),
    Lose(prop::sample::Index),
    /// All time goes on by so many seconds, and nobody hears anything.
    Wait(u64),
    /// A node ends at once and starts again.
    Crash(usize),
    /// A node says goodbye and starts again.
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let who = || (0..NODES, 0u8..2, 0u8..3, 0u8..2);
    prop_oneof![
        6 => who().prop_map(|(node, topic, key, owner)| Step::Track(node, topic, key, owner)),
        2 => who().prop_map(|(node, topic, key, owner)| Step::Update(node, topic, key, owner)),
        4 => who().prop_map(|(node, topic, key, owner)| Step::Untrack(node, topic, key, owner)),
        1 => (0..NODES, 0u8..2).prop_map(|(node, owner)| Step::End(node, owner)),
        10 => (0..NODES).prop_map(Step::Tick),
        20 => (any::<prop::sample::Index>(), prop::bool::weighted(0.2)).prop_map(|(at, again)| Step::Deliver(at, again)),
        3 => any::<prop::sample::Index>().prop_map(Step::Lose),
        1 => (1u64..2_000).prop_map(Step::Wait),
        1 => (0..NODES).prop_map(Step::Crash),
        1 => (0..NODES).prop_map(Step::Leave),
    ]
}

struct Node {
    tracker: Tracker,
    /// What is seen here, by what was told of changes alone: key by ref.
    replayed: BTreeMap<String, String>,
}

struct World {
    nodes: Vec<Node>,
    flying: Vec<(usize, Message)>,
    sent: Vec<(usize, Message)>,
    now: Duration,
    lives: u64,
    refs: u64,
}

impl World {
    fn new() -> Self {
        let mut world =
            Self { nodes: Vec::new(), flying: Vec::new(), sent: Vec::new(), now: Duration::ZERO, lives: 0, refs: 0 };
        for at in 0..NODES {
            let node = world.birth(at);
            world.nodes.push(node);
        }
        world
    }

    fn birth(&mut self, at: usize) -> Node {
        self.lives += 1;
        let options = TrackerOptions { max_delta_sizes: vec![4, 16], ..TrackerOptions::default() };
        let tracker = Tracker::new(id(&format!("n{at}"), self.lives), options, self.now, self.lives * 331);
        Node { tracker, replayed: BTreeMap::new() }
    }

    fn run(&mut self, step: &Step) {
        let (now, mut effects) = (self.now, Effects::default());
        self.refs += 1;
        let number = self.refs;
        let name = |at: u8, prefix: &str| format!("{prefix}{at}");
        match *step {
            Step::Track(at, topic, key, owner) => {
                let tracker = &mut self.nodes[at].tracker;
                let found = tracker.track(now, &name(topic, "t"), &name(key, "k"), u64::from(owner), meta(number));
                effects.changes.extend(found.ok().map(Change::join));
                self.carry_out(at, effects);
            }
            Step::Update(at, topic, key, owner) => {
                let tracker = &mut self.nodes[at].tracker;
                let found =
                    tracker.update(now, &name(topic, "t"), &name(key, "k"), u64::from(owner), |_| Ok(meta(number)));
                let changes = found.ok().map(|(old, new)| [Change::leave(old), Change::join(new)]);
                effects.changes.extend(changes.into_iter().flatten());
                self.carry_out(at, effects);
            }
            Step::Untrack(at, topic, key, owner) => {
                let tracker = &mut self.nodes[at].tracker;
                let found = tracker.untrack(now, &name(topic, "t"), &name(key, "k"), u64::from(owner));
                effects.changes.extend(found.map(Change::leave));
                self.carry_out(at, effects);
            }
            Step::End(at, owner) => {
                self.nodes[at].tracker.untrack_owner(now, u64::from(owner), &mut effects);
                self.carry_out(at, effects);
            }
            Step::Tick(at) => {
                self.now += Duration::from_millis(400);
                self.nodes[at].tracker.tick(self.now, &mut effects);
                self.carry_out(at, effects);
            }
            Step::Deliver(index, again) if !self.flying.is_empty() => {
                let index = index.index(self.flying.len());
                let (to, message) = if again { self.flying[index].clone() } else { self.flying.remove(index) };
                self.deliver(to, &message);
            }
            Step::Lose(index) if !self.flying.is_empty() => {
                let index = index.index(self.flying.len());
                self.flying.remove(index);
            }
            Step::Wait(secs) => self.now += Duration::from_secs(secs),
            Step::Crash(at) => self.nodes[at] = self.birth(at),
            Step::Leave(at) => {
                self.nodes[at].tracker.goodbye(&mut effects);
                self.carry_out(at, effects);
                self.nodes[at] = self.birth(at);
            }
            Step::Deliver(..) | Step::Lose(_) => {}
        }
    }

    fn deliver(&mut self, to: usize, message: &Message) {
        let mut effects = Effects::default();
        let bytes = message.encode();
        let message = Message::decode(&bytes).expect("what is sent can be read");
        self.nodes[to].tracker.receive(self.now, message, &mut effects);
        self.carry_out(to, effects);
    }

    fn carry_out(&mut self, at: usize, effects: Effects) {
        let node = &mut self.nodes[at];
        for change in effects.changes {
            let (own, key) =
                (change.item.meta.phx_ref().to_owned(), format!("{} {}", change.item.topic, change.item.key));
            if change.joined {
                assert_eq!(node.replayed.insert(own, key), None, "a join is told once");
            } else {
                assert_eq!(node.replayed.remove(&own), Some(key), "a leave is told once, after its join");
            }
        }
        assert_eq!(node.replayed, visible(&node.tracker), "what is told is what is listed");
        for action in effects.actions {
            let to: Vec<(usize, Message)> = match action {
                Action::Broadcast(message) => {
                    (0..NODES).filter(|to| *to != at).map(|to| (to, message.clone())).collect()
                }
                Action::Send(to, message) => {
                    let named = (0..NODES).find(|other| *self.nodes[*other].tracker.replica().name() == *to.name());
                    named.map(|to| (to, message)).into_iter().collect()
                }
            };
            self.sent.extend(to.iter().cloned());
            self.flying.extend(to);
        }
    }

    /// From now on nothing goes wrong, for two minutes.
    fn settle(&mut self) {
        self.flying.clear();
        for _ in 0..100 {
            self.now += Duration::from_millis(1_500);
            for at in 0..NODES {
                let mut effects = Effects::default();
                self.nodes[at].tracker.tick(self.now, &mut effects);
                self.carry_out(at, effects);
            }
            while !self.flying.is_empty() {
                let (to, message) = self.flying.remove(0);
                self.deliver(to, &message);
            }
        }
    }

    fn everyone_sees_the_same(&self) -> Result<(), TestCaseError> {
        let mut all = BTreeMap::new();
        for node in &self.nodes {
            let own = node.tracker.entries.iter().filter(|entry| entry.replica == ME);
            all.extend(own.map(|entry| {
                let item = &entry.item;
                (item.meta.phx_ref().to_owned(), format!("{} {}", item.topic, item.key))
            }));
        }
        for node in &self.nodes {
            prop_assert_eq!(&visible(&node.tracker), &all, "{:?}", node.tracker.replica());
        }
        Ok(())
    }
}

fn visible(tracker: &Tracker) -> BTreeMap<String, String> {
    let items = tracker.topics().into_iter().flat_map(|topic| tracker.list(&topic));
    items.map(|item| (item.meta.phx_ref().to_owned(), format!("{} {}", item.topic, item.key))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn all_see_the_same_once_the_network_is_whole(steps in prop::collection::vec(step(), 0..250)) {
        let mut world = World::new();
        for step in steps {
            world.run(&step);
        }
        world.settle();
        world.everyone_sees_the_same()?;
    }

    #[test]
    fn what_was_seen_once_changes_nothing_when_it_comes_again(
        steps in prop::collection::vec(step(), 0..120),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let mut world = World::new();
        for step in steps {
            world.run(&step);
        }
        world.settle();
        let sent = std::mem::take(&mut world.sent);
        let before: Vec<_> = world.nodes.iter().map(|node| visible(&node.tracker)).collect();
        for index in order {
            if !sent.is_empty() {
                let (to, message) = sent[index.index(sent.len())].clone();
                world.deliver(to, &message);
            }
        }
        let after: Vec<_> = world.nodes.iter().map(|node| visible(&node.tracker)).collect();
        prop_assert_eq!(before, after);
        world.settle();
        world.everyone_sees_the_same()?;
    }
}
