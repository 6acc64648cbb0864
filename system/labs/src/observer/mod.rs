//! `lab observer`: the processes of a running node, live in a terminal.
//!
//! ```text
//!   node ── control socket ──> polls (tree, traces, crashes) ──┐
//!     ^                                                        ├──> App ──> view
//!     └──────── control socket <── orders (kill, trace, ..) <──┘     ^
//!                                                         keys ──────┘
//! ```
//!
//! `App` is all that is decided: it takes keys and answers, and says what to ask. Around it
//! stand the terminal, and two connections to the node, so that one that waits for a process to
//! describe itself does not keep the picture waiting.

mod app;
mod demo;
mod live;
mod node;
mod rows;
mod view;

use std::process::ExitCode;

use simurgh::net::control::{Access, Client, Control, ControlOptions};
use simurgh::otp::observer::SortBy;
use simurgh::prelude::*;

const HELP: &str = "\
Shows the processes of a running node, live in this terminal: the tree, how full mailboxes are, memory,
messages handled; kills, traces and describes them, and shows the last crashes.

usage: lab observer [--demo | --serve] [--once] [--json] [--sort WHAT] [--node NAME] [--dir DIR]

  --demo        starts a small supervised node in this process to look at
  --serve       starts only that node, until it is asked to end: look at it from another terminal
  --once        prints once and ends
  --json        with --once: as JSON
  --sort WHAT   by mailbox, memory or handled, instead of the tree
  --node NAME   which node, by its name or the id of its OS process, if several run
  --dir DIR     where nodes say how they are reached (default: $XDG_RUNTIME_DIR, $TMPDIR or the system's)

A node can be observed once it has called simurgh::net::control::Control::start.
";

/// What is observed, and how.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
struct Wanted {
    demo: bool,
    serve: bool,
    once: bool,
    json: bool,
    sort: Option<SortBy>,
    node: Option<String>,
    dir: Option<String>,
}

/// Carries out the words after `lab observer`.
///
/// # Errors
/// If they make no sense.
pub fn command(words: &[String]) -> Result<ExitCode, String> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        out!("{}", HELP.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = Wanted::parse(words)?;
    let name = if wanted.demo || wanted.serve { "demo" } else { "observer" };
    Ok(runtime::exit_code(runtime::run(name, observe(wanted))))
}

impl Wanted {
    fn parse(words: &[String]) -> Result<Self, String> {
        let mut wanted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().cloned().ok_or_else(|| format!("{word} wants a value"));
            match word.as_str() {
                "--demo" => wanted.demo = true,
                "--serve" => wanted.serve = true,
                "--once" => wanted.once = true,
                "--json" => wanted.json = true,
                "--sort" => {
                    let by = value()?;
                    wanted.sort = Some(by.parse().map_err(|error| format!("--sort: {error}"))?);
                }
                "--node" => wanted.node = Some(value()?),
                "--dir" => wanted.dir = Some(value()?),
                other => return Err(format!("there is no {other} here; lab observer --help lists what there is")),
            }
        }
        if wanted.json && !wanted.once {
            return Err("--json: only with --once".to_owned());
        }
        if wanted.demo && wanted.serve {
            return Err("--demo and --serve: one of them".to_owned());
        }
        Ok(wanted)
    }
}

async fn observe(wanted: Wanted) -> Result<(), String> {
    let dir = wanted.dir.clone().map_or_else(simurgh::net::control::default_dir, Into::into);
    if !(wanted.demo || wanted.serve) {
        let access = node::choose(&dir, wanted.node.as_deref()).await?;
        return show(&wanted, &access).await;
    }
    let end = runtime::signal::shutdown().map_err(|error| format!("cannot wait for the signal to end: {error}"))?;
    let demo = demo::start().await?;
    let options = ControlOptions { dir: wanted.serve.then_some(dir), ..ControlOptions::default() };
    let control = Control::start(options).await.map_err(|error| error.to_string())?;
    let done = if wanted.serve {
        out!("Node demo runs; look at it with: cargo lab observer");
        runtime::ready();
        end.await;
        Ok(())
    } else {
        show(&wanted, control.access()).await
    };
    control.stop().await;
    demo.stop(5.secs()).await;
    done
}

async fn show(wanted: &Wanted, access: &Access) -> Result<(), String> {
    if !wanted.once {
        return live::run(access, wanted.sort).await;
    }
    let mut client = Client::connect(access).await.map_err(|error| error.to_string())?;
    let form = if wanted.json { "" } else { " text" };
    let answer = client.ask(&format!("tree{form}{}", by(wanted.sort))).await.map_err(|error| error.to_string())?;
    for line in answer {
        out!("{line}");
    }
    Ok(())
}

/// The end of the command `tree`.
fn by(sort: Option<SortBy>) -> String {
    let word = sort.and_then(|sort| SortBy::ALL.iter().find(|(_, by)| *by == sort));
    word.map_or_else(String::new, |(word, _)| format!(" by {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Wanted, String> {
        Wanted::parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line() {
        let wanted = Wanted { once: true, json: true, sort: Some(SortBy::Memory), ..Wanted::default() };
        assert_eq!(parse("--once --json --sort memory"), Ok(wanted));
        for wrong in ["--json", "--sort", "--sort size", "--demo --serve", "once", "--node"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
