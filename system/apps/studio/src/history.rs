//! The last messages of a room, in a file that survives a power cut.
//!
//! ```text
//!   file    magic "SMRGROOM"  version u16  record*
//!   record  length u32  checksum u32  JSON of a message         (numbers are little-endian)
//! ```
//!
//! A message is appended and synced before anybody is told of it. What a power cut leaves of a record that was not
//! synced is cut off at the next start, and said in the log. A record that is damaged in the middle is left out, and
//! said, too; the damaged file stays beside the new one. When the file has four times the messages that are kept, and
//! whenever it is opened, it is written anew beside itself, synced, and renamed
//! ([`atomic_replace`](simurgh::runtime::fs::atomic_replace)). `cargo sim run disk/history` takes the power away
//! from it.

mod file;
mod record;

use serde::{Deserialize, Serialize};

pub use file::{Log, Opened};
pub use record::{Damage, Decoded, FORMAT_VERSION, MAGIC, RECORD_LEN_MAX, decode, encode, header};

/// Messages of a room that are kept.
pub const KEPT: usize = simurgh::config::Limits::DEFAULT.studio_history_max;

/// One message of a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its number in its room, from 1.
    pub id: u64,
    /// When the server took it, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who says it.
    pub name: String,
    /// What it says.
    pub text: String,
    /// What its client calls it: a message that is sent again after a lost answer is taken once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}
