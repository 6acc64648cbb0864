use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

fn message(number: u64) -> Message {
    Message::json("t", "n", &number).unwrap()
}

fn number(message: &Message) -> u64 {
    message.deserialize().unwrap()
}

/// Numbers below 10 replace each other if they are equal modulo 3; others replace none.
fn key(message: &Message) -> Option<u64> {
    Some(number(message)).filter(|number| *number < 10).map(|number| number % 3)
}

/// What an outbox should be, written as plainly as can be.
#[derive(Default)]
struct Model {
    waiting: VecDeque<u64>,
    counts: OutboxCounts,
}

impl Model {
    fn deliver(&mut self, number: u64, policy: Overflow) -> Delivered {
        if self.counts.closed {
            return Delivered::Gone;
        }
        self.counts.came += 1;
        if let Overflow::LatestPerKey(key) = policy
            && let Some(mine) = key(&message(number))
            && let Some(place) = self.waiting.iter().position(|other| key(&message(*other)) == Some(mine))
        {
            self.waiting[place] = number;
            self.counts.replaced += 1;
            return Delivered::Taken;
        }
        let mut delivered = Delivered::Taken;
        if self.waiting.len() == self.counts.capacity {
            self.counts.dropped += 1;
            if matches!(policy, Overflow::Close) {
                self.counts.closed = true;
                return Delivered::Gone;
            }
            self.waiting.pop_front();
            delivered = Delivered::Dropped;
        }
        self.waiting.push_back(number);
        self.counts.high_water = self.counts.high_water.max(self.waiting.len());
        delivered
    }

    fn next(&mut self) -> Result<Option<u64>, Closed> {
        match self.waiting.pop_front() {
            None if self.counts.closed => Err(Closed { capacity: self.counts.capacity }),
            next => Ok(next),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_outbox_is_its_model(
        capacity in 1_usize..80,
        policy in 0_usize..3,
        steps in proptest::collection::vec(proptest::option::weighted(0.6, 0_u64..20), 0..300),
    ) {
        let policy = [Overflow::DropOldest, Overflow::LatestPerKey(key), Overflow::Close][policy];
        let outbox = Outbox::new(Options { capacity, policy });
        let mut model = Model { counts: OutboxCounts { capacity, ..OutboxCounts::default() }, ..Model::default() };
        for step in steps {
            if let Some(sent) = step {
                prop_assert_eq!(outbox.deliver(&message(sent)), model.deliver(sent, policy));
            } else {
                let next = outbox.try_next().map(|next| next.as_ref().map(number));
                prop_assert_eq!(next, model.next());
            }
            let expected = OutboxCounts { waiting: model.waiting.len(), ..model.counts };
            prop_assert_eq!(outbox.counts(), expected);
        }
    }
}

#[test]
fn who_left_is_gone_and_keeps_nothing() {
    let outbox = Outbox::new(Options::default());
    let kept = message(1);
    let weak = outbox.deliver(&kept);
    assert_eq!((weak, outbox.deliver(&kept)), (Delivered::Taken, Delivered::Taken));
    outbox.leave();
    assert_eq!(outbox.deliver(&kept), Delivered::Gone);
    assert_eq!((outbox.counts().waiting, outbox.try_next()), (0, Ok(None)));
}

#[test]
fn a_capacity_of_nothing_is_one() {
    let outbox = Outbox::new(Options::drop_oldest(0));
    assert_eq!((outbox.deliver(&message(1)), outbox.deliver(&message(2))), (Delivered::Taken, Delivered::Dropped));
    assert_eq!(outbox.try_next().unwrap().as_ref().map(number), Some(2));
}

#[test]
fn a_long_ring_is_given_back() {
    let outbox = Outbox::new(Options::drop_oldest(1_000));
    assert!((0..1_000).all(|number| outbox.deliver(&message(number)) == Delivered::Taken));
    while outbox.try_next().unwrap().is_some() {}
    assert_eq!(outbox.lock().more.as_ref().map(|more| more.ring.capacity()), Some(0));
}

#[test]
fn an_outbox_is_small() {
    assert!(size_of::<Outbox>() <= 64, "{}", size_of::<Outbox>());
}
