//! Where a node can be controlled: the file that says so.
//!
//! ```text
//!   simurgh-control 1
//!   node shop
//!   process 4711
//!   addr 127.0.0.1:40123
//!   token 6f1c...
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use simurgh_config::Secret;
use simurgh_runtime::fs::{self, File, OpenOptions};
use simurgh_runtime::{blocking, env};

use super::ControlError;
use super::session::GREETING;

const FIRST: &str = "simurgh-";
const LAST: &str = ".control";

/// Bytes of such a file; a longer one is none.
const LEN_MAX: u64 = 4 * 1024;

/// What a client has to know to control a node.
#[derive(Debug, Clone)]
pub struct Access {
    /// The node's name.
    pub node: String,
    /// The id of its OS process.
    pub process: u32,
    /// Where it listens.
    pub addr: SocketAddr,
    /// The token.
    pub token: Secret<String>,
}

/// Where these files are if nothing else is said: `$XDG_RUNTIME_DIR`, which is its user's own; if that
/// is not set, `$TMPDIR`, or else the system's folder for temporary files.
pub fn default_dir() -> PathBuf {
    let set = ["XDG_RUNTIME_DIR", "TMPDIR"].into_iter().filter_map(env::var).find(|dir| !dir.is_empty());
    PathBuf::from(set.unwrap_or_else(|| "/tmp".to_owned()))
}

/// The nodes that say in `dir` where they can be controlled, by name, and that this user may read. A
/// node that was killed has left its file behind: whether one lives shows when it is connected to.
///
/// # Errors
/// If the directory cannot be read.
pub async fn found(dir: &Path) -> io::Result<Vec<Access>> {
    let dir = dir.to_owned();
    blocking(move || {
        let names = fs::read_dir(&dir)?.into_iter().filter(|name| name.starts_with(FIRST) && name.ends_with(LAST));
        Ok(names.filter_map(|name| read(&dir.join(name))).collect())
    })
    .await
}

fn read(path: &Path) -> Option<Access> {
    let file = File::open(path, &OpenOptions::reading()).ok()?;
    if file.len().ok()? > LEN_MAX {
        return None;
    }
    Access::parse(std::str::from_utf8(&file.read_all().ok()?).ok()?)
}

impl Access {
    fn to_text(&self) -> String {
        let Self { node, process, addr, token } = self;
        let node = node.replace(char::is_control, "?");
        format!("{GREETING}\nnode {node}\nprocess {process}\naddr {addr}\ntoken {}\n", token.expose())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let (format, version) = GREETING.split_once(' ')?;
        field(format).filter(|found| *found == version)?;
        Some(Self {
            node: field("node")?.to_owned(),
            process: field("process")?.parse().ok()?,
            addr: field("addr")?.parse().ok()?,
            token: Secret::new(field("token").filter(|token| !token.is_empty())?.to_owned()),
        })
    }
}

/// A file that was written, and is removed with its node.
pub(super) struct AccessFile(PathBuf);

impl AccessFile {
    pub(super) async fn write(dir: &Path, access: &Access) -> Result<Self, ControlError> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let node: String = access.node.chars().take(64).map(plain).collect();
        let path = dir.join(format!("{FIRST}{node}-{}{LAST}", access.process));
        let (dir, to, text) = (dir.to_owned(), path.clone(), access.to_text());
        let written = blocking(move || {
            fs::create_dir_all(dir)?;
            // What is there is of a process that had the same id; and never is a stranger's file written to.
            let _ = fs::remove_file(&to);
            let options = OpenOptions { write: true, create_new: true, private: true, ..OpenOptions::default() };
            File::open(&to, &options)?.write_all_at(text.as_bytes(), 0)
        });
        match written.await {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err(ControlError::File { path, error }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) async fn remove(self) {
        blocking(move || drop(self)).await;
    }
}

impl Drop for AccessFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // somebody else removed it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_half_of_it_is_not() {
        let access = Access {
            node: "the shop\n".into(),
            process: 7,
            addr: "127.0.0.1:4000".parse().unwrap(),
            token: Secret::new("t".repeat(16)),
        };
        let text = access.to_text();
        let read = Access::parse(&text).unwrap();
        assert_eq!((read.node.as_str(), read.process, read.addr), ("the shop?", 7, access.addr));
        assert!(read.token.is("t".repeat(16)));
        let token_at = text.find("token ").unwrap() + "token ".len();
        for end in 0..=token_at {
            assert!(Access::parse(&text[..end]).is_none(), "{}", &text[..end]);
        }
        assert!(Access::parse(&text.replace("control 1", "control 2")).is_none());
        assert!(!format!("{access:?}").contains("tttt"));
    }
}
