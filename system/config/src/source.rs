//! Where values come from.

use std::collections::BTreeMap;
use std::io;

use simurgh_runtime::{env, fs};

use crate::value::{self, Table};
use crate::{Place, Problem};

/// Most bytes that a configuration file may have.
pub const FILE_LEN_MAX: u64 = 1024 * 1024;

/// Environment variables and, perhaps, a TOML file. A variable wins over the file.
///
/// ```
/// use simurgh_config::Source;
///
/// // In a program: the environment, and the file that SHOP_CONFIG names if it is set.
/// let source = Source::from_env().file_named_by("SHOP_CONFIG");
///
/// // In a test: what is said here and nothing else.
/// let source = Source::new().var("SHOP_PORT", "0").file_text("shop.toml", "port = 4000");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The environment of the node too, or only `vars`.
    from_env: bool,
    vars: BTreeMap<String, String>,
    file: Option<File>,
    /// What went wrong with the file; told by the load, together with everything else.
    problems: Vec<Problem>,
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    text: String,
    /// None if it could not be read: then nothing is said about what it lacks.
    table: Option<Table>,
}

impl Source {
    /// Nothing: every setting has its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment of the node.
    pub fn from_env() -> Self {
        Self { from_env: true, ..Self::default() }
    }

    /// With this variable, which wins over the environment.
    pub fn var(mut self, name: &str, text: &str) -> Self {
        self.vars.insert(name.to_owned(), text.to_owned());
        self
    }

    /// With the file whose path this variable holds; without one if it is not set or empty.
    pub fn file_named_by(self, var: &str) -> Self {
        match self.get(var).filter(|path| !path.is_empty()) {
            Some(path) => self.file(&path),
            None => self,
        }
    }

    /// With this file. That it cannot be read is an error of the load.
    pub fn file(mut self, path: &str) -> Self {
        match read(path) {
            Ok(text) => self.file_text(path, &text),
            Err(reason) => {
                self.problems.push(Problem::Unreadable { file: path.to_owned(), reason });
                self.file = Some(File { name: path.to_owned(), text: String::new(), table: None });
                self
            }
        }
    }

    /// With a file of this text, called `name` in errors.
    pub fn file_text(mut self, name: &str, text: &str) -> Self {
        let table = value::parse(name, text).map_err(|problems| self.problems.extend(problems)).ok();
        self.file = Some(File { name: name.to_owned(), text: text.to_owned(), table });
        self
    }

    pub(crate) fn get(&self, var: &str) -> Option<String> {
        let given = self.vars.get(var).cloned();
        given.or_else(|| self.from_env.then(|| env::var(var)).flatten())
    }

    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    pub(crate) fn table(&self) -> Option<&Table> {
        self.file.as_ref()?.table.as_ref()
    }

    pub(crate) fn file_name(&self) -> Option<&str> {
        self.file.as_ref().map(|file| file.name.as_str())
    }

    /// Whether there is a file of which nobody knows what it says.
    pub(crate) fn file_is_unread(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.table.is_none())
    }

    /// The place of a byte of the file.
    pub(crate) fn place(&self, at: usize) -> Place {
        let (name, text) = self.file.as_ref().map_or(("", ""), |file| (&file.name, &file.text));
        value::place(name, text, at)
    }
}

fn read(path: &str) -> Result<String, String> {
    let open = || -> io::Result<Option<Vec<u8>>> {
        let file = fs::File::open(path, &fs::OpenOptions::reading())?;
        // One byte more than allowed tells that it is too long; its length may be a lie (a pipe, /proc).
        let mut bytes = vec![0; FILE_LEN_MAX as usize + 1];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], filled as u64) {
                Ok(0) => break,
                Ok(len) => filled += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        Ok((filled as u64 <= FILE_LEN_MAX).then_some(bytes))
    };
    let bytes = open().map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("it has more than {FILE_LEN_MAX} bytes"))?;
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())
}
