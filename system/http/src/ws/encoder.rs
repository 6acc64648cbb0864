//! From messages to bytes: the sending half.

use bytes::Bytes;

use super::config::Config;
use super::deflate::{Deflater, Direction, compress_fresh};
use super::header::{Header, Opcode};
use super::mask::{self, Key};
use super::output::Output;
use super::prepared::Prepared;

/// The sending half of a codec.
#[derive(Debug)]
pub(crate) struct Encoder {
    /// Where a client's masking keys come from; a server masks nothing.
    pub(crate) keys: Option<fn() -> Key>,
    /// How we compress, if we may.
    deflate: Option<Direction>,
    deflater: Option<Box<Deflater>>,
}

/// The bytes of a message; whoever gives them away saves a copy.
pub(crate) enum Payload<'a> {
    Borrowed(&'a [u8]),
    Owned(Bytes),
}

impl Payload<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Encoder {
    pub(crate) fn new(keys: Option<fn() -> Key>, deflate: Option<Direction>) -> Self {
        Self { keys, deflate, deflater: None }
    }

    /// Writes a message in one frame, compressed if that is agreed and worth it.
    pub(crate) fn message(&mut self, opcode: Opcode, payload: Payload<'_>, config: &Config, output: &mut Output) {
        match self.compress(payload.as_slice(), config) {
            Some(bytes) => {
                let header = Header { compressed: true, ..Header::new(opcode) };
                self.frame(header, Payload::Owned(bytes.into()), output);
            }
            None => self.frame(Header::new(opcode), payload, output),
        }
    }

    /// Writes a message that others send as well; the bytes are shared if this connection can use them.
    pub(crate) fn shared(&mut self, prepared: &Prepared, config: &Config, output: &mut Output) {
        if self.keys.is_some() {
            return self.message(prepared.opcode(), Payload::Borrowed(prepared.payload()), config, output);
        }
        match self.deflate.filter(|_| is_worth_it(prepared.payload(), config)) {
            None => output.push(&[], prepared.frame().clone()),
            Some(deflate) if !prepared.fits(deflate.window_bits) => {
                self.message(prepared.opcode(), Payload::Borrowed(prepared.payload()), config, output);
            }
            Some(_) => match prepared.compressed(config.deflate_level) {
                None => output.push(&[], prepared.frame().clone()),
                Some(frame) => {
                    output.push(&[], frame.clone());
                    if let Some(deflater) = &mut self.deflater {
                        deflater.forget();
                    }
                }
            },
        }
    }

    /// Writes a control frame.
    pub(crate) fn control(&self, opcode: Opcode, payload: &[u8], output: &mut Output) {
        self.frame(Header::new(opcode), Payload::Borrowed(payload), output);
    }

    /// Writes a fragment of a message, uncompressed.
    pub(crate) fn part(&self, opcode: Opcode, fin: bool, payload: Bytes, output: &mut Output) {
        self.frame(Header { fin, ..Header::new(opcode) }, Payload::Owned(payload), output);
    }

    /// Writes a frame; its key and length are filled in here.
    fn frame(&self, header: Header, payload: Payload<'_>, output: &mut Output) {
        let key = self.keys.map(|keys| keys());
        let (header, header_len) = Header { key, payload_len: payload.as_slice().len() as u64, ..header }.write();
        let header = &header[..header_len];
        match (payload, key) {
            (Payload::Owned(bytes), None) => output.push(header, bytes),
            (payload, None) => output.copy(header, payload.as_slice()),
            (payload, Some(key)) => {
                output.copy(header, payload.as_slice());
                mask::apply(key, output.last_mut(payload.as_slice().len()));
            }
        }
    }

    fn compress(&mut self, plain: &[u8], config: &Config) -> Option<Vec<u8>> {
        let deflate = self.deflate.filter(|_| is_worth_it(plain, config))?;
        if !deflate.takeover {
            return compress_fresh(plain, config.deflate_level, deflate.window_bits);
        }
        let new = || Box::new(Deflater::new(config.deflate_level, deflate.window_bits));
        Some(self.deflater.get_or_insert_with(new).message(plain))
    }
}

/// An empty message never is: zlib does not flush nothing.
fn is_worth_it(plain: &[u8], config: &Config) -> bool {
    plain.len() >= config.deflate_threshold.max(1)
}

#[cfg(test)]
impl Encoder {
    pub(crate) fn owns_nothing(&self) -> bool {
        self.deflater.is_none()
    }
}
