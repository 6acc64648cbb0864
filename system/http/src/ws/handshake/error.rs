//! Why a handshake fails.

use http::StatusCode;

/// What is wrong with the other side's handshake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// RFC 6455, 4.1.
    #[error("a WebSocket is asked for with GET and HTTP/1.1 or later")]
    NotGet,
    /// RFC 6455, 4.2.1: `Connection: Upgrade` or `Upgrade: websocket` is missing.
    #[error("no upgrade to a WebSocket is asked for; a proxy in between may have dropped Upgrade and Connection")]
    NoUpgrade,
    /// RFC 6455, 4.4: answer with `Sec-WebSocket-Version: 13`.
    #[error("only version 13 of the protocol is spoken")]
    BadVersion,
    /// RFC 6455, 4.2.1: not one key, or not sixteen bytes in base64.
    #[error("Sec-WebSocket-Key is not sixteen bytes in base64, once")]
    BadKey,
    /// RFC 6455, 4.2.1.
    #[error("Sec-WebSocket-Protocol is not a list of tokens")]
    BadProtocols,
    /// RFC 6455, 9.1.
    #[error("Sec-WebSocket-Extensions is not a list of extensions, or accepts what was not offered")]
    BadExtensions,
    /// RFC 6455, 4.1: the server did not switch.
    #[error("the server answered {0} and not 101")]
    BadStatus(StatusCode),
    /// RFC 6455, 4.1: whoever answered does not speak the protocol.
    #[error("Sec-WebSocket-Accept does not belong to the key that was sent")]
    BadAccept,
    /// RFC 6455, 4.1.
    #[error("the server chose a subprotocol that was not offered")]
    UnofferedProtocol,
}

impl HandshakeError {
    /// A stable code for logs and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotGet => "ws.not_get",
            Self::NoUpgrade => "ws.no_upgrade",
            Self::BadVersion => "ws.bad_version",
            Self::BadKey => "ws.bad_key",
            Self::BadProtocols => "ws.bad_protocols",
            Self::BadExtensions => "ws.bad_extensions",
            Self::BadStatus(_) => "ws.bad_status",
            Self::BadAccept => "ws.bad_accept",
            Self::UnofferedProtocol => "ws.unoffered_protocol",
        }
    }

    /// What a server answers. 426 goes with `Sec-WebSocket-Version: 13` and `Upgrade: websocket`.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoUpgrade | Self::BadVersion => StatusCode::UPGRADE_REQUIRED,
            Self::BadKey | Self::BadProtocols | Self::BadExtensions => StatusCode::BAD_REQUEST,
            Self::BadStatus(_) | Self::BadAccept | Self::UnofferedProtocol => StatusCode::BAD_GATEWAY,
        }
    }
}
