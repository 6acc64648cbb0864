//! What is still there after a power cut: replacing a file as a whole, and directories that stay.

use std::io;
use std::path::{Path, PathBuf};

use super::{File, OpenOptions, create_dir_all, remove_file, rename, sync_dir};

/// Replaces the whole content of a file: whoever looks, now or after a power cut, finds the old content or the new
/// one, never a mixture; once this has returned, the new one.
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// use simurgh_runtime::fs;
///
/// let path = std::env::temp_dir().join(format!("simurgh-replace-{}", std::process::id()));
/// fs::atomic_replace(&path, "one").await?;
/// fs::atomic_replace(&path, "two").await?;
/// assert_eq!(fs::read(&path).await?, b"two");
/// fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// One writer at a time for each path: the new content is written to `<name>.new` beside it first, then synced, then
/// renamed, and then the directory is synced (rename(2), fsync(2)). What a crash leaves of the file beside is written
/// over the next time. A process that starts after a crash may find new content that is not durable yet: before it
/// tells anybody of it, it replaces it by itself.
///
/// # Errors
/// What the disk says. Up to the rename the old content stays; if the sync of the directory fails, it is not known
/// which of the two a power cut would leave.
pub async fn atomic_replace(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> io::Result<()> {
    let (path, content) = (path.into(), content.into());
    crate::blocking(move || File::replace(&path, &content, false).map(drop)).await
}

impl File {
    /// [`atomic_replace`] for code that blocks. Returns the new file, open for reading and writing. If it is
    /// `private`, it is made for its owner only (mode 0600).
    ///
    /// # Errors
    /// As those of [`atomic_replace`].
    pub fn replace(path: impl AsRef<Path>, content: &[u8], private: bool) -> io::Result<Self> {
        let path = path.as_ref();
        let Some(name) = path.file_name() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut beside = name.to_owned();
        beside.push(".new");
        let beside = path.with_file_name(beside);
        let options = OpenOptions { truncate: true, private, ..OpenOptions::editing() };
        let file = File::open(&beside, &options)?;
        let write = || {
            if crate::planted!("fs.replace-short-write") {
                file.write_at(content, 0).map(drop)
            } else {
                file.write_all_at(content, 0)
            }
        };
        let written = write().and_then(|()| {
            // After a failed sync nothing is known of what was written: it is never tried again on the same file.
            if crate::planted!("fs.replace-unsynced") { Ok(()) } else { file.sync_all() }
        });
        if let Err(error) = written.and_then(|()| rename(&beside, path)) {
            let _ = remove_file(&beside); // what is left of it is written over the next time
            return Err(error);
        }
        if !crate::planted!("fs.rename-unsynced") {
            sync_dir(parent(path))?;
        }
        Ok(file)
    }
}

/// The directory that a path's entry stands in; the working directory, if it names none.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// Creates a directory and its parents, and makes their entries durable: what is synced inside is found after a power
/// cut. ([`create_dir_all`] alone may be undone, with all that was put there.)
///
/// ```
/// # simurgh_runtime::run("doc", async {
/// use simurgh_runtime::fs;
///
/// let path = std::env::temp_dir().join(format!("simurgh-durable-{}", std::process::id()));
/// fs::create_dir_all_durable(path.join("rooms"))?;
/// assert!(fs::metadata(path.join("rooms"))?.is_dir);
/// fs::remove_dir_all(&path)?;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// What the disk says. Parents that this process may not open, or whose file system is read-only or knows no sync of
/// directories, are left as they are: it did not make them, or cannot do more.
pub fn create_dir_all_durable(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    create_dir_all(path)?;
    // All of them, since an earlier run may have made some and died before it synced them.
    for directory in path.ancestors().skip(1) {
        match sync_dir(directory) {
            Err(error) if is_not_ours(error.kind()) => {}
            synced => synced?,
        }
    }
    Ok(())
}

fn is_not_ours(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(kind, PermissionDenied | ReadOnlyFilesystem | InvalidInput | Unsupported)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::fs::{read, read_dir, remove_dir_all};

    #[test]
    fn on_a_real_disk_a_file_is_replaced_or_stays() {
        let dir = std::env::temp_dir().join(format!("simurgh-durable-test-{}", std::process::id()));
        crate::run("test", async move {
            create_dir_all_durable(dir.join("a/b")).unwrap();
            let path = dir.join("a/file");
            let file = File::replace(&path, b"one", true).unwrap();
            file.write_all_at(b"O", 0).unwrap();
            assert_eq!(read(&path).await.unwrap(), b"One", "the file that is returned is the new one");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            atomic_replace(&path, "two").await.unwrap();
            assert_eq!(read(&path).await.unwrap(), b"two");
            assert!(File::replace(dir.join("a/b"), b"over a directory", false).is_err());
            assert!(File::replace(dir.join("none/file"), b"nowhere", false).is_err());
            assert!(File::replace("/", b"no name", false).is_err());
            assert_eq!(read_dir(dir.join("a")).unwrap(), ["b", "file"], "nothing is left beside it");
            remove_dir_all(&dir).unwrap();
        });
    }
}
