//! What is known of one presence, and its ref.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A `phx_ref`: names one state of one presence. On the wire 16 characters of URL-safe base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ref([u8; 12]);

impl Ref {
    /// Of a moment in nanoseconds, a hash of the process, and a count.
    pub fn new(at_ns: u64, process: u16, count: u16) -> Self {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&at_ns.to_be_bytes());
        bytes[8..10].copy_from_slice(&process.to_be_bytes());
        bytes[10..].copy_from_slice(&count.to_be_bytes());
        Self(bytes)
    }

    fn text(self) -> [u8; REF_LEN] {
        let mut text = [0; REF_LEN];
        URL_SAFE_NO_PAD.encode_slice(self.0, &mut text).expect("12 bytes are 16 characters");
        text
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({self})")
    }
}

/// Characters of a ref.
const REF_LEN: usize = 16;
/// Each meta begins with its ref: it can be found without parsing.
const HEAD: &str = "{\"phx_ref\":\"";
const BEFORE: &str = "\",\"phx_ref_prev\":\"";

/// A meta is no object, or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// It does not serialise, or not to an object.
    #[error("a meta must be a JSON object: {0}")]
    NotAnObject(String),
    /// It is longer than allowed.
    #[error("a meta of {len} bytes is longer than {len_max}")]
    TooLong {
        /// Its bytes as JSON.
        len: usize,
        /// How many there may be.
        len_max: usize,
    },
}

/// What is known of one presence: a JSON object with `phx_ref`, after an update also `phx_ref_prev`, and what
/// the application gave.
///
/// ```
/// use simurgh_channels::presence::{Meta, Ref};
/// use serde_json::json;
///
/// let meta = Meta::new(&json!({"status": "away"}), Ref::new(0, 0, 1), None, 4096).unwrap();
/// assert_eq!(meta.as_json(), r#"{"phx_ref":"AAAAAAAAAAAAAAAB","status":"away"}"#);
/// assert_eq!(meta.field::<String>("status").as_deref(), Some("away"));
/// ```
#[derive(Clone)]
pub struct Meta(Box<RawValue>);

impl Meta {
    /// Of an object that serialises, whose JSON has `len_max` bytes at most. A `phx_ref` of its own is left out.
    ///
    /// # Errors
    /// [`MetaError`].
    pub fn new(value: &impl Serialize, own: Ref, before: Option<Ref>, len_max: usize) -> Result<Self, MetaError> {
        Self::of(&Self::fields_of(value)?, own, before, len_max)
    }

    /// The fields of what serialises to an object, without refs.
    pub(super) fn fields_of(value: &impl Serialize) -> Result<Map<String, Value>, MetaError> {
        match serde_json::to_value(value) {
            Ok(Value::Object(fields)) => Ok(Self::without_refs(fields)),
            Ok(Value::Null) => Ok(Map::new()), // `()`, for those who have nothing to say
            Ok(other) => Err(MetaError::NotAnObject(format!("it is {}", kind(&other)))),
            Err(error) => Err(MetaError::NotAnObject(error.to_string())),
        }
    }

    /// The refs are not the application's to give.
    pub(super) fn without_refs(mut fields: Map<String, Value>) -> Map<String, Value> {
        fields.remove("phx_ref");
        fields.remove("phx_ref_prev");
        fields
    }

    /// Of fields without refs.
    pub(super) fn of(
        fields: &Map<String, Value>,
        own: Ref,
        before: Option<Ref>,
        len_max: usize,
    ) -> Result<Self, MetaError> {
        let mut text = String::with_capacity(96);
        text.push_str(HEAD);
        push_ref(&mut text, own);
        if let Some(before) = before {
            text.push_str(BEFORE);
            push_ref(&mut text, before);
        }
        text.push('"');
        if fields.is_empty() {
            text.push('}');
        } else {
            let rest = serde_json::to_string(fields).map_err(|error| MetaError::NotAnObject(error.to_string()))?;
            text.push(',');
            text.push_str(&rest[1..]);
        }
        if text.len() > len_max {
            return Err(MetaError::TooLong { len: text.len(), len_max });
        }
        let raw = RawValue::from_string(text).map_err(|error| MetaError::NotAnObject(error.to_string()))?;
        Ok(Self(raw))
    }

    /// From what another replica sent: an object that begins with a ref.
    pub(super) fn received(text: &str) -> Option<Self> {
        let own = text.strip_prefix(HEAD)?.get(..REF_LEN)?;
        let mut rest = &text[HEAD.len() + REF_LEN..];
        if let Some(prev) = rest.strip_prefix(BEFORE) {
            decode(prev.get(..REF_LEN)?)?;
            rest = &prev[REF_LEN..];
        }
        decode(own)?;
        if !rest.starts_with("\",") && rest != "\"}" {
            return None;
        }
        serde_json::from_str::<RefsOnce>(text).ok()?;
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The ref as it is on the wire.
    pub fn phx_ref(&self) -> &str {
        &self.as_json()[HEAD.len()..HEAD.len() + REF_LEN]
    }

    /// The ref.
    pub(super) fn own_ref(&self) -> Ref {
        decode(self.phx_ref()).unwrap_or(Ref([0; 12]))
    }

    /// The ref that an update has replaced.
    pub fn phx_ref_prev(&self) -> Option<&str> {
        self.as_json()[HEAD.len() + REF_LEN..].strip_prefix(BEFORE)?.get(..REF_LEN)
    }

    /// A field, if it is there and of that type.
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let mut fields = self.fields();
        serde_json::from_value(fields.remove(name)?).ok()
    }

    /// All fields, refs included.
    pub fn fields(&self) -> Map<String, Value> {
        serde_json::from_str(self.as_json()).unwrap_or_default()
    }
}

fn push_ref(text: &mut String, own: Ref) {
    text.extend(own.text().iter().map(|byte| char::from(*byte)));
}

fn decode(text: &str) -> Option<Ref> {
    let mut bytes = [0; 12];
    (URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(12)).then_some(Ref(bytes))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

impl PartialEq for Meta {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Eq for Meta {}

impl fmt::Debug for Meta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

impl Serialize for Meta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Any object in which no ref stands twice: the second would be the one that a client sees.
struct RefsOnce;

impl<'de> Deserialize<'de> for RefsOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RefsOnce;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with each ref once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RefsOnce, A::Error> {
                let (mut own, mut before) = (0, 0);
                while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
                    own += u32::from(key == "phx_ref");
                    before += u32::from(key == "phx_ref_prev");
                    map.next_value::<IgnoredAny>()?;
                }
                if own == 1 && before <= 1 { Ok(RefsOnce) } else { Err(serde::de::Error::custom("a ref stands twice")) }
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(value: &Value, before: Option<Ref>, expected: &str) {
        let meta = Meta::new(value, Ref::new(1, 2, 3), before, 4096).unwrap();
        assert_eq!(meta.as_json(), expected);
        assert_eq!(Meta::received(expected), Some(meta.clone()));
        assert_eq!(meta.own_ref(), Ref::new(1, 2, 3));
        assert_eq!(meta.phx_ref_prev().map(str::to_owned), before.map(|before| before.to_string()));
    }

    #[test]
    fn a_meta_begins_with_its_refs_and_survives_the_wire() {
        let own = "AAAAAAAAAAEAAgAD";
        check(&json!({}), None, &format!(r#"{{"phx_ref":"{own}"}}"#));
        check(&json!(null), None, &format!(r#"{{"phx_ref":"{own}"}}"#));
        check(
            &json!({"a": 1, "__proto__": {"b": []}}),
            None,
            &format!(r#"{{"phx_ref":"{own}","__proto__":{{"b":[]}},"a":1}}"#),
        );
        check(
            &json!({"a": "\"", "phx_ref": "mine", "phx_ref_prev": 3}),
            Some(Ref::new(0, 0, 1)),
            &format!(r#"{{"phx_ref":"{own}","phx_ref_prev":"AAAAAAAAAAAAAAAB","a":"\""}}"#),
        );
    }

    #[test]
    fn what_is_no_object_or_too_long_is_refused() {
        for (value, says) in
            [(json!(1), "a number"), (json!("x"), "a string"), (json!([1]), "an array"), (json!(true), "a boolean")]
        {
            let error = Meta::new(&value, Ref::new(0, 0, 0), None, 4096).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let long = json!({"text": "x".repeat(100)});
        assert_eq!(Meta::new(&long, Ref::new(0, 0, 0), None, 100), Err(MetaError::TooLong { len: 140, len_max: 100 }));
        assert!(Meta::new(&long, Ref::new(0, 0, 0), None, 140).is_ok());
    }

    #[test]
    fn what_another_replica_sends_is_checked() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD""#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgA"}"#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgA!"}"#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD"} "#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD",}"#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD","phx_ref":"x"}"#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD","phx\u005fref":"x"}"#,
            r#"{"phx_ref":"AAAAAAAAAAEAAgAD","a":1}}"#,
            "{\"phx_ref\":\"ÄÄÄÄÄÄÄÄÄÄ\"}",
        ] {
            assert_eq!(Meta::received(bad), None, "{bad}");
        }
    }
}
