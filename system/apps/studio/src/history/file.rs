//! The file: opened with what it holds, appended to, written anew when it is long. All of it blocks.

use std::io;
use std::path::{Path, PathBuf};

use simurgh::prelude::planted;
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
    /// What cannot be read of its end is cut off, and told. A file in which a record is damaged stays beside it, with
    /// `.damaged` at its end. A file that is no history is an error: it is not ours to cut.
    ///
    /// What is found may stand in the kernel's memory alone, if a process died before it synced, or if a sync had
    /// failed. So it is written anew, and durable, before anybody is told of it; on a full disk it is synced.
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
        let bytes = read(&file)?;
        let mut read = decode(&bytes);
        if read.damage.contains(&Damage::Header) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{}: {}", path.display(), Damage::Header)));
        }
        read.messages.drain(..read.messages.len().saturating_sub(KEPT));
        if planted!("history.found-is-safe") {
            file.set_len(read.good_len as u64)?;
            (log.len, log.records, log.file) = (read.good_len as u64, read.records, Some(file));
            return Ok(Opened { log, messages: read.messages, damage: read.damage });
        }
        let is_damaged = read.damage.iter().any(|damage| matches!(damage, Damage::Record { .. }));
        let aside =
            if is_damaged { File::replace(path.with_extension("damaged"), &bytes, true).map(drop) } else { Ok(()) };
        match aside.and_then(|()| log.write_anew(&read.messages)) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                log.len = read.good_len as u64;
                file.sync_all()?;
                fs::sync_dir(path.parent().unwrap_or(path))?;
            }
            settled => settled?,
        }
        Ok(Opened { log, messages: read.messages, damage: read.damage })
    }

    /// Appends messages and syncs them: when it returns, they are on disk. `kept` are those that the room keeps with
    /// them, for a file that has to be written anew.
    ///
    /// # Errors
    /// What the disk says. What was written of them is taken back, if the disk lets it be; the file has to be opened
    /// again.
    pub fn append(&mut self, messages: &[Message], kept: &[Message]) -> io::Result<()> {
        let is_new = self.file.is_none();
        if is_new || self.records + messages.len() > RECORDS_MAX {
            return self.write_anew(kept);
        }
        let bytes: Vec<u8> = messages.iter().flat_map(encode).collect();
        let file = self.file.as_ref().expect("it is there, or would be written anew");
        let sync = || if planted!("history.unsynced") { Ok(()) } else { file.sync_data() };
        let write = || {
            if planted!("history.short-write") {
                file.write_at(&bytes, self.len).map(drop)
            } else {
                file.write_all_at(&bytes, self.len)
            }
        };
        let written = write()
            .and_then(|()| sync().or_else(|error| if planted!("history.sync-again") { sync() } else { Err(error) }));
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
        let mut bytes = header();
        bytes.extend(kept.iter().flat_map(encode));
        let file = File::replace(&self.path, &bytes, true)?;
        (self.file, self.len, self.records) = (Some(file), bytes.len() as u64, kept.len());
        Ok(())
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.len
    }
}

fn read(file: &File) -> io::Result<Vec<u8>> {
    if planted!("history.short-read") {
        let mut bytes = vec![0; file.len()? as usize];
        let len = file.read_at(&mut bytes, 0)?;
        bytes.truncate(len);
        return Ok(bytes);
    }
    file.read_all()
}
