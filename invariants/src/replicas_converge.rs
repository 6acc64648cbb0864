//! `replica.converges`

use std::collections::BTreeMap;

use simurgh_sim::{Evidence, Invariant, Seen};

/// When nothing changes any more and all is mended, all replicas hold the same.
///
/// Reads `replica.digest.heartbeat` {`digest`}, what a replica holds, and `replica.settled`, after which it is judged at
/// each digest and at the end. A scenario may have it asked at the end of the calm phase too, `check = "calm"`: whether
/// they agree then, settled or not. Planted bug: `register.gossip-forgets` tells the others of one key only.
#[derive(Debug, Default)]
pub struct ReplicasConverge {
    digests: BTreeMap<String, String>,
    settled: bool,
}

impl ReplicasConverge {
    /// Who holds what, if they differ.
    fn judge(&self) -> Result<(), String> {
        let mut all = self.digests.iter();
        let Some((first, held)) = all.next() else { return Ok(()) };
        match all.find(|(_, other)| *other != held) {
            None => Ok(()),
            Some((other, differs)) => Err(format!("{first} holds \"{held}\" and {other} holds \"{differs}\"")),
        }
    }
}

impl Invariant for ReplicasConverge {
    fn name(&self) -> &'static str {
        "replica.converges"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        match seen.event.name {
            "replica.settled" => self.settled = true,
            "replica.digest.heartbeat" => {
                let digest = seen.event.str("digest").unwrap_or_default();
                self.digests.insert(seen.node.to_owned(), digest.to_owned());
            }
            _ => return Ok(()),
        }
        self.end()
    }

    fn node_ended(&mut self, node: &str) {
        self.digests.remove(node);
    }

    fn evidence(&self) -> Vec<Evidence> {
        let held: Vec<(&String, &String)> = self.digests.iter().collect();
        let Some(((first, expected), others)) = held.split_first() else { return Vec::new() };
        let differs = others.iter().filter(|(_, other)| other != expected);
        let evidence = |(node, held): &(&String, &String)| Evidence {
            key: (*node).clone(),
            expected: format!("{expected}, as {first}"),
            seen: (*held).clone(),
        };
        differs.map(evidence).collect()
    }

    fn holds(&mut self) -> Result<(), String> {
        self.judge()
    }

    fn checks(&self) -> &'static [&'static str] {
        &["end", "calm"]
    }

    fn end(&mut self) -> Result<(), String> {
        if self.settled { self.judge() } else { Ok(()) }
    }
}
