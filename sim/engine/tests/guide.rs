//! The reference of faults in `sim/GUIDE.md` is what the code says: `SIM_GUIDE=write` writes it anew.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // a test reads and writes the page

use std::fmt::Write as _;
use std::path::Path;

use simurgh_sim::{Effect, Profile};

const BEGIN: &str = "<!-- begin: the reference, by `SIM_GUIDE=write cargo test -p simurgh-sim --test guide` -->";
const END: &str = "<!-- end of the reference -->";

/// Each item with its doc comment: for a line that begins an item, its name.
fn items(source: &str, name_of: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let (mut found, mut doc) = (Vec::new(), String::new());
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(' ');
            doc.push_str(text.trim());
            continue;
        }
        if let Some(name) = name_of(line) {
            found.push((name, doc.trim().to_owned()));
        }
        if !line.starts_with('#') {
            doc.clear();
        }
    }
    found
}

/// The body of an item that begins with this line, up to its closing brace.
fn body<'a>(source: &'a str, head: &str) -> &'a str {
    let (_, after) = source.split_once(head).unwrap_or_else(|| panic!("no {head}"));
    after.split_once("\n}").unwrap_or_else(|| panic!("{head} has no end")).0
}

/// What stands before the first example or heading, in words of a page.
fn first_words(doc: &str) -> String {
    let doc = doc.split("```").next().unwrap_or(doc).split(" # ").next().unwrap_or(doc).trim();
    doc.replace("crate::", "")
        .replace("[`", "`")
        .replace("`]", "`")
        .replace("`(simurgh_runtime::blocking)", "`")
        .replace("`(Profile::calm)", "`")
}

/// A number of nanoseconds as people write it.
fn time(ns: u64) -> String {
    match ns {
        0 => "0".to_owned(),
        ns if ns.is_multiple_of(1_000_000_000) => format!("{} s", ns / 1_000_000_000),
        ns if ns.is_multiple_of(1_000_000) => format!("{} ms", ns / 1_000_000),
        ns => format!("{ns} ns"),
    }
}

/// What a field holds, out of the debug form of the whole profile.
fn value(profile: &Profile, part: Option<&str>, field: &str) -> String {
    let text = format!("{profile:#?}");
    let text = match part {
        None => text,
        Some(part) => {
            let after = text.split_once(&format!("    {part}: ")).unwrap_or_else(|| panic!("no {part}")).1;
            after.split("\n    }").next().unwrap().to_owned()
        }
    };
    let indent = if part.is_some() { "        " } else { "    " };
    let line = format!("\n{indent}{field}: ");
    let rest = text.split_once(&line).unwrap_or_else(|| panic!("no {field} in {text}")).1;
    let value = if let Some(tuple) = rest.strip_prefix('(') {
        let inside: Vec<String> = tuple
            .split(')')
            .next()
            .unwrap()
            .lines()
            .map(|line| line.trim().trim_end_matches(',').to_owned())
            .filter(|line| !line.is_empty())
            .collect();
        inside.iter().map(|number| time(number.parse().unwrap())).collect::<Vec<_>>().join(" to ")
    } else {
        rest.lines().next().unwrap().trim_end_matches(',').to_owned()
    };
    match value.parse::<u64>() {
        Ok(ns) if field.ends_with("_ns") => time(ns),
        _ => value,
    }
}

fn reference() -> String {
    let physics = include_str!("../src/physics.rs");
    let field =
        |line: &str| line.strip_prefix("pub ").and_then(|line| line.split_once(": ")).map(|(name, _)| name.to_owned());
    let (nasty, calm) = (Profile::nasty(), Profile::calm());
    let mut text = String::new();
    let parts = [
        (None, "pub struct Profile {", "The whole world: `Profile`"),
        (Some("datagrams"), "pub struct Datagrams {", "Datagrams: `Profile::datagrams`"),
        (Some("lookups"), "pub struct Lookups {", "Host look-ups: `Profile::lookups`"),
        (Some("clocks"), "pub struct Clocks {", "Wall clocks: `Profile::clocks`"),
        (Some("disks"), "pub struct Disks {", "Disks: `Profile::disks`"),
        (Some("faults"), "pub struct Faults {", "What `Sim::chaos` causes: `Profile::faults`"),
    ];
    let structs = ["datagrams", "lookups", "clocks", "disks", "faults"];
    for (part, head, title) in parts {
        let _ = write!(text, "\n### {title}\n\n| field | what | `nasty` | `calm` |\n| --- | --- | --- | --- |\n");
        for (name, doc) in items(body(physics, head), field) {
            let of = |profile| {
                if part.is_none() && structs.contains(&name.as_str()) {
                    "below".to_owned()
                } else {
                    value(profile, part, &name)
                }
            };
            let _ = writeln!(text, "| `{name}` | {} | {} | {} |", first_words(&doc), of(&nasty), of(&calm));
        }
    }
    let kill = include_str!("../src/node.rs");
    text.push_str("\n### Ends of nodes: `Kill`\n\n| kind | what |\n| --- | --- |\n");
    let variant =
        |line: &str| line.strip_suffix(',').filter(|name| name.chars().all(char::is_alphanumeric)).map(str::to_owned);
    for (name, doc) in items(body(kill, "pub enum Kill {"), variant) {
        let _ = writeln!(text, "| `{name}` | {} |", first_words(&doc));
    }
    let disk = include_str!("../src/disk/faults.rs");
    text.push_str("\n### One disk, by name: `Sim::set_disk` with `DiskFaults`\n\n| field | what |\n| --- | --- |\n");
    for (name, doc) in items(body(disk, "pub struct DiskFaults {"), field) {
        let _ = writeln!(text, "| `{name}` | {} |", first_words(&doc));
    }
    text.push_str("\n### What a test calls by name\n\n| method of `Sim` | what |\n| --- | --- |\n");
    let sources = [include_str!("../src/sim.rs"), include_str!("../src/faults.rs"), include_str!("../src/chaos.rs")];
    let faults = [
        "chaos",
        "kill",
        "kill_inside",
        "pause",
        "partition",
        "partition_one_way",
        "rejoin",
        "rejoin_one_way",
        "heal",
        "clog",
        "unclog",
        "swizzle",
        "limit_bandwidth",
        "reset_one",
        "forget_one",
        "fail_lookups",
        "limit_handles",
        "set_disk",
        "mend_disk",
        "limit_disk",
        "step_clock",
        "drift_clock",
    ];
    let method = |line: &str| {
        let line = line.strip_prefix("pub ")?;
        let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        Some(line.split(['(', '<']).next()?.to_owned())
    };
    let all: Vec<(String, String)> = sources.iter().flat_map(|source| items(source, method)).collect();
    for name in faults {
        let (_, doc) = all.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no method {name}"));
        let _ = writeln!(text, "| `{name}` | {} |", first_words(doc));
    }
    text.push_str(
        "\n### Effects\n\nA fault that nobody felt has tested nothing, so each counts what it did. `cargo sim run` prints the \
         counts, and `Sim::effects` gives them to a test.\n\n| effect | counts |\n| --- | --- |\n",
    );
    for (_, name, what) in Effect::ALL {
        let _ = writeln!(text, "| `{name}` | {what} |");
    }
    text
}

#[test]
fn the_reference_of_the_guide_is_what_the_code_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../GUIDE.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the mark where it begins");
    let (now, after) = rest.split_once(END).expect("the mark where it ends");
    let right = format!("\n{}\n", reference());
    if std::env::var_os("SIM_GUIDE").is_some_and(|what| what == "write") {
        std::fs::write(&path, format!("{before}{BEGIN}{right}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(now, right, "sim/GUIDE.md is old: SIM_GUIDE=write cargo test -p simurgh-sim --test guide");
}
