//! What can go wrong: with what the peer sends, and with what we are asked to send.

use super::close::CloseCode;

/// What the peer did; the connection has failed (RFC 6455, 7.1.7).
///
/// The close frame with [`close_code`](Self::close_code) is already in the output when a codec returns one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// RFC 6455, 5.2.
    #[error("a frame has RSV2 or RSV3 set, which no extension here defines")]
    ReservedBits,
    /// RFC 6455, 5.2.
    #[error("a frame has the reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// RFC 7692, 6: RSV1 on a control frame, on a later fragment, or without the extension.
    #[error("a frame is marked as compressed where none may be")]
    UnexpectedCompression,
    /// RFC 6455, 5.2: longer than 2^63 - 1, or not written in the shortest way.
    #[error("a frame's length is not written in the shortest way, or is out of range")]
    BadLength,
    /// RFC 6455, 5.1: what a client sends is masked.
    #[error("a frame from the client is not masked")]
    Unmasked,
    /// RFC 6455, 5.1: what a server sends is not masked.
    #[error("a frame from the server is masked")]
    Masked,
    /// RFC 6455, 5.5.
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// RFC 6455, 5.5.
    #[error("a control frame has more than 125 bytes")]
    ControlTooLong,
    /// RFC 6455, 5.4.
    #[error("a message is continued that was not begun")]
    UnexpectedContinuation,
    /// RFC 6455, 5.4.
    #[error("a message begins before the one before it has ended")]
    InterruptedMessage,
    /// RFC 6455, 5.5.1: a code of one byte.
    #[error("a close frame has one byte; it has none, or a code of two and a reason")]
    BadCloseFrame,
    /// RFC 6455, 7.4.
    #[error("a close frame carries {0}, which may not be sent")]
    BadCloseCode(CloseCode),
    /// RFC 6455, 8.1.
    #[error("text, or the reason of a close frame, is not UTF-8")]
    InvalidUtf8,
    /// RFC 7692, 7.2.2.
    #[error("a compressed message does not inflate")]
    InvalidDeflate,
    /// Beyond [`Config::frame_len_max`](super::Config::frame_len_max).
    #[error("a frame has {len} bytes; the limit is {len_max} (Config::frame_len_max)")]
    FrameTooBig {
        /// Bytes of the payload, as announced.
        len: u64,
        /// The bound.
        len_max: usize,
    },
    /// Beyond [`Config::message_len_max`](super::Config::message_len_max), inflated.
    #[error("a message has more than {len_max} bytes (Config::message_len_max)")]
    MessageTooBig {
        /// The bound.
        len_max: usize,
    },
    /// Beyond [`Config::inflate_ratio_max`](super::Config::inflate_ratio_max).
    #[error("a message inflates to more than {ratio_max} times its size (Config::inflate_ratio_max)")]
    InflatesTooMuch {
        /// The bound.
        ratio_max: u32,
    },
    /// Beyond [`Config::pongs_pending_max`](super::Config::pongs_pending_max).
    #[error("the peer sends pings and does not read the pongs; {pongs_max} wait (Config::pongs_pending_max)")]
    TooManyPings {
        /// The bound.
        pongs_max: u16,
    },
}

impl ProtocolError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ReservedBits => "ws.reserved_bits",
            Self::ReservedOpcode(_) => "ws.reserved_opcode",
            Self::UnexpectedCompression => "ws.unexpected_compression",
            Self::BadLength => "ws.bad_length",
            Self::Unmasked => "ws.unmasked",
            Self::Masked => "ws.masked",
            Self::FragmentedControl => "ws.fragmented_control",
            Self::ControlTooLong => "ws.control_too_long",
            Self::UnexpectedContinuation => "ws.unexpected_continuation",
            Self::InterruptedMessage => "ws.interrupted_message",
            Self::BadCloseFrame => "ws.bad_close_frame",
            Self::BadCloseCode(_) => "ws.bad_close_code",
            Self::InvalidUtf8 => "ws.invalid_utf8",
            Self::InvalidDeflate => "ws.invalid_deflate",
            Self::FrameTooBig { .. } => "ws.frame_too_big",
            Self::MessageTooBig { .. } => "ws.message_too_big",
            Self::InflatesTooMuch { .. } => "ws.inflates_too_much",
            Self::TooManyPings { .. } => "ws.too_many_pings",
        }
    }

    /// What the peer is told.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 | Self::InvalidDeflate => CloseCode::INVALID_DATA,
            Self::FrameTooBig { .. } | Self::MessageTooBig { .. } | Self::InflatesTooMuch { .. } => CloseCode::TOO_BIG,
            Self::TooManyPings { .. } => CloseCode::POLICY,
            _ => CloseCode::PROTOCOL,
        }
    }
}

/// Why something was not sent; the connection is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// RFC 6455, 5.5.1: nothing follows a close frame.
    #[error("the connection is closing: a close frame has been sent, or the peer has closed")]
    Closing,
    /// Beyond [`Config::pending_len_max`](super::Config::pending_len_max): the peer reads too slowly.
    #[error("{pending} bytes wait to be written; the limit is {len_max} (Config::pending_len_max)")]
    Full {
        /// Bytes that wait.
        pending: usize,
        /// The bound.
        len_max: usize,
    },
    /// RFC 6455, 5.4: a message that is sent in parts has not ended.
    #[error("a message is being sent in parts; another one can be sent after its last part")]
    InParts,
    /// RFC 6455, 5.5.
    #[error("a control frame carries at most 125 bytes, the reason of a close frame 123")]
    ControlTooLong,
    /// RFC 6455, 7.4.
    #[error("a close frame cannot carry {0}; 1000 to 1003, 1007 to 1014 and 3000 to 4999 can be sent")]
    BadCloseCode(CloseCode),
}

impl SendError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closing => "ws.closing",
            Self::Full { .. } => "ws.full",
            Self::InParts => "ws.in_parts",
            Self::ControlTooLong => "ws.control_too_long",
            Self::BadCloseCode(_) => "ws.bad_close_code",
        }
    }
}
