//! The house itself: which folders there are, and which documents there must be.

use crate::{File, Finding};

/// The folders of the root. Folders that begin with a dot belong to tools.
const FOLDERS: [&str; 7] = ["system", "sim", "scenarios", "invariants", "seeds", "reports", "ci"];

/// Files that must be there.
const REQUIRED: [(&str, &str); 11] = [
    ("Cargo.toml", "the workspace"),
    ("Cargo.lock", "a build is a function of the commit"),
    ("clippy.toml", "the bans"),
    ("rustfmt.toml", "the layout"),
    ("README.md", "what it is, and the two commands"),
    ("ARCHITECTURE.md", "how the parts meet"),
    ("CONTRIBUTING.md", "how we write"),
    ("CHANGELOG.md", "what changed for users"),
    ("SECURITY.md", "how to report a hole"),
    ("LICENSE-MIT", "one of the two licences"),
    ("LICENSE-APACHE", "one of the two licences"),
];

/// Other files that may stand in the root.
const ALLOWED: [&str; 2] = ["NOTICES.md", "rust-toolchain.toml"];

/// Checks the root.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (path, why) in REQUIRED {
        if !files.iter().any(|file| file.path == path) {
            found.push(Finding { path: path.into(), line: 1, what: format!("is missing: {why}; add it") });
        }
    }
    for file in files {
        match file.path.split_once('/') {
            Some((folder, _)) if !folder.starts_with('.') && !FOLDERS.contains(&folder) => {
                found.push(file.finding(
                    1,
                    format!("{folder}/ is no folder of the house: put it under one of {}", FOLDERS.join(", ")),
                ));
            }
            None if !file.path.starts_with('.') && !known(&file.path) => {
                found.push(file.finding(1, "a stray file in the root: move it into a folder, or remove it"));
            }
            _ => {}
        }
    }
    found
}

fn known(path: &str) -> bool {
    REQUIRED.iter().any(|(required, _)| *required == path) || ALLOWED.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> Vec<File> {
        REQUIRED.iter().map(|(path, _)| File::new(*path, "x\n")).collect()
    }

    #[test]
    fn a_whole_house_is_fine() {
        let mut files = house();
        files.extend([
            File::new(".ci/run", "x\n"),
            File::new("system/otp/src/lib.rs", "x\n"),
            File::new(".gitignore", "x\n"),
        ]);
        assert!(check(&files).is_empty());
    }

    #[test]
    fn what_is_missing_or_stray_is_found() {
        for (path, _) in REQUIRED {
            let files: Vec<File> = house().into_iter().filter(|file| file.path != path).collect();
            assert_eq!(check(&files).len(), 1, "{path}");
        }
        for path in ["docs/a.md", "notes.txt", "src/main.rs"] {
            let mut files = house();
            files.push(File::new(path, "x\n"));
            assert_eq!(check(&files).len(), 1, "{path}");
        }
    }
}
