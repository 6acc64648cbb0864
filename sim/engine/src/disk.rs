//! The disk of a node: a plain image of files and directories that survives a kill of the process
//! and of the machine. (What a power cut does to bytes that were not synced belongs to disk faults.)

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use simurgh_runtime::fs::{Metadata, OpenOptions};
use simurgh_runtime::sim::{self, PathOp, PathReply};

use crate::engine::with_core;
use crate::trace::{Kind, digest};

/// All that a node has on disk.
pub(crate) struct Disk {
    files: BTreeMap<PathBuf, Content>,
    directories: BTreeSet<PathBuf>,
}

/// A file's content, shared by those who have it open. Only one thread ever locks it.
type Content = Arc<Mutex<Inode>>;

#[derive(Default)]
struct Inode {
    bytes: Vec<u8>,
    /// Handles that hold the shared lock, or `u32::MAX` for the exclusive one.
    locks: u32,
    /// The incarnation of the node that the locks belong to: they die with it.
    locked_by: u32,
}

/// An open file.
pub(crate) struct OpenFile {
    content: Content,
    node: u32,
    incarnation: u32,
    options: OpenOptions,
    lock: Mutex<Option<bool>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

impl Disk {
    /// An empty disk.
    pub(crate) fn new() -> Self {
        Self { files: BTreeMap::new(), directories: BTreeSet::from([PathBuf::from("/"), PathBuf::new()]) }
    }

    /// Opens or creates a file.
    pub(crate) fn open(
        &mut self,
        node: u32,
        incarnation: u32,
        path: &Path,
        options: &OpenOptions,
    ) -> io::Result<OpenFile> {
        if self.directories.contains(path) {
            return error(ErrorKind::IsADirectory);
        }
        let makes = options.create || options.create_new;
        if makes && !self.directories.contains(path.parent().unwrap_or(Path::new(""))) {
            return error(ErrorKind::NotFound);
        }
        let content = match self.files.get(path) {
            Some(_) if options.create_new => return error(ErrorKind::AlreadyExists),
            Some(content) => Arc::clone(content),
            None if makes => Arc::clone(self.files.entry(path.to_owned()).or_default()),
            None => return error(ErrorKind::NotFound),
        };
        if options.truncate && options.write {
            locked(&content).bytes.clear();
        }
        Ok(OpenFile { content, node, incarnation, options: options.clone(), lock: Mutex::new(None) })
    }

    /// Does one thing to a path.
    pub(crate) fn path(&mut self, op: PathOp<'_>) -> io::Result<PathReply> {
        match op {
            PathOp::CreateDirAll(path) => {
                if path.ancestors().any(|part| self.files.contains_key(part)) {
                    return error(ErrorKind::AlreadyExists);
                }
                self.directories.extend(path.ancestors().map(Path::to_owned));
                Ok(PathReply::Done)
            }
            PathOp::RemoveFile(path) => match self.files.remove(path) {
                Some(_) => Ok(PathReply::Done),
                None => error(ErrorKind::NotFound),
            },
            PathOp::RemoveDirAll(path) => {
                if !self.directories.contains(path) {
                    return error(ErrorKind::NotFound);
                }
                self.files.retain(|file, _| !file.starts_with(path));
                self.directories.retain(|directory| !directory.starts_with(path));
                Ok(PathReply::Done)
            }
            PathOp::Rename(from, to) => {
                if !self.directories.contains(to.parent().unwrap_or(Path::new(""))) {
                    return error(ErrorKind::NotFound);
                }
                match self.files.remove(from) {
                    Some(content) => {
                        self.files.insert(to.to_owned(), content);
                        Ok(PathReply::Done)
                    }
                    None => error(ErrorKind::NotFound),
                }
            }
            PathOp::SyncDir(path) if self.directories.contains(path) => Ok(PathReply::Done),
            PathOp::SyncDir(_) => error(ErrorKind::NotFound),
            PathOp::Metadata(path) => {
                if self.directories.contains(path) {
                    return Ok(PathReply::Metadata(Metadata { len: 0, is_dir: true }));
                }
                let Some(content) = self.files.get(path) else { return error(ErrorKind::NotFound) };
                Ok(PathReply::Metadata(Metadata { len: locked(content).bytes.len() as u64, is_dir: false }))
            }
            PathOp::ReadDir(path) => {
                if !self.directories.contains(path) {
                    return error(ErrorKind::NotFound);
                }
                let all = self.files.keys().chain(&self.directories);
                let mut names: Vec<String> = all
                    .filter(|entry| entry.parent() == Some(path))
                    .filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned()))
                    .collect();
                names.sort_unstable();
                Ok(PathReply::Names(names))
            }
        }
    }
}

impl OpenFile {
    /// Calls `f` with the file, if its process still lives; counts it in the trace.
    fn act<R>(&self, what: &'static str, digest: u64, f: impl FnOnce(&mut Inode) -> io::Result<R>) -> io::Result<R> {
        let lives = with_core(|core| {
            let node = &core.nodes[self.node as usize];
            let lives = node.rt.incarnation() == self.incarnation && node.is_running();
            core.record_here(Kind::File, digest, 0, || what.to_owned());
            lives
        });
        if lives == Some(true) { f(&mut locked(&self.content)) } else { error(ErrorKind::Interrupted) }
    }

    fn permits(allowed: bool) -> io::Result<()> {
        if allowed { Ok(()) } else { error(ErrorKind::PermissionDenied) }
    }
}

impl sim::File for OpenFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Self::permits(self.options.read)?;
        self.act("read", offset, |inode| {
            let from = inode.bytes.get(offset as usize..).unwrap_or(&[]);
            let len = from.len().min(into.len());
            into[..len].copy_from_slice(&from[..len]);
            Ok(len)
        })
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        Self::permits(self.options.write)?;
        self.act("write", digest(from) ^ offset, |inode| {
            let end = offset as usize + from.len();
            if inode.bytes.len() < end {
                inode.bytes.resize(end, 0);
            }
            inode.bytes[offset as usize..end].copy_from_slice(from);
            Ok(from.len())
        })
    }

    fn sync(&self, data_only: bool) -> io::Result<()> {
        self.act("sync", u64::from(data_only), |_| Ok(()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        Self::permits(self.options.write)?;
        self.act("set_len", len, |inode| {
            inode.bytes.resize(len as usize, 0);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.act("len", 0, |inode| Ok(inode.bytes.len() as u64))
    }

    fn try_lock(&self, exclusive: bool) -> io::Result<bool> {
        self.unlock()?;
        let incarnation = self.incarnation;
        let taken = self.act("lock", u64::from(exclusive), |inode| {
            if inode.locked_by != incarnation {
                (inode.locks, inode.locked_by) = (0, incarnation);
            }
            let free = if exclusive { inode.locks == 0 } else { inode.locks != u32::MAX };
            if free {
                inode.locks = if exclusive { u32::MAX } else { inode.locks + 1 };
            }
            Ok(free)
        })?;
        *locked(&self.lock) = taken.then_some(exclusive);
        Ok(taken)
    }

    fn unlock(&self) -> io::Result<()> {
        let Some(exclusive) = locked(&self.lock).take() else { return Ok(()) };
        self.act("unlock", u64::from(exclusive), |inode| {
            inode.locks = if exclusive { 0 } else { inode.locks - 1 };
            Ok(())
        })
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // A dead process's locks are void by their incarnation; its handles were counted off with it.
        let _ = sim::File::unlock(self);
        with_core(|core| core.release_handle(self.node));
    }
}
