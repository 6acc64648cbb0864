//! From bytes to events: the receiving half.
//!
//! A data frame is read in one of two ways. One that is a whole message, uncompressed, stays in the input: it is
//! unmasked and checked there as it arrives, and leaves as it lies. All others (fragments, compressed ones) are
//! taken piece by piece into `body`, and the input stays small.

use bytes::{Buf, Bytes, BytesMut};

use super::close::CloseFrame;
use super::config::Config;
use super::deflate::{Direction, Inflater};
use super::error::ProtocolError;
use super::header::{HEADER_LEN_MAX, Header, Opcode};
use super::mask::{self, Key};
use super::message::{Event, Message, Text};
use super::output::COPY_LEN_MAX;
use super::utf8::{Invalid, Utf8};

/// Bytes that are unmasked and then checked, so that the second finds them near. A multiple of the key's length.
const BLOCK: usize = 64 << 10;

/// Bytes to read when nothing is known of what comes.
const ROOM_MIN: usize = 4 << 10;

/// Bytes to read on the mere word of a header.
const ROOM_ON_TRUST: usize = 16 << 10;

/// The receiving half of a codec.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Whether the peer has to mask; a client does, a server must not.
    expects_mask: bool,
    /// How the peer compresses, if it may.
    deflate: Option<Direction>,
    inflater: Option<Box<Inflater>>,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// The message that has begun.
    message: Option<Kind>,
    /// What has been taken of it.
    body: Vec<u8>,
    utf8: Utf8,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// For the payload's first byte that is not unmasked yet.
    key: Key,
    /// Bytes of the payload that are in the input, or to come.
    len: usize,
    /// How many of them are unmasked and checked.
    done: usize,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    is_text: bool,
    is_compressed: bool,
}

/// How far a step came.
enum Step {
    NeedsMore,
    FrameDone,
    Event(Event),
}

impl Decoder {
    pub(crate) fn new(expects_mask: bool, deflate: Option<Direction>) -> Self {
        Self {
            expects_mask,
            deflate,
            inflater: None,
            frame: None,
            message: None,
            body: Vec::new(),
            utf8: Utf8::default(),
        }
    }

    /// How many bytes to read next, at most.
    pub(crate) fn room(&self, input: &BytesMut) -> usize {
        let missing = self.frame.map_or(0, |frame| frame.len.saturating_sub(input.len()));
        let earned = ROOM_ON_TRUST.max(input.len().saturating_mul(4));
        // A little of the next frame with the last of this one spares a read, and hardly anything is moved later.
        missing.saturating_add(HEADER_LEN_MAX).min(earned).max(ROOM_MIN)
    }

    /// The next event in the input; `None` if it needs more bytes.
    #[inline]
    pub(crate) fn next(&mut self, input: &mut BytesMut, config: &Config) -> Result<Option<Event>, ProtocolError> {
        loop {
            let frame = if let Some(frame) = self.frame {
                frame
            } else {
                let Some((header, len)) = Header::parse(input)? else { return Ok(None) };
                input.advance(len);
                let frame = self.begin(&header, config)?;
                *self.frame.insert(frame)
            };
            let is_whole = frame.fin && frame.opcode != Opcode::Continuation;
            let step = match self.message {
                _ if frame.opcode.is_control() => self.control(frame, input)?,
                Some(kind) if is_whole && !kind.is_compressed => self.whole(frame, kind, input)?,
                Some(kind) => self.part(frame, kind, input, config)?,
                None => unreachable!("a data frame begins or continues a message"),
            };
            match step {
                Step::NeedsMore => return Ok(None),
                Step::FrameDone => {}
                Step::Event(event) => return Ok(Some(event)),
            }
        }
    }

    /// Judges a header where it stands.
    fn begin(&mut self, header: &Header, config: &Config) -> Result<Frame, ProtocolError> {
        match header.key {
            None if self.expects_mask => return Err(ProtocolError::Unmasked),
            Some(_) if !self.expects_mask => return Err(ProtocolError::Masked),
            _ => {}
        }
        let begins = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        if header.compressed && !(begins && self.deflate.is_some()) {
            return Err(ProtocolError::UnexpectedCompression);
        }
        let len = usize::try_from(header.payload_len).unwrap_or(usize::MAX);
        if !header.opcode.is_control() {
            if len > config.frame_len_max {
                return Err(ProtocolError::FrameTooBig { len: header.payload_len, len_max: config.frame_len_max });
            }
            let kind = match self.message {
                Some(_) if begins => return Err(ProtocolError::InterruptedMessage),
                None if !begins => return Err(ProtocolError::UnexpectedContinuation),
                Some(kind) => kind,
                None => Kind { is_text: header.opcode == Opcode::Text, is_compressed: header.compressed },
            };
            if !kind.is_compressed && len > config.message_len_max.saturating_sub(self.body.len()) {
                return Err(ProtocolError::MessageTooBig { len_max: config.message_len_max });
            }
            self.message = Some(kind);
        }
        let key = header.key.unwrap_or_default();
        Ok(Frame { opcode: header.opcode, fin: header.fin, key, len, done: 0 })
    }

    fn control(&mut self, frame: Frame, input: &mut BytesMut) -> Result<Step, ProtocolError> {
        if input.len() < frame.len {
            return Ok(Step::NeedsMore);
        }
        self.frame = None;
        let payload = &mut input[..frame.len];
        mask::apply(frame.key, payload);
        let event = match frame.opcode {
            Opcode::Close => Event::Close(CloseFrame::parse(payload)?),
            Opcode::Ping => Event::Ping(Bytes::copy_from_slice(payload)),
            _ => Event::Pong(Bytes::copy_from_slice(payload)),
        };
        input.advance(frame.len);
        Ok(Step::Event(event))
    }

    /// A message in one frame, where it lies.
    #[inline]
    fn whole(&mut self, mut frame: Frame, kind: Kind, input: &mut BytesMut) -> Result<Step, ProtocolError> {
        let here = input.len().min(frame.len);
        let news = &mut input[frame.done..here];
        reveal(frame.key, news, kind.is_text.then_some(&mut self.utf8))?;
        frame.key = mask::advance(frame.key, news.len());
        frame.done = here;
        if here < frame.len {
            self.frame = Some(frame);
            return Ok(Step::NeedsMore);
        }
        self.frame = None;
        let payload = if frame.len <= COPY_LEN_MAX || frame.len < input.capacity() / 4 {
            // A message that is kept must not keep a much larger buffer.
            let payload = Bytes::copy_from_slice(&input[..frame.len]);
            input.advance(frame.len);
            payload
        } else {
            input.split_to(frame.len).freeze()
        };
        self.finish(kind, payload).map(Step::Event)
    }

    /// A fragment, or a compressed frame: what is there of it is taken.
    fn part(
        &mut self,
        mut frame: Frame,
        kind: Kind,
        input: &mut BytesMut,
        config: &Config,
    ) -> Result<Step, ProtocolError> {
        let here = input.len().min(frame.len);
        let news = &mut input[..here];
        if kind.is_compressed {
            mask::apply(frame.key, news);
            self.inflate(kind, Some(news), config)?;
        } else {
            reveal(frame.key, news, kind.is_text.then_some(&mut self.utf8))?;
            self.body.extend_from_slice(news);
        }
        input.advance(here);
        frame.key = mask::advance(frame.key, here);
        frame.len -= here;
        self.frame = (frame.len > 0).then_some(frame);
        if self.frame.is_some() {
            return Ok(Step::NeedsMore);
        }
        if !frame.fin {
            return Ok(Step::FrameDone);
        }
        if kind.is_compressed {
            self.inflate(kind, None, config)?;
            if self.deflate.is_none_or(|deflate| !deflate.takeover) {
                self.inflater = None;
            }
        }
        let mut body = std::mem::take(&mut self.body);
        if body.capacity() / 2 > body.len() {
            body.shrink_to_fit();
        }
        self.finish(kind, body.into()).map(Step::Event)
    }

    /// Inflates the next piece of a message, or with `None` its end, and checks what comes of it.
    fn inflate(&mut self, kind: Kind, piece: Option<&[u8]>, config: &Config) -> Result<(), ProtocolError> {
        let direction = self.deflate.expect("compressed frames were negotiated");
        let inflater = self.inflater.get_or_insert_with(|| Box::new(Inflater::new(direction)));
        let before = self.body.len();
        let inflated = match piece {
            Some(piece) => inflater.push(piece, &mut self.body, config),
            None => inflater.finish(&mut self.body, config),
        };
        // What came before a failure is looked at too: which of two is said must not depend on where the piece ends.
        if kind.is_text {
            self.utf8.push(&self.body[before..])?;
        }
        inflated
    }

    #[inline]
    fn finish(&mut self, kind: Kind, payload: Bytes) -> Result<Event, ProtocolError> {
        self.message = None;
        if !kind.is_text {
            return Ok(Event::Message(Message::Binary(payload)));
        }
        self.utf8.finish()?;
        Ok(Event::Message(Message::Text(Text::checked(payload))))
    }
}

/// Unmasks in place, and checks if it is text.
fn reveal(key: Key, bytes: &mut [u8], mut text: Option<&mut Utf8>) -> Result<(), Invalid> {
    for block in bytes.chunks_mut(BLOCK) {
        mask::apply(key, block);
        if let Some(utf8) = &mut text {
            utf8.push(block)?;
        }
    }
    Ok(())
}

impl From<Invalid> for ProtocolError {
    fn from(Invalid: Invalid) -> Self {
        Self::InvalidUtf8
    }
}

#[cfg(test)]
impl Decoder {
    pub(crate) fn owns_nothing(&self) -> bool {
        self.inflater.is_none() && self.body.capacity() == 0
    }
}
