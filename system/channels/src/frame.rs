//! The serializers: what stands in a frame, with no socket and no topic behind it.
//!
//! | | text | binary |
//! | --- | --- | --- |
//! | [`Vsn::V1`] | `{"topic", "event", "payload", "ref"}` | read as text |
//! | [`Vsn::V2`] | `[join_ref, ref, topic, event, payload]` | a kind, lengths of one byte, then the same |
//!
//! A payload is never taken apart here: what comes is checked once and handed on as the bytes that it is, and what
//! goes out is written around such bytes. `ref` and `join_ref` are the client's own: any JSON value, echoed as it came.

mod binary;
mod decode;
mod encode;
mod reference;
mod vsn;

pub(crate) use decode::text_frame;
pub use decode::{DecodeError, Incoming};
pub(crate) use encode::push_str;
pub use encode::{EncodeError, Frame};
pub use reference::{REF_LEN_MAX, Ref};
pub use vsn::{UnsupportedVsn, Vsn};

/// Bytes of a topic, at most: one that is longer is malformed.
pub const TOPIC_LEN_MAX: usize = simurgh_config::Limits::DEFAULT.channels_topic_len_max.as_usize();

#[cfg(test)]
mod tests;
