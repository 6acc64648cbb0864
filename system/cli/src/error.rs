//! What may be wrong before the application's own code runs.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// The table that makes a scenario target.
pub(crate) const TARGET: &str = "[[test]] name = \"scenarios\" harness = false";

#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("there is no command {name}; {instead}; simurgh --help says more")]
    Command { name: String, instead: String },
    #[error("there is no option {name} before the command of simurgh sim; {instead}; simurgh sim --help says more")]
    Option { name: String, instead: String },
    #[error("{0} wants a value; simurgh sim --help says more")]
    Value(&'static str),
    #[error("neither {} nor a folder above has a Cargo.toml; go to the folder of your application", .0.display())]
    NoPackage(PathBuf),
    #[error("there is no package {name} in the workspace {}; {instead}", .workspace.display())]
    Package { name: String, workspace: PathBuf, instead: String },
    #[error(
        "package {package} has no scenario target; add {TARGET} to {}, and tests/scenarios.rs whose main calls \
         simurgh_harness::main{others}",
        .manifest.display()
    )]
    NoTarget { package: String, manifest: PathBuf, others: String },
    #[error(
        "no package of the workspace {} has a scenario target; go to the folder of your application, and add {TARGET} \
         to its Cargo.toml, and tests/scenarios.rs whose main calls simurgh_harness::main",
        .0.display()
    )]
    NoTargetAnywhere(PathBuf),
    #[error("several packages here have scenario targets: {0}; say which: simurgh sim --package NAME ...")]
    Several(String),
    #[error(
        "tests/scenarios.rs of {package} is built as an ordinary test, whose main is not its own; say harness = false: \
         {TARGET} in {}",
        .manifest.display()
    )]
    Harness { package: String, manifest: PathBuf },
    #[error("{program} does not start: {source}; is it installed, and in PATH?")]
    Start { program: String, source: io::Error },
    #[error("cargo metadata fails:\n{0}")]
    Metadata(String),
    #[error("cargo built {0} and named no program; simurgh sim wants a target called scenarios")]
    NoProgram(String),
    #[error("{}: {what}", .path.display())]
    File { path: PathBuf, what: String },
}
