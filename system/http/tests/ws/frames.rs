//! Frames written by hand, so that no test trusts the encoder it tests; and a way to run a codec over bytes.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use simurgh_http::ws::{Codec, Config, Event, Message, ProtocolError};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// Bits of the first byte.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const RSV1: u8 = 0x40;

/// What a codec said.
pub(crate) type Seen = Result<Event, ProtocolError>;

/// A frame as a server sends it.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(len as u8),
        len @ 126..=0xffff => {
            bytes.push(126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The same as a client sends it.
pub(crate) fn masked(first: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
    let mut bytes = frame(first, payload);
    let header = bytes.len() - payload.len();
    bytes[1] |= 0x80;
    for (at, byte) in bytes[header..].iter_mut().enumerate() {
        *byte ^= key[at % 4];
    }
    bytes.splice(header..header, key);
    bytes
}

/// A whole frame from a client.
pub(crate) fn client(opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked(FIN | opcode, payload, [0x37, 0xfa, 0x21, 0x3d])
}

pub(crate) fn config() -> Arc<Config> {
    Config::default().shared()
}

/// What a codec says to bytes that come in pieces; the last may be an error.
pub(crate) fn feed<'a>(codec: &mut Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut input = BytesMut::new();
    let mut events = Vec::new();
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match codec.feed(&mut input) {
                Ok(Some(event)) => events.push(Ok(event)),
                Ok(None) => break,
                Err(error) => events.push(Err(error)),
            }
        }
    }
    events
}

/// What a fresh server without compression says to bytes.
pub(crate) fn serve(bytes: &[u8]) -> Vec<Seen> {
    feed(&mut Codec::server(config(), None), [bytes])
}

pub(crate) fn sent(codec: &mut Codec) -> Vec<u8> {
    let len = codec.output().remaining();
    codec.output().copy_to_bytes(len).into()
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what a codec said")]
pub(crate) fn text(text: &str) -> Seen {
    Ok(Event::Message(Message::Text(text.into())))
}

#[expect(clippy::unnecessary_wraps, reason = "compared with what a codec said")]
pub(crate) fn binary(bytes: &[u8]) -> Seen {
    Ok(Event::Message(Message::Binary(bytes.to_vec().into())))
}
