//! What a tracker does by the clock, and what it gives to those who ask.

use std::time::Duration;

use simurgh_runtime::planted;

use super::super::{Clocks, Delta, Message, Part, ReplicaId};
use super::entries::ME;
use super::{Action, Effects, Tracker};

impl Tracker {
    /// Does what is due: tells what changed, notices who is silent, asks for what is missing. Too early, it does nothing.
    pub fn tick(&mut self, now: Duration, effects: &mut Effects) {
        if !self.options.replicates {
            return;
        }
        if now >= self.next_tick {
            self.next_tick = now + self.options.broadcast_period;
            self.ticks += 1;
            self.notice_silence(now, effects);
            self.silent = self.silent.saturating_add(1);
            let waits = planted!("presence.waits-two-ticks") && self.ticks.is_multiple_of(2);
            let has_news = !self.delta.dots.is_empty() && !waits;
            if has_news || self.silent > self.options.max_silent_periods {
                self.heartbeat(now, effects);
            }
            if self.ticks.is_multiple_of(u64::from(self.options.clock_sample_periods.max(1))) {
                self.ask(effects);
            }
        } else if self.flush_at.is_some_and(|flush_at| now >= flush_at) {
            self.heartbeat(now, effects);
        }
    }

    /// Says goodbye: the others drop what this replica has tracked at once, and do not wait for its silence.
    pub fn goodbye(&self, effects: &mut Effects) {
        effects.actions.push(Action::Broadcast(Message::Goodbye { from: self.replica().clone() }));
    }

    fn notice_silence(&mut self, now: Duration, effects: &mut Effects) {
        let peers: Vec<(u32, Duration)> =
            self.replicas.others().map(|peer| (peer, self.replicas.at(peer).heard)).collect();
        for (peer, heard) in peers {
            let silent = now.saturating_sub(heard);
            if silent > self.options.permdown_period {
                self.forget(peer, effects);
            } else if silent > self.options.down_period && !planted!("presence.down-unnoticed") {
                self.down(peer, effects);
            }
        }
    }

    fn heartbeat(&mut self, now: Duration, effects: &mut Effects) {
        (self.silent, self.flush_at) = (0, None);
        let me = self.replica().clone();
        let part = std::mem::replace(&mut self.delta, Part::since(me.clone(), self.clock));
        let delta = (!part.dots.is_empty()).then(|| {
            self.flushed = Some(now);
            self.generations.push(&part);
            Delta { is_full: false, parts: vec![part] }
        });
        let message = Message::Heartbeat { from: me, delta, clocks: self.clocks() };
        effects.actions.push(Action::Broadcast(message));
    }

    /// Asks those who have seen more than this replica, but nobody whose knowledge another one has as well.
    fn ask(&mut self, effects: &mut Effects) {
        let mut ahead: Vec<(u32, Vec<(u32, u64)>)> = Vec::new();
        let peers: Vec<u32> = self.replicas.others().collect();
        for peer in peers {
            let Some(claims) = &self.replicas.at(peer).claims else { continue };
            let news = self.news(claims);
            if news.is_empty() {
                self.replicas.at_mut(peer).claims = None;
            } else {
                ahead.push((peer, news));
            }
        }
        let mut asked: Vec<(u32, Vec<(u32, u64)>)> = Vec::new();
        for (peer, news) in ahead {
            if asked.iter().any(|(_, more)| covers(more, &news)) {
                continue;
            }
            asked.retain(|(_, less)| !covers(&news, less));
            asked.push((peer, news));
        }
        for (peer, _) in asked {
            self.requests += 1;
            let (id, clocks) = (self.requests, self.clocks());
            let from = self.replica().clone();
            let replica = self.replicas.at_mut(peer);
            replica.asked = Some(id);
            let to = replica.id.clone();
            effects.actions.push(Action::Send(to, Message::TransferRequest { id, from, clocks }));
        }
    }

    /// What somebody has seen, of those that are up here, that was not seen here.
    fn news(&self, claims: &Clocks) -> Vec<(u32, u64)> {
        let known = claims.iter().filter_map(|(id, clock)| Some((self.replicas.of(id)?, *clock)));
        known
            .filter(|(peer, clock)| {
                let replica = self.replicas.at(*peer);
                *peer != ME && replica.is_up && *clock > replica.seen.contiguous()
            })
            .collect()
    }

    /// Answers who asks, once in a tick at most: with the few changes that it missed, or with everything that is known of
    /// the replicas that it knows. What it has tracked itself it knows best.
    pub(super) fn answer(&mut self, peer: u32, id: u64, clocks: &Clocks, effects: &mut Effects) {
        let asker = self.replicas.at(peer);
        if asker.answered == Some(self.ticks) {
            effects.refused.push("a replica asks twice in a tick");
            return;
        }
        let to = asker.id.clone();
        // What leaves with the next heartbeat is in no generation yet: it will come that way.
        let unsent = self.delta.start;
        let seen = |place: u32| if place == ME { unsent } else { self.replicas.at(place).seen.contiguous() };
        let wanted = |id: &ReplicaId| self.replicas.of(id).filter(|_| *id != to);
        let lacks: Vec<(&ReplicaId, u64)> = clocks
            .iter()
            .filter(|(id, clock)| wanted(id).is_some_and(|place| seen(place) > *clock))
            .map(|(id, clock)| (id, *clock))
            .collect();
        if lacks.is_empty() {
            return; // it has come in the meantime
        }
        let delta = match self.generations.covering(&lacks) {
            Some(parts) => Delta { is_full: false, parts },
            None => Delta { is_full: true, parts: self.full_parts(&to, clocks) },
        };
        self.replicas.at_mut(peer).answered = Some(self.ticks);
        let message = Message::TransferAck { id, from: self.replica().clone(), delta };
        effects.actions.push(Action::Send(to, message));
    }

    fn full_parts(&self, asker: &ReplicaId, clocks: &Clocks) -> Vec<Part> {
        let mut places: Vec<u32> = clocks.iter().filter_map(|(id, _)| self.replicas.of(id)).collect();
        places.sort_unstable();
        places.dedup();
        places.retain(|place| self.replicas.at(*place).id != *asker);
        let parts = places.iter().map(|place| {
            let replica = self.replicas.at(*place);
            let (end, dots) = (replica.seen.contiguous(), replica.seen.clone());
            Part { end, dots, ..Part::since(replica.id.clone(), 0) }
        });
        let mut parts: Vec<Part> = parts.collect();
        for entry in self.entries.iter() {
            if let Ok(at) = places.binary_search(&entry.replica) {
                parts[at].values.insert(entry.clock, std::sync::Arc::clone(&entry.item));
            }
        }
        parts
    }
}

/// Whether `more` has all that `less` has.
fn covers(more: &[(u32, u64)], less: &[(u32, u64)]) -> bool {
    less.iter().all(|(peer, clock)| more.iter().any(|(known, seen)| known == peer && seen >= clock))
}
