//! A message encoded once for many connections.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::deflate::{compress_fresh, fits_window};
use super::header::{Header, Opcode};
use super::message::{Message, Text};

/// A message whose frame is written once, and compressed at most once, however many connections send it with
/// [`Codec::shared`](super::Codec::shared). Cloning it clones a pointer.
///
/// ```
/// use bytes::Buf;
/// use simurgh_http::ws::{Codec, Config, Prepared};
///
/// let config = Config::default().shared();
/// let news = Prepared::text("to everybody");
/// for _ in 0..3 {
///     let mut subscriber = Codec::server(config.clone(), None);
///     subscriber.shared(&news)?;
///     assert_eq!(subscriber.output().remaining(), 2 + news.len());
/// }
/// # Ok::<(), simurgh_http::ws::SendError>(())
/// ```
///
/// The compressed frame comes from a context of its own, so it refers to nothing before itself and any receiver
/// can inflate it. Where a connection keeps its context (RFC 7692, 7.1.1), the receiver's window now holds what
/// the connection's own context has not seen, so that begins anew with its next message. Clients mask
/// each frame with a key of its own (RFC 6455, 5.3): they share the message, not the bytes.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    opcode: Opcode,
    /// Header and payload, as a server sends them.
    frame: Bytes,
    payload_start: usize,
    /// The same compressed; `None` in it if that saves nothing.
    compressed: OnceLock<Option<Bytes>>,
}

impl Prepared {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(Opcode::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(Opcode::Binary, bytes)
    }

    /// A text message of bytes that are UTF-8.
    ///
    /// # Errors
    /// If they are not.
    pub fn text_bytes(bytes: &[u8]) -> Result<Self, std::str::Utf8Error> {
        match simdutf8::basic::from_utf8(bytes) {
            Ok(_) => Ok(Self::new(Opcode::Text, bytes)),
            Err(_) => Err(std::str::from_utf8(bytes).expect_err("both judge alike")),
        }
    }

    /// The payload, uncompressed.
    pub fn as_bytes(&self) -> &[u8] {
        self.payload()
    }

    /// Whether it is text.
    pub fn is_text(&self) -> bool {
        self.0.opcode == Opcode::Text
    }

    /// As a message, which shares its memory.
    pub fn message(&self) -> Message {
        let payload = self.0.frame.slice(self.0.payload_start..);
        if self.is_text() { Message::Text(Text::checked(payload)) } else { Message::Binary(payload) }
    }

    /// Bytes of the payload, uncompressed.
    pub fn len(&self) -> usize {
        self.payload().len()
    }

    /// Whether the payload is empty.
    pub fn is_empty(&self) -> bool {
        self.payload().is_empty()
    }

    fn new(opcode: Opcode, payload: &[u8]) -> Self {
        let frame = frame(opcode, false, payload);
        let payload_start = frame.len() - payload.len();
        Self(Arc::new(Inner { opcode, frame, payload_start, compressed: OnceLock::new() }))
    }

    pub(crate) fn opcode(&self) -> Opcode {
        self.0.opcode
    }

    pub(crate) fn frame(&self) -> &Bytes {
        &self.0.frame
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.0.frame[self.0.payload_start..]
    }

    /// Whether a receiver with such a window can inflate the compressed frame.
    pub(crate) fn fits(&self, window_bits: u8) -> bool {
        fits_window(self.len(), window_bits)
    }

    /// The compressed frame, made by whoever asks first.
    pub(crate) fn compressed(&self, level: u8) -> Option<&Bytes> {
        let compress = || compress_fresh(self.payload(), level, 15).map(|bytes| frame(self.0.opcode, true, &bytes));
        self.0.compressed.get_or_init(compress).as_ref()
    }
}

impl From<&Message> for Prepared {
    fn from(message: &Message) -> Self {
        let opcode = if matches!(message, Message::Text(_)) { Opcode::Text } else { Opcode::Binary };
        Self::new(opcode, message.as_bytes())
    }
}

fn frame(opcode: Opcode, compressed: bool, payload: &[u8]) -> Bytes {
    let header = Header { compressed, payload_len: payload.len() as u64, ..Header::new(opcode) };
    let (header, header_len) = header.write();
    [&header[..header_len], payload].concat().into()
}
