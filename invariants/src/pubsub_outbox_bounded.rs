//! `pubsub.outbox_bounded`

use simurgh_sim::{Invariant, Seen};

use crate::by_node::{measured, number, text};

/// An outbox never holds more messages than its bound, and what came is accounted for.
///
/// Reads of subscribers `pubsub.census` {`topic`, `subscriber`} with what its outbox has counted: `came`,
/// `taken` (by the subscriber), `waiting`, `dropped`, `replaced`, `high_water`, `capacity`. Planted bug:
/// `pubsub.outbox-off-by-one` has room for one more.
#[derive(Debug, Default)]
pub struct PubsubOutboxBounded;

impl Invariant for PubsubOutboxBounded {
    fn name(&self) -> &'static str {
        "pubsub.outbox_bounded"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        if seen.event.name != "pubsub.census" {
            return Ok(());
        }
        let (topic, subscriber) = (text(seen, "topic"), number(seen, "subscriber"));
        let [came, taken, waiting, dropped, replaced, high_water, capacity] =
            ["came", "taken", "waiting", "dropped", "replaced", "high_water", "capacity"]
                .map(|name| measured(seen, name));
        if high_water > capacity || waiting > capacity {
            return Err(format!(
                "the outbox of subscriber {subscriber} of {topic} held {high_water} messages, and {waiting} at the end; its bound is {capacity}"
            ));
        }
        if came != taken + waiting + dropped + replaced {
            return Err(format!(
                "{came} messages came into the outbox of subscriber {subscriber} of {topic}: {taken} were taken, {waiting} wait, {dropped} were dropped, {replaced} replaced"
            ));
        }
        Ok(())
    }
}
