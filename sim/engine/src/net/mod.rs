//! The virtual network: streams and datagrams between nodes, and the names of nodes.
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
//!
//! What may stand between two nodes: a latency drawn once for the pair and one for each segment; a narrow
//! link, with a queue; a cut, which swallows ([`link`]); a clog, which holds ([`clog`]). Datagrams
//! ([`udp`]) are lost, doubled, damaged, and overtake each other. Senders give up as Linux's do: a
//! connection request after 127 s, what nobody acknowledges after 924 s. An acknowledgement is not a
//! segment here: what arrived counts as acknowledged, even if the way back is cut.

pub(crate) mod clog;
pub(crate) mod conn;
pub(crate) mod flight;
pub(crate) mod link;
pub(crate) mod listen;
pub(crate) mod lookup;
pub(crate) mod segments;
pub(crate) mod socket;
pub(crate) mod udp;
