//! What is wrong with a configuration: everything at once, a line each.

use std::fmt;

/// All that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors {
    problems: Vec<Problem>,
}

/// One thing that is wrong. Its text is one line and never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A value that the setting cannot have.
    #[error("{}{found} is not {expected}", label(place, key))]
    Invalid {
        /// Where the value was found.
        place: Place,
        /// The setting, as the file calls it.
        key: String,
        /// What was found, in words; of a secret only that.
        found: String,
        /// What is accepted.
        expected: String,
    },
    /// No value, and no default.
    #[error("{}; expected {expected}", missing(key, *env, file.as_deref()))]
    Missing {
        /// The setting, as the file calls it.
        key: String,
        /// The variable that can give it.
        env: Option<&'static str>,
        /// The file that can give it.
        file: Option<String>,
        /// What is accepted.
        expected: String,
    },
    /// A key of the file that is no setting.
    #[error("{place}: {key} is not a setting{}", unknown(near.as_deref()))]
    Unknown {
        /// Where it stands.
        place: Place,
        /// The key.
        key: String,
        /// The setting that was meant, most likely.
        near: Option<String>,
    },
    /// The file is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong there.
        message: String,
    },
    /// The file cannot be read.
    #[error("{file}: cannot read this file: {reason}")]
    Unreadable {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
}

/// Where a value was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In an environment variable.
    Variable(String),
    /// In the file.
    File {
        /// The file's name.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
}

impl Errors {
    pub(crate) fn new(problems: Vec<Problem>) -> Self {
        Self { problems }
    }

    /// One by one, in the order of the settings; the file's unknown keys come after.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("configuration has 1 error:")?,
            count => write!(f, "configuration has {count} errors:")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Errors {}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Variable(name) => f.write_str(name),
            Place::File { file, line, column } => write!(f, "{file}:{line}:{column}"),
        }
    }
}

/// A variable says by itself which setting it is; a line of the file does not.
fn label(place: &Place, key: &str) -> String {
    match place {
        Place::Variable(name) => format!("{name}: "),
        Place::File { .. } => format!("{place}: {key}: "),
    }
}

fn missing(key: &str, env: Option<&str>, file: Option<&str>) -> String {
    match (env, file) {
        (Some(env), Some(file)) => format!("{env}: not set, nor {key} in {file}"),
        (Some(env), None) => format!("{env}: not set"),
        (None, Some(file)) => format!("{file}: {key} is not set"),
        (None, None) => format!("{key}: not set; only a configuration file can, and there is none"),
    }
}

fn unknown(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}
