//! Parameters of a connection.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Values of one query.
const PARAMS_MAX: usize = simurgh_config::Limits::DEFAULT.form_fields_max;

/// Names in names in names.
const DEPTH_MAX: usize = simurgh_config::Limits::DEFAULT.channels_params_depth_max;

/// What a client says when it connects: the query and the path's parameters, by name. A name `user[id]` is a name in a
/// record, as PHP and Plug write it, and `list[]` an entry of a list.
///
/// ```
/// use simurgh_channels::Params;
///
/// let params = Params::of_query("token=abc&user%5Bid%5D=7&tags[]=a&tags[]=b&&vsn=2.0.0&").unwrap();
/// assert_eq!(params.get("token"), Some("abc"));
/// assert_eq!(params.as_value()["user"]["id"], "7");
/// assert_eq!(params.as_value()["tags"][1], "b");
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(Map<String, Value>);

impl Params {
    /// Reads a query; none if it has more than 1,000 values, or a name in more than 32 others.
    pub fn of_query(query: &str) -> Option<Self> {
        let mut params = Self::default();
        for (at, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
            if at >= PARAMS_MAX {
                return None;
            }
            if !name.is_empty() {
                params.put(&name, value.into_owned())?;
            }
        }
        Some(params)
    }

    /// The text of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Whether there is anything of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// All of it.
    pub fn as_value(&self) -> &Map<String, Value> {
        &self.0
    }

    /// All of it as a record.
    ///
    /// # Errors
    /// If it is none. All values are text.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.0)
    }

    pub(crate) fn insert(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), Value::String(value.to_owned()));
    }

    fn put(&mut self, name: &str, value: String) -> Option<()> {
        let Some((first, rest)) = name.split_once('[').filter(|(first, rest)| !first.is_empty() && rest.ends_with(']'))
        else {
            self.0.insert(name.to_owned(), Value::String(value));
            return Some(());
        };
        let keys: Vec<&str> = rest[..rest.len() - 1].split("][").collect();
        if keys.len() > DEPTH_MAX {
            return None;
        }
        let mut at = self.0.entry(first).or_insert(Value::Null);
        for key in keys {
            at = if key.is_empty() {
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let list = at.as_array_mut()?;
                list.push(Value::Null);
                list.last_mut()?
            } else {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at.as_object_mut()?.entry(key).or_insert(Value::Null)
            };
        }
        *at = Value::String(value);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_are_nested_as_plug_nests_them() {
        for (query, value) in [
            ("", json!({})),
            ("a=1&b=two%20words", json!({"a": "1", "b": "two words"})),
            ("a=1&a=2", json!({"a": "2"})),
            ("l%5B0%5D=1&l%5B1%5D=2", json!({"l": {"0": "1", "1": "2"}})),
            ("l[]=1&l[]=2", json!({"l": ["1", "2"]})),
            ("n[a][b]=1&n[a][c]=2", json!({"n": {"a": {"b": "1", "c": "2"}}})),
            ("n=1&n[a]=2", json!({"n": {"a": "2"}})),
            ("n[a=1", json!({"n[a": "1"})),
            ("&token=&&vsn=2.0.0&", json!({"token": "", "vsn": "2.0.0"})),
            ("u=undefined", json!({"u": "undefined"})),
        ] {
            assert_eq!(Value::Object(Params::of_query(query).unwrap().0), value, "{query}");
        }
    }

    #[test]
    fn too_much_is_none() {
        assert_eq!(Params::of_query(&"a=1&".repeat(PARAMS_MAX + 1)), None);
        assert_eq!(Params::of_query(&format!("a{}=1", "[b]".repeat(DEPTH_MAX + 1))), None);
        assert!(Params::of_query(&format!("a{}=1", "[b]".repeat(DEPTH_MAX))).is_some());
    }
}
