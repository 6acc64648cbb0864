//! The bank of seeds that once failed: `seeds/<area>/<name>.toml`.
//!
//! ```toml
//! schema = 1
//! simulation = "echo/chaos"
//! seed = 192
//! why = "the operator killed the handler of the visitor that the drain was to find"
//! ```
//!
//! `cargo test` runs each of them, and each must pass: what it found is mended.

use std::path::{Path, PathBuf};

/// The form of an entry that this program knows.
const SCHEMA: i64 = 1;
const FIELDS: [&str; 4] = ["schema", "simulation", "seed", "why"];

/// One seed that once failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is written.
    pub path: PathBuf,
    /// The simulation's name.
    pub simulation: String,
    /// The seed.
    pub seed: u64,
    /// What it found.
    pub why: String,
}

impl Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// Says what is wrong with the text.
    pub fn parse(path: &Path, text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let table: toml::Table = text.parse().map_err(|error| wrong(&format!("{error}")))?;
        if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(wrong(&format!("there is no field {unknown}; there are {}", FIELDS.join(", "))));
        }
        if table.get("schema").and_then(toml::Value::as_integer) != Some(SCHEMA) {
            return Err(wrong("schema = 1 is missing: this program knows no other form of entry"));
        }
        let text_of = |name: &str| {
            let text = table.get(name).and_then(toml::Value::as_str).filter(|text| !text.trim().is_empty());
            text.map(str::to_owned).ok_or_else(|| wrong(&format!("{name} = \"...\" is missing")))
        };
        let seed = table.get("seed").and_then(toml::Value::as_integer).and_then(|seed| u64::try_from(seed).ok());
        Ok(Self {
            path: path.to_owned(),
            simulation: text_of("simulation")?,
            seed: seed.ok_or_else(|| wrong("seed = <a number> is missing"))?,
            why: text_of("why")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_entry_is_said() {
        let parse = |text: &str| Entry::parse(Path::new("seeds/a/b.toml"), text);
        let good = "schema = 1\nsimulation = \"echo/chaos\"\nseed = 7\nwhy = \"it was wrong\"\n";
        assert_eq!(parse(good).unwrap().seed, 7);
        for (bad, says) in [
            (good.replace("seed", "sed"), "there is no field sed"),
            (good.replace('7', "-7"), "seed = <a number> is missing"),
            (good.replace("it was wrong", " "), "why = \"...\" is missing"),
            (good.replace("schema = 1", "schema = 2"), "schema = 1 is missing"),
            ("simulation = ".to_owned(), "seeds/a/b.toml"),
        ] {
            let error = parse(&bad).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
