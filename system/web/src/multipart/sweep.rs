//! Uploads that killed processes have left.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use simurgh_runtime::fs::{self, File, OpenOptions};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Node, Slot, env};
use simurgh_telemetry::event;

/// What the name of each upload's file begins with; 32 hexadecimal digits follow.
pub(super) const PREFIX: &str = "simurgh-upload-";

/// Where uploads are kept.
pub(super) fn directory(said: Option<PathBuf>) -> PathBuf {
    said.unwrap_or_else(|| env::var("TMPDIR").unwrap_or_else(|| "/tmp".to_owned()).into())
}

/// Sweeps a directory, unless this node has before. Blocks.
pub(super) fn before_the_first(directory: &Path) {
    let Some(node) = Node::try_current() else { return };
    let swept = node.slot::<Mutex<BTreeSet<PathBuf>>>(Slot::Uploads, Mutex::default);
    if swept.lock().insert(directory.to_owned())
        && let Err(error) = sweep(directory)
    {
        tracing::warn!("uploads that were left in {} are not removed: {error}", directory.display());
    }
}

/// Removes the files that nobody holds; how many they were. Blocks.
pub(super) fn sweep(directory: &Path) -> io::Result<usize> {
    let names = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        names => names?,
    };
    let mut removed = 0;
    for name in names.iter().filter(|name| is_of_upload(name)) {
        // What may not be opened is another user's, and what is gone is swept.
        removed += usize::from(remove(&directory.join(name)).unwrap_or(false));
    }
    if removed > 0 {
        event!("web.uploads.swept", { files: removed });
        tracing::info!("removed {removed} uploads that were left in {}", directory.display());
    }
    Ok(removed)
}

fn is_of_upload(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes a file, if nobody holds it.
fn remove(path: &Path) -> io::Result<bool> {
    // In a directory where all may write, the name may be a link, or a pipe that would not open.
    let found = fs::resolve(path)?;
    if !found.is_file || found.path.file_name() != path.file_name() {
        return Ok(false);
    }
    let file = File::open(path, &OpenOptions::reading())?;
    if !file.try_lock()? {
        return Ok(false);
    }
    fs::remove_file(path)?;
    Ok(true)
}
