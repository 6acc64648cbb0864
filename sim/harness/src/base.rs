//! Where the seeds of a set begin: `[seeds] base`.
//!
//! - `fixed`: at 0, the same ones each time.
//! - `commit`: at a number made of the commit, so that each change is tried under seeds of its own and all who try it use
//!   the same ones.
//! - `interval`: at a number made of the day, in UTC: each night has seeds that no other night has.

use crate::file::{Node, Scenario};

/// Seeds of a night: night N has those from N times this on.
pub(crate) const INTERVAL: u64 = 1_000_000_000;
/// Those of commits lie above those of all nights.
const COMMITS_FROM: u64 = 1 << 60;
/// Seeds of a commit.
const OF_COMMIT: u64 = 1 << 24;

/// The first seed of a scenario's sets, for a commit (hex) and a day (since 1970).
///
/// Without a commit, as outside of a repository, `commit` is the same as `fixed`.
pub(crate) fn first_seed(scenario: &Scenario, commit: &str, day: u64) -> u64 {
    match scenario.root.find("seeds.base").and_then(Node::as_text) {
        Some("commit") => {
            let digits = commit.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok());
            digits.map_or(0, |number| COMMITS_FROM + number * OF_COMMIT)
        }
        Some("interval") => day * INTERVAL,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_commit_and_each_day_has_seeds_of_its_own() {
        let registry = crate::Registry::new().property(crate::Property::new(
            "p.holds",
            "it holds",
            || proptest::strategy::Just(()),
            |()| Ok(()),
        ));
        let first = |base: &str, commit: &str, day: u64| {
            let text = format!(
                "schema = 1\nname = \"a/b\"\nwhy = \"a test\"\nlevel = \"property\"\n[[workload]]\nname = \"p.holds\"\n{base}"
            );
            let scenario = Scenario::parse(Path::new("a.toml"), &text, &registry).unwrap_or_else(|why| panic!("{why}"));
            first_seed(&scenario, commit, day)
        };
        let (one, other) = ("70c7351aa", "70c7351ba");
        assert_eq!(first("", one, 3), 0);
        assert_eq!(first("[seeds]\nbase = \"fixed\"\n", one, 3), 0);
        assert_eq!(first("[seeds]\nbase = \"interval\"\n", one, 3), 3 * INTERVAL);
        let commits = [one, other].map(|commit| first("[seeds]\nbase = \"commit\"\n", commit, 3));
        assert!(commits[1] - commits[0] >= OF_COMMIT && commits[0] > 100_000 * INTERVAL, "{commits:?}");
        assert_eq!(first("[seeds]\nbase = \"commit\"\n", "", 3), 0);
        assert!(first("[seeds]\nbase = \"commit\"\n", "ffffffff", 3) < i64::MAX as u64, "reports hold it as a number");
    }
}
