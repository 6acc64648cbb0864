//! The virtual network: streams between nodes, with latency, loss, partitions and resets.
//!
//! ```text
//!   end 0 (who connected)                                  end 1 (who accepted)
//!     write ──> flow 0: bytes ── segments in flight ──> arrived ──> read
//!     read  <── arrived <── segments in flight ── bytes :flow 1 <── write
//! ```
//!
//! One flow has one queue and one timer for retransmission, so nothing overtakes: a FIN is the last
//! segment of its queue. Loss delays (doubling), it never loses; a partition delays until it heals;
//! a reset travels beside the queue and discards it. What a kernel does after its process died, this
//! network does too: it answers with a reset, and a machine without power answers nothing.

pub(crate) mod conn;
pub(crate) mod link;
pub(crate) mod listen;
pub(crate) mod socket;
