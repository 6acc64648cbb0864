//! Settings that are one plain value.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::{Setting, Value};

macro_rules! integer {
    ($($number:ty),*) => {$(
        impl Setting for $number {
            const NOUN: &'static str = "a number";

            fn expected() -> String {
                format!("a number from {} to {}", Self::MIN, Self::MAX)
            }

            fn from_text(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn from_value(value: &Value) -> Option<Self> {
                match value {
                    Value::Integer(text) => text.parse().ok(),
                    _ => None,
                }
            }

            fn show(&self) -> String {
                self.to_string()
            }

            fn to_toml(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

integer!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Setting for f64 {
    const NOUN: &'static str = "a number";

    /// Finite numbers only: what is infinite or not a number is no setting.
    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Float(text) | Value::Integer(text) => Self::from_text(text),
            _ => None,
        }
    }

    fn show(&self) -> String {
        format!("{self:?}") // with a point, also where the fraction is zero
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.show())
    }
}

impl Setting for bool {
    const NOUN: &'static str = "true or false";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }

    fn to_toml(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for String {
    const NOUN: &'static str = "text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Setting for PathBuf {
    const NOUN: &'static str = "a path";

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| text.into())
    }

    fn show(&self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Setting for SocketAddr {
    const NOUN: &'static str = "an address with a port such as 127.0.0.1:4000 or [::1]:4000";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Setting for IpAddr {
    const NOUN: &'static str = "an address such as 127.0.0.1 or ::1";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
