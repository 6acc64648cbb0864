//! What comes of it: a scenario file, a Rust test, a table.

use std::fmt::Write as _;
use std::path::Path;

use simurgh_sim::shared::called;

use crate::file::Node;
use crate::render::span;
use crate::report::Report;

use super::Shrunk;

/// The file: what happened as a comment, then the plan, with its size before and after.
pub(super) fn file(root: &Node, story: &str) -> String {
    format!("{}{}", comment("#", story), root.print())
}

/// Lines of a comment.
fn comment(mark: &str, text: &str) -> String {
    const WIDTH: usize = 100;
    let (mut out, mut line) = (String::new(), String::new());
    for word in text.split_whitespace().chain([""]) {
        if word.is_empty() || line.chars().count() + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{mark}{line}");
            line.clear();
        }
        line = format!("{line} {word}");
    }
    out
}

/// A Rust test that runs the file and demands what it expects. `program` is the binary that knows its names.
pub(super) fn rust_test(shrunk: &Shrunk, program: &str) -> String {
    let name = name_of(&shrunk.first);
    let expects = match shrunk.wanted() {
        Some(failure) => format!("The bug is planted: the run must fail with {failure}."),
        None => "The run must pass, once what it found is mended.".to_owned(),
    };
    let hashes = "#"
        .repeat(1 + (0..8).rev().find(|count| shrunk.text.contains(&format!("\"{}", "#".repeat(*count)))).unwrap_or(0));
    format!(
        "//! Written by `sim shrink {file} --seed {seed} --test`, and not by hand.\n\
         {story}//!\n\
         //! {expects}\n\
         \n\
         #![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts a program and writes the file for it\n\
         \n\
         use std::process::Command;\n\
         \n\
         const NAME: &str = \"{name}\";\n\
         const PLAN: &str = r{hashes}\"{text}\"{hashes};\n\
         \n\
         #[test]\n\
         fn {name}() {{\n\
         {i}let file = std::env::temp_dir().join(format!(\"{{NAME}}-{{}}.toml\", std::process::id()));\n\
         {i}std::fs::write(&file, PLAN).unwrap();\n\
         {i}let output = Command::new(env!(\"CARGO_BIN_EXE_{program}\")).arg(\"run\").arg(&file).output().unwrap();\n\
         {i}std::fs::remove_file(&file).unwrap();\n\
         {i}assert!(output.status.success(), \"{{}}\", String::from_utf8_lossy(&output.stdout));\n\
         }}\n",
        file = shrunk.first.file,
        seed = shrunk.first.seed,
        story = comment("//!", &shrunk.report.story()),
        text = shrunk.text,
        i = "    ",
    )
}

/// A name for a file or a function.
pub(super) fn name_of(report: &Report) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    format!("{}_seed_{}", report.scenario.chars().map(plain).collect::<String>(), report.seed)
}

/// Sizes before and after.
pub(super) fn table(shrunk: &Shrunk) -> String {
    let mut text = format!("{:<16} {:>12} {:>12}\n", "", "before", "after");
    let (before, after) = (&shrunk.before, &shrunk.after);
    for (what, of) in [
        ("nodes", [before, after].map(|size| size.nodes.to_string())),
        ("faults", [before, after].map(|size| size.faults.to_string())),
        ("operations", [before, after].map(|size| size.operations.to_string())),
        ("decisions", [before, after].map(|size| size.decisions.to_string())),
        ("virtual time", [before, after].map(|size| span(size.virtual_ns))),
    ] {
        let _ = writeln!(text, "{what:<16} {:>12} {:>12}", of[0], of[1]);
    }
    text
}

/// All that a person wants to know, once the file stands at `path`.
pub(super) fn words(shrunk: &Shrunk, path: &Path) -> String {
    let verdict = &shrunk.report.verdict;
    let what = if verdict.invariant.is_empty() { &verdict.class } else { &verdict.invariant };
    let mut text = format!(
        "{} seed {}: {what}, fingerprint {}, {} runs\n{}",
        shrunk.first.scenario,
        shrunk.first.seed,
        shrunk.fingerprint(),
        shrunk.runs,
        table(shrunk)
    );
    for note in &shrunk.notes {
        let _ = writeln!(text, "note: {note}");
    }
    let _ = writeln!(text, "\n{}\n", shrunk.report.story());
    let _ = writeln!(text, "hash {}, {} events", shrunk.report.trace_hash, shrunk.report.events);
    let _ = writeln!(text, "replay it: {} replay {}", called(), path.display());
    text
}
