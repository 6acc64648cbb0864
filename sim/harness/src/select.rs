//! Selectors: whom a fault strikes, as the world is when it does.

use simurgh_sim::Node;

use crate::registry::Registry;
use crate::subject::{Place, World};

/// What a selector sees.
pub struct Selecting<'a> {
    /// The world.
    pub world: &'a World,
    /// The nodes that faults may strike, all but clients, in the order of their addresses.
    pub nodes: &'a [Node],
    /// Their places, in the same order.
    pub places: &'a [Place],
    /// Drawn for this strike.
    pub coin: u64,
}

impl Selecting<'_> {
    /// Those whose processes live.
    pub fn running(&self) -> Vec<Node> {
        self.nodes.iter().filter(|node| node.is_running()).cloned().collect()
    }

    /// The first node that runs and of which `is` is true; nobody if there is none.
    pub fn first_that(&self, mut is: impl FnMut(&Node) -> bool) -> Vec<Node> {
        self.nodes.iter().find(|node| node.is_running() && is(node)).cloned().into_iter().collect()
    }

    /// `count` of those that run, drawn.
    pub fn some(&self, count: usize) -> Vec<Node> {
        let mut running = self.running();
        shuffle(&mut running, self.coin);
        running.truncate(count);
        running
    }

    /// The nodes of these names.
    pub(crate) fn named(&self, names: &[String]) -> Vec<Node> {
        self.world
            .nodes
            .values()
            .flatten()
            .filter(|node| names.iter().any(|name| name == node.name()))
            .cloned()
            .collect()
    }
}

/// Fisher and Yates, with a generator of one word (`SplitMix64`): a coin is enough to name an order.
pub(crate) fn shuffle<T>(items: &mut [T], coin: u64) {
    let mut state = coin;
    for left in (1..items.len()).rev() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        items.swap(left, ((mixed ^ (mixed >> 31)) % (left as u64 + 1)) as usize);
    }
}

/// A majority of `count`.
pub(crate) fn quorum(count: usize) -> usize {
    count / 2 + 1
}

/// The selectors that every program has; `role:x` and `zone:x` are read in [`prefixed`].
pub(crate) fn built_in(registry: Registry) -> Registry {
    registry
        .selector("one", "one node that runs, drawn", |nodes| nodes.some(1))
        .selector("minority", "the largest number of nodes that is no majority, drawn", |nodes| {
            nodes.some(nodes.nodes.len() - quorum(nodes.nodes.len()))
        })
        .selector("majority", "the smallest majority of the nodes, drawn", |nodes| {
            nodes.some(quorum(nodes.nodes.len()))
        })
        .selector("pair", "two nodes that run, drawn; of a partition, the way between them", |nodes| nodes.some(2))
        .selector("ring", "all nodes in a drawn order; a partition leaves each its two neighbours", |nodes| {
            nodes.some(usize::MAX)
        })
        .selector("all", "every node that runs; a partition parts each from each", |nodes| nodes.some(usize::MAX))
}

/// The selectors with a value: `role:x`, `zone:x`.
pub(crate) const PREFIXED: [(&str, &str); 2] =
    [("role:", "every node of this role that runs"), ("zone:", "every node of this failure domain that runs")];

/// The nodes of a selector with a value; None if it is none.
pub(crate) fn prefixed(selector: &str, nodes: &Selecting<'_>) -> Option<Vec<Node>> {
    let (prefix, _) = PREFIXED.iter().find(|(prefix, _)| selector.starts_with(prefix))?;
    let wanted = &selector[prefix.len()..];
    let fits = |place: &Place| if *prefix == "role:" { place.role == wanted } else { place.zone.to_string() == wanted };
    let pairs = nodes.nodes.iter().zip(nodes.places);
    Some(pairs.filter(|(node, place)| node.is_running() && fits(place)).map(|(node, _)| node.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coin_names_an_order_and_all_orders_come() {
        let order = |coin| {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, coin);
            items
        };
        assert_eq!(order(7), order(7));
        let orders: std::collections::BTreeSet<_> = (0..500).map(order).collect();
        assert_eq!(orders.len(), 24);
        assert_eq!([1, 2, 3, 4, 5].map(quorum), [1, 2, 2, 3, 3]);
    }
}
