//! Floors: who may depend on whom.
//!
//! A crate imports from lower floors, or from names to its left on its own floor. The simulator
//! stands beside the system: only tests, and the crate that runs scenarios, may link it. The table
//! holds the whole plan; a crate that is not in it has no place yet, which is an error.

use crate::manifest::{Dependency, Entry, Manifest, Use, members};
use crate::rust::words;
use crate::{File, Finding};

/// The floors of the system, lowest first; on each, from left to right, as folders.
pub const FLOORS: [&[&str]; 11] = [
    &["system/runtime", "system/sync"],
    &["system/telemetry", "system/config"],
    &["system/otp", "system/net"],
    &["system/http", "system/pubsub", "system/data", "system/resilience", "system/native"],
    &["system/web-macros", "system/web", "system/cluster", "system/mail"],
    &["system/channels", "system/auth", "system/jobs", "system/events"],
    &["system/live", "system/api"],
    &["system/dashboard", "system/ops"],
    &["system/simurgh"],
    &["system/labs", "system/apps/studio", "system/load", "system/testing"],
    &["system/cli", "scenarios"],
];

/// The simulator and what stands on it, from left to right; it may use the system below floor 2.
pub const SIMULATOR: [&str; 4] = ["sim/macros", "sim/engine", "sim/harness", "invariants"];

/// The only crate that links the simulator outside of tests, because it is the binary that runs it.
const RUNS_THE_SIMULATOR: &str = "scenarios";

/// Tools of the house: nobody depends on them, and they depend on nobody.
const TOOLS: [&str; 1] = ["ci/tidy"];

/// Features of tokio that touch the machine, and so belong to the seam.
const MACHINE: [&str; 9] = ["full", "rt-multi-thread", "time", "net", "fs", "signal", "process", "io-std", "test-util"];

/// The crates that may ask tokio for them: the seam, and the simulator's driver.
const SEAM: [&str; 2] = ["system/runtime", "sim/engine"];

/// Where a crate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Floor, and place from the left.
    System(usize, usize),
    /// Place from the left.
    Simulator(usize),
    Tool,
}

/// Checks the manifests of all members.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut found: Vec<Finding> = members(files).iter().flat_map(check_crate).collect();
    found.extend(files.iter().filter(|file| file.path.ends_with("Cargo.toml")).flat_map(check_planted));
    found
}

/// Nothing may turn on planted bugs for all who depend on it.
fn check_planted(file: &File) -> Vec<Finding> {
    let everywhere = |entry: &&Entry| {
        entry.section == "workspace.dependencies" || (entry.section == "features" && entry.key == "default")
    };
    let manifest = Manifest::new(file);
    let bad =
        manifest.entries.iter().filter(everywhere).filter(|entry| words(&entry.value, "planted").next().is_some());
    bad.map(|entry| {
        file.finding(
            entry.line,
            format!("{} turns on planted bugs for everybody: only scenarios and tests do", entry.key),
        )
    })
    .collect()
}

/// The folder of a package, by the rule of names; `None` for packages that are not ours.
pub fn folder(package: &str) -> Option<String> {
    let known =
        |folder: &str| FLOORS.iter().copied().flatten().chain(&SIMULATOR).chain(&TOOLS).any(|known| *known == folder);
    let folder = match package {
        "simurgh" | "simurgh-cli" => format!("system/{}", package.trim_start_matches("simurgh-")),
        "scenarios" => "scenarios".to_owned(),
        "studio" => "system/apps/studio".to_owned(),
        "simurgh-sim" => "sim/engine".to_owned(),
        "simurgh-sim-macros" => "sim/macros".to_owned(),
        "simurgh-harness" => "sim/harness".to_owned(),
        "simurgh-invariants" => "invariants".to_owned(),
        "simurgh-test" => "system/testing".to_owned(),
        "simurgh-tidy" => "ci/tidy".to_owned(),
        other => format!("system/{}", other.strip_prefix("simurgh-")?),
    };
    // A name of ours without a place is still ours: the caller reports it.
    Some(if known(&folder) { folder } else { format!("?{folder}") })
}

fn place(folder: &str) -> Option<Place> {
    if TOOLS.contains(&folder) {
        return Some(Place::Tool);
    }
    if let Some(left) = SIMULATOR.iter().position(|known| *known == folder) {
        return Some(Place::Simulator(left));
    }
    FLOORS
        .iter()
        .enumerate()
        .find_map(|(floor, row)| row.iter().position(|known| *known == folder).map(|left| Place::System(floor, left)))
}

fn check_crate(manifest: &Manifest<'_>) -> Vec<Finding> {
    let at = manifest.folder();
    let Some(package) = manifest.package() else {
        return vec![manifest.file.finding(1, "the package has no name: add one under [package]")];
    };
    let Some(own) = place(at) else {
        return vec![manifest.file.finding(
            1,
            format!("{at} has no floor: add it to the table in ci/tidy/src/floors.rs and to ARCHITECTURE.md"),
        )];
    };
    let mut found = Vec::new();
    if folder(package).as_deref() != Some(at) {
        found
            .push(manifest.file.finding(1, format!("package {package} in {at}: packages are called simurgh-<folder>")));
    }
    for dependency in manifest.dependencies() {
        if let Some(what) = judge(at, own, &dependency) {
            found.push(manifest.file.finding(dependency.line, what));
        }
    }
    found
}

fn judge(at: &str, own: Place, dependency: &Dependency) -> Option<String> {
    let name = &dependency.package;
    if name == "tokio" && dependency.used == Use::Normal && !SEAM.contains(&at) {
        let feature = MACHINE.iter().find(|feature| dependency.value.contains(&format!("\"{feature}\"")))?;
        return Some(format!("{at} asks tokio for \"{feature}\": only the seam does; use simurgh-runtime"));
    }
    let folder = folder(name)?;
    let Some(theirs) = place(&folder) else {
        return Some(format!(
            "{name} has no floor: add it to the table in ci/tidy/src/floors.rs and to ARCHITECTURE.md"
        ));
    };
    let is_test = dependency.used == Use::Dev;
    if !is_test && at != RUNS_THE_SIMULATOR && names_feature(dependency, "planted") {
        return Some(format!(
            "{at} turns on planted bugs of {name}: only scenarios and tests do; move it to dev-dependencies"
        ));
    }
    match (own, theirs) {
        (Place::Tool, _) | (_, Place::Tool) => Some(format!("{at} and {name}: tools of the house stand alone; remove the dependency")),
        (_, Place::Simulator(_)) if is_test => None,
        (_, Place::System(..)) if is_test && folder == "system/testing" => None,
        (Place::System(..), Place::Simulator(_)) if at == RUNS_THE_SIMULATOR => None,
        (Place::System(..), Place::Simulator(_)) => {
            Some(format!("{at} links the simulator ({name}): only tests do; move it to dev-dependencies"))
        }
        (Place::Simulator(_), Place::System(floor, _)) => {
            (floor >= 2 && !is_test).then(|| format!("{at} depends on {name} of floor {floor}: the simulator knows the seam and telemetry alone"))
        }
        (Place::Simulator(own), Place::Simulator(theirs)) => {
            (theirs >= own).then(|| format!("{at} depends on {name}, which is not to its left: turn the dependency round, or move what both need down"))
        }
        (Place::System(own, left), Place::System(floor, their_left)) => ((floor, their_left) >= (own, left)).then(|| {
            format!("{at} (floor {own}) depends on {name} (floor {floor}), which is neither lower nor to its left: turn the dependency round, or move what both need down")
        }),
    }
}

fn names_feature(dependency: &Dependency, feature: &str) -> bool {
    dependency.value.contains(&format!("\"{feature}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &str, package: &str, rest: &str) -> Vec<String> {
        let file = File::new(format!("{folder}/Cargo.toml"), format!("[package]\nname = \"{package}\"\n{rest}"));
        check(&[file]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_floors_allow() {
        for (folder, package, rest) in [
            (
                "system/net",
                "simurgh-net",
                "[dependencies]\nsimurgh-otp.workspace = true\nsimurgh-runtime.workspace = true\nbytes = \"1\"\n",
            ),
            (
                "system/labs",
                "simurgh-labs",
                "[dependencies]\nsimurgh.workspace = true\n[dev-dependencies]\nsimurgh-sim.workspace = true\n",
            ),
            (
                "scenarios",
                "scenarios",
                "[dependencies]\nsimurgh-sim = { workspace = true, features = [\"planted\"] }\nsimurgh-labs.workspace = true\n",
            ),
            (
                "invariants",
                "simurgh-invariants",
                "[dependencies]\nsimurgh-sim.workspace = true\nsimurgh-telemetry.workspace = true\n",
            ),
            (
                "system/runtime",
                "simurgh-runtime",
                "[dependencies]\ntokio = { workspace = true, features = [\"net\"] }\n",
            ),
            ("system/otp", "simurgh-otp", "[dependencies]\ntokio = { workspace = true, features = [\"sync\"] }\n"),
        ] {
            assert_eq!(found(folder, package, rest), [""; 0], "{folder}");
        }
    }

    #[test]
    fn what_they_forbid() {
        for (folder, package, rest, want) in [
            (
                "system/otp",
                "simurgh-otp",
                "[dependencies]\nsimurgh-net.workspace = true\n",
                "system/otp/Cargo.toml:4: system/otp (floor 2) depends on simurgh-net (floor 2)",
            ),
            (
                "system/otp",
                "simurgh-otp",
                "[dev-dependencies]\nsimurgh.workspace = true\n",
                "neither lower nor to its left",
            ),
            (
                "system/otp",
                "simurgh-otp",
                "[target.'cfg(unix)'.dependencies]\nx = { package = \"simurgh-live\", path = \"x\" }\n",
                "floor 6",
            ),
            ("system/labs", "simurgh-labs", "[dependencies]\nsimurgh-sim.workspace = true\n", "links the simulator"),
            (
                "system/cli",
                "simurgh-cli",
                "[build-dependencies]\nsimurgh-harness.workspace = true\n",
                "links the simulator",
            ),
            (
                "system/labs",
                "simurgh-labs",
                "[dependencies]\nsimurgh-runtime = { workspace = true, features = [\"planted\"] }\n",
                "planted bugs",
            ),
            (
                "sim/engine",
                "simurgh-sim",
                "[dependencies]\nsimurgh-otp.workspace = true\n",
                "the seam and telemetry alone",
            ),
            ("sim/engine", "simurgh-sim", "[dependencies]\nsimurgh-invariants.workspace = true\n", "not to its left"),
            (
                "system/net",
                "simurgh-net",
                "[dependencies]\ntokio = { workspace = true, features = [\"net\"] }\n",
                "asks tokio for \"net\"",
            ),
            ("system/net", "simurgh-net", "[dependencies]\nsimurgh-novel = \"1\"\n", "has no floor"),
            ("system/net", "simurgh-network", "", "packages are called"),
            ("system/novel", "simurgh-novel", "", "has no floor"),
            ("ci/tidy", "simurgh-tidy", "[dependencies]\nsimurgh-runtime.workspace = true\n", "stand alone"),
            ("system/net", "simurgh-net", "[dev-dependencies]\nsimurgh-tidy.workspace = true\n", "stand alone"),
            (
                "system/net",
                "simurgh-net",
                "[features]\ndefault = [\"planted\"]\nplanted = []\n",
                "Cargo.toml:4: default turns on planted bugs",
            ),
            ("system/net", "", "", "has no name"),
        ] {
            let text = found(folder, package, rest).join("\n");
            let text = if package.is_empty() {
                check(&[File::new("a/Cargo.toml", "[package]\n")])[0].to_string()
            } else {
                text
            };
            assert!(text.contains(want), "{folder}: wanted \"{want}\" in \"{text}\"");
        }
    }

    #[test]
    fn the_workspace_plants_nothing() {
        let file = File::new(
            "Cargo.toml",
            "[workspace.dependencies]\nsimurgh-runtime = { path = \"x\", features = [\"planted\"] }\n",
        );
        assert_eq!(check(&[file]).len(), 1);
    }
}
