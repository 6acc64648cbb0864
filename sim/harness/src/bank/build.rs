//! Which build this is: trace hashes compare within one alone.

use std::path::{Path, PathBuf};
use std::process::Command;

use simurgh_sim::{Draws, Purpose};

/// A build, as far as it can be told at run time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Build {
    /// The commit; with a plus if something was changed since. Empty outside of a repository.
    pub(crate) commit: String,
    /// A hash of `Cargo.lock`; empty if there is none.
    pub(crate) lock: String,
    /// `debug` or `release`.
    pub(crate) features: String,
}

impl Build {
    /// That of this program, by the repository in which it runs.
    pub(crate) fn of_here() -> Self {
        let root = root();
        let mut commit = git(&root, &["rev-parse", "--short=12", "HEAD"]).unwrap_or_default();
        // Entries and reports are no part of a build.
        let status = ["status", "--porcelain", "--", ".", ":(exclude)seeds", ":(exclude)reports"];
        if git(&root, &status).is_some_and(|changed| !changed.is_empty()) {
            commit.push('+');
        }
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).map_or_else(|_| String::new(), |text| hash(&text));
        let features = if cfg!(debug_assertions) { "debug" } else { "release" };
        Self { commit, lock, features: features.to_owned() }
    }

    /// In words.
    pub(crate) fn words(&self) -> String {
        let commit = if self.commit.is_empty() { "no commit" } else { &self.commit };
        format!("{commit} ({}, lock {})", self.features, self.lock.get(..8).unwrap_or("none"))
    }

    /// Whether both are one build for sure: the sources of a commit with a plus are known to nobody.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self == other && !self.commit.is_empty() && !self.commit.ends_with('+')
    }
}

/// A hash of a text, in hex: the same everywhere.
pub(crate) fn hash(text: &str) -> String {
    format!("{:016x}", Draws::new(0).named(Purpose::User, text).u64())
}

/// The folder of the repository: the nearest one upwards that has seeds, or a lock file.
pub(crate) fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let has = |name: &str| here.ancestors().find(|folder| folder.join(name).exists()).map(Path::to_owned);
    has("seeds").or_else(|| has("Cargo.lock")).unwrap_or(here)
}

/// A path as it is from the repository's folder, if it lies below.
pub(crate) fn from_root(path: &Path) -> PathBuf {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    whole(path).strip_prefix(whole(&root())).map_or_else(|_| path.to_owned(), Path::to_owned)
}

/// The folder that this program was built into, which nobody keeps.
pub(crate) fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let built = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists()).map(Path::to_owned);
    built.or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from)).unwrap_or_else(|| root().join("target"))
}

/// Today, in UTC: year, month, day.
pub(crate) fn today() -> String {
    date(day())
}

/// Today, in UTC, as the number of days since 1970.
pub(crate) fn day() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs() / 86_400
}

/// A day by its number since 1970, as the Gregorian calendar has it.
pub(super) fn date(day: u64) -> String {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, day);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for days in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if left < days {
            break;
        }
        left -= days;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

fn git(root: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        let cases = [(0, "1970-01-01"), (58, "1970-02-28"), (59, "1970-03-01"), (11_016, "2000-02-29")];
        for (day, said) in cases.into_iter().chain([(20_454, "2026-01-01"), (20_818, "2026-12-31")]) {
            assert_eq!(date(day), said);
        }
    }

    #[test]
    fn a_build_that_was_changed_is_like_no_other() {
        let build = Build { commit: "a".into(), lock: "b".into(), features: "debug".into() };
        assert!(build.is(&build.clone()));
        for other in [
            Build { lock: "c".into(), ..build.clone() },
            Build { features: "release".into(), ..build.clone() },
            Build { commit: String::new(), ..build.clone() },
        ] {
            assert!(!build.is(&other) && !other.is(&build));
        }
        let changed = Build { commit: "a+".into(), ..build };
        assert!(!changed.is(&changed.clone()));
    }
}
