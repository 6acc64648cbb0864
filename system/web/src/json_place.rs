//! Which value of a JSON text an error is about.

use std::fmt::Write as _;

/// Values within each other that are looked at: more are not read either.
const DEPTH_MAX: usize = 128;
/// Bytes of a field's path; a longer one helps nobody.
const FIELD_LEN_MAX: usize = 256;

/// Something that has begun and not ended.
enum Open {
    /// With the name that was read last.
    Object(String),
    /// With the number of the value, from 0.
    Array(usize),
}

/// The field that a value of the wrong kind stands in, or that is missing: `users[2].name`. None if it is the
/// whole text.
pub(crate) fn field(json: &[u8], error: &serde_json::Error) -> Option<String> {
    let line_begin = json.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len);
    let end = line_begin.sum::<usize>() + error.column();
    let mut field = path(json, end.min(json.len()))?;
    // serde's words; the error stands at the end of the object that lacks it.
    let text = error.to_string();
    if let Some(name) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        field.push_str(if field.is_empty() { "" } else { "." });
        field.push_str(name);
    }
    (1..=FIELD_LEN_MAX).contains(&field.len()).then_some(field)
}

/// The path of the value that ends, or that a bracket begins, at `end` of a text that is JSON up to there.
fn path(json: &[u8], end: usize) -> Option<String> {
    let mut open = Vec::new();
    let mut at = 0;
    while at < end {
        match json[at] {
            b'{' | b'[' if at + 1 == end => {}
            b'{' => open.push(Open::Object(String::new())),
            b'[' => open.push(Open::Array(0)),
            b'}' | b']' => drop(open.pop()),
            b',' => {
                if let Some(Open::Array(number)) = open.last_mut() {
                    *number += 1;
                }
            }
            b'"' => {
                let len = string_len(&json[at..]);
                let is_name = json[at + len..].trim_ascii_start().starts_with(b":");
                if let (true, Some(Open::Object(name))) = (is_name, open.last_mut()) {
                    *name = serde_json::from_slice(&json[at..at + len]).unwrap_or_default();
                }
                at += len - 1;
            }
            _ => {}
        }
        if open.len() > DEPTH_MAX {
            return None;
        }
        at += 1;
    }
    let mut path = String::new();
    for part in &open {
        let _ = match part {
            Open::Object(name) if path.is_empty() => write!(path, "{name}"),
            Open::Object(name) => write!(path, ".{name}"),
            Open::Array(number) => write!(path, "[{number}]"),
        };
    }
    Some(path)
}

/// The length of the string that a text begins with, quotes included, or of what is there of it.
fn string_len(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // read by serde alone
    struct User {
        name: String,
        age: Option<u8>,
        #[serde(default)]
        friends: Vec<User>,
    }

    #[test]
    fn the_field_is_named() {
        for (json, expected) in [
            (r#"{"name": 7}"#, Some("name")),
            (r#"{"name": "a", "age": "seven"}"#, Some("age")),
            (r#"{"name": "a", "age": 256, "friends": []}"#, Some("age")),
            (r#"{"age": 7}"#, Some("name")),
            ("{}", Some("name")),
            (r#"{"name": "a", "friends": [{"name": "b"}, {"name": [1]}]}"#, Some("friends[1].name")),
            (r#"{"name": "a", "friends": [{"name": "b"}, {"age": 1}], "age": 1}"#, Some("friends[1].name")),
            (r#"{"name": "a", "friends": [{"name": "b"}, 7]}"#, Some("friends[1]")),
            (r#"{"friends": [{"name": "b", "friends": [{}]}]}"#, Some("friends[0].friends[0].name")),
            ("{\n  \"name\": \"x, [\\\" {y\",\n  \"age\": -1\n}", Some("age")),
            (r#"{"n\u0061me": {}}"#, Some("name")),
            (r#"{"name": "a", "nmae": 1}"#, Some("nmae")),
            ("7", None),
            (r#""text""#, None),
        ] {
            let error = serde_json::from_str::<User>(json).expect_err("it is wrong");
            assert!(error.is_data(), "{json}");
            assert_eq!(field(json.as_bytes(), &error).as_deref(), expected, "{json}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_place(json in "[\\[\\]{}:,\"\\\\ a1\u{e4}\n]{0,40}", cut in 0..80_usize) {
            let bytes = json.as_bytes();
            path(bytes, cut.min(bytes.len()));
        }
    }
}
