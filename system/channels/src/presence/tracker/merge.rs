//! What a tracker takes in: heartbeats, deltas, ends.

use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::planted;

use super::super::{Change, Clocks, Delta, Item, Message, Part, ReplicaId};
use super::entries::ME;
use super::{Effects, Tracker};

impl Tracker {
    /// Takes in a message of another replica.
    pub fn receive(&mut self, now: Duration, message: Message, effects: &mut Effects) {
        match message {
            Message::Heartbeat { from, delta, clocks } => {
                let Some(peer) = self.contact(now, &from, effects) else { return };
                if let Some(delta) = delta {
                    self.merge_delta(&delta, effects);
                }
                self.replicas.at_mut(peer).claims = Some(clocks);
            }
            Message::TransferRequest { id, from, clocks } => {
                if let Some(peer) = self.replicas.of(&from).filter(|peer| *peer != ME) {
                    self.answer(peer, id, &clocks, effects);
                }
            }
            Message::TransferAck { id, from, delta } => {
                let asked = self.replicas.of(&from).filter(|peer| self.replicas.at(*peer).asked == Some(id));
                if asked.is_some() {
                    self.merge_delta(&delta, effects);
                }
            }
            Message::Goodbye { from } => self.replica_left(&from, effects),
        }
    }

    /// Hides a node's presences at once, as if it had been silent for long: for a membership that knows sooner. A
    /// heartbeat of it brings them back.
    pub fn node_down(&mut self, name: &str, effects: &mut Effects) {
        if let Some(peer) = self.replicas.named(name) {
            self.down(peer, effects);
        }
    }

    /// Forgets a replica for good, as if it had said goodbye.
    pub fn replica_left(&mut self, id: &ReplicaId, effects: &mut Effects) {
        if id.name() == self.replica().name() {
            return;
        }
        if let Some(peer) = self.replicas.of(id) {
            self.forget(peer, effects);
        }
        self.replicas.bury(id);
    }

    /// The place of who sent a heartbeat, unless it does not count.
    fn contact(&mut self, now: Duration, from: &ReplicaId, effects: &mut Effects) -> Option<u32> {
        if from.name() == self.replica().name() {
            if from != self.replica() {
                effects.refused.push("another replica has this one's name");
            }
            return None;
        }
        if let Some(peer) = self.replicas.of(from) {
            self.replicas.at_mut(peer).heard = now;
            self.up(peer, effects);
            return Some(peer);
        }
        if self.replicas.is_buried(from) {
            return None;
        }
        if let Some(known) = self.replicas.named(from.name()) {
            let former = self.replicas.at(known).id.clone();
            let is_later = from.version() > former.version();
            if !is_later && !self.outlives(now, known, from) {
                return None;
            }
            if planted!("presence.old-version-kept") {
                self.replicas.abandon(known);
            } else {
                self.forget(known, effects);
            }
            if is_later {
                self.replicas.bury(&former);
            }
        }
        let added = self.replicas.add(from.clone(), now);
        if planted!("presence.resurrects") {
            for former in self.replicas.abandoned(from.name()) {
                self.up(former, effects);
            }
        }
        if added.is_none() {
            effects.refused.push("as many replicas are known as may be");
        }
        self.silent = self.options.max_silent_periods; // it should soon hear of this one
        added
    }

    /// Whether an earlier life of a node is the one that lives. What comes of it is most often a message that was long on
    /// its way; but if nothing is heard of the later life, and this one goes on to be heard, then the node's clock was set
    /// back between the two.
    fn outlives(&mut self, now: Duration, known: u32, from: &ReplicaId) -> bool {
        let period = self.options.broadcast_period;
        let later = self.replicas.at_mut(known);
        if later.is_up {
            return false;
        }
        let (version, since) = *later.rival.get_or_insert((from.version(), now));
        if version != from.version() {
            later.rival = Some((from.version(), now));
        }
        version == from.version() && now >= since + period
    }

    fn up(&mut self, peer: u32, effects: &mut Effects) {
        let replica = self.replicas.at_mut(peer);
        replica.rival = None;
        if std::mem::replace(&mut replica.is_up, true) {
            return;
        }
        self.silent = self.options.max_silent_periods;
        let back = self.items_of(peer);
        effects.changes.extend(back.into_iter().map(Change::join));
    }

    pub(super) fn down(&mut self, peer: u32, effects: &mut Effects) {
        let replica = self.replicas.at_mut(peer);
        replica.claims = None;
        replica.asked = None;
        if std::mem::replace(&mut replica.is_up, false) {
            let hidden = self.items_of(peer);
            effects.changes.extend(hidden.into_iter().map(Change::leave));
        }
    }

    /// Removes a replica and all that is known of it.
    pub(super) fn forget(&mut self, peer: u32, effects: &mut Effects) {
        if planted!("presence.resurrects") {
            self.down(peer, effects);
            self.replicas.abandon(peer);
            return;
        }
        let replica = self.replicas.remove(peer);
        for place in replica.entries.into_values() {
            let entry = self.entries.remove(place);
            if replica.is_up || planted!("presence.leave-told-twice") {
                effects.changes.push(Change::leave(entry.item));
            }
        }
        self.generations.forget(&replica.id);
    }

    fn items_of(&self, peer: u32) -> Vec<Arc<Item>> {
        let places = self.replicas.at(peer).entries.values();
        places.map(|place| Arc::clone(&self.entries.get(*place).item)).collect()
    }

    pub(super) fn merge_delta(&mut self, delta: &Delta, effects: &mut Effects) {
        for part in &delta.parts {
            let Some(peer) = self.place_of(part) else { continue };
            if let Err(why) = self.check_part(peer, part, delta.is_full) {
                effects.refused.push(why);
                continue;
            }
            self.merge_part(peer, part, effects);
            if !delta.is_full {
                self.generations.push(part); // to be passed on to those who missed it
            }
        }
        if delta.is_full {
            self.generations.clear();
        }
    }

    /// Whose part it is. Of a replica that is not known nothing is taken: it may be gone for good, while others do not
    /// know yet. And nobody tells this replica what it has tracked itself.
    fn place_of(&self, part: &Part) -> Option<u32> {
        self.replicas.of(&part.replica).filter(|peer| *peer != ME)
    }

    fn check_part(&self, peer: u32, part: &Part, is_full: bool) -> Result<(), &'static str> {
        let replica = self.replicas.at(peer);
        if !part.is_sound() {
            return Err("a delta contradicts itself");
        }
        if replica.entries.len() + part.values.len() > self.options.entries_max {
            let added = part.values.keys().filter(|clock| !replica.seen.contains(**clock)).count();
            if replica.entries.len() + added > self.options.entries_max {
                return Err("a replica has more presences than it may");
            }
        }
        if !is_full && replica.seen.runs().len() + part.dots.runs().len() > self.options.gaps_max {
            return Err("there are more gaps in what is seen of a replica than there may be");
        }
        Ok(())
    }

    fn merge_part(&mut self, peer: u32, part: &Part, effects: &mut Effects) {
        let is_up = self.replicas.at(peer).is_up;
        let gone: Vec<u64> = self.gone(peer, part);
        for clock in gone {
            let place = self.replicas.at_mut(peer).entries.remove(&clock).expect("it was found there");
            let entry = self.entries.remove(place);
            if is_up {
                effects.changes.push(Change::leave(entry.item));
            }
        }
        for (clock, item) in &part.values {
            if self.replicas.at(peer).seen.contains(*clock) {
                continue; // here already, or gone already
            }
            let place = self.entries.insert(Arc::clone(item), peer, *clock);
            self.replicas.at_mut(peer).entries.insert(*clock, place);
            if is_up {
                effects.changes.push(Change::join(Arc::clone(item)));
            }
        }
        self.replicas.at_mut(peer).seen.union(&part.dots);
        if planted!("presence.gap-taken-for-seen")
            && let Some((_, last)) = part.dots.runs().last()
        {
            self.replicas.at_mut(peer).seen.insert(1..=last);
        }
    }

    /// The entries that the other side has seen and has no value for. Whichever is shorter is walked.
    fn gone(&self, peer: u32, part: &Part) -> Vec<u64> {
        let ours = &self.replicas.at(peer).entries;
        let is_gone = |clock: &u64| !part.values.contains_key(clock);
        if part.dots.count() <= ours.len() as u64 {
            let seen = part.dots.runs().flat_map(|(first, last)| ours.range(first..=last));
            return seen.map(|(clock, _)| *clock).filter(is_gone).collect();
        }
        ours.keys().copied().filter(|clock| part.dots.contains(*clock)).filter(is_gone).collect()
    }

    /// What this replica has seen of those that are not down: others would ask for the rest for ever.
    pub(super) fn clocks(&self) -> Clocks {
        self.replicas.up().map(|replica| (replica.id.clone(), replica.seen.contiguous())).collect()
    }
}
