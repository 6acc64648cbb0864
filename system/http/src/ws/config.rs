//! What an endpoint allows its connections.

use std::sync::Arc;

/// Bounds and choices of all connections of an endpoint; they share one.
///
/// ```
/// use simurgh_http::ws::Config;
///
/// let config = Config { message_len_max: 64 << 10, ..Config::default() }.shared();
/// assert_eq!(config.frame_len_max, 16 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Bytes of one frame as it comes, before inflation; a longer one is refused with 1009 when its header
    /// is read. Default: 16 MiB.
    pub frame_len_max: usize,
    /// Bytes of one message, all fragments, inflated; a longer one is refused with 1009 as soon as that is
    /// known. Default: 16 MiB.
    pub message_len_max: usize,
    /// How many times its size a message may inflate to, once it is beyond
    /// [`INFLATE_FREE`](Self::INFLATE_FREE) bytes; at the bound 1009. Judged at its end, and with each kilobyte that
    /// comes of it, wherever reads and fragments cut it. Deflate itself ends at 1032. Default: 200.
    pub inflate_ratio_max: u32,
    /// Pongs that may wait for a peer who does not read; one ping more is refused with 1008. Default: 128.
    pub pongs_pending_max: u16,
    /// Bytes that may wait to be written. What would go beyond is refused with
    /// [`SendError::Full`](super::SendError::Full), unless nothing waits. Default: 16 MiB.
    pub pending_len_max: usize,
    /// Messages with fewer bytes are sent uncompressed. Default: 128.
    pub deflate_threshold: usize,
    /// From 1 (fast) to 9 (small). Default: 3, since a server's time is dearer than the last
    /// percents of a chat message.
    pub deflate_level: u8,
}

impl Config {
    /// Bytes to which any message may inflate, whatever the ratio: 64 KiB.
    pub const INFLATE_FREE: usize = 64 << 10;

    /// For [`Codec::server`](super::Codec::server) and [`Codec::client`](super::Codec::client).
    pub fn shared(self) -> Arc<Self> {
        Arc::new(self)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            frame_len_max: 16 << 20,
            message_len_max: 16 << 20,
            inflate_ratio_max: 200,
            pongs_pending_max: 128,
            pending_len_max: 16 << 20,
            deflate_threshold: 128,
            deflate_level: 3,
        }
    }
}
