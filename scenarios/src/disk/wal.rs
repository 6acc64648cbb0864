//! A small write-ahead log, as a store would have one.
//!
//! ```text
//!   log        magic "SMRGWAL" version u8   record*
//!   record     length u32  checksum u32  number u64  payload      (numbers are little-endian)
//!   snapshot   magic "SMRGSNAP" version u8  number u64  sum u64  checksum u32
//! ```
//!
//! A record is appended and synced, and then acknowledged. Now and then the sum over all records goes into the
//! snapshot, and then the log begins anew; the order of these two is what a power cut may find. A log that is opened
//! is what a crash left in the kernel's memory, so the first thing done with it is such a checkpoint: only what that
//! made durable is told. After an error nothing is known of what was written, and the log has to be opened again.

use std::io;
use std::path::{Path, PathBuf};

use simurgh::prelude::planted;
use simurgh::runtime::fs::{self, File, OpenOptions};

const LOG_MAGIC: [u8; 8] = *b"SMRGWAL\x01";
const SNAPSHOT_MAGIC: [u8; 9] = *b"SMRGSNAP\x01";
const PREFIX_LEN: usize = 16;
const PAYLOAD_LEN_MAX: usize = 64 * 1024;
/// The length from which on a checkpoint is due.
const LOG_LEN_MAX: u64 = 8 * 1024;

/// What the log is to be trusted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncs {
    /// Each batch before it is acknowledged.
    EachBatch,
    /// Only at checkpoints.
    Checkpoints,
}

/// An open log.
pub(crate) struct Wal {
    directory: PathBuf,
    syncs: Syncs,
    file: File,
    len: u64,
    at: State,
}

/// All records up to one, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) last: u64,
    pub(crate) sum: u64,
}

impl State {
    /// With one more record.
    pub(crate) fn with(self, payload: &[u8]) -> Self {
        let digest = u64::from(checksum(payload)) << 16 | payload.len() as u64;
        Self { last: self.last + 1, sum: (self.sum ^ digest).rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15) }
    }
}

impl Wal {
    /// Opens the log of a directory, and makes what is found durable.
    pub(crate) fn open(directory: &Path, syncs: Syncs) -> io::Result<Self> {
        fs::create_dir_all_durable(directory)?;
        let snapshot = content(&directory.join("snapshot"))?;
        let at = snapshot.map_or(Ok(State::default()), |bytes| read_snapshot(&bytes))?;
        let at = replay(at, &content(&directory.join("log"))?.unwrap_or_default());
        if planted!("wal.found-is-safe") && at.last > 0 {
            let file = File::open(directory.join("log"), &OpenOptions::editing())?;
            let len = file.len()?;
            return Ok(Self { directory: directory.to_owned(), syncs, file, len, at });
        }
        let file = checkpoint(directory, at)?;
        Ok(Self { directory: directory.to_owned(), syncs, file, len: LOG_MAGIC.len() as u64, at })
    }

    /// What it holds.
    pub(crate) fn state(&self) -> State {
        self.at
    }

    /// Appends records; when it returns, they are there to stay.
    ///
    /// # Errors
    /// What the disk says. The log is not to be used any more: open it again.
    pub(crate) fn append(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        if self.len >= LOG_LEN_MAX {
            self.file = checkpoint(&self.directory, self.at)?;
            self.len = LOG_MAGIC.len() as u64;
        }
        let (mut bytes, mut at) = (Vec::new(), self.at);
        for payload in payloads {
            at = at.with(payload);
            bytes.extend(record(at.last, payload));
        }
        self.file.write_all_at(&bytes, self.len)?;
        if self.syncs == Syncs::EachBatch && !planted!("wal.unsynced") {
            let synced = self.file.sync_data();
            if planted!("wal.sync-again") {
                synced.or_else(|_| self.file.sync_data())?;
            } else {
                synced?;
            }
        }
        self.len += bytes.len() as u64;
        self.at = at;
        Ok(())
    }
}

/// Makes a state durable, and begins the log anew.
fn checkpoint(directory: &Path, at: State) -> io::Result<File> {
    let mut bytes = SNAPSHOT_MAGIC.to_vec();
    bytes.extend(at.last.to_le_bytes());
    bytes.extend(at.sum.to_le_bytes());
    bytes.extend(checksum(&bytes).to_le_bytes());
    File::replace(directory.join("snapshot"), &bytes, true)?;
    File::replace(directory.join("log"), &LOG_MAGIC, true)
}

fn content(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path, &OpenOptions::reading()) {
        Ok(file) if planted!("wal.short-read") => {
            let mut bytes = vec![0; file.len()? as usize];
            let len = file.read_at(&mut bytes, 0)?;
            bytes.truncate(len);
            Ok(Some(bytes))
        }
        Ok(file) => file.read_all().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_snapshot(bytes: &[u8]) -> io::Result<State> {
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the snapshot is damaged");
    let body = bytes.strip_prefix(&SNAPSHOT_MAGIC).filter(|body| body.len() == 20).ok_or_else(damaged)?;
    let (numbers, sum) = (&body[..16], number(&body[16..]));
    if u64::from(checksum(&bytes[..bytes.len() - 4])) != sum {
        return Err(damaged());
    }
    Ok(State { last: number(&numbers[..8]), sum: number(&numbers[8..]) })
}

fn record(number: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = (payload.len() as u32).to_le_bytes().to_vec();
    let checked = [&number.to_le_bytes()[..], payload].concat();
    record.extend(checksum(&checked).to_le_bytes());
    record.extend(checked);
    record
}

/// The state with the records that follow it in a log, up to the first that is not whole.
fn replay(mut at: State, log: &[u8]) -> State {
    let mut rest = log.strip_prefix(&LOG_MAGIC).unwrap_or_default();
    while let Some((prefix, after)) = rest.split_at_checked(PREFIX_LEN) {
        let (len, sum, last) = (number(&prefix[..4]) as usize, number(&prefix[4..8]), number(&prefix[8..]));
        let Some(payload) = after.get(..len).filter(|_| (1..=PAYLOAD_LEN_MAX).contains(&len)) else { break };
        let is_right = u64::from(checksum(&[&prefix[8..], payload].concat())) == sum;
        if !is_right && !planted!("wal.unchecked") {
            break;
        }
        if last == at.last + 1 {
            at = at.with(payload);
        } else if last > at.last {
            break;
        }
        rest = &after[len..];
    }
    at
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// CRC-32 (ISO 3309).
fn checksum(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_cut_anywhere_has_all_records_that_were_whole() {
        assert_eq!(checksum(b"123456789"), 0xcbf4_3926);
        let payloads: Vec<Vec<u8>> = (1..=4_u8).map(|number| vec![number; 30 * usize::from(number)]).collect();
        let (mut log, mut ends, mut states) = (LOG_MAGIC.to_vec(), vec![8], vec![State::default()]);
        for payload in &payloads {
            let at = states[states.len() - 1].with(payload);
            log.extend(record(at.last, payload));
            ends.push(log.len());
            states.push(at);
        }
        for cut in 0..=log.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count().max(1);
            assert_eq!(replay(State::default(), &log[..cut]), states[whole - 1], "cut at {cut}");
        }
        assert_eq!(replay(states[2], &log), states[4], "the snapshot is ahead of the log's beginning");
        let mut torn = log.clone();
        torn[ends[1] + 20..ends[2]].fill(0);
        assert_eq!(replay(State::default(), &torn), states[1]);
    }
}
