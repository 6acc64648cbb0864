//! Parameters as the log shows them.

use serde_json::{Map, Value};
use simurgh_web::{FILTERED, Filter};

/// Values of this many names are shown, in all depths.
const SHOWN_MAX: usize = 64;

/// The JSON without the values whose names say that they are secret.
pub(crate) fn shown(filter: &Filter, params: &Map<String, Value>) -> Shown {
    let mut params = Value::Object(params.clone());
    let mut left = SHOWN_MAX;
    hide(filter, &mut params, &mut left);
    Shown(params)
}

/// The same of a payload, which is looked at only if the line is written.
pub(crate) struct Lazy<'a>(pub(crate) &'a Filter, pub(crate) &'a crate::Payload);

impl std::fmt::Display for Lazy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.1.deserialize::<Value>() {
            Ok(mut value) => {
                hide(self.0, &mut value, &mut SHOWN_MAX.clone());
                value.fmt(f)
            }
            Err(_) => write!(f, "{} bytes", self.1.as_bytes().len()),
        }
    }
}

pub(crate) struct Shown(Value);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn hide(filter: &Filter, value: &mut Value, left: &mut usize) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                *left = left.saturating_sub(1);
                if filter.hides(name) || *left == 0 {
                    *value = FILTERED.into();
                } else {
                    hide(filter, value, left);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| hide(filter, value, left)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;

    #[test]
    fn what_is_secret_is_not_shown_however_deep_it_is() {
        let payload = Payload::Json(r#"{"name":"a","user":{"password":"x"},"l":[{"api_key":1}]}"#.into());
        assert_eq!(
            Lazy(&Filter::default(), &payload).to_string(),
            r#"{"l":[{"api_key":"[filtered]"}],"name":"a","user":{"password":"[filtered]"}}"#
        );
        assert_eq!(Lazy(&Filter::default(), &Payload::binary(vec![0; 3])).to_string(), "3 bytes");
    }
}
