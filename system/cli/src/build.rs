//! How a target is built, and where its program then is.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use serde_json::Value;

use crate::error::Error;
use crate::package::{Kind, NAME, Target};

/// What is said before the command, for cargo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) package: Option<String>,
    pub(crate) features: Option<String>,
    pub(crate) is_release: bool,
    pub(crate) is_locked: bool,
    pub(crate) is_offline: bool,
}

impl Flags {
    /// What says how lock file and network are used.
    pub(crate) fn lock(&self) -> Vec<&'static str> {
        let flags = [(self.is_locked, "--locked"), (self.is_offline, "--offline")];
        flags.into_iter().filter(|(is_said, _)| *is_said).map(|(_, flag)| flag).collect()
    }
}

/// The cargo that runs this, or that is found.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Builds a target. Its program; or how cargo ended, which has said why.
///
/// # Errors
/// If cargo does not start, or tells of no program.
pub(crate) fn build(target: &Target, flags: &Flags) -> Result<Result<PathBuf, ExitCode>, Error> {
    let mut command = cargo();
    match target.kind {
        Kind::Test => command.args(["test", "--no-run", "--test", NAME]),
        Kind::Bin => command.args(["build", "--bin", NAME]),
    };
    command.args(["--message-format", "json-render-diagnostics", "--manifest-path"]).arg(&target.manifest);
    command.args(flags.lock());
    if flags.is_release {
        command.arg("--release");
    }
    if let Some(features) = &flags.features {
        command.args(["--features", features]);
    }
    let start = |source| Error::Start { program: "cargo".into(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start)?;
    let stdout = child.stdout.take().map(BufReader::new);
    let lines = stdout.into_iter().flat_map(|stdout| stdout.lines().map_while(Result::ok));
    let program = lines.filter_map(|line| program_of(&line, target.kind)).last();
    let status = child.wait().map_err(start)?;
    if !status.success() {
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(101);
        return Ok(Err(ExitCode::from(code)));
    }
    program.map(Ok).ok_or_else(|| Error::NoProgram(target.manifest.display().to_string()))
}

/// The program that a line of cargo tells of.
fn program_of(line: &str, kind: Kind) -> Option<PathBuf> {
    let said: Value = serde_json::from_str(line).ok()?;
    let of_kind = |known: &Value| known == if kind == Kind::Test { "test" } else { "bin" };
    let is_it = said["reason"] == "compiler-artifact"
        && said["target"]["name"] == NAME
        && said["target"]["kind"].as_array()?.iter().any(of_kind);
    if is_it { said["executable"].as_str().map(PathBuf::from) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_of_the_target() {
        let line = |name: &str, kind: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"target\":{{\"kind\":[\"{kind}\"],\"name\":\"{name}\"}},\"executable\":\"/t/x\"}}"
            )
        };
        assert_eq!(program_of(&line("scenarios", "test"), Kind::Test), Some("/t/x".into()));
        for other in [&line("scenarios", "bin"), &line("split", "test"), "Compiling", "{\"reason\":\"build-finished\"}"]
        {
            assert_eq!(program_of(other, Kind::Test), None, "{other}");
        }
    }
}
