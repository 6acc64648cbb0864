//! Process identifiers.

use std::fmt;
use std::str::FromStr;

use simurgh_runtime::Header;
use simurgh_runtime::watchdog::Stuck;

/// Names a process: its node, its number there, and which run of the node that was.
///
/// Printed as `<node.number.incarnation>`; never used again within an incarnation of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid {
    node: u32,
    incarnation: u32,
    number: u64,
}

impl Pid {
    pub(crate) fn of(header: &Header) -> Self {
        let node = header.node();
        Self { node: node.id().0, incarnation: node.incarnation(), number: header.number() }
    }

    /// The process behind a task that the watchdog names.
    pub(crate) fn of_task(stuck: &Stuck) -> Self {
        Self { node: stuck.node.0, incarnation: stuck.incarnation, number: stuck.task }
    }

    /// Another process of the same node.
    pub(crate) fn sibling(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// The number of its node.
    pub fn node(self) -> u32 {
        self.node
    }

    /// Its number within the node.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Which run of the node it belongs to; the first is 0.
    pub fn incarnation(self) -> u32 {
        self.incarnation
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}.{}.{}>", self.node, self.number, self.incarnation)
    }
}

/// A text that is not a pid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a pid; one looks like <0.17.0>")]
pub struct ParsePidError(String);

impl FromStr for Pid {
    type Err = ParsePidError;

    fn from_str(text: &str) -> Result<Self, ParsePidError> {
        let parse = || {
            let mut parts = text.strip_prefix('<')?.strip_suffix('>')?.split('.');
            let node = parts.next()?.parse().ok()?;
            let number = parts.next()?.parse().ok()?;
            let incarnation = parts.next()?.parse().ok()?;
            parts.next().is_none().then_some(Self { node, incarnation, number })
        };
        parse().ok_or_else(|| ParsePidError(text.to_owned()))
    }
}

/// As its text.
impl serde::Serialize for Pid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Pid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Pid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pid such as <0.17.0>")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Pid, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_survives_the_way_through_text() {
        let pid = Pid { node: 3, incarnation: 2, number: u64::MAX };
        assert_eq!(pid.to_string().parse(), Ok(pid));
        for bad in ["", "<>", "<1.2>", "<1.2.3.4>", "1.2.3", "<a.b.c>", "<1.2.3", "<-1.2.3>"] {
            assert!(bad.parse::<Pid>().is_err(), "{bad}");
        }
        assert_eq!(size_of::<Pid>(), 16);
    }
}
