//! Records: messages as bytes, and back, whatever has become of the bytes.

use super::Message;

/// How each file begins.
pub const MAGIC: [u8; 8] = *b"SMRGROOM";
/// The version of what comes after it.
pub const FORMAT_VERSION: u16 = 1;
/// Bytes of a record's JSON: more than the longest text and name make, escaped.
pub const RECORD_LEN_MAX: usize = 64 * 1024;

const HEADER_LEN: usize = MAGIC.len() + 2;
const PREFIX_LEN: usize = 8;

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The messages, the oldest first.
    pub messages: Vec<Message>,
    /// Records, damaged ones included.
    pub records: usize,
    /// Bytes up to the end of the last record that is whole.
    pub good_len: usize,
    /// What was not as it had been written.
    pub damage: Vec<Damage>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// Not a file of ours, or of a version that is not known here.
    #[error("it does not begin as a history of version {FORMAT_VERSION} does")]
    Header,
    /// The last record is not whole: the machine stopped while it was written, and nobody was told of it.
    #[error("{bytes} bytes at offset {offset} are the beginning of a record that was not finished")]
    TornTail {
        /// Where it begins.
        offset: usize,
        /// How much there is of it.
        bytes: usize,
    },
    /// A record in the middle has another checksum than it had.
    #[error("the record of {bytes} bytes at offset {offset} is damaged")]
    Record {
        /// Where it begins.
        offset: usize,
        /// Its length.
        bytes: usize,
    },
}

/// How a file begins.
pub fn header() -> Vec<u8> {
    [&MAGIC[..], &FORMAT_VERSION.to_le_bytes()].concat()
}

/// A message as a record.
///
/// ```
/// use studio::history::{Message, decode, encode, header};
///
/// let hi = Message { id: 1, at: 0, name: "Alice".into(), text: "hi".into(), nonce: None };
/// let mut file = header();
/// file.extend(encode(&hi));
/// let read = decode(&file);
/// assert_eq!((read.messages, read.damage), (vec![hi], vec![]));
///
/// let torn = decode(&file[..file.len() - 1]);
/// assert_eq!((torn.messages.len(), torn.good_len), (0, header().len()));
/// ```
pub fn encode(message: &Message) -> Vec<u8> {
    let json = serde_json::to_vec(message).expect("texts and numbers are JSON");
    let mut record = Vec::with_capacity(PREFIX_LEN + json.len());
    record.extend((json.len() as u32).to_le_bytes());
    record.extend(checksum(&json).to_le_bytes());
    record.extend(json);
    record
}

/// Reads a file, as far as it can be read.
pub fn decode(bytes: &[u8]) -> Decoded {
    let mut read = Decoded { messages: Vec::new(), records: 0, good_len: 0, damage: Vec::new() };
    if bytes.is_empty() {
        return read;
    }
    if !bytes.starts_with(&header()) {
        // A power cut at the very first write leaves a part of the header, and nothing after it.
        let is_torn = header().starts_with(bytes) || bytes.iter().all(|byte| *byte == 0);
        let torn = Damage::TornTail { offset: 0, bytes: bytes.len() };
        read.damage.push(if is_torn { torn } else { Damage::Header });
        return read;
    }
    read.good_len = HEADER_LEN;
    let mut offset = HEADER_LEN;
    while offset < bytes.len() {
        let Some(record) = Raw::at(bytes, offset) else {
            read.damage.push(Damage::TornTail { offset, bytes: bytes.len() - offset });
            break;
        };
        let next = offset + PREFIX_LEN + record.json.len();
        match record.message() {
            Some(message) => {
                read.messages.push(message);
                read.good_len = next;
            }
            // Damaged in the middle only if the next one is where its length says; else nothing after it can be read.
            None if Raw::at(bytes, next).is_some_and(|next| next.message().is_some()) => {
                read.damage.push(Damage::Record { offset, bytes: next - offset });
            }
            None => {
                read.damage.push(Damage::TornTail { offset, bytes: bytes.len() - offset });
                break;
            }
        }
        read.records += 1;
        offset = next;
    }
    read
}

struct Raw<'a> {
    checksum: u32,
    json: &'a [u8],
}

impl<'a> Raw<'a> {
    /// The record that begins there, if its length can be one and it is all there.
    fn at(bytes: &'a [u8], offset: usize) -> Option<Self> {
        let (prefix, rest) = bytes.get(offset..)?.split_at_checked(PREFIX_LEN)?;
        let number = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        let len = number(0) as usize;
        let is_len = (1..=RECORD_LEN_MAX).contains(&len);
        Some(Self { checksum: number(4), json: rest.get(..len).filter(|_| is_len)? })
    }

    fn message(&self) -> Option<Message> {
        if checksum(self.json) != self.checksum {
            return None;
        }
        serde_json::from_slice(self.json).ok()
    }
}

/// CRC-32 (ISO 3309), as in gzip and PNG.
fn checksum(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    let step = |crc: u32, byte: &u8| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize];
    !bytes.iter().fold(u32::MAX, step)
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64) -> Message {
        Message { id, at: 1_000, name: "Alice".into(), text: format!("message {id}"), nonce: None }
    }

    fn file(count: u64) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (header(), vec![HEADER_LEN]);
        for id in 1..=count {
            bytes.extend(encode(&message(id)));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_file_that_is_cut_anywhere_has_all_records_that_were_whole() {
        let (bytes, ends) = file(4);
        for cut in 0..=bytes.len() {
            let read = decode(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.messages.len(), whole.saturating_sub(1), "cut at {cut}");
            assert_eq!(read.good_len, if whole == 0 { 0 } else { ends[whole - 1] }, "cut at {cut}");
            let is_torn = cut != 0 && !ends.contains(&cut);
            assert_eq!(!read.damage.is_empty(), is_torn, "cut at {cut}: {:?}", read.damage);
        }
    }

    #[test]
    fn a_tail_of_zeros_or_noise_is_torn() {
        let (bytes, ends) = file(2);
        for tail in [vec![0; 300], vec![0xff; 300], encode(&message(3)).into_iter().map(|byte| !byte).collect()] {
            let read = decode(&[&bytes[..], &tail].concat());
            assert_eq!((read.messages.len(), read.good_len), (2, ends[2]));
            assert!(matches!(read.damage[..], [Damage::TornTail { .. }]), "{:?}", read.damage);
        }
        assert!(matches!(decode(&[0; 20]).damage[..], [Damage::TornTail { offset: 0, .. }]));
    }

    #[test]
    fn each_flipped_bit_of_a_record_in_the_middle_costs_no_other_message_before_it() {
        let (bytes, ends) = file(3);
        for at in ends[1]..ends[2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let read = decode(&damaged);
            let ids: Vec<u64> = read.messages.iter().map(|message| message.id).collect();
            assert!(ids == [1, 3] || ids == [1], "{at}: {ids:?}");
            assert_eq!(read.damage.len(), 1, "{at}");
            let is_content = at >= ends[1] + 4;
            assert!(!is_content || ids == [1, 3], "{at}: a damaged content costs this record only");
        }
    }

    #[test]
    fn what_is_no_history_is_not_read_as_one() {
        let other = [&MAGIC[..], &2_u16.to_le_bytes(), b"whatever"].concat();
        for bytes in [&other[..], b"# notes of mine, which nobody may cut off"] {
            let read = decode(bytes);
            assert_eq!((read.messages.len(), read.damage), (0, vec![Damage::Header]));
        }
    }
}
