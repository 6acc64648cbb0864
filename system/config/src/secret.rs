//! Values that may not be seen.

use std::fmt;
use std::hint::black_box;

use crate::{Setting, Value};

/// A value that is never shown: not by `Debug`, not by `Display`, not in an error, not in a list of
/// settings. To read it, say so: [`expose`](Secret::expose).
///
/// It does not overwrite its memory when it is dropped: without unsafe code the compiler may leave
/// such a write out, and a copy may lie in the environment block and in buffers anyway.
///
/// ```
/// use simurgh_config::Secret;
///
/// let key = Secret::new("hunter2".to_owned());
/// assert_eq!(format!("{key} {key:?}"), "[secret] [secret]");
/// assert!(key.is("hunter2") && !key.is("hunter3"));
/// assert_eq!(key.expose(), "hunter2");
/// ```
#[derive(Clone)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Every use of this word is worth a look in a review.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: AsRef<[u8]>> Secret<T> {
    /// Whether this is the value, in a time that does not tell how much of it is right; see
    /// [`same_bytes`].
    pub fn is(&self, guess: impl AsRef<[u8]>) -> bool {
        same_bytes(self.0.as_ref(), guess.as_ref())
    }
}

/// Whether two byte strings are equal. The time it takes depends on their lengths only; it does
/// tell whether the lengths are equal.
pub fn same_bytes(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.iter().zip(right).fold(0, |sum, (left, right)| black_box(sum | (left ^ right)));
    difference == 0
}

const SHOWN: &str = "[secret]";

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Setting> Setting for Secret<T> {
    const NOUN: &'static str = T::NOUN;
    const SECRET: bool = true;

    fn expected() -> String {
        T::expected()
    }

    fn from_text(text: &str) -> Option<Self> {
        T::from_text(text).map(Self)
    }

    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Self)
    }

    fn show(&self) -> String {
        SHOWN.to_owned()
    }

    fn to_toml(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_or_not() {
        for (left, right, same) in [
            ("", "", true),
            ("a", "a", true),
            ("a", "b", false),
            ("a", "", false),
            ("ab", "aa", false),
            ("ab", "bb", false),
        ] {
            assert_eq!(same_bytes(left.as_bytes(), right.as_bytes()), same, "{left} {right}");
        }
    }

    #[test]
    fn a_secret_inside_of_another_value_stays_one() {
        #[derive(Debug)]
        #[allow(dead_code)] // read by Debug
        struct Login {
            password: Option<Secret<String>>,
        }
        assert_eq!(
            format!("{:?}", Login { password: Some("hunter2".to_owned().into()) }),
            "Login { password: Some([secret]) }"
        );
        const { assert!(Option::<Vec<Secret<u8>>>::SECRET) };
    }
}
