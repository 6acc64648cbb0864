//! Lines of a source file.

use std::path::{Component, Path, PathBuf};

use simurgh_runtime::env;
use simurgh_runtime::fs::{self, File, OpenOptions};

/// Lines that are shown before and after the one that is meant.
const AROUND: usize = 7;
/// A file that is longer is no source; in bytes.
const FILE_LEN_MAX: u64 = 1 << 20;
/// Folders above a root that are tried.
const ABOVE_MAX: usize = 4;

/// Where in a source something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// What stands there.
pub(super) struct Excerpt {
    /// Where the file was found.
    pub(super) path: PathBuf,
    /// The number of the first line.
    pub(super) first: u32,
    pub(super) lines: Vec<String>,
}

impl Place {
    /// Reads `file:line:column`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, ':');
        let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { file: parts.next()?.to_owned(), line, column })
    }

    /// Whether it is in the standard library, of whose files there are usually none here.
    pub(super) fn is_in_std(&self) -> bool {
        self.file.starts_with("/rustc/")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// The folders in which sources are looked for, and those above them.
#[derive(Clone)]
pub(super) struct Roots(Vec<PathBuf>);

impl Roots {
    /// What cargo and the shell say about where we are.
    pub(super) fn usual() -> Self {
        let said = ["CARGO_MANIFEST_DIR", "PWD"].into_iter().filter_map(env::var);
        Self(said.map(PathBuf::from).chain([PathBuf::from(".")]).collect())
    }

    pub(super) fn put_first(&mut self, folder: String) {
        self.0.insert(0, folder.into());
    }

    /// The lines around a place. Read at once, on the task's thread: it is one small file, and only a
    /// developer waits for it.
    pub(super) fn excerpt(&self, place: &Place) -> Option<Excerpt> {
        let named = Path::new(&place.file);
        if named.components().any(|part| part == Component::ParentDir) {
            return None;
        }
        let above = self.0.iter().flat_map(|root| root.ancestors().take(ABOVE_MAX + 1));
        let path = above.map(|folder| folder.join(named)).find(|path| is_source(path))?;
        let content = File::open(&path, &OpenOptions::reading()).ok()?.read_all().ok()?;
        let content = String::from_utf8_lossy(&content);
        let first = (place.line as usize).saturating_sub(AROUND).max(1);
        let lines = content.lines().skip(first - 1).take(place.line as usize + AROUND + 1 - first);
        let lines: Vec<String> = lines.map(|line| line.replace('\t', "    ")).collect();
        let lines = without_indent(&lines);
        (!lines.is_empty()).then_some(Excerpt { path, first: first as u32, lines })
    }
}

/// Without the spaces with which all begin.
fn without_indent(lines: &[String]) -> Vec<String> {
    let spaces = |line: &String| line.len() - line.trim_start_matches(' ').len();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(spaces).min().unwrap_or_default();
    lines.iter().map(|line| line.get(indent..).unwrap_or_default().to_owned()).collect()
}

fn is_source(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_dir && found.len <= FILE_LEN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_from_its_end() {
        let place = Place { file: "C:\\a b.rs".into(), line: 12, column: 5 };
        assert_eq!(Place::parse("C:\\a b.rs:12:5"), Some(place));
        assert_eq!(Place::parse("a.rs:12"), None);
        assert_eq!(Place::parse(""), None);
    }

    #[test]
    fn lines_around_a_place_are_found_from_folders_below() {
        let mut roots = Roots(vec![]);
        roots.put_first(format!("{}/src/pages", env!("CARGO_MANIFEST_DIR")));
        let place = |line| Place { file: "src/pages/development/source.rs".into(), line, column: 1 };
        let excerpt = roots.excerpt(&place(1)).unwrap();
        assert_eq!((excerpt.first, excerpt.lines.len()), (1, 1 + AROUND));
        assert_eq!(excerpt.lines[0], "//! Lines of a source file.");
        let excerpt = roots.excerpt(&place(20)).unwrap();
        assert_eq!((excerpt.first, excerpt.lines.len()), (20 - AROUND as u32, 1 + 2 * AROUND));
        assert!(roots.excerpt(&place(1_000_000)).is_none());
        assert!(roots.excerpt(&Place { file: "../../Cargo.toml".into(), line: 1, column: 1 }).is_none());
    }
}
