//! Just enough of TOML to read our own manifests: sections, keys and the text of their values.

use crate::File;

/// One line `key = value` of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The section it stands in, such as `dev-dependencies`.
    pub section: String,
    /// Its key, without quotes.
    pub key: String,
    /// The rest of the line, and of the lines that a bracket keeps open.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// A `Cargo.toml`.
#[derive(Debug)]
pub struct Manifest<'a> {
    /// The file.
    pub file: &'a File,
    /// All entries, in order.
    pub entries: Vec<Entry>,
}

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is part of the crate.
    Normal,
    /// It is used by tests only.
    Dev,
}

/// A dependency, however it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// The package.
    pub package: String,
    /// What it is for.
    pub used: Use,
    /// The text of its value.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

impl<'a> Manifest<'a> {
    /// Reads a manifest.
    pub fn new(file: &'a File) -> Self {
        let mut entries = Vec::new();
        let mut section = String::new();
        let mut lines = file.text.lines().enumerate();
        while let Some((number, line)) = lines.next() {
            let line = uncommented(line);
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.trim_matches(['[', ']', ' ']).clone_into(&mut section);
            } else if let Some((key, value)) = line.split_once('=') {
                let mut value = value.trim().to_owned();
                while open_brackets(&value) > 0 {
                    let Some((_, more)) = lines.next() else { break };
                    value.push(' ');
                    value.push_str(uncommented(more));
                }
                entries.push(Entry {
                    section: section.clone(),
                    key: key.trim().replace('"', ""),
                    value,
                    line: number + 1,
                });
            }
        }
        Self { file, entries }
    }

    /// The value of a key, without quotes; `a.b = true` is also found as `a = { b = true }`.
    pub fn get(&self, section: &str, key: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|entry| entry.section == section && entry.key == key)
            .map(|entry| entry.value.trim_matches('"'))
    }

    /// The name of the package.
    pub fn package(&self) -> Option<&str> {
        self.get("package", "name")
    }

    /// Whether a key of `[package]` or a whole section is taken from the workspace.
    pub fn inherits(&self, section: &str, key: &str) -> bool {
        let dotted = format!("{key}.workspace");
        let dotted = if key.is_empty() { "workspace" } else { &dotted };
        self.get(section, dotted) == Some("true")
            || self.get(section, key).is_some_and(|value| value.replace(' ', "").contains("workspace=true"))
    }

    /// The folder of the manifest.
    pub fn folder(&self) -> &str {
        self.file.path.strip_suffix("/Cargo.toml").unwrap_or("")
    }

    /// All dependencies.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let mut found: Vec<Dependency> = Vec::new();
        for entry in &self.entries {
            let Some((used, of)) = dependency_section(&entry.section) else { continue };
            let (name, value) = match of {
                // [dependencies.name] and then one line for each key.
                Some(name) => (name.to_owned(), format!("{} = {}", entry.key, entry.value)),
                None => match entry.key.split_once('.') {
                    Some((name, key)) => (name.to_owned(), format!("{key} = {}", entry.value)),
                    None => (entry.key.clone(), entry.value.clone()),
                },
            };
            let package = quoted_after(&value, "package").unwrap_or(name);
            match found.last_mut().filter(|last| of.is_some() && last.package == package) {
                Some(last) => last.value.extend([", ", &value]),
                None => found.push(Dependency { package, used, value, line: entry.line }),
            }
        }
        found
    }
}

/// The manifests of the workspace's members: every `Cargo.toml` but the root's and those of crates
/// that are outside on purpose.
pub fn members(files: &[File]) -> Vec<Manifest<'_>> {
    let outside = ["ci/outside/", "ci/bench/", "ci/contract/", "ci/fuzz/", "ci/history/", "ci/suites/"];
    files
        .iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"))
        .filter(|file| !outside.iter().any(|folder| file.path.starts_with(folder)))
        .map(Manifest::new)
        .collect()
}

/// What a section of dependencies is for, and of which one, if it is about one alone.
fn dependency_section(section: &str) -> Option<(Use, Option<&str>)> {
    let section = match section.strip_prefix("target.") {
        Some(rest) => &rest[rest.find("dependencies").map(|at| rest[..at].rfind('.').map_or(0, |dot| dot + 1))?..],
        None => section,
    };
    let (kind, of) = section.split_once('.').map_or((section, None), |(kind, of)| (kind, Some(of)));
    match kind {
        "dependencies" | "build-dependencies" => Some((Use::Normal, of)),
        "dev-dependencies" => Some((Use::Dev, of)),
        _ => None,
    }
}

fn uncommented(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|char| {
        quoted ^= char == '"';
        char == '#' && !quoted
    });
    line[..end.unwrap_or(line.len())].trim()
}

fn open_brackets(value: &str) -> i32 {
    value.chars().map(|char| i32::from(matches!(char, '[' | '{')) - i32::from(matches!(char, ']' | '}'))).sum()
}

/// The text in quotes after `key =`.
fn quoted_after(value: &str, key: &str) -> Option<String> {
    let at = crate::rust::words(value, key).next()?;
    let rest = value[at + key.len()..].trim_start().strip_prefix('=')?;
    rest.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_however_they_are_written() {
        let text = "[package]\nname = \"a\" # why\nedition.workspace = true\n\n[dependencies]\nb.workspace = true\nc = { package = \"d\", path = \"../d\" }\ne = { features = [\n  \"x\",\n] }\n\
                    [target.'cfg(unix)'.dependencies]\nf = \"1\"\n[dev-dependencies.g]\nversion = \"1\"\nfeatures = [\"planted\"]\n[features]\nh = []\n";
        let file = File::new("x/a/Cargo.toml", text);
        let manifest = Manifest::new(&file);
        assert_eq!(manifest.package(), Some("a"));
        assert_eq!(manifest.folder(), "x/a");
        assert!(manifest.inherits("package", "edition"));
        assert!(!manifest.inherits("package", "license"));
        let found: Vec<(String, Use, usize)> =
            manifest.dependencies().into_iter().map(|found| (found.package, found.used, found.line)).collect();
        let want = [
            ("b", Use::Normal, 6),
            ("d", Use::Normal, 7),
            ("e", Use::Normal, 8),
            ("f", Use::Normal, 12),
            ("g", Use::Dev, 14),
        ];
        assert_eq!(found, want.map(|(name, used, line)| (name.to_owned(), used, line)));
        assert!(manifest.dependencies()[4].value.contains("planted"));
    }

    #[test]
    fn a_section_can_be_inherited() {
        let file = File::new("a/Cargo.toml", "[lints]\nworkspace = true\n");
        assert!(Manifest::new(&file).inherits("lints", ""));
    }
}
