//! Who waits for whom: a circle of tasks that each hold what the next one waits for never ends by
//! itself, and is named the moment it closes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A task, by node and number.
pub(crate) type Who = (u32, u64);

/// The resources that are held or waited for.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    next: u64,
    holders: BTreeMap<u64, Who>,
    /// What each task holds: its end must not cost a look at what all others hold.
    held: BTreeMap<Who, Vec<u64>>,
    waiting: BTreeMap<Who, Vec<(u64, &'static str)>>,
}

impl Waits {
    /// A number for a new resource.
    pub(crate) fn new_resource(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    pub(crate) fn hold(&mut self, who: Who, resource: u64) {
        self.release(resource);
        self.holders.insert(resource, who);
        self.held.entry(who).or_default().push(resource);
    }

    pub(crate) fn release(&mut self, resource: u64) {
        let Some(who) = self.holders.remove(&resource) else { return };
        if let Some(held) = self.held.get_mut(&who) {
            held.retain(|one| *one != resource);
            if held.is_empty() {
                self.held.remove(&who);
            }
        }
    }

    /// `who` begins to wait; answers with the circle that this closes, if it does.
    pub(crate) fn begin(&mut self, who: Who, resource: u64, what: &'static str) -> Option<Vec<(Who, &'static str)>> {
        let entry = self.waiting.entry(who).or_default();
        if !entry.iter().any(|(waited, _)| *waited == resource) {
            entry.push((resource, what));
        }
        self.circle(who)
    }

    pub(crate) fn end(&mut self, who: Who, resource: u64) {
        if let Some(waits) = self.waiting.get_mut(&who) {
            waits.retain(|(waited, _)| *waited != resource);
            if waits.is_empty() {
                self.waiting.remove(&who);
            }
        }
    }

    /// A task is no more: it neither waits nor holds.
    pub(crate) fn forget(&mut self, who: Who) {
        self.waiting.remove(&who);
        for resource in self.held.remove(&who).unwrap_or_default() {
            self.holders.remove(&resource);
        }
    }

    /// Follows wait and holder from `start`. A task that waits for several things at once (in a
    /// `select!`) is not stuck, and ends the chain.
    fn circle(&self, start: Who) -> Option<Vec<(Who, &'static str)>> {
        let mut chain = Vec::new();
        let mut who = start;
        loop {
            let [(resource, what)] = self.waiting.get(&who)?.as_slice() else { return None };
            chain.push((who, *what));
            who = *self.holders.get(resource)?;
            if who == start {
                return Some(chain);
            }
            if chain.iter().any(|(seen, _)| *seen == who) {
                return None; // a circle further on, reported when it closed
            }
        }
    }
}

/// A circle in words.
pub(crate) fn describe(circle: &[(Who, &'static str)], name: impl Fn(Who) -> String) -> String {
    let mut text = String::new();
    for (who, what) in circle {
        let _ = write!(text, "{} waits for {what}, held by ", name(*who));
    }
    let _ = write!(text, "{}", name(circle[0].0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_found_when_it_closes_and_not_before() {
        let mut waits = Waits::default();
        let (a, b) = (waits.new_resource(), waits.new_resource());
        waits.hold((1, 1), a);
        waits.hold((1, 2), b);
        assert_eq!(waits.begin((1, 1), b, "books"), None);
        let circle = waits.begin((1, 2), a, "accounts").unwrap();
        assert_eq!(
            describe(&circle, |who| format!("task {}", who.1)),
            "task 2 waits for accounts, held by task 1 waits for books, held by task 2"
        );
    }

    #[test]
    fn a_chain_is_no_circle() {
        let mut waits = Waits::default();
        let (a, b) = (waits.new_resource(), waits.new_resource());
        waits.hold((1, 1), a);
        waits.hold((1, 2), b);
        assert_eq!(waits.begin((1, 3), b, "b"), None);
        assert_eq!(waits.begin((1, 2), a, "a"), None);
        waits.end((1, 2), a);
        waits.forget((1, 2));
        assert_eq!(waits.begin((1, 1), b, "b"), None);
    }

    #[test]
    fn who_is_gone_holds_nothing_and_leaves_nothing_behind() {
        let mut waits = Waits::default();
        let (a, b, c) = (waits.new_resource(), waits.new_resource(), waits.new_resource());
        for resource in [a, b, c] {
            waits.hold((1, 1), resource);
        }
        waits.hold((1, 2), b); // handed over
        waits.release(c);
        waits.forget((1, 1));
        assert_eq!(waits.holders, BTreeMap::from([(b, (1, 2))]));
        waits.forget((1, 2));
        assert!(waits.holders.is_empty() && waits.held.is_empty());
    }
}
