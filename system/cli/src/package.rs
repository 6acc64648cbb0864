//! Which package, and which of its targets, runs scenarios.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::build::{Flags, cargo};
use crate::error::Error;
use crate::instead;

/// The name of the target that runs scenarios.
pub(crate) const NAME: &str = "scenarios";

/// What cargo builds a target as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `tests/scenarios.rs`, with a main of its own: what an application has.
    Test,
    /// A program: what a package that exists for its scenarios has.
    Bin,
}

/// A package's scenario target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) manifest: PathBuf,
    /// Where cargo builds.
    pub(crate) built: PathBuf,
}

/// A package of the workspace.
struct Package {
    name: String,
    manifest: PathBuf,
    kind: Option<Kind>,
}

/// The scenario target of the package in `folder` or above, or of the one that is named.
///
/// # Errors
/// If there is none, or more than one could be meant.
pub(crate) fn find(folder: &Path, flags: &Flags) -> Result<Target, Error> {
    let nearest = folder.ancestors().map(|folder| folder.join("Cargo.toml")).find(|path| path.is_file());
    let nearest = nearest.ok_or_else(|| Error::NoPackage(folder.to_owned()))?;
    let metadata = metadata(&nearest, flags)?;
    let path = |value: &Value| value.as_str().map(PathBuf::from).unwrap_or_default();
    let (workspace, built) = (path(&metadata["workspace_root"]), path(&metadata["target_directory"]));
    let packages: Vec<Package> = metadata["packages"].as_array().into_iter().flatten().map(package_of).collect();
    let package = choose(&packages, &nearest, &workspace, flags.package.as_deref())?;
    let kind = package.kind.ok_or_else(|| no_target(package, &packages))?;
    if kind == Kind::Test && !has_own_main(&package.manifest)? {
        return Err(Error::Harness { package: package.name.clone(), manifest: package.manifest.clone() });
    }
    Ok(Target { kind, manifest: package.manifest.clone(), built })
}

fn metadata(manifest: &Path, flags: &Flags) -> Result<Value, Error> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]).arg(manifest);
    command.args(flags.lock());
    let said = command.output().map_err(|source| Error::Start { program: "cargo".into(), source })?;
    if !said.status.success() {
        return Err(Error::Metadata(String::from_utf8_lossy(&said.stderr).trim_end().to_owned()));
    }
    serde_json::from_slice(&said.stdout).map_err(|error| Error::Metadata(format!("its answer is no JSON: {error}")))
}

fn package_of(package: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds: Vec<String> = package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|target| target["name"] == NAME)
        .flat_map(|target| target["kind"].as_array().into_iter().flatten().map(text))
        .collect();
    let has = |kind: &str| kinds.iter().any(|known| known == kind);
    Package {
        name: text(&package["name"]),
        manifest: PathBuf::from(text(&package["manifest_path"])),
        kind: if has("test") { Some(Kind::Test) } else { has("bin").then_some(Kind::Bin) },
    }
}

fn choose<'a>(
    packages: &'a [Package],
    nearest: &Path,
    workspace: &Path,
    name: Option<&str>,
) -> Result<&'a Package, Error> {
    if let Some(name) = name {
        return packages.iter().find(|package| package.name == name).ok_or_else(|| {
            let known: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
            Error::Package { name: name.to_owned(), workspace: workspace.to_owned(), instead: instead(name, &known) }
        });
    }
    let nearest = nearest.canonicalize().unwrap_or_else(|_| nearest.to_owned());
    if let Some(own) = packages.iter().find(|package| package.manifest == nearest) {
        return Ok(own);
    }
    // The root of a workspace that is no package itself: then the only one that has scenarios is meant.
    match with_target(packages).as_slice() {
        [] => Err(Error::NoTargetAnywhere(workspace.to_owned())),
        [only] => Ok(only),
        several => Err(Error::Several(names(several))),
    }
}

fn with_target(packages: &[Package]) -> Vec<&Package> {
    packages.iter().filter(|package| package.kind.is_some()).collect()
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|package| package.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn no_target(package: &Package, packages: &[Package]) -> Error {
    let others = with_target(packages);
    let others =
        if others.is_empty() { String::new() } else { format!("; or say --package: {} has one", names(&others)) };
    Error::NoTarget { package: package.name.clone(), manifest: package.manifest.clone(), others }
}

/// Whether the test target of this name is built without the harness of tests.
fn has_own_main(manifest: &Path) -> Result<bool, Error> {
    let wrong = |what: String| Error::File { path: manifest.to_owned(), what };
    let text = std::fs::read_to_string(manifest).map_err(|error| wrong(error.to_string()))?;
    let manifest: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
    let tests = manifest.get("test").and_then(toml::Value::as_array).into_iter().flatten();
    let mut own = tests.filter(|test| test.get("name").and_then(toml::Value::as_str) == Some(NAME));
    Ok(own.any(|test| test.get("harness").and_then(toml::Value::as_bool) == Some(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, kind: Option<Kind>) -> Package {
        Package { name: name.into(), manifest: format!("/w/{name}/Cargo.toml").into(), kind }
    }

    #[test]
    fn the_nearest_package_is_meant_or_the_only_one_with_scenarios() {
        let packages = [package("shop", Some(Kind::Test)), package("till", None)];
        let chosen = |packages: &[Package], nearest: &str, name: Option<&str>| {
            choose(packages, Path::new(nearest), Path::new("/w"), name)
                .map(|package| package.name.clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(chosen(&packages, "/w/till/Cargo.toml", None), Ok("till".into()));
        assert_eq!(chosen(&packages, "/w/Cargo.toml", None), Ok("shop".into()));
        assert_eq!(chosen(&packages, "/w/till/Cargo.toml", Some("shop")), Ok("shop".into()));
        let error = chosen(&packages, "/w/Cargo.toml", Some("shpo")).unwrap_err();
        assert_eq!(error, "there is no package shpo in the workspace /w; the nearest is shop");
        assert!(no_target(&packages[1], &packages).to_string().ends_with("or say --package: shop has one"));
        let packages = [package("shop", Some(Kind::Test)), package("till", Some(Kind::Bin))];
        let error = chosen(&packages, "/w/Cargo.toml", None).unwrap_err();
        assert!(error.starts_with("several packages here have scenario targets: shop, till; say which"), "{error}");
        let error = chosen(&packages[..0], "/w/Cargo.toml", None).unwrap_err();
        assert!(error.starts_with("no package of the workspace /w has a scenario target; "), "{error}");
    }
}
