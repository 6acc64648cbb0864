//! The shape of a telemetry event, which `simurgh-telemetry` dispatches and a simulator taps.

use std::fmt;

/// One thing that happened: numbers to add up, and facts to tell events apart by.
///
/// Units belong into the names (`duration_ns`, `bytes`).
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Dotted, from the general to the special: `net.connection.stop`.
    pub name: &'static str,
    /// Numbers, each under its name.
    pub measurements: &'a [(&'static str, f64)],
    /// Facts, each under its name.
    pub metadata: &'a [(&'static str, Value<'a>)],
}

/// A fact in an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// An unsigned number.
    U64(u64),
    /// A signed number.
    I64(i64),
    /// A fraction.
    F64(f64),
    /// Yes or no.
    Bool(bool),
    /// Text.
    Str(&'a str),
}

impl Event<'_> {
    /// The measurement called `name`.
    pub fn measurement(&self, name: &str) -> Option<f64> {
        self.measurements.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The fact called `name`.
    pub fn metadata(&self, name: &str) -> Option<Value<'_>> {
        self.metadata.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    /// The unsigned number called `name`.
    pub fn u64(&self, name: &str) -> Option<u64> {
        match self.metadata(name)? {
            Value::U64(value) => Some(value),
            Value::I64(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The text called `name`.
    pub fn str(&self, name: &str) -> Option<&str> {
        match self.metadata.iter().find(|(key, _)| *key == name)?.1 {
            Value::Str(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::U64(value) => value.fmt(f),
            Value::I64(value) => value.fmt(f),
            Value::F64(value) => value.fmt(f),
            Value::Bool(value) => value.fmt(f),
            Value::Str(value) => value.fmt(f),
        }
    }
}

macro_rules! from {
    ($($from:ty => $arm:ident as $to:ty),* $(,)?) => {$(
        impl From<$from> for Value<'_> {
            fn from(value: $from) -> Self {
                Value::$arm(value as $to)
            }
        }
    )*};
}

from!(u64 => U64 as u64, u32 => U64 as u64, u16 => U64 as u64, usize => U64 as u64, i64 => I64 as i64, i32 => I64 as i64, f64 => F64 as f64);

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Value::Str(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Value::Str(value)
    }
}
