//! Reading the repository.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // a tool of the house, not part of the system: it reads the tree and asks git

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::File;

/// Folders that hold no source, for a tree that git does not know.
const SKIPPED: [&str; 4] = [".git", "target", "node_modules", "generated"];

/// The text files of the repository at `root`: those that git tracks or would track, or, where git
/// does not answer, all that are not built.
///
/// # Errors
/// If the tree cannot be read.
pub fn read(root: &Path) -> io::Result<Vec<File>> {
    let paths = match from_git(root) {
        Some(paths) => paths,
        None => walk(root)?,
    };
    let mut files = Vec::new();
    for path in paths {
        // A file that is not there was deleted and not yet committed; one that is not UTF-8 has no
        // lines to look at.
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push(File { path, text });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn from_git(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let paths: Vec<String> = output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    // An unpacked archive inside somebody else's repository: git answers, but knows none of it.
    paths.iter().any(|path| path == "Cargo.toml").then_some(paths)
}

fn walk(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(entry.path());
                }
            } else if let Ok(path) = entry.path().strip_prefix(root) {
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn both_ways_find_the_sources_and_nothing_that_is_built() {
        for paths in from_git(&root()).into_iter().chain([walk(&root()).unwrap()]) {
            assert!(paths.iter().any(|path| path == "ci/tidy/src/tree.rs"));
            assert!(paths.iter().all(|path| !path.starts_with("target/") && !path.starts_with(".git/")));
        }
    }

    #[test]
    fn a_folder_without_git_or_files_is_an_error_not_an_empty_success() {
        assert!(read(Path::new("/nowhere/at/all")).is_err());
    }
}
