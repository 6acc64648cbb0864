//! The header of a frame (RFC 6455, 5.2).
//!
//! ```text
//! byte 0: FIN, RSV1, RSV2, RSV3, opcode (4 bits)
//! byte 1: MASK, length (7 bits; 126: two more bytes follow, 127: eight)
//! then the longer length, then the masking key (4 bytes) if MASK
//! ```

use super::error::ProtocolError;
use super::mask::Key;

/// The longest header: 2 bytes, a length of 8, a key of 4.
pub(crate) const HEADER_LEN_MAX: usize = 14;

/// The longest payload of a control frame (RFC 6455, 5.5).
pub(crate) const CONTROL_LEN_MAX: usize = 125;

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2_AND_3: u8 = 0x30;
const MASK: u8 = 0x80;
/// Short lengths that say that a longer one follows.
const LEN_OF_2: u8 = 0x7e;
const LEN_OF_8: u8 = 0x7f;

/// What a frame carries (RFC 6455, 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xa,
}

impl Opcode {
    fn from_bits(bits: u8) -> Result<Self, ProtocolError> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            reserved => return Err(ProtocolError::ReservedOpcode(reserved)),
        })
    }

    /// Close, ping and pong.
    pub(crate) fn is_control(self) -> bool {
        self as u8 & 0x8 != 0
    }
}

/// A frame, but for its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    /// RSV1: the message is compressed (RFC 7692, 6).
    pub(crate) compressed: bool,
    pub(crate) opcode: Opcode,
    pub(crate) key: Option<Key>,
    pub(crate) payload_len: u64,
}

impl Header {
    /// Of a whole frame without a payload, plain and not masked.
    pub(crate) const fn new(opcode: Opcode) -> Self {
        Self { fin: true, compressed: false, opcode, key: None, payload_len: 0 }
    }

    /// Reads a header and says how long it was; `None` if the bytes end within it.
    ///
    /// What the first two bytes say is judged without waiting for the rest.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        if first & RSV2_AND_3 != 0 {
            return Err(ProtocolError::ReservedBits);
        }
        let opcode = Opcode::from_bits(first & 0x0f)?;
        let (fin, compressed) = (first & FIN != 0, first & RSV1 != 0);
        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let short = second & !MASK;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl);
            }
            if usize::from(short) > CONTROL_LEN_MAX {
                return Err(ProtocolError::ControlTooLong);
            }
        }
        let Some((payload_len, after)) = read_len(short, &bytes[2..])? else { return Ok(None) };
        let mut len = 2 + after;
        let mut key = None;
        if second & MASK != 0 {
            let Some(bytes) = bytes[len..].first_chunk() else { return Ok(None) };
            key = Some(*bytes);
            len += bytes.len();
        }
        Ok(Some((Self { fin, compressed, opcode, key, payload_len }, len)))
    }

    /// Writes the header, with the shortest length that fits, and says how long it is.
    pub(crate) fn write(&self) -> ([u8; HEADER_LEN_MAX], usize) {
        let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
        let mut bytes = [0; HEADER_LEN_MAX];
        bytes[0] = self.opcode as u8 | bit(self.fin, FIN) | bit(self.compressed, RSV1);
        let (short, mut end) = match self.payload_len {
            len @ ..126 => (len as u8, 2),
            len @ 126..0x1_0000 => {
                bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                (LEN_OF_2, 4)
            }
            len => {
                bytes[2..10].copy_from_slice(&len.to_be_bytes());
                (LEN_OF_8, 10)
            }
        };
        bytes[1] = short | bit(self.key.is_some(), MASK);
        if let Some(key) = self.key {
            bytes[end..end + 4].copy_from_slice(&key);
            end += 4;
        }
        (bytes, end)
    }
}

/// The length of the payload, and how many bytes it took beyond the short one.
fn read_len(short: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, ProtocolError> {
    let (len, took, least) = match short {
        LEN_OF_2 => {
            let Some(bytes) = bytes.first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*bytes)), 2, 126)
        }
        LEN_OF_8 => {
            let Some(bytes) = bytes.first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*bytes), 8, 0x1_0000)
        }
        short => (u64::from(short), 0, 0),
    };
    if len < least || len > i64::MAX as u64 {
        return Err(ProtocolError::BadLength);
    }
    Ok(Some((len, took)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_never_from_less() {
        for payload_len in [0, 1, 125, 126, 127, 65_535, 65_536, i64::MAX as u64] {
            for key in [None, Some([1, 2, 3, 4])] {
                for (fin, compressed) in [(true, false), (false, true)] {
                    let header = Header { fin, compressed, opcode: Opcode::Binary, key, payload_len };
                    let (bytes, end) = header.write();
                    let bytes = &bytes[..end];
                    for end in 0..bytes.len() {
                        assert_eq!(Header::parse(&bytes[..end]), Ok(None), "{header:?}, {end} bytes");
                    }
                    assert_eq!(Header::parse(bytes), Ok(Some((header, bytes.len()))));
                }
            }
        }
    }

    #[test]
    fn what_no_header_may_say() {
        for (bytes, want) in [
            (&[0x92][..], ProtocolError::ReservedBits),            // 5.2, RSV3
            (&[0xa1], ProtocolError::ReservedBits),                // 5.2, RSV2
            (&[0x83], ProtocolError::ReservedOpcode(3)),           // 5.2
            (&[0x8f], ProtocolError::ReservedOpcode(15)),          // 5.2
            (&[0x09, 0x00], ProtocolError::FragmentedControl),     // 5.5
            (&[0x89, 0x7e], ProtocolError::ControlTooLong),        // 5.5
            (&[0x82, 0x7e, 0x00, 0x7d], ProtocolError::BadLength), // 5.2, not the shortest
            (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff], ProtocolError::BadLength), // 5.2, not the shortest
            (&[0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0], ProtocolError::BadLength), // 5.2, the highest bit
        ] {
            assert_eq!(Header::parse(bytes), Err(want), "{bytes:x?}");
        }
    }
}
