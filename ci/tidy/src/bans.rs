//! Words that may not stand in Rust source, because clippy cannot see them or sees them too late.

use crate::rust::{Source, words};
use crate::{File, Finding};

/// In what a banned word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    /// In code.
    Code,
    /// In code and in strings.
    Strings,
    /// Everywhere, comments included.
    Text,
}

/// A banned word.
struct Ban {
    word: &'static str,
    counts: In,
    /// Folders and files that may write it.
    except: &'static [&'static str],
    instead: &'static str,
}

const fn ban(word: &'static str, counts: In, except: &'static [&'static str], instead: &'static str) -> Ban {
    Ban { word, counts, except, instead }
}

const SEAM: &[&str] = &["system/runtime/", "sim/engine/"];
const THIS: &[&str] = &["ci/tidy/"];

const BANS: [Ban; 21] = [
    // A peer is written as those who use it write it.
    ban("tokio::select!", In::Code, &["ci/bench/"], "its order is not drawn from the seed; use runtime::select!"),
    ban("futures::select!", In::Code, &[], "its order is not drawn from the seed; use runtime::select!"),
    ban("tokio::pin!", In::Code, &[], "use std::pin::pin!"),
    ban("tokio::test", In::Code, SEAM, "use #[simurgh_sim::test], or runtime::run where it must be the real machine"),
    ban("tokio::main", In::Code, &[], "use runtime::run"),
    // A benchmark waits for the real machine.
    ban("thread::sleep", In::Code, &["ci/bench/", "ci/suites/"], "nothing blocks a worker thread; use runtime::sleep"),
    ban("/dev/urandom", In::Strings, THIS, "the simulator cannot see it; use runtime::random"),
    ban("/dev/random", In::Strings, THIS, "the simulator cannot see it; use runtime::random"),
    ban("getaddrinfo", In::Code, &["system/runtime/"], "the simulator cannot see it; take a SocketAddr"),
    ban("ToSocketAddrs", In::Code, &["system/runtime/"], "it may ask a name server; take a SocketAddr"),
    ban("to_socket_addrs", In::Code, &["system/runtime/"], "it may ask a name server; take a SocketAddr"),
    ban(
        "tokio::net::lookup_host",
        In::Code,
        &["system/runtime/"],
        "it asks a name server; use runtime::net::lookup_host",
    ),
    ban(
        "SYS_clock_gettime",
        In::Code,
        &["sim/engine/", "scenarios/"],
        "the simulator cannot see a raw system call; use runtime::Instant",
    ),
    ban("#[ignore", In::Code, &[], "a test that does not run proves nothing; make it run or remove it"),
    ban("todo!", In::Code, &[], "finish it, or return a typed error"),
    ban("unimplemented!", In::Code, &[], "finish it, or return a typed error"),
    ban("dbg!", In::Code, &[], "remove it, or send a telemetry event"),
    ban("lazy_static!", In::Code, &[], "use std::sync::LazyLock, and list it in ARCHITECTURE.md"),
    ban("FIXME", In::Text, THIS, "mend it, or open an issue and name its number"),
    ban("XXX", In::Text, THIS, "say what is wrong, or open an issue and name its number"),
    ban("HACK", In::Text, THIS, "say why it is so, or do it well"),
];

/// Checks all Rust files.
pub fn check(files: &[File]) -> Vec<Finding> {
    files.iter().filter(|file| file.is_rust()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let source = Source::new(&file.path, &file.text);
    let mut found = Vec::new();
    for ban in &BANS {
        if ban.except.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        let text = match ban.counts {
            In::Code => &source.code,
            In::Strings => &source.spoken,
            In::Text => &file.text,
        };
        for at in words(text, ban.word) {
            found.push(file.finding(source.line(at), format!("{}: {}", ban.word, ban.instead)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&[File::new(path, text)]).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn every_ban_finds_its_word() {
        for ban in &BANS {
            let line =
                if ban.counts == In::Strings { format!("open(\"{}\")", ban.word) } else { format!("{} (x)", ban.word) };
            let text = format!("fn f() {{\n    {line};\n}}\n");
            assert!(lines("system/web/src/lib.rs", &text).contains(&2), "{} is not found", ban.word);
        }
    }

    #[test]
    fn comments_strings_and_longer_words_are_left_alone() {
        let text = "// todo! tokio::select! ToSocketAddrs\nfn f() { say(\"dbg! #[ignore]\"); my_todo!(); runtime::select! {} }\n";
        assert_eq!(lines("system/web/src/lib.rs", text), [0; 0]);
    }

    #[test]
    fn marks_in_comments_count() {
        assert_eq!(lines("system/web/src/lib.rs", "fn f() {} // FIXME later\n/* HACK */\n"), [1, 2]);
    }

    #[test]
    fn the_seam_may_name_what_it_hides() {
        assert_eq!(lines("system/runtime/src/net.rs", "use std::net::ToSocketAddrs;\n"), [0; 0]);
        assert_eq!(lines("system/otp/src/net.rs", "use std::net::ToSocketAddrs;\n"), [1]);
    }
}
