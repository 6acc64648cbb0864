//! The checks of the house: what clippy cannot see, because it stands in manifests, in text, or
//! between crates.
//!
//! A check is a pure function from files to findings, so each is tested with a bad snippet of its
//! own; `tests/tidy.rs` runs all of them over the repository. A finding is one line that says what
//! is wrong, where, and what to do instead.
//!
//! ```
//! use simurgh_tidy::{File, bans};
//!
//! let file = File::new("system/otp/src/lib.rs", "fn later() {\n    todo!()\n}\n");
//! let found = bans::check(&[file]);
//! assert_eq!(found.len(), 1);
//! assert!(found[0].to_string().starts_with("system/otp/src/lib.rs:2: "));
//! ```

#![forbid(unsafe_code)]

use std::fmt;

pub mod bans;
pub mod crates;
pub mod floors;
pub mod globals;
pub mod house;
pub mod lengths;
pub mod manifest;
pub mod rust;
pub mod text;
pub mod tree;

/// A file of the repository: its path from the root, with slashes, and its text.
#[derive(Debug, Clone)]
pub struct File {
    /// The path from the root of the repository.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub what: String,
}

impl File {
    /// A file of this path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// A finding in this file.
    pub fn finding(&self, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, what: what.into() }
    }

    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.has_extension("rs")
    }

    /// Whether its name ends with a dot and `extension`.
    pub fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, end)| end == extension)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A check: from all files to what is wrong with them.
pub type Check = fn(&[File]) -> Vec<Finding>;

/// Runs all checks.
pub fn check(files: &[File]) -> Vec<Finding> {
    let checks: [Check; 7] =
        [house::check, floors::check, crates::check, globals::check, bans::check, text::check, lengths::check];
    checks.iter().flat_map(|check| check(files)).collect()
}

/// Findings as text, one a line.
pub fn report(found: &[Finding]) -> String {
    found.iter().fold(String::new(), |text, finding| text + &finding.to_string() + "\n")
}
