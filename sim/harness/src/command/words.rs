//! What a command is called with: names and flags, as its usage says them.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A command: its name, its words, what it does, and an example.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) words: &'static str,
    pub(crate) about: &'static str,
    pub(crate) example: &'static str,
}

impl Command {
    /// One line: how it is called.
    pub(crate) fn usage(&self) -> String {
        format!("usage: sim {} {}", self.name, self.words).trim_end().to_owned()
    }

    /// Names come first, and in capitals.
    fn takes_name(&self) -> bool {
        self.words.trim_start_matches('[').starts_with(|c: char| c.is_ascii_uppercase())
    }

    fn takes_names(&self) -> bool {
        self.takes_name() && self.words.contains("...")
    }

    fn knows(&self, flag: &str) -> bool {
        self.words.split(['[', ']', ' ']).any(|word| word.strip_prefix("--") == Some(flag))
    }

    /// Flags with a word in capitals after them take a value.
    fn takes_value(&self, flag: &str) -> bool {
        let after = self.words.split_once(&format!("--{flag} "));
        after.is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    }
}

/// The words after a command.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) name: Option<String>,
    /// The names after the first.
    pub(crate) more: Vec<String>,
    pub(crate) values: BTreeMap<String, String>,
}

impl Words {
    pub(crate) fn parse(command: &Command, words: &[String]) -> Result<Self, String> {
        let mut parsed = Self { name: None, more: Vec::new(), values: BTreeMap::new() };
        let mut words = words.iter().peekable();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--") else {
                if !command.takes_name() {
                    return Err(format!("{word}: sim {} takes no name; {}", command.name, command.usage()));
                } else if parsed.name.is_none() {
                    parsed.name = Some(word.clone());
                } else if command.takes_names() {
                    parsed.more.push(word.clone());
                } else {
                    return Err(format!("{word}: one name is enough"));
                }
                continue;
            };
            let (flag, value) =
                flag.split_once('=').map_or((flag, None), |(flag, value)| (flag, Some(value.to_owned())));
            if !command.knows(flag) {
                return Err(format!("there is no --{flag} here; sim {} --help says what there is", command.name));
            }
            let value = match (command.takes_value(flag), value) {
                // What begins as a flag is the next flag, and no value.
                (true, None) => words.next_if(|word| !word.starts_with("--")).cloned(),
                (true, value) => value,
                (false, None) => Some(String::new()),
                (false, Some(value)) => return Err(format!("--{flag} takes no value; this is \"{value}\"")),
            };
            let value = value.filter(|value| !value.is_empty() || !command.takes_value(flag));
            let value = value.ok_or_else(|| format!("--{flag} wants a value"))?;
            if parsed.values.insert(flag.to_owned(), value).is_some() {
                return Err(format!("--{flag} is given twice"));
            }
        }
        Ok(parsed)
    }

    pub(crate) fn number(&self, flag: &str) -> Result<Option<u64>, String> {
        let parse =
            |text: &String| text.replace('_', "").parse().map_err(|_| format!("--{flag}: \"{text}\" is not a number"));
        self.values.get(flag).map(parse).transpose()
    }

    pub(crate) fn at_least_one(&self, flag: &str) -> Result<Option<u64>, String> {
        match self.number(flag)? {
            Some(0) => Err(format!("--{flag}: at least one")),
            number => Ok(number),
        }
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.values.contains_key(flag)
    }

    pub(crate) fn file(&self) -> Result<PathBuf, String> {
        self.name.as_ref().map(PathBuf::from).ok_or_else(|| "which file? sim list names them".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Command =
        Command { name: "one", words: "FILE [--seed S] [--json FILE] [--first]", about: "", example: "" };
    const NONE: Command = Command { name: "none", words: "[--folder DIR] [--names]", about: "", example: "" };
    const MANY: Command = Command { name: "many", words: "[ENTRY...] [--around N]", about: "", example: "" };

    fn said(command: &Command, line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match Words::parse(command, &words) {
            Ok(Words { name, more, values }) => format!("{name:?} {more:?} {values:?}"),
            Err(why) => why,
        }
    }

    #[test]
    fn words_are_what_the_usage_says() {
        assert_eq!(said(&ONE, "a.toml --seed=7 --first"), r#"Some("a.toml") [] {"first": "", "seed": "7"}"#);
        assert_eq!(said(&ONE, "--json out.json a.toml"), r#"Some("a.toml") [] {"json": "out.json"}"#);
        assert_eq!(said(&MANY, "a b --around 3 c"), r#"Some("a") ["b", "c"] {"around": "3"}"#);
        assert_eq!(said(&NONE, "--names"), r#"None [] {"names": ""}"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(said(&ONE, "a b"), "b: one name is enough");
        assert_eq!(said(&NONE, "a"), "a: sim none takes no name; usage: sim none [--folder DIR] [--names]");
        assert_eq!(said(&ONE, "a --sed 7"), "there is no --sed here; sim one --help says what there is");
        assert_eq!(said(&ONE, "a --seed"), "--seed wants a value");
        assert_eq!(said(&ONE, "a --json --first"), "--json wants a value");
        assert_eq!(said(&ONE, "a --json="), "--json wants a value");
        assert_eq!(said(&ONE, "a --first=yes"), "--first takes no value; this is \"yes\"");
        assert_eq!(said(&ONE, "a --seed 7 --seed 8"), "--seed is given twice");
    }
}
