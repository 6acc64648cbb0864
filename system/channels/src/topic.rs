//! Topics and the patterns that they fit.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A topic that a client joins: `room:lobby`. It is text, and cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes after the first colon: `lobby` of `room:lobby`; all of it if there is none.
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, name)| name)
    }
}

impl From<&str> for Topic {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<&str> for Topic {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which topics a channel is for: one (`lobby`), or all that begin so (`room:*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pattern(&'static str);

impl Pattern {
    /// # Panics
    /// If a star stands elsewhere than at the end.
    pub(crate) fn new(pattern: &'static str) -> Self {
        let stars = pattern.matches('*').count();
        assert!(stars == 0 || (stars == 1 && pattern.ends_with('*')), "{pattern:?}: a star stands at the end");
        assert!(!pattern.is_empty(), "a pattern is not empty");
        Self(pattern)
    }

    pub(crate) fn fits(self, topic: &str) -> bool {
        self.0.strip_suffix('*').map_or(topic == self.0, |start| topic.starts_with(start))
    }

    pub(crate) fn as_str(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_exact_or_a_beginning() {
        for (pattern, topic, fits) in [
            ("room:*", "room:lobby", true),
            ("room:*", "room:", true),
            ("room:*", "room", false),
            ("room:*", "rooms:1", false),
            ("lobby", "lobby", true),
            ("lobby", "lobby:1", false),
            ("*", "anything", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(topic), fits, "{pattern} {topic}");
        }
        assert_eq!((Topic::from("room:a:b").name(), Topic::from("lobby").name()), ("a:b", "lobby"));
    }

    #[test]
    #[should_panic(expected = "a star stands at the end")]
    fn a_star_elsewhere_is_refused() {
        Pattern::new("room:*:typing");
    }
}
