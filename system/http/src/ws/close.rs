//! Why a connection ends (RFC 6455, 5.5.1 and 7.4).

use std::fmt;

use super::error::{ProtocolError, SendError};
use super::header::CONTROL_LEN_MAX;
use super::message::Text;

/// A status code of a close frame.
///
/// ```
/// use simurgh_http::ws::CloseCode;
///
/// assert_eq!(CloseCode::SERVICE_RESTART.to_string(), "1012");
/// assert!(CloseCode(4_000).may_be_sent() && !CloseCode::ABNORMAL.may_be_sent());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// The purpose is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The server goes down, or the page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke the protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// A kind of data that is not accepted.
    pub const UNSUPPORTED: Self = Self(1003);
    /// For reports only: the close frame had no code.
    pub const NO_STATUS: Self = Self(1005);
    /// For reports only: the connection ended without a close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// Text that is not UTF-8, or data that does not inflate.
    pub const INVALID_DATA: Self = Self(1007);
    /// Against the rules of the endpoint.
    pub const POLICY: Self = Self(1008);
    /// A message beyond the bound.
    pub const TOO_BIG: Self = Self(1009);
    /// From clients: the server did not accept an extension.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// The server cannot go on.
    pub const INTERNAL: Self = Self(1011);
    /// The server restarts; come again.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server is overloaded; come again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// Whether a close frame may carry it: 1000 to 1003, 1007 to 1014, and 3000 to 4999 (RFC 6455, 7.4, and the
    /// registry of IANA).
    pub const fn may_be_sent(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// For programs.
    pub code: CloseCode,
    /// For people; at most 123 bytes.
    pub reason: Text,
}

impl CloseFrame {
    /// Bytes that a reason may have: a control frame has 125, the code takes two.
    pub const REASON_LEN_MAX: usize = CONTROL_LEN_MAX - 2;

    /// A code with its reason; see [`REASON_LEN_MAX`](Self::REASON_LEN_MAX).
    pub fn new(code: CloseCode, reason: impl Into<Text>) -> Self {
        Self { code, reason: reason.into() }
    }

    /// Reads the payload of a close frame.
    pub(crate) fn parse(payload: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some((code, reason)) = payload.split_first_chunk() else {
            return if payload.is_empty() { Ok(None) } else { Err(ProtocolError::BadCloseFrame) };
        };
        let code = CloseCode(u16::from_be_bytes(*code));
        if !code.may_be_sent() {
            return Err(ProtocolError::BadCloseCode(code));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Some(Self::new(code, reason)))
    }

    /// Writes the payload.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, SendError> {
        if !self.code.may_be_sent() {
            return Err(SendError::BadCloseCode(self.code));
        }
        if self.reason.as_bytes().len() > Self::REASON_LEN_MAX {
            return Err(SendError::ControlTooLong);
        }
        Ok([&self.code.0.to_be_bytes(), self.reason.as_bytes()].concat())
    }
}
