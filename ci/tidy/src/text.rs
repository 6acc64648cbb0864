//! Leftovers and layout of every text file: merge marks, blanks at line ends, tabs, line ends,
//! paths and hosts of one machine.

use crate::{File, Finding};

/// Folders of somebody's machine. This crate's own tests have to write them down.
const MACHINE_PATHS: [&str; 5] = ["/work/", "/tmp/", "/root/", "/home/", "/Users/"];

/// Signs of a registry that only one machine has.
const REGISTRIES: [&str; 6] =
    ["replace-with", "sparse+http", "index.crates.io", "static.crates.io", "[registries", "[source."];

/// The one registry that lock files name.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Files whose text is not ours to lay out.
const FOREIGN: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Checks all text files.
pub fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| !FOREIGN.contains(&file.path.as_str())).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, line) in file.text.split('\n').enumerate() {
        let mut say = |what: String| found.push(file.finding(index + 1, what));
        if line.ends_with('\r') {
            say("the line ends with CR LF: save it with LF".into());
        } else if line.ends_with([' ', '\t']) {
            say("blanks at the end of the line: remove them".into());
        }
        if file.is_rust() && line.contains('\t') {
            say("a tab: run cargo fmt, or write \\t in a string".into());
        }
        if ["<<<<<<< ", ">>>>>>> ", "||||||| "].iter().any(|mark| line.starts_with(mark)) {
            say("a mark of a merge: finish the merge".into());
        }
        if !file.path.starts_with("ci/tidy/") {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(line, path)) {
                say(format!("{path} is a path of one machine: take it from the environment, or make it relative"));
            }
            if let Some(sign) = foreign_registry(file, line) {
                say(format!(
                    "{sign}: builds use crates.io as it is; keep other registries in your own cargo configuration"
                ));
            }
        }
    }
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        found.push(file.finding(file.text.lines().count(), "the last line has no end: add a newline"));
    } else if file.text.ends_with("\n\n") {
        found.push(file.finding(file.text.lines().count(), "an empty line at the end: remove it"));
    }
    found
}

/// Whether an absolute path begins here; `seeds/home/` and `$HOME/tmp/` are none.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|char| !char.is_alphanumeric() && !matches!(char, '_' | '-' | '.' | '/' | '}' | '~' | ')'))
    })
}

fn foreign_registry<'a>(file: &File, line: &'a str) -> Option<&'a str> {
    if file.path.ends_with("Cargo.lock") {
        let source = line.strip_prefix("source = ")?.trim_matches('"');
        return (source != CRATES_IO).then_some(source);
    }
    if file.path.ends_with("package-lock.json") {
        let resolved = line.trim().strip_prefix("\"resolved\": \"")?.trim_end_matches([',', '"']);
        return (!resolved.starts_with("https://registry.npmjs.org/")).then_some(resolved);
    }
    REGISTRIES.into_iter().find(|sign| line.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> String {
        crate::report(&check(&[File::new(path, text)]))
    }

    #[test]
    fn bad_lines_are_found() {
        for (path, text, want) in [
            ("a.md", "one \ntwo\n", "a.md:1: blanks at the end"),
            ("a.md", "one\r\n", "CR LF"),
            ("a/src/b.rs", "fn f() {\n\tg()\n}\n", "a/src/b.rs:2: a tab"),
            ("a.rs", "<<<<<<< HEAD\n", "a mark of a merge"),
            ("a.toml", "x = 1\n>>>>>>> other\n", "a.toml:2: a mark of a merge"),
            ("a.rs", "fn f() {}", "a.rs:1: the last line has no end"),
            ("a.rs", "fn f() {}\n\n", "an empty line at the end"),
            ("a.md", "see /work/main\n", "/work/ is a path of one machine"),
            ("a.rs", "open(\"/tmp/x\")\n", "/tmp/"),
            ("a.rs", "open(\"/root/x\")\n", "/root/"),
            ("ci/test", "cd /home/me/x\n", "/home/"),
            (".cargo/config.toml", "[source.crates-io]\nreplace-with = \"mirror\"\n", "config.toml:2: replace-with"),
            ("Cargo.lock", "source = \"registry+https://mirror.example/index\"\n", "mirror.example"),
            ("x/package-lock.json", "  \"resolved\": \"http://mirror.example/x.tgz\",\n", "mirror.example"),
        ] {
            let text = found(path, text);
            assert!(text.contains(want), "wanted \"{want}\" in \"{text}\"");
        }
    }

    #[test]
    fn good_lines_are_not() {
        for (path, text) in [
            ("a.md", "Title\n=======\n"),
            ("ci/test", "cd \"$HOME/tmp/x\"; ls seeds/home/; ls ./work/\n"),
            ("a.sh", "\tindented\n"),
            ("Cargo.lock", "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n"),
            ("empty.txt", ""),
        ] {
            assert_eq!(found(path, text), "", "{path}");
        }
    }
}
