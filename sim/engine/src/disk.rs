//! The disk of a node: what its programs see, what a power cut would leave, and how it fails.
//!
//! Each file has a live image, a durable one, and the versions of each 512-byte sector since the last sync; each
//! directory has live and durable entries, and the disk a list of the changes that were not synced. A crash of the
//! process keeps the live image: the kernel has it. A power cut takes the durable one, with a drawn part of the rest.
//!
//! | after | a power cut leaves |
//! | --- | --- |
//! | a write | of each of its sectors any version since the last sync, whole; sectors are independent of each other, so pages tear and order is lost |
//! | a write beyond the end | the old length or a later one; what is missing below it reads as zeros, never as somebody else's bytes |
//! | `set_len` to less, or an open with `truncate` | all or nothing of it, in order; a write after it is there only with it |
//! | `sync_all`, `sync_data` that said yes | all of the file, but not its name |
//! | a sync that failed | a part; the rest is gone from the disk, and the next sync says yes without it. Programs see it as long as it is cached |
//! | a file or directory made, removed, renamed | the entry as it was or as it is; several in order, as a journal has it, or in none |
//! | `sync_dir` that said yes | the entries of that directory, but not what the files hold, and not the directory's own name in its parent |
//! | a rename within a directory | one of the two, never neither and never a mixture |
//! | a rename into another directory | after a sync of that one, perhaps both names; after a sync of the old one, the new name alone |
//!
//! Sources: fsync(2), rename(2) and open(2) of Linux, whose pages say that an entry needs a sync of its directory;
//! ext4 with `data=ordered` (the length never runs ahead of somebody else's blocks; metadata is a journal);
//! POSIX, which promises no order; the kernel since 4.13 for a failed sync (pages are marked clean). What is left
//! open there may happen here.
//!
//! Faults of a call are drawn from the node's own stream (purpose `Disk`): calls cut short, errors, syncs that lie, a
//! full disk, a slow one, and a crash inside a poll, from which on no call has any effect. [`DiskFaults`] sets them.
//!
//! Left out: times of files, links, permissions, quotas, bit rot, and blocks of a sparse file (its length counts).

mod content;
mod fate;
mod faults;
mod file;
mod tree;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use simurgh_runtime::fs::OpenOptions;
use simurgh_runtime::sim::{PathOp, PathReply};

use crate::draws::Stream;

use fate::Fate;
use tree::Tree;

pub(crate) use faults::{Call, Plan, State, gone};
pub use faults::{DiskFaults, DiskLatency};
pub(crate) use file::OpenFile;

/// All that a node has on disk.
pub(crate) struct Disk {
    tree: Tree,
    pub(crate) state: State,
}

/// What a power cut took.
pub(crate) struct Lost {
    pub(crate) sectors: u64,
    pub(crate) entries: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

/// A path that names something: the empty one names nothing, and is the working directory only for `sync_dir`.
fn named(path: &Path) -> io::Result<&Path> {
    if path.as_os_str().is_empty() { error(ErrorKind::NotFound) } else { Ok(path) }
}

impl Disk {
    /// An empty disk, whose faults come from `stream`.
    pub(crate) fn new(faults: DiskFaults, stream: Stream) -> Self {
        Self { tree: Tree::new(), state: State::new(faults, stream) }
    }

    /// The power goes. With `loses`, a part of what was not synced goes with it.
    pub(crate) fn power_cut(&mut self, loses: bool, stream: Stream) -> Lost {
        let mut fate = if loses { Fate::draw(stream) } else { Fate::kind(stream) };
        let (sectors, entries) = self.tree.power_cut(&mut fate);
        Lost { sectors, entries }
    }

    /// Another, empty disk in its place. Returns how many files are gone.
    pub(crate) fn wipe(&mut self) -> u64 {
        std::mem::replace(&mut self.tree, Tree::new()).count()
    }

    /// Lets it hold `more` bytes than it holds now; `None` lifts the limit.
    pub(crate) fn limit(&mut self, more: Option<u64>) {
        self.state.capacity = more.map(|more| self.tree.used() + more);
    }

    /// Bytes that may still be written beyond what there is.
    fn free(&self) -> Option<u64> {
        self.state.capacity.map(|capacity| capacity.saturating_sub(self.tree.used()))
    }

    /// Whether an open would change the disk.
    pub(crate) fn open_changes(&self, path: &Path, options: &OpenOptions) -> bool {
        let makes = options.create || options.create_new;
        (options.truncate && options.write) || (makes && self.tree.file(path).is_err())
    }

    /// Opens or creates a file.
    pub(crate) fn open(
        &mut self,
        node: u32,
        incarnation: u32,
        path: &Path,
        options: &OpenOptions,
    ) -> io::Result<OpenFile> {
        let makes = options.create || options.create_new;
        // As std has it: a file is opened for something, and made or emptied only by who may write.
        if !options.write && (makes || options.truncate || !options.read) {
            return error(ErrorKind::InvalidInput);
        }
        let inode = match self.tree.file(named(path)?) {
            Ok(_) if options.create_new => return error(ErrorKind::AlreadyExists),
            Err(why) if options.create_new && why.kind() == ErrorKind::IsADirectory => {
                return error(ErrorKind::AlreadyExists);
            }
            Ok(inode) => inode,
            Err(none) if none.kind() == ErrorKind::NotFound && makes => self.tree.create(path)?,
            Err(why) => return Err(why),
        };
        if options.truncate && options.write {
            locked(&inode).content.set_len(0);
        }
        Ok(OpenFile::new(inode, node, incarnation, options.clone()))
    }

    /// Does one thing to a path.
    pub(crate) fn path(&mut self, op: PathOp<'_>, plan: &Plan) -> io::Result<PathReply> {
        let done = |()| PathReply::Done;
        match op {
            PathOp::CreateDirAll(path) => self.tree.create_directories(path).map(done),
            PathOp::RemoveFile(path) => self.tree.remove_file(named(path)?).map(done),
            PathOp::RemoveDirAll(path) => self.tree.remove_directory(named(path)?).map(done),
            PathOp::Rename(from, to) => self.tree.rename(named(from)?, named(to)?).map(done),
            PathOp::SyncDir(path) if plan.lies => self.tree.has_directory(path).map(done),
            PathOp::SyncDir(path) => self.tree.sync_directory(path).map(done),
            PathOp::Metadata(path) => self.tree.metadata(named(path)?).map(PathReply::Metadata),
            PathOp::ReadDir(path) => self.tree.names(named(path)?).map(PathReply::Names),
        }
    }
}

/// What kind of call an operation on a path is.
pub(crate) fn call_of(op: &PathOp<'_>) -> Call {
    match op {
        PathOp::Metadata(_) | PathOp::ReadDir(_) => Call::Look,
        PathOp::SyncDir(_) => Call::Sync,
        PathOp::CreateDirAll(_) | PathOp::RemoveFile(_) | PathOp::RemoveDirAll(_) | PathOp::Rename(..) => Call::Change,
    }
}
