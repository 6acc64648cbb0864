//! The words after a command: at most one name, and flags with values.

use std::collections::BTreeMap;

/// The words after a command.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) name: Option<String>,
    pub(crate) values: BTreeMap<String, String>,
}

impl Flags {
    pub(crate) fn parse(words: &[String], known: &[&str]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--") else {
                if flags.name.replace(word.clone()).is_some() {
                    return Err(format!("{word}: one name is enough"));
                }
                continue;
            };
            let (flag, value) = match flag.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (flag, None),
            };
            if !known.contains(&flag) {
                return Err(format!("there is no --{flag} here; sim help lists what there is"));
            }
            // What begins as a flag is the next flag.
            let next =
                |words: &mut std::slice::Iter<'_, String>| words.next().filter(|word| !word.starts_with("--")).cloned();
            let value = value.or_else(|| next(&mut words)).ok_or_else(|| format!("--{flag} wants a value"))?;
            flags.values.insert(flag.to_owned(), value);
        }
        Ok(flags)
    }

    /// For a command that takes none.
    pub(crate) fn without_name(&self) -> Result<(), String> {
        self.name.as_ref().map_or(Ok(()), |name| Err(format!("{name}: this command takes no name")))
    }

    pub(crate) fn at_least_one(&self, flag: &str) -> Result<Option<u64>, String> {
        match self.number(flag)? {
            Some(0) => Err(format!("--{flag}: at least one")),
            number => Ok(number),
        }
    }

    pub(crate) fn number(&self, flag: &str) -> Result<Option<u64>, String> {
        let parse =
            |text: &String| text.replace('_', "").parse().map_err(|_| format!("--{flag}: \"{text}\" is not a number"));
        self.values.get(flag).map(parse).transpose()
    }
}
