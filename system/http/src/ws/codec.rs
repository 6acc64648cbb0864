//! One connection after its handshake.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::close::CloseFrame;
use super::config::Config;
use super::decoder::Decoder;
use super::deflate::DeflateParams;
use super::encoder::{Encoder, Payload};
use super::error::{ProtocolError, SendError};
use super::header::{CONTROL_LEN_MAX, Opcode};
use super::message::{Event, Message};
use super::output::Output;
use super::prepared::Prepared;

/// A WebSocket connection (RFC 6455), without its socket.
///
/// [`feed`](Self::feed) takes what was read and gives events; what is to be written stands in
/// [`output`](Self::output), answers included: pongs, the echo of a close, the close of a failure. What is sent is sent
/// whole or not at all: a [`SendError`] leaves the connection as it was.
///
/// It is under 200 bytes. With deflate and kept contexts, the first compressed message of a direction adds that
/// direction's state ([`DeflatePolicy`](super::DeflatePolicy) says how much).
///
/// ```
/// use bytes::{BufMut, BytesMut};
/// use simurgh_http::ws::{CloseCode, CloseFrame, Codec, Config, Event};
///
/// let config = Config::default().shared();
/// let (mut server, mut client) = (Codec::server(config.clone(), None), Codec::client(config, None, || [7; 4]));
/// let carry = |from: &mut Codec| {
///     let mut wire = BytesMut::new();
///     wire.put(from.output());
///     wire
/// };
///
/// client.close(Some(CloseFrame::new(CloseCode::NORMAL, "done")))?;
/// let Some(Event::Close(Some(frame))) = server.feed(&mut carry(&mut client))? else { panic!("a close frame") };
/// assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::NORMAL, "done"));
///
/// assert!(matches!(client.feed(&mut carry(&mut server))?, Some(Event::Close(_))));
/// assert!(server.is_closed() && client.is_closed()); // the server now ends the connection
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Codec {
    config: Arc<Config>,
    decoder: Decoder,
    encoder: Encoder,
    output: Output,
    /// Pongs written since the output was last empty.
    pongs_pending: u16,
    /// A message is being sent in parts.
    is_in_parts: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// Our close frame is written, the peer's has not come.
    Closing,
    /// Both have closed, or the connection has failed.
    Closed,
}

impl Codec {
    /// The server's side.
    pub fn server(config: Arc<Config>, deflate: Option<DeflateParams>) -> Self {
        let decoder = Decoder::new(true, deflate.map(DeflateParams::client));
        let encoder = Encoder::new(None, deflate.map(DeflateParams::server));
        Self::new(config, decoder, encoder)
    }

    /// The client's side. Each frame asks `keys` for its masking key, which nobody may guess (RFC 6455, 10.3).
    pub fn client(config: Arc<Config>, deflate: Option<DeflateParams>, keys: fn() -> [u8; 4]) -> Self {
        let decoder = Decoder::new(false, deflate.map(DeflateParams::server));
        let encoder = Encoder::new(Some(keys), deflate.map(DeflateParams::client));
        Self::new(config, decoder, encoder)
    }

    fn new(config: Arc<Config>, decoder: Decoder, encoder: Encoder) -> Self {
        Self {
            config,
            decoder,
            encoder,
            output: Output::default(),
            pongs_pending: 0,
            is_in_parts: false,
            phase: Phase::Open,
        }
    }

    /// Takes the next event from what was read; `None` when it needs more.
    ///
    /// Append to `input` what was read and give the same buffer again: of a message under way it holds the first
    /// part, unmasked. When it is empty it can be dropped, so that an idle connection keeps no buffer.
    ///
    /// # Errors
    /// What the peer did wrong, once. The output then ends with the close frame that says so, input is thrown
    /// away, and [`is_closed`](Self::is_closed) holds.
    pub fn feed(&mut self, input: &mut BytesMut) -> Result<Option<Event>, ProtocolError> {
        if self.phase == Phase::Closed {
            input.clear();
            return Ok(None);
        }
        let event = self.decoder.next(input, &self.config);
        let failure = match &event {
            Ok(Some(Event::Ping(payload))) => self.answer_ping(payload).err(),
            Ok(Some(Event::Close(frame))) => {
                self.answer_close(frame.as_ref());
                None
            }
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        let Some(error) = failure else { return event };
        self.fail(&error);
        input.clear();
        Err(error)
    }

    /// How many bytes to read next, at most: what is missing of the message under way, but not much more than has
    /// come of it, since a header alone earns no memory. Reserve so much, and read into
    /// [`limit`](bytes::BufMut::limit) of it: what is read beyond has to be moved later.
    pub fn room(&self, input: &BytesMut) -> usize {
        self.decoder.room(input)
    }

    /// Sends text; it is copied.
    pub fn text(&mut self, text: &str) -> Result<(), SendError> {
        self.message(Opcode::Text, Payload::Borrowed(text.as_bytes()))
    }

    /// Sends bytes; they are copied.
    pub fn binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.message(Opcode::Binary, Payload::Borrowed(bytes))
    }

    /// Sends a message. A server does not copy a large one.
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        match message {
            Message::Text(text) => self.message(Opcode::Text, Payload::Owned(text.into_bytes())),
            Message::Binary(bytes) => self.message(Opcode::Binary, Payload::Owned(bytes)),
        }
    }

    /// Sends a part of a message whose length is not known yet (RFC 6455, 5.4); control frames may come between.
    ///
    /// The first part says whether the message is text, and the last ends it. Parts are not compressed.
    pub fn part(&mut self, part: Message, is_last: bool) -> Result<(), SendError> {
        let (opcode, payload) = match part {
            Message::Text(text) => (Opcode::Text, text.into_bytes()),
            Message::Binary(bytes) => (Opcode::Binary, bytes),
        };
        self.check_room(payload.len())?;
        let opcode = if self.is_in_parts { Opcode::Continuation } else { opcode };
        self.is_in_parts = !is_last;
        self.encoder.part(opcode, is_last, payload, &mut self.output);
        Ok(())
    }

    /// Sends a message that is encoded once for many.
    pub fn shared(&mut self, prepared: &Prepared) -> Result<(), SendError> {
        self.check_whole(prepared.len())?;
        self.encoder.shared(prepared, &self.config, &mut self.output);
        Ok(())
    }

    /// Sends a ping, with at most 125 bytes (RFC 6455, 5.5.2).
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.control(Opcode::Ping, payload)
    }

    /// Sends a pong that nobody asked for (RFC 6455, 5.5.3). Pings are answered without it.
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.control(Opcode::Pong, payload)
    }

    /// Begins to close (RFC 6455, 7.1.2): what is pending goes out first, nothing after. Messages of the peer still
    /// come, and last of all its own [`Event::Close`].
    pub fn close(&mut self, frame: Option<CloseFrame>) -> Result<(), SendError> {
        let payload = frame.map_or(Ok(Vec::new()), |frame| frame.payload())?;
        self.check_open()?;
        self.encoder.control(Opcode::Close, &payload, &mut self.output);
        self.phase = Phase::Closing;
        Ok(())
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Whether this is the client's side.
    pub(crate) fn is_client(&self) -> bool {
        self.encoder.keys.is_some()
    }

    /// Whether messages can be sent: no side has closed, nothing has failed.
    pub fn is_open(&self) -> bool {
        self.check_open().is_ok()
    }

    /// Whether all has been said: both sides have closed, or the connection has failed. Once the output is written
    /// the server ends the connection, and the client waits for that (RFC 6455, 7.1.1).
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn message(&mut self, opcode: Opcode, payload: Payload<'_>) -> Result<(), SendError> {
        self.check_whole(payload.as_slice().len())?;
        self.encoder.message(opcode, payload, &self.config, &mut self.output);
        Ok(())
    }

    fn control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > CONTROL_LEN_MAX {
            return Err(SendError::ControlTooLong);
        }
        self.check_room(payload.len())?;
        self.encoder.control(opcode, payload, &mut self.output);
        Ok(())
    }

    fn check_open(&self) -> Result<(), SendError> {
        if self.phase == Phase::Open { Ok(()) } else { Err(SendError::Closing) }
    }

    fn check_whole(&self, len: usize) -> Result<(), SendError> {
        self.check_room(len)?;
        if self.is_in_parts { Err(SendError::InParts) } else { Ok(()) }
    }

    fn check_room(&self, len: usize) -> Result<(), SendError> {
        self.check_open()?;
        let (pending, len_max) = (self.output.remaining(), self.config.pending_len_max);
        if pending > 0 && len > len_max.saturating_sub(pending) {
            return Err(SendError::Full { pending, len_max });
        }
        Ok(())
    }

    fn answer_ping(&mut self, payload: &Bytes) -> Result<(), ProtocolError> {
        if self.phase != Phase::Open {
            return Ok(()); // nothing follows a close frame
        }
        if !self.output.has_remaining() {
            self.pongs_pending = 0;
        }
        if self.pongs_pending >= self.config.pongs_pending_max {
            return Err(ProtocolError::TooManyPings { pongs_max: self.config.pongs_pending_max });
        }
        self.pongs_pending += 1;
        self.encoder.control(Opcode::Pong, payload, &mut self.output);
        Ok(())
    }

    fn answer_close(&mut self, frame: Option<&CloseFrame>) {
        let code = frame.map(|frame| frame.code.0.to_be_bytes());
        self.end(code.as_ref().map_or(&[], |code| &code[..]));
    }

    fn fail(&mut self, error: &ProtocolError) {
        let frame = CloseFrame::new(error.close_code(), error.code());
        self.end(&frame.payload().expect("codes of errors may be sent, and are short"));
    }

    /// Nothing comes any more; the peer is told unless it has been.
    fn end(&mut self, close: &[u8]) {
        if self.phase == Phase::Open {
            self.encoder.control(Opcode::Close, close, &mut self.output);
        }
        self.phase = Phase::Closed;
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn an_idle_codec_is_small() {
        assert!(size_of::<Codec>() <= 200, "{} bytes", size_of::<Codec>());
    }

    #[test]
    fn between_messages_without_takeover_nothing_is_kept() {
        let params = DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        };
        let config = Config::default().shared();
        let mut client = Codec::client(config.clone(), Some(params), || [1; 4]);
        let mut server = Codec::server(config, Some(params));
        client.text(&"many words ".repeat(100)).unwrap();
        let mut input = BytesMut::new();
        input.put(client.output());
        assert!(matches!(server.feed(&mut input), Ok(Some(Event::Message(_)))));
        server.text(&"many words ".repeat(100)).unwrap();
        let written = server.output.remaining();
        server.output().advance(written);
        for codec in [&server, &client] {
            assert!(codec.owns_nothing(), "{codec:?}");
        }
    }

    impl Codec {
        fn owns_nothing(&self) -> bool {
            self.decoder.owns_nothing() && self.encoder.owns_nothing() && !self.output.has_remaining()
        }
    }
}
