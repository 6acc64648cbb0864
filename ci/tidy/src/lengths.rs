//! Lengths of files: small, with one subject.

use crate::{File, Finding};

/// The length at which a file is thought about again.
pub const LINES_MAX: usize = 600;

/// Files that may be longer, and why.
const LONGER: [(&str, &str); 0] = [];

/// Checks all Rust files.
pub fn check(files: &[File]) -> Vec<Finding> {
    check_with(files, &LONGER)
}

fn check_with(files: &[File], longer: &[(&str, &str)]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines = file.text.lines().count();
        let listed = longer.iter().any(|(path, why)| *path == file.path && !why.is_empty());
        if lines > LINES_MAX && !listed {
            let what = format!(
                "{lines} lines, more than {LINES_MAX}: split it by subject, or list it with its reason in ci/tidy/src/lengths.rs"
            );
            found.push(file.finding(LINES_MAX + 1, what));
        }
        if lines <= LINES_MAX && listed {
            found.push(
                file.finding(1, format!("{lines} lines: no longer too long, remove it from ci/tidy/src/lengths.rs")),
            );
        }
    }
    found
}

/// Files, lines in all, and the median length of the Rust files.
pub fn summary(files: &[File]) -> (usize, usize, usize) {
    let mut lengths: Vec<usize> =
        files.iter().filter(|file| file.is_rust()).map(|file| file.text.lines().count()).collect();
    lengths.sort_unstable();
    (lengths.len(), lengths.iter().sum(), lengths.get(lengths.len() / 2).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found_unless_it_has_a_reason() {
        let files = [
            File::new("a.rs", "x\n".repeat(LINES_MAX + 1)),
            File::new("b.rs", "x\n".repeat(LINES_MAX)),
            File::new("c.md", "x\n".repeat(2000)),
        ];
        assert_eq!(check(&files).len(), 1);
        assert!(check(&files)[0].to_string().starts_with("a.rs:601: 601 lines"));
        assert!(check_with(&files, &[("a.rs", "one table")]).is_empty());
        assert_eq!(check_with(&files, &[("a.rs", "")]).len(), 1);
        assert_eq!(check_with(&files, &[("a.rs", "one table"), ("b.rs", "stale")]).len(), 1);
    }

    #[test]
    fn the_median_is_of_rust_alone() {
        let files = [
            File::new("a.rs", "x\n"),
            File::new("b.rs", "x\nx\n"),
            File::new("c.rs", "x\nx\nx\n"),
            File::new("d.md", "x\n".repeat(9)),
        ];
        assert_eq!(summary(&files), (3, 6, 2));
    }
}
