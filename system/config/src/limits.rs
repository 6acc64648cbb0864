//! The one table of what the platform bounds.
//!
//! Every queue, buffer, table and loop has a bound, a policy at the bound, and a counter. What is
//! bounded by default is written here once; `LIMITS.md` beside this crate's manifest is this table
//! as a page, and a test keeps the two alike.

use std::time::Duration;

use crate::field::table;
use crate::{ByteSize, Setting};

/// One row of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limit {
    /// The field of [`Limits`].
    pub name: &'static str,
    /// What it bounds.
    pub doc: &'static str,
    /// In what it is counted.
    pub unit: &'static str,
    /// Its default as text.
    pub default: String,
    /// What happens at the bound.
    pub at_bound: &'static str,
    /// Where it is enforced.
    pub enforced_by: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $default:expr, $unit:literal, at $at_bound:literal, by $enforced_by:literal;)*) => {
        /// The limits, each with its default in [`Limits::DEFAULT`].
        ///
        /// ```
        /// use simurgh_config::Limits;
        ///
        /// let limits = Limits { connections_max: 100, ..Limits::DEFAULT };
        /// assert_eq!(limits.accept_backlog, 1_024);
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])* #[doc = ::core::concat!("\n\nAt the bound: ", $at_bound, ".")] pub $name: $type,)*
        }

        impl Limits {
            /// What holds where nothing else is said.
            pub const DEFAULT: Limits = Limits { $($name: $default),* };

            /// The table, a row for each limit, with the values of `self`.
            pub fn rows(&self) -> Vec<Limit> {
                vec![$(Limit {
                    name: stringify!($name),
                    doc: concat!($($doc),*).trim(),
                    unit: $unit,
                    default: Setting::show(&self.$name),
                    at_bound: $at_bound,
                    enforced_by: $enforced_by,
                }),*]
            }
        }
    };
}

limits! {
    /// Connections of one listener at once.
    connections_max: usize = 16_384, "connections",
        at "further ones wait in the kernel's backlog until one ends", by "net: `Options::max_connections`";
    /// Connections of one listener at once from one address.
    connections_per_address_max: usize = 16_384, "connections",
        at "further ones of that address are reset", by "net: `Options::max_per_address`";
    /// Connections of one listener that wait to be accepted.
    accept_backlog: u32 = 1_024, "connections",
        at "the kernel drops requests, and clients repeat them", by "net: `Options::backlog`";
    /// Time until a connection's first byte, or until it is declared greeted.
    handshake_timeout: Duration = Duration::from_secs(5), "time",
        at "the connection's read fails with `TimedOut`", by "net: `Options::handshake_timeout`";
    /// Time that one read may wait.
    read_timeout: Duration = Duration::from_mins(1), "time",
        at "the read fails with `TimedOut`", by "net: `Options::read_timeout`";
    /// Time without a byte in either direction.
    idle_timeout: Option<Duration> = None, "time",
        at "reads and writes fail with `TimedOut`", by "net: `Options::idle_timeout`";
    /// Time that a drain waits for connections to end by themselves.
    drain_timeout: Duration = Duration::from_secs(15), "time",
        at "what is left is killed", by "net: `Options::drain_timeout`";
    /// Bytes that the echo service keeps for a peer that is slow to read.
    echo_buffer_len_max: ByteSize = ByteSize::kib(16), "bytes",
        at "nothing more is read from that peer until it has read", by "labs: `echo::BUFFER_MAX`";
    /// Telemetry handlers of one node.
    telemetry_handlers_max: usize = 1_024, "handlers",
        at "`attach` says `TooMany`", by "telemetry: `HANDLERS_MAX`";
    /// One value in a line of the log.
    log_value_len_max: ByteSize = ByteSize::kib(8), "bytes",
        at "it is cut and ends in `...`", by "telemetry: `logs::VALUE_LEN_MAX`";
    /// Length of a configuration file.
    config_file_len_max: ByteSize = ByteSize(crate::FILE_LEN_MAX), "bytes",
        at "the configuration has an error", by "config: `FILE_LEN_MAX`";
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// The table as a page in markdown.
    pub fn markdown(&self) -> String {
        let rows = self.rows().into_iter();
        let rows = rows.map(|limit| {
            let name = format!("`{}`", limit.name);
            [
                name,
                limit.doc.to_owned(),
                limit.default,
                limit.unit.to_owned(),
                limit.at_bound.to_owned(),
                limit.enforced_by.to_owned(),
            ]
        });
        format!(
            "# Limits\n\nEverything that could grow has a bound. These are the defaults, from `system/config/src/limits.rs`.\n\n{}",
            table(["limit", "what it bounds", "default", "unit", "at the bound", "enforced by"], rows)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_the_table() {
        let page = Limits::DEFAULT.markdown();
        assert_eq!(page, include_str!("../LIMITS.md"), "LIMITS.md is old; write this instead:\n\n{page}");
    }

    #[test]
    fn the_table_says_what_is_enforced() {
        assert_eq!(Limits::DEFAULT.telemetry_handlers_max, simurgh_telemetry::HANDLERS_MAX);
        assert_eq!(Limits::DEFAULT.log_value_len_max.as_usize(), simurgh_telemetry::logs::VALUE_LEN_MAX);
    }
}
