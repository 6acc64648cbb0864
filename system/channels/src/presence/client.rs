//! What a client makes of presence messages: the algorithm of the official one, as a model for tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A client's view of one topic: a `presence_state` after each join, and a `presence_diff` for each change.
///
/// A diff that comes before the first state of a join waits for it. That is why a server sends a state after *each*
/// join.
///
/// ```
/// use simurgh_channels::presence::PresenceClient;
/// use serde_json::json;
///
/// let mut client = PresenceClient::default();
/// client.joined();
/// client.diff(&json!({"joins": {"bob": {"metas": [{"phx_ref": "2"}]}}, "leaves": {}}));
/// assert_eq!(client.keys().count(), 0);
/// client.state(&json!({"alice": {"metas": [{"phx_ref": "1"}]}}));
/// assert_eq!(client.keys().collect::<Vec<_>>(), ["alice", "bob"]);
/// client.diff(&json!({"joins": {}, "leaves": {"alice": {"metas": [{"phx_ref": "1"}]}}}));
/// assert_eq!(client.keys().collect::<Vec<_>>(), ["bob"]);
/// ```
///
/// Source: the presence part of npm `phoenix`, by its behaviour.
#[derive(Debug, Clone, Default)]
pub struct PresenceClient {
    state: BTreeMap<String, Present>,
    pending: Vec<Value>,
    has_state: bool,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Present {
    metas: Vec<Value>,
    extra: Map<String, Value>,
}

impl PresenceClient {
    /// The channel was joined, again or for the first time: a state will come.
    pub fn joined(&mut self) {
        self.has_state = false;
        self.pending.clear();
    }

    /// A `presence_state` came.
    pub fn state(&mut self, payload: &Value) {
        let new = presences(payload);
        self.state.retain(|key, present| {
            let there = new.get(key);
            present.metas.retain(|meta| there.is_some_and(|new| has(&new.metas, meta)));
            !present.metas.is_empty()
        });
        for (key, mut present) in new {
            let known = self.state.get(&key).map(|known| known.metas.clone()).unwrap_or_default();
            present.metas.retain(|meta| !has(&known, meta));
            if !present.metas.is_empty() {
                self.join(key, present);
            }
        }
        self.has_state = true;
        for diff in std::mem::take(&mut self.pending) {
            self.apply(&diff);
        }
    }

    /// A `presence_diff` came.
    pub fn diff(&mut self, payload: &Value) {
        if self.has_state {
            self.apply(payload);
        } else {
            self.pending.push(payload.clone());
        }
    }

    /// Who is there.
    pub fn keys(&self) -> impl Iterator<Item = &str> + '_ {
        self.state.keys().map(String::as_str)
    }

    /// The metas of a key, in the client's order.
    pub fn metas(&self, key: &str) -> &[Value] {
        self.state.get(key).map_or(&[], |present| &present.metas)
    }

    /// What stands beside the metas of a key.
    pub fn extra(&self, key: &str, name: &str) -> Option<&Value> {
        self.state.get(key)?.extra.get(name)
    }

    /// All refs with their keys, sorted: to compare with what a server lists.
    pub fn refs(&self) -> Vec<(String, String)> {
        let all = self.state.iter().flat_map(|(key, present)| {
            present.metas.iter().map(move |meta| (key.clone(), phx_ref(meta).unwrap_or_default().to_owned()))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        all
    }

    fn apply(&mut self, diff: &Value) {
        for (key, present) in presences(&diff["joins"]) {
            self.join(key, present);
        }
        for (key, left) in presences(&diff["leaves"]) {
            if let Some(present) = self.state.get_mut(&key) {
                present.metas.retain(|meta| !has(&left.metas, meta));
                if present.metas.is_empty() {
                    self.state.remove(&key);
                }
            }
        }
    }

    fn join(&mut self, key: String, mut new: Present) {
        let before = self.state.remove(&key).unwrap_or_default().metas.into_iter();
        let mut metas: Vec<Value> = before.filter(|meta| !has(&new.metas, meta)).collect();
        metas.append(&mut new.metas);
        self.state.insert(key, Present { metas, extra: new.extra });
    }
}

fn phx_ref(meta: &Value) -> Option<&str> {
    meta.get("phx_ref")?.as_str()
}

fn has(metas: &[Value], meta: &Value) -> bool {
    metas.iter().any(|other| phx_ref(other) == phx_ref(meta))
}

fn presences(payload: &Value) -> BTreeMap<String, Present> {
    let all = payload.as_object().into_iter().flatten();
    all.map(|(key, value)| {
        let mut extra = value.as_object().cloned().unwrap_or_default();
        let metas = extra.remove("metas").and_then(|metas| metas.as_array().cloned()).unwrap_or_default();
        (key.clone(), Present { metas, extra })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metas(refs: &[u64]) -> Value {
        json!({ "metas": refs.iter().map(|number| json!({"phx_ref": number.to_string()})).collect::<Vec<_>>() })
    }

    fn check(client: &PresenceClient, key: &str, expected: &[u64]) {
        let found: Vec<u64> = client.metas(key).iter().map(|meta| phx_ref(meta).unwrap().parse().unwrap()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn joined_metas_stand_behind_those_that_were_there() {
        let mut client = PresenceClient::default();
        client.joined();
        client.state(&json!({"u": metas(&[1, 2])}));
        client.diff(&json!({"joins": {"u": metas(&[3])}, "leaves": {}}));
        check(&client, "u", &[1, 2, 3]);
        client.diff(&json!({"joins": {"u": metas(&[4])}, "leaves": {"u": metas(&[2])}}));
        check(&client, "u", &[1, 3, 4]);
        client.diff(&json!({"joins": {"u": metas(&[1])}, "leaves": {}}));
        check(&client, "u", &[3, 4, 1]);
        client.diff(&json!({"joins": {}, "leaves": {"u": metas(&[1, 3, 4]), "nobody": metas(&[9])}}));
        assert_eq!(client.keys().count(), 0);
    }

    #[test]
    fn a_new_state_replaces_what_was_known_before_a_rejoin() {
        let mut client = PresenceClient::default();
        client.joined();
        client.state(&json!({"u": metas(&[1]), "gone": metas(&[2])}));
        client.joined();
        client.diff(&json!({"joins": {"late": metas(&[5])}, "leaves": {}}));
        check(&client, "u", &[1]);
        client.state(&json!({"u": metas(&[1, 3])}));
        assert_eq!(client.keys().collect::<Vec<_>>(), ["late", "u"]);
        check(&client, "u", &[1, 3]);
    }
}
