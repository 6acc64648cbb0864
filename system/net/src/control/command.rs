//! What operators can say.

use simurgh_otp::Pid;
use simurgh_otp::observer::SortBy;

/// The commands, as `help` answers.
pub const HELP: &str = "\
tree [text] [by mailbox|memory|handled]   all processes: the tree, or a sorted list
diff [text]                               what has changed since this connection's last diff
kill PID                                  ends a process at its next await
trace PID on|off                          has a server tell of its messages, while this connection lasts
trace lines [text] [after N]              what traced servers told, after the line of that number
describe PID                              what a process says of its state
crashes [text]                            the last crash reports
help                                      this
quit                                      ends the connection
Answers are JSON, or text for people. A PID looks like <0.17.0>.";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Tree { form: Form, by: Option<SortBy> },
    Diff(Form),
    Kill(Pid),
    Trace { pid: Pid, on: bool },
    TraceLines { form: Form, after: u64 },
    Describe(Pid),
    Crashes(Form),
    Help,
    Quit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Text,
}

impl Command {
    /// The command that a line is, or what is wrong with it, for a person.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((verb, rest)) = words.split_first() else { return Err("an empty line; try help".to_owned()) };
        match (*verb, rest) {
            ("tree", rest) => {
                let (form, rest) = form(rest);
                let by = match rest {
                    [] => None,
                    ["by", word] => {
                        Some(word.parse().map_err(|error: simurgh_otp::observer::ParseSortError| error.to_string())?)
                    }
                    _ => return Err(usage("tree [text] [by mailbox|memory|handled]")),
                };
                Ok(Self::Tree { form, by })
            }
            ("diff", rest) => only_form(rest, "diff [text]").map(Self::Diff),
            ("crashes", rest) => only_form(rest, "crashes [text]").map(Self::Crashes),
            ("kill", [word]) => pid(word).map(Self::Kill),
            ("describe", [word]) => pid(word).map(Self::Describe),
            ("trace", ["lines", rest @ ..]) => {
                let (form, rest) = form(rest);
                let after = match rest {
                    [] => Some(0),
                    ["after", number] => number.parse().ok(),
                    _ => None,
                };
                let after = after.ok_or_else(|| usage("trace lines [text] [after N]"))?;
                Ok(Self::TraceLines { form, after })
            }
            ("trace", [word, "on"]) => Ok(Self::Trace { pid: pid(word)?, on: true }),
            ("trace", [word, "off"]) => Ok(Self::Trace { pid: pid(word)?, on: false }),
            ("help", []) => Ok(Self::Help),
            ("quit", []) => Ok(Self::Quit),
            ("kill", _) => Err(usage("kill PID")),
            ("describe", _) => Err(usage("describe PID")),
            ("trace", _) => Err(usage("trace PID on|off, or trace lines [text] [after N]")),
            ("help" | "quit", _) => Err(format!("{verb} stands alone")),
            (other, _) => Err(format!("there is no command \"{other}\"; try help")),
        }
    }
}

fn usage(usage: &str) -> String {
    format!("say {usage}")
}

fn pid(word: &str) -> Result<Pid, String> {
    word.parse().map_err(|error: simurgh_otp::ParsePidError| error.to_string())
}

fn form<'a, 'b>(words: &'a [&'b str]) -> (Form, &'a [&'b str]) {
    match words {
        ["text", rest @ ..] => (Form::Text, rest),
        _ => (Form::Json, words),
    }
}

fn only_form(words: &[&str], how: &str) -> Result<Form, String> {
    match form(words) {
        (form, []) => Ok(form),
        _ => Err(usage(how)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let pid: Pid = "<0.17.0>".parse().unwrap();
        for (line, command) in [
            ("tree", Command::Tree { form: Form::Json, by: None }),
            ("  tree   text ", Command::Tree { form: Form::Text, by: None }),
            ("tree by memory", Command::Tree { form: Form::Json, by: Some(SortBy::Memory) }),
            ("tree text by handled", Command::Tree { form: Form::Text, by: Some(SortBy::Handled) }),
            ("diff text", Command::Diff(Form::Text)),
            ("kill <0.17.0>", Command::Kill(pid)),
            ("trace <0.17.0> on", Command::Trace { pid, on: true }),
            ("trace <0.17.0> off", Command::Trace { pid, on: false }),
            ("trace lines", Command::TraceLines { form: Form::Json, after: 0 }),
            ("trace lines text after 7", Command::TraceLines { form: Form::Text, after: 7 }),
            ("describe <0.17.0>", Command::Describe(pid)),
            ("crashes", Command::Crashes(Form::Json)),
            ("help", Command::Help),
            ("quit", Command::Quit),
        ] {
            assert_eq!(Command::parse(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_told_in_one_line() {
        for line in [
            "",
            "  ",
            "Tree",
            "tree txt",
            "tree by size",
            "tree by",
            "diff 1",
            "kill",
            "kill 17",
            "kill <0.1.0> now",
            "trace",
            "trace <0.1.0>",
            "trace <0.1.0> maybe",
            "trace lines after",
            "trace lines after x",
            "describe",
            "crashes json",
            "help me",
            "\u{1b}[2J",
        ] {
            let error = Command::parse(line).unwrap_err();
            assert_eq!(error.lines().count(), 1, "{line}: {error}");
        }
    }
}
