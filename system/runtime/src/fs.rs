//! Files: a synchronous positional API, and the asynchronous one on top of it.
//!
//! The synchronous calls block; they are for code that runs in [`crate::blocking`] (a database
//! engine). Everything else awaits [`read`], [`write()`] or [`File::run`]. What a power cut leaves
//! follows POSIX: content is durable after [`File::sync_all`], a new, removed or renamed entry after
//! [`sync_dir`] of its directory, and a directory's own entry after a sync of its parent. Between two
//! syncs nothing is promised: any part of what was written may be there, in any order, in units of a
//! sector (512 bytes). A sync that fails takes with it what it was to write, and the next one says yes
//! without it (Linux marks the pages clean): write anew, to another file. [`atomic_replace`] and
//! [`create_dir_all_durable`] do what most programs need. (Memory shared between processes, for a
//! write-ahead log's index, joins this API with the data layer.)
//!
//! ```
//! # simurgh_runtime::run("doc", async {
//! use simurgh_runtime::fs::{self, File, OpenOptions};
//!
//! let path = std::env::temp_dir().join(format!("simurgh-doc-{}", std::process::id()));
//! fs::write(&path, "hello").await?;
//! let file = File::open(&path, &OpenOptions::editing())?;
//! file.run(|file| file.write_all_at(b"J", 0).and_then(|()| file.sync_all())).await?;
//! assert_eq!(fs::read(&path).await?, b"Jello");
//! fs::remove_file(&path)?;
//! # std::io::Result::Ok(())
//! # }).unwrap();
//! ```

use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod durable;

use crate::Timestamp;
use crate::sim::{self, PathOp, PathReply};
pub use durable::{atomic_replace, create_dir_all_durable};

/// How a file is opened. The default opens nothing for nothing: say what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // the flags of open(2)
pub struct OpenOptions {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Made if it is missing.
    pub create: bool,
    /// Made, and an error if it is there.
    pub create_new: bool,
    /// Emptied.
    pub truncate: bool,
    /// If it is made, for its owner only (mode 0600). A simulated disk has one user.
    pub private: bool,
}

impl OpenOptions {
    /// To read an existing file.
    pub fn reading() -> Self {
        Self { read: true, ..Self::default() }
    }

    /// To read and write a file, made if it is missing.
    pub fn editing() -> Self {
        Self { read: true, write: true, create: true, ..Self::default() }
    }
}

/// What is known of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes; 0 for a directory.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
}

/// An open file. Clones share it.
#[derive(Clone)]
pub struct File {
    arm: Arc<FileArm>,
}

enum FileArm {
    Real(std::fs::File),
    Sim(Box<dyn sim::File>),
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("File")
    }
}

impl File {
    /// Opens a file.
    pub fn open(path: impl AsRef<Path>, options: &OpenOptions) -> io::Result<Self> {
        let path = path.as_ref();
        let arm = match sim::world(|world| world.open(path, options)) {
            Some(file) => FileArm::Sim(file?),
            None => FileArm::Real(
                std::fs::OpenOptions::new()
                    .read(options.read)
                    .write(options.write)
                    .create(options.create)
                    .create_new(options.create_new)
                    .truncate(options.truncate)
                    .mode(if options.private { 0o600 } else { 0o666 })
                    .open(path)?,
            ),
        };
        Ok(Self { arm: Arc::new(arm) })
    }

    /// Reads at a position; none at the end, and anywhere fewer bytes than asked for.
    pub fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        match &*self.arm {
            FileArm::Real(file) => file.read_at(into, offset),
            FileArm::Sim(file) => file.read_at(into, offset),
        }
    }

    /// Writes at a position, beyond the end too; perhaps fewer bytes than asked for.
    pub fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        match &*self.arm {
            FileArm::Real(file) => file.write_at(from, offset),
            FileArm::Sim(file) => file.write_at(from, offset),
        }
    }

    /// Fills `into`, or says `UnexpectedEof`.
    pub fn read_exact_at(&self, mut into: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !into.is_empty() {
            match self.read_at(into, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => {
                    into = &mut into[len..];
                    offset += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted && !sim::is_simulated() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The whole content, however long it turns out to be.
    pub fn read_all(&self) -> io::Result<Vec<u8>> {
        const STEP: usize = 8 * 1024;
        let mut content = vec![0; self.len()? as usize + 1]; // one more, to see the end
        let mut filled = 0;
        loop {
            match self.read_at(&mut content[filled..], filled as u64) {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted && !sim::is_simulated() => {}
                Err(error) => return Err(error),
            }
            if filled == content.len() {
                content.resize(filled + STEP, 0);
            }
        }
        content.truncate(filled);
        Ok(content)
    }

    /// Writes all of `from`.
    pub fn write_all_at(&self, mut from: &[u8], mut offset: u64) -> io::Result<()> {
        while !from.is_empty() {
            match self.write_at(from, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(len) => {
                    from = &from[len..];
                    offset += len as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted && !sim::is_simulated() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes content and metadata durable.
    pub fn sync_all(&self) -> io::Result<()> {
        match &*self.arm {
            FileArm::Real(file) => file.sync_all(),
            FileArm::Sim(file) => file.sync(false),
        }
    }

    /// Makes content durable, and of the metadata what is needed to read it.
    pub fn sync_data(&self) -> io::Result<()> {
        match &*self.arm {
            FileArm::Real(file) => file.sync_data(),
            FileArm::Sim(file) => file.sync(true),
        }
    }

    /// Cuts the file, or extends it with zeros.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        match &*self.arm {
            FileArm::Real(file) => file.set_len(len),
            FileArm::Sim(file) => file.set_len(len),
        }
    }

    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty)] // a file is not a collection
    pub fn len(&self) -> io::Result<u64> {
        match &*self.arm {
            FileArm::Real(file) => Ok(file.metadata()?.len()),
            FileArm::Sim(file) => file.len(),
        }
    }

    /// Takes the exclusive lock, which lasts as long as the file is open; false if another holds one.
    pub fn try_lock(&self) -> io::Result<bool> {
        match &*self.arm {
            FileArm::Real(file) => taken(file.try_lock()),
            FileArm::Sim(file) => file.try_lock(true),
        }
    }

    /// Takes a shared lock; false if another holds the exclusive one.
    pub fn try_lock_shared(&self) -> io::Result<bool> {
        match &*self.arm {
            FileArm::Real(file) => taken(file.try_lock_shared()),
            FileArm::Sim(file) => file.try_lock(false),
        }
    }

    /// Gives the lock back.
    pub fn unlock(&self) -> io::Result<()> {
        match &*self.arm {
            FileArm::Real(file) => file.unlock(),
            FileArm::Sim(file) => file.unlock(),
        }
    }

    /// Does `work` with this file where blocking stops no other task.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce(&File) -> T + Send + 'static) -> T {
        let file = self.clone();
        crate::blocking(move || work(&file)).await
    }
}

fn taken(result: Result<(), std::fs::TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Does one thing to a path: in the simulated world, or with the standard library.
fn path_op(op: PathOp<'_>, real: impl FnOnce() -> io::Result<PathReply>) -> io::Result<PathReply> {
    sim::world(|world| world.path(op)).unwrap_or_else(real)
}

/// Creates a directory and its parents.
pub fn create_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    path_op(PathOp::CreateDirAll(path), || std::fs::create_dir_all(path).map(|()| PathReply::Done)).map(drop)
}

/// Removes a file.
pub fn remove_file(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    path_op(PathOp::RemoveFile(path), || std::fs::remove_file(path).map(|()| PathReply::Done)).map(drop)
}

/// Removes a directory and all below it.
pub fn remove_dir_all(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    path_op(PathOp::RemoveDirAll(path), || std::fs::remove_dir_all(path).map(|()| PathReply::Done)).map(drop)
}

/// Replaces `to` by `from`, at once for all who look. Durable after [`sync_dir`] of both directories.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    path_op(PathOp::Rename(from, to), || std::fs::rename(from, to).map(|()| PathReply::Done)).map(drop)
}

/// Makes a directory's entries durable: those that were made, removed or renamed. The empty path is the working
/// directory.
pub fn sync_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    path_op(PathOp::SyncDir(path), || std::fs::File::open(path)?.sync_all().map(|()| PathReply::Done)).map(drop)
}

/// What is known of a path.
pub fn metadata(path: impl AsRef<Path>) -> io::Result<Metadata> {
    let path = path.as_ref();
    let reply = path_op(PathOp::Metadata(path), || {
        let known = std::fs::metadata(path)?;
        let len = if known.is_dir() { 0 } else { known.len() };
        Ok(PathReply::Metadata(Metadata { len, is_dir: known.is_dir() }))
    })?;
    match reply {
        PathReply::Metadata(metadata) => Ok(metadata),
        PathReply::Done | PathReply::Names(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Where a path leads when all its links are followed, and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path without links, `.` and `..`.
    pub path: PathBuf,
    /// Length in bytes; 0 for what is no file.
    pub len: u64,
    /// Whether it is an ordinary file: no directory, pipe or device.
    pub is_file: bool,
    /// When its content was changed last. A simulated disk does not know.
    pub modified: Option<Timestamp>,
}

/// Follows a path to its end. A simulated disk has no links.
pub fn resolve(path: impl AsRef<Path>) -> io::Result<Resolved> {
    let path = path.as_ref();
    if sim::is_simulated() {
        let known = metadata(path)?;
        return Ok(Resolved { path: path.to_owned(), len: known.len, is_file: !known.is_dir, modified: None });
    }
    let path = std::fs::canonicalize(path)?;
    let known = std::fs::metadata(&path)?;
    let len = if known.is_file() { known.len() } else { 0 };
    let since = known.modified()?.duration_since(std::time::UNIX_EPOCH).ok();
    let modified = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).map(Timestamp::from_nanos);
    Ok(Resolved { path, len, is_file: known.is_file(), modified })
}

/// The names in a directory, sorted.
pub fn read_dir(path: impl AsRef<Path>) -> io::Result<Vec<String>> {
    let path = path.as_ref();
    let reply = path_op(PathOp::ReadDir(path), || {
        let names = std::fs::read_dir(path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(PathReply::Names(names))
    })?;
    match reply {
        PathReply::Names(names) => Ok(names),
        PathReply::Done | PathReply::Metadata(_) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The whole content of a file.
pub async fn read(path: impl Into<PathBuf>) -> io::Result<Vec<u8>> {
    let path = path.into();
    crate::blocking(move || File::open(&path, &OpenOptions::reading())?.read_all()).await
}

/// Replaces the whole content of a file, made if it is missing. Not atomic, and not synced.
pub async fn write(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> io::Result<()> {
    let (path, content) = (path.into(), content.into());
    crate::blocking(move || {
        let options = OpenOptions { write: true, create: true, truncate: true, ..OpenOptions::default() };
        File::open(&path, &options)?.write_all_at(&content, 0)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_through_a_real_directory() {
        let dir = std::env::temp_dir().join(format!("simurgh-fs-{}", std::process::id()));
        crate::run("test", async move {
            create_dir_all(dir.join("a/b")).unwrap();
            write(dir.join("a/one"), "hello").await.unwrap();
            let file = File::open(dir.join("a/one"), &OpenOptions::editing()).unwrap();
            file.write_all_at(b"J", 0).unwrap();
            file.write_all_at(b"!", 7).unwrap();
            file.sync_all().unwrap();
            assert_eq!(file.run(|file| file.len().unwrap()).await, 8);
            assert_eq!(read(dir.join("a/one")).await.unwrap(), b"Jello\0\0!");
            assert!(!read("/proc/self/status").await.unwrap().is_empty(), "a file that says it has length 0");
            assert_eq!(file.read_exact_at(&mut [0; 9], 0).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            rename(dir.join("a/one"), dir.join("a/two")).unwrap();
            sync_dir(dir.join("a")).unwrap();
            sync_dir("").unwrap();
            assert_eq!(read_dir(dir.join("a")).unwrap(), ["b", "two"]);
            assert!(metadata(dir.join("a/b")).unwrap().is_dir);
            std::os::unix::fs::symlink("two", dir.join("a/link")).unwrap();
            let (link, two) = (resolve(dir.join("a/b/../link")).unwrap(), resolve(dir.join("a/two")).unwrap());
            assert!(link == two && two.is_file && two.len == 8 && two.modified.is_some(), "{link:?}");
            assert!(!resolve(dir.join("a/b")).unwrap().is_file && !resolve("/dev/null").unwrap().is_file);
            remove_file(dir.join("a/link")).unwrap();
            let other = File::open(dir.join("a/two"), &OpenOptions::editing()).unwrap();
            assert!(file.try_lock().unwrap());
            assert!(!other.try_lock_shared().unwrap());
            file.unlock().unwrap();
            assert!(other.try_lock_shared().unwrap());
            remove_file(dir.join("a/two")).unwrap();
            remove_dir_all(&dir).unwrap();
            assert_eq!(metadata(&dir).unwrap_err().kind(), io::ErrorKind::NotFound);
        });
    }
}
