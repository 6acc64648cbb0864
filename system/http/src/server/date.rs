//! The `Date` field (RFC 9110, 6.6.1) from the node's clock, in simulations. Elsewhere hyper writes it.

use http::HeaderValue;
use simurgh_runtime::Timestamp;

use crate::date;

/// A date as text, made anew when the second has changed.
#[derive(Debug, Default)]
pub(super) struct Date {
    at_s: i64,
    value: Option<HeaderValue>,
}

impl Date {
    pub(super) fn now(&mut self) -> HeaderValue {
        let at_s = Timestamp::now().as_nanos().div_euclid(1_000_000_000);
        match &self.value {
            Some(value) if self.at_s == at_s => value.clone(),
            _ => {
                self.at_s = at_s;
                let value = HeaderValue::from_str(&date::format(at_s)).expect("letters, digits, spaces and colons");
                self.value.insert(value).clone()
            }
        }
    }
}
