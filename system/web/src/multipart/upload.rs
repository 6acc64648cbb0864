//! A file that was uploaded, and that vanishes when nobody holds it any more.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use simurgh_runtime::fs::{self, File, OpenOptions};
use simurgh_runtime::{Node, random};

use super::sweep::{self, PREFIX};
use crate::negotiate::disposition;

/// Names that are tried for a file: each but the last was swept before it was locked.
const TRIES: usize = 8;

/// A file that a client sent. It is on disk, readable for this user only, under a name that nobody can
/// guess, until this is dropped.
///
/// A process that is killed leaves its files behind. They are removed by the next that saves an upload in the same
/// directory, before its first, or when it says so at its start: [`MultipartLimits::sweep`](super::MultipartLimits::sweep).
/// Files of processes that live are left alone: each holds a lock on its own.
pub struct Upload {
    pub(super) file_name: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) len: u64,
    pub(super) temporary: Temporary,
}

impl Upload {
    /// The name that the client gave it, whatever that may be: a path, say, or a lie.
    pub fn file_name(&self) -> Option<&str> {
        self.file_name.as_deref()
    }

    /// What is safe of it: the last part of a path, without separators, control characters and what could
    /// mislead. None if nothing is left.
    pub fn safe_name(&self) -> Option<String> {
        disposition::safe_name(self.file_name()?)
    }

    /// The type that the client says it has.
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty)] // a file is not a collection
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where it is, as long as this lives.
    pub fn path(&self) -> &Path {
        &self.temporary.path
    }

    /// All of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn read(&self) -> io::Result<Vec<u8>> {
        fs::read(self.path()).await
    }

    /// Moves it to a place where it stays, on the same file system. Durable after
    /// [`sync_dir`](simurgh_runtime::fs::sync_dir) of that directory.
    ///
    /// # Errors
    /// If it cannot be moved there; then it vanishes.
    pub async fn keep(self, path: impl Into<PathBuf>) -> io::Result<()> {
        let (temporary, to) = (self.temporary, path.into());
        simurgh_runtime::blocking(move || temporary.keep(&to)).await
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:?}, {} bytes)", self.file_name, self.len)
    }
}

/// A file that vanishes.
pub(super) struct Temporary {
    path: PathBuf,
    /// Open as long as it is ours: the lock says so to those who sweep.
    file: File,
    is_kept: bool,
}

impl Temporary {
    /// Makes one. Blocks.
    pub(super) fn create(directory: Option<PathBuf>) -> io::Result<(Self, File)> {
        let directory = sweep::directory(directory);
        sweep::before_the_first(&directory);
        for _ in 0..TRIES {
            let path = directory.join(format!("{PREFIX}{:016x}{:016x}", random::u64(), random::u64()));
            let options = OpenOptions { write: true, create_new: true, private: true, ..OpenOptions::default() };
            let file = match File::open(&path, &options) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(&directory)?;
                    File::open(&path, &options)?
                }
                opened => opened?,
            };
            // Who sweeps may have seen it before it was locked; then it is gone, or will be. A file system without locks
            // is not swept.
            let is_ours = file.try_lock().unwrap_or(true) && fs::metadata(&path).is_ok();
            if is_ours {
                return Ok((Self { path, file: file.clone(), is_kept: false }, file));
            }
        }
        Err(io::Error::other("the directory of uploads is swept again and again"))
    }

    /// Moves it, with its content on the disk. Blocks.
    fn keep(mut self, to: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, to)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (path, file) = (std::mem::take(&mut self.path), self.file.clone());
        // Whoever drops it may be on its way out, so there is nobody to tell if it is gone already.
        let remove = move || {
            drop(fs::remove_file(path));
            drop(file);
        };
        if Node::try_current().is_some_and(|node| !node.is_dead()) {
            drop(simurgh_runtime::blocking(remove));
        } else {
            remove();
        }
    }
}
