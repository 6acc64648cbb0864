//! An open file, as the seam wants it.

use std::io::{self, ErrorKind};
use std::sync::Mutex;

use simurgh_runtime::fs::OpenOptions;
use simurgh_runtime::sim;

use crate::effects::Effect;
use crate::engine::with_core;
use crate::trace::{Kind, digest};

use super::faults::{eio, enospc, gone};
use super::tree::{FileInode, Holder, Inode};
use super::{Call, Plan, error, locked};

/// Longest file, in bytes; more than a simulation should hold in memory.
const LEN_MAX: u64 = 1 << 30;

/// An open file.
pub(crate) struct OpenFile {
    inode: Inode,
    node: u32,
    incarnation: u32,
    options: OpenOptions,
    lock: Mutex<Option<bool>>,
}

/// An operation, for the trace and for the faults.
struct Op {
    what: &'static str,
    digest: u64,
    call: Call,
    len: usize,
}

impl OpenFile {
    pub(crate) fn new(inode: Inode, node: u32, incarnation: u32, options: OpenOptions) -> Self {
        Self { inode, node, incarnation, options, lock: Mutex::new(None) }
    }

    /// Calls `f` with the file, if its process still lives; counts it in the trace.
    fn act<R>(&self, op: &Op, f: impl FnOnce(&mut FileInode, Plan) -> io::Result<R>) -> io::Result<R> {
        let plan = with_core(|core| {
            let lives = core.nodes[self.node as usize].is_running_as(self.incarnation);
            core.record_here(Kind::File, op.digest, 0, || op.what.to_owned());
            if lives { core.plan_disk_call(self.node, op.call, op.len) } else { Err(gone()) }
        });
        let plan = plan.unwrap_or_else(|| Err(gone()))?;
        let dies = plan.dies;
        let done = f(&mut locked(&self.inode), plan);
        if let Some(kill) = dies {
            with_core(|core| core.die_inside(self.node, kill));
            return Err(gone());
        }
        done
    }

    fn holder(&self, exclusive: bool) -> Holder {
        Holder { node: self.node, incarnation: self.incarnation, exclusive }
    }

    /// A handle that was opened for the other way is no handle for this call (read(2), write(2)).
    fn permits(allowed: bool) -> io::Result<()> {
        if allowed { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EBADF)) }
    }
}

/// Whether a process lives.
fn lives(node: u32, incarnation: u32) -> bool {
    with_core(|core| core.nodes[node as usize].is_running_as(incarnation)) == Some(true)
}

/// An operation that no fault touches.
fn plain(what: &'static str, digest: u64) -> Op {
    Op { what, digest, call: Call::Look, len: 0 }
}

impl sim::File for OpenFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Self::permits(self.options.read)?;
        let op = Op { what: "read", digest: offset, call: Call::Read, len: into.len() };
        self.act(&op, |inode, plan| {
            let from =
                usize::try_from(offset).ok().and_then(|offset| inode.content.live().get(offset..)).unwrap_or(&[]);
            let len = from.len().min(into.len()).min(plan.len_max.unwrap_or(usize::MAX));
            into[..len].copy_from_slice(&from[..len]);
            Ok(len)
        })
    }

    fn write_at(&self, from: &[u8], offset: u64) -> io::Result<usize> {
        Self::permits(self.options.write)?;
        let op = Op { what: "write", digest: digest(from) ^ offset, call: Call::Write, len: from.len() };
        let result = self.act(&op, |inode, plan| {
            let len = from.len().min(plan.len_max.unwrap_or(usize::MAX));
            let end = offset.saturating_add(len as u64);
            if end > LEN_MAX {
                return error(ErrorKind::FileTooLarge);
            }
            let now = inode.content.live().len() as u64;
            let end_max = plan.free.map_or(u64::MAX, |free| now.saturating_add(free)).max(now);
            if len > 0 && end > end_max && offset >= end_max {
                return Err(enospc());
            }
            let len = (end.min(end_max) - offset) as usize;
            inode.content.write(&from[..len], offset as usize);
            Ok(len)
        });
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::StorageFull) {
            with_core(|core| core.effects.add(Effect::DiskFull));
        }
        result
    }

    fn sync(&self, data_only: bool) -> io::Result<()> {
        let op = Op { what: "sync", digest: u64::from(data_only), call: Call::Sync, len: 0 };
        let result = self.act(&op, |inode, mut plan| {
            if let Some((fate, is_evicted)) = &mut plan.fails {
                return Ok(Err((inode.content.sync_fails(fate, *is_evicted), eio())));
            }
            if !plan.lies {
                inode.content.sync();
            }
            Ok(Ok(()))
        });
        result?.map_err(|(lost, error)| {
            with_core(|core| core.effects.add_many(Effect::Unsynced, lost));
            error
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.options.write {
            return error(ErrorKind::InvalidInput); // ftruncate(2)
        }
        let op = Op { what: "set_len", digest: len, call: Call::Change, len: 0 };
        self.act(&op, |inode, _| {
            if len > LEN_MAX {
                return error(ErrorKind::FileTooLarge);
            }
            inode.content.set_len(len as usize);
            Ok(())
        })
    }

    fn len(&self) -> io::Result<u64> {
        self.act(&plain("len", 0), |inode, _| Ok(inode.content.live().len() as u64))
    }

    fn try_lock(&self, exclusive: bool) -> io::Result<bool> {
        self.unlock()?;
        let taken = self.act(&plain("lock", u64::from(exclusive)), |inode, _| {
            inode.locks.retain(|holder| lives(holder.node, holder.incarnation));
            let free = inode.locks.iter().all(|holder| !exclusive && !holder.exclusive);
            if free {
                inode.locks.push(self.holder(exclusive));
            }
            Ok(free)
        })?;
        *locked(&self.lock) = taken.then_some(exclusive);
        Ok(taken)
    }

    fn unlock(&self) -> io::Result<()> {
        let Some(exclusive) = locked(&self.lock).take() else { return Ok(()) };
        self.act(&plain("unlock", u64::from(exclusive)), |inode, _| {
            if let Some(mine) = inode.locks.iter().position(|holder| *holder == self.holder(exclusive)) {
                inode.locks.swap_remove(mine);
            }
            Ok(())
        })
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // A dead process's locks are void; its handles were counted off with it.
        let _ = sim::File::unlock(self);
        with_core(|core| core.release_handle(self.node));
    }
}
