//! The file: opened with what it holds, appended to, written anew when it is long. All of it blocks.

use std::io;
use std::path::{Path, PathBuf};

use simurgh::runtime::fs::{self, File, OpenOptions};

use super::{Damage, KEPT, Message, decode, encode, header};

/// Records after which the file is written anew.
const RECORDS_MAX: usize = 4 * KEPT;

/// The file of one room.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    len: u64,
    records: usize,
}

/// A file that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub log: Log,
    /// The last [`KEPT`] messages, the oldest first.
    pub messages: Vec<Message>,
    /// What was not as it had been written.
    pub damage: Vec<Damage>,
}

impl Log {
    /// Opens the file of a room; one that is not there is made at the first message.
    ///
    /// What cannot be read of its end is cut off, and told. A file that is no history is an error: it is not ours to
    /// cut.
    ///
    /// # Errors
    /// What the disk says; `InvalidData` for a file that is no history.
    pub fn open(path: &Path) -> io::Result<Opened> {
        let mut log = Self { path: path.to_owned(), file: None, len: 0, records: 0 };
        let file = match File::open(path, &OpenOptions { write: true, ..OpenOptions::reading() }) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Opened { log, messages: Vec::new(), damage: Vec::new() });
            }
            Err(error) => return Err(error),
        };
        let bytes = file.read_all()?;
        let mut read = decode(&bytes);
        if read.damage.contains(&Damage::Header) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {}", path.display(), Damage::Header)));
        }
        (log.len, log.records) = (read.good_len as u64, read.records);
        if read.good_len < bytes.len() {
            file.set_len(log.len)?;
            file.sync_all()?;
        }
        log.file = Some(file);
        read.messages.drain(..read.messages.len().saturating_sub(KEPT));
        Ok(Opened { log, messages: read.messages, damage: read.damage })
    }

    /// Appends messages and syncs them: when it returns, they are on disk. `kept` are those that the room keeps with
    /// them, for a file that has to be written anew.
    ///
    /// # Errors
    /// What the disk says. What was written of them is taken back, if the disk lets it be.
    pub fn append(&mut self, messages: &[Message], kept: &[Message]) -> io::Result<()> {
        let is_new = self.file.is_none();
        if is_new || self.records + messages.len() > RECORDS_MAX {
            return self.write_anew(kept);
        }
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        let file = self.file.as_ref().expect("it is there, or would be written anew");
        let written = file.write_all_at(&bytes, self.len).and_then(|()| file.sync_data());
        if let Err(error) = written {
            let _ = file.set_len(self.len).and_then(|()| file.sync_data());
            return Err(error);
        }
        self.len += bytes.len() as u64;
        self.records += messages.len();
        Ok(())
    }

    /// Writes a file beside it and puts it in its place: whenever the machine stops, one of the two is whole.
    fn write_anew(&mut self, kept: &[Message]) -> io::Result<()> {
        let beside = self.path.with_extension("new");
        let mut bytes = header();
        bytes.extend(kept.iter().flat_map(encode));
        let options = OpenOptions { truncate: true, private: true, ..OpenOptions::editing() };
        let file = File::open(&beside, &options)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        if let Some(directory) = self.path.parent() {
            fs::sync_dir(directory)?;
        }
        (self.file, self.len, self.records) = (Some(file), bytes.len() as u64, kept.len());
        Ok(())
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.len
    }
}
