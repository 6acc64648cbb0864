//! What type a setting can have.

use crate::settings::support::{Reader, Rule};
use crate::{Field, Value};

mod list;
mod plain;
mod time;

pub(crate) use time::split_unit;

/// A type that a setting can have: numbers, `bool`, `String`, `PathBuf`, `SocketAddr`, `IpAddr`,
/// `Duration` (`5s`), [`ByteSize`](crate::ByteSize) (`16KiB`), [`Secret`](crate::Secret), `Option`
/// and `Vec` of these, and what [`choice!`](crate::choice), [`from_str!`](crate::from_str) and
/// [`settings!`](crate::settings) make.
///
/// The environment gives text, which [`from_text`](Setting::from_text) reads. The file gives typed
/// values: a number is written as a number there, a list as a list.
///
/// ```
/// use simurgh_config::Setting;
/// use std::time::Duration;
///
/// let timeout = Duration::from_text("200ms").unwrap();
/// assert_eq!(timeout.show(), "200ms");
/// assert_eq!(Duration::from_text("200"), None, "a unit is required");
/// ```
pub trait Setting: Sized {
    /// What it is, for `is not ..`: "a number", "true or false".
    const NOUN: &'static str;

    /// Whether its value may never be shown.
    const SECRET: bool = false;

    /// The settings in it, if it is a section of the file.
    const FIELDS: &'static [Field] = &[];

    /// The value where none is given and the setting has no default: of an `Option`, `None`.
    const ABSENT: Option<fn() -> Self> = None;

    /// What is accepted, for `is not ..`; more exact than [`NOUN`](Setting::NOUN) where it can be.
    fn expected() -> String {
        Self::NOUN.to_owned()
    }

    /// Reads the text of an environment variable.
    fn from_text(text: &str) -> Option<Self>;

    /// Reads a value of the file.
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Self::from_text(text),
            _ => None,
        }
    }

    /// The text that [`from_text`](Setting::from_text) reads back; for a secret, that it is one.
    fn show(&self) -> String;

    /// How the file writes it; none if it cannot, as for a secret or an option that is not set.
    fn to_toml(&self) -> Option<String> {
        Some(crate::value::quoted(&self.show()))
    }

    /// Finds its value; a section reads its fields instead.
    #[doc(hidden)]
    fn read(reader: &mut Reader<'_>, field: &Field, rule: &Rule<Self>) -> Option<Self> {
        reader.value(field, rule)
    }

    /// Lists `key = value` lines for the file.
    #[doc(hidden)]
    fn lines(&self, key: &str, lines: &mut Vec<String>) {
        lines.push(match self.to_toml() {
            Some(value) => format!("{key} = {value}"),
            None => format!("# {key}: {}", self.show()),
        });
    }
}

#[cfg(test)]
mod tests;
