//! The checks, run over this repository.

#![allow(clippy::print_stdout)] // the report is for the person who runs it

use std::path::Path;

use simurgh_tidy::{check, lengths, report, tree};

#[test]
fn the_house_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = tree::read(&root).expect("the repository can be read");
    let (count, lines, median) = lengths::summary(&files);
    println!("{count} files of Rust, {lines} lines, median {median}");
    assert!(count > 20, "only {count} files of Rust in {}: the tree was not found", root.display());

    let found = check(&files);
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), report(&found));
}
