//! What each crate must say of itself: lints, edition, compiler and licence from the workspace, no
//! unsafe code, and something inside.

use crate::manifest::{Manifest, members};
use crate::rust::{Source, words};
use crate::{File, Finding};

/// Files that may hold unsafe code, and why it cannot be done without.
const UNSAFE: [(&str, &str); 9] = [
    ("system/runtime/src/header.rs", "what a task carries is a cell that only the running task touches"),
    ("system/runtime/src/header/current.rs", "the current task header is one thread-local pointer, read at every poll"),
    ("system/runtime/src/watchdog/watch.rs", "the watchdog reads that pointer of other threads"),
    ("system/runtime/src/net/raw.rs", "the kernel reads into memory that is not filled yet"),
    ("system/runtime/src/sim.rs", "the entered world is one thread-local pointer"),
    ("system/sync/src/port.rs", "two cells whose owner an atomic state names, modelled under loom"),
    ("sim/engine/src/prefetch.rs", "a hint that memory will be needed soon, which changes nothing"),
    ("sim/engine/src/interpose.rs", "C functions under their C names"),
    ("scenarios/src/determinism.rs", "a raw system call, which is the fault that a simulation has to report"),
];

/// What a manifest takes from the workspace.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// A crate with fewer lines of code than this is empty.
const CODE_LINES_MIN: usize = 5;

/// Checks all members.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut found: Vec<Finding> = members(files).iter().flat_map(|manifest| check_manifest(manifest, files)).collect();
    found.extend(files.iter().filter(|file| file.is_rust()).flat_map(check_unsafe));
    for (path, _) in UNSAFE {
        let used = |file: &File| file.path == path && lets_unsafe_in(&Source::new(path, &file.text)).is_some();
        let crate_exists = path
            .split_once("/src/")
            .is_some_and(|(folder, _)| files.iter().any(|file| file.path == format!("{folder}/Cargo.toml")));
        if crate_exists && !files.iter().any(used) {
            found.push(Finding {
                path: path.to_owned(),
                line: 1,
                what: "is listed as unsafe and is not: remove it from UNSAFE in ci/tidy/src/crates.rs".into(),
            });
        }
    }
    found
}

fn check_manifest(manifest: &Manifest<'_>, files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    if !manifest.inherits("lints", "") {
        found.push(manifest.file.finding(1, "no lints: add [lints] with workspace = true"));
    }
    for key in INHERITED {
        if !manifest.inherits("package", key) {
            found.push(manifest.file.finding(1, format!("{key} is not the workspace's: write {key}.workspace = true")));
        }
    }
    for dependency in manifest.dependencies() {
        let value = dependency.value.replace(' ', "");
        if !value.contains("workspace=true") {
            let what = format!(
                "{} has a version of its own: name it in [workspace.dependencies] and write workspace = true",
                dependency.package
            );
            found.push(manifest.file.finding(dependency.line, what));
        }
    }
    let roots: Vec<&File> = files.iter().filter(|file| is_root(manifest.folder(), &file.path)).collect();
    if code_lines(manifest.folder(), files) < CODE_LINES_MIN {
        found.push(manifest.file.finding(1, "an empty crate: remove it until it is needed"));
    }
    let excepted = UNSAFE.iter().any(|(path, _)| path.starts_with(&format!("{}/src/", manifest.folder())));
    for root in roots {
        let source = Source::new(&root.path, &root.text);
        let code = source.code.replace(' ', "");
        if excepted && root.path.ends_with("/src/lib.rs") {
            if !code.contains("#![deny(unsafe_code)]") {
                found.push(root.finding(
                    1,
                    "unsafe code is not denied: add #![deny(unsafe_code)], and allow it in the listed files",
                ));
            }
        } else if !code.contains("#![forbid(unsafe_code)]") {
            found.push(root.finding(1, "unsafe code is not forbidden: add #![forbid(unsafe_code)]"));
        }
    }
    found
}

/// The lines of code below `src/`, without comments, attributes and modules' names.
fn code_lines(folder: &str, files: &[File]) -> usize {
    let sources = files
        .iter()
        .filter(|file| file.is_rust() && file.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with("/src/")));
    let is_code = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with("#![") && !line.starts_with("mod ") && !line.starts_with("pub mod ")
    };
    sources.map(|file| Source::new(&file.path, &file.text).code.lines().filter(is_code).count()).sum()
}

/// Whether `path` is the root of a library or a program of the crate in `folder`.
fn is_root(folder: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix("/src/")) else { return false };
    let program = rest.strip_prefix("bin/").is_some_and(|name| !name.contains('/') || name.ends_with("/main.rs"));
    rest == "lib.rs" || rest == "main.rs" || program
}

fn check_unsafe(file: &File) -> Vec<Finding> {
    if UNSAFE.iter().any(|(path, _)| *path == file.path) {
        return Vec::new();
    }
    let source = Source::new(&file.path, &file.text);
    let outside = file.path.starts_with("ci/outside/") || source.is_test(0);
    let found = lets_unsafe_in(&source).filter(|_| !outside);
    let what =
        "allows unsafe code: find a safe way, or list the file with its reason in UNSAFE of ci/tidy/src/crates.rs";
    found.map(|at| file.finding(source.line(at), what)).into_iter().collect()
}

/// Where a file lifts the ban on unsafe code.
fn lets_unsafe_in(source: &Source) -> Option<usize> {
    words(&source.code, "unsafe_code").find(|at| {
        let attribute = source.code[..*at].rfind('#').map_or("", |start| &source.code[start..*at]);
        attribute.contains("allow") || attribute.contains("expect")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"simurgh-a\"\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n[lints]\nworkspace = true\n";
    const BODY: &str = "//! A.\n#![forbid(unsafe_code)]\nfn a() {\n    b();\n}\nfn b() {\n}\n";

    fn found(files: &[(&str, &str)]) -> String {
        let files: Vec<File> = files.iter().map(|(path, text)| File::new(*path, *text)).collect();
        crate::report(&check(&files))
    }

    #[test]
    fn a_good_crate_is_good() {
        assert_eq!(found(&[("x/a/Cargo.toml", GOOD), ("x/a/src/lib.rs", BODY)]), "");
    }

    #[test]
    fn a_bad_one_is_not() {
        let with = |text: &str| format!("{GOOD}{text}");
        for (manifest, lib, want) in [
            (GOOD.replace("[lints]\nworkspace = true\n", ""), BODY, "no lints"),
            (GOOD.replace("license.workspace = true", "license = \"MIT\""), BODY, "license is not the workspace's"),
            (GOOD.replace("edition.workspace = true", "edition = \"2021\""), BODY, "edition is not the workspace's"),
            (GOOD.replace("rust-version.workspace = true\n", ""), BODY, "rust-version is not the workspace's"),
            (with("[dependencies]\nbytes = \"1\"\n"), BODY, "bytes has a version of its own"),
            (GOOD.into(), "//! Placeholder.\n#![forbid(unsafe_code)]\n", "an empty crate"),
            (GOOD.into(), "fn a() {\n}\nfn b() {\n}\nfn c() {}\n", "x/a/src/lib.rs:1: unsafe code is not forbidden"),
            (
                GOOD.into(),
                "#![forbid(unsafe_code)]\nfn a() {\n}\n#[allow(unsafe_code)]\nfn b() {\n}\n",
                "x/a/src/lib.rs:4: allows unsafe code",
            ),
        ] {
            let text = found(&[("x/a/Cargo.toml", &manifest), ("x/a/src/lib.rs", lib)]);
            assert!(text.contains(want), "wanted \"{want}\" in \"{text}\"");
        }
        assert!(found(&[("x/a/Cargo.toml", GOOD)]).contains("an empty crate"));
        assert!(
            found(&[("x/a/Cargo.toml", GOOD), ("x/a/src/bin/a.rs", "fn main() {}\n")])
                .contains("src/bin/a.rs:1: unsafe code is not forbidden")
        );
    }

    #[test]
    fn a_listed_crate_denies_and_uses_its_exception() {
        let runtime = |lib: &str, header: &str| {
            found(&[
                ("system/runtime/Cargo.toml", GOOD),
                ("system/runtime/src/lib.rs", lib),
                ("system/runtime/src/header.rs", header),
            ])
        };
        let denied = BODY.replace("forbid", "deny");
        let text = runtime(&denied, "#![allow(unsafe_code)] // a reason\n");
        assert!(!text.contains("header.rs") && !text.contains("lib.rs"), "{text}");
        assert!(runtime(&BODY.replace("forbid", "warn"), "#![allow(unsafe_code)]\n").contains("is not denied"));
        assert!(runtime(&denied, "fn safe() {}\n").contains("is listed as unsafe and is not"));
    }
}
