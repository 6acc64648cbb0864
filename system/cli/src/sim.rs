//! `simurgh sim`: the application's scenarios.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use simurgh::prelude::*;

use crate::build::{Flags, build};
use crate::error::Error;
use crate::{instead, package};

const HELP: &str = "\
Builds the scenario target of the application in this folder, and hands over to it.

usage: simurgh sim [OPTIONS] [COMMAND ...]

  COMMAND            list, schema, explain, run, replay, sweep, report, ..: help lists those that this application's
                     target has, and COMMAND --help says more of one

  --package NAME     the package, if it is not the one of this folder
  --release          builds optimised: for long sweeps
  --features LIST    builds with these features of the package
  --locked           as cargo's: the lock file must fit
  --offline          as cargo's: without the network

The scenario target is a test called scenarios with a main of its own. In Cargo.toml:

  [[test]]
  name    = \"scenarios\"
  harness = false

and in tests/scenarios.rs:

  fn main() -> std::process::ExitCode {
      simurgh_harness::main(&registry())
  }

The page \"Your own application's scenarios\" in sim/GUIDE.md goes through it. It ends with the target's own exit code;
with 2 if there is no target, and with cargo's if it does not build.

examples: simurgh sim list
          simurgh sim run scenarios/split.toml --seeds 200
          simurgh sim --release sweep --minutes 10
";

const OPTIONS: [&str; 6] = ["--package", "--release", "--features", "--locked", "--offline", "--help"];

/// Does it; returns only if the application's code did not start.
///
/// # Errors
/// If there is no scenario target, or it cannot be run.
pub(crate) fn command(args: &[String]) -> Result<ExitCode, Error> {
    let Some((flags, rest)) = parse(args)? else {
        out!("{}", HELP.trim_end());
        return Ok(ExitCode::SUCCESS);
    };
    let folder = std::env::current_dir().map_err(|error| Error::File { path: ".".into(), what: error.to_string() })?;
    let target = package::find(&folder, &flags)?;
    let program = match build(&target, &flags)? {
        Ok(program) => program,
        Err(code) => return Ok(code),
    };
    let mut command = Command::new(&program);
    // What it keeps between runs belongs where it was built, wherever it is called.
    command.env("CARGO_TARGET_DIR", &target.built).env("SIMURGH_COMMAND", called(&flags));
    command.arg("sim").args(rest);
    if rest.is_empty() {
        command.arg("help");
    }
    let source = command.exec();
    Err(Error::Start { program: program.display().to_string(), source })
}

/// The options before the command, and the rest; None if help is wanted.
fn parse(args: &[String]) -> Result<Option<(Flags, &[String])>, Error> {
    let mut flags = Flags::default();
    let mut rest = args;
    while let Some((flag, after)) = rest.split_first().filter(|(word, _)| word.starts_with('-')) {
        rest = after;
        let mut value = |name| {
            let (value, after) = rest.split_first().ok_or(Error::Value(name))?;
            rest = after;
            Ok(Some(value.clone()))
        };
        match flag.as_str() {
            "--help" | "-h" => return Ok(None),
            "--package" | "-p" => flags.package = value("--package")?,
            "--features" => flags.features = value("--features")?,
            "--release" => flags.is_release = true,
            "--locked" => flags.is_locked = true,
            "--offline" => flags.is_offline = true,
            other => return Err(Error::Option { name: other.to_owned(), instead: instead(other, &OPTIONS) }),
        }
    }
    Ok(Some((flags, rest)))
}

/// How the target's commands are called, for those that it suggests.
fn called(flags: &Flags) -> String {
    let mut words = "simurgh sim".to_owned();
    for (flag, value) in [("--package", &flags.package), ("--features", &flags.features)] {
        if let Some(value) = value {
            words.extend([" ", flag, " ", value]);
        }
    }
    if flags.is_release { words + " --release" } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_end_where_the_command_begins() {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let args = words("--package shop --release run a.toml --seeds 3 --release");
        let (flags, rest) = parse(&args).unwrap().unwrap();
        assert_eq!(rest, words("run a.toml --seeds 3 --release"));
        assert_eq!(called(&flags), "simurgh sim --package shop --release");
        assert_eq!(parse(&[]).unwrap(), Some((Flags::default(), &[][..])));
        assert_eq!(parse(&words("--locked -h")).unwrap(), None);
        let error = parse(&words("--relese run")).unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no option --relese before the command of simurgh sim; the nearest is --release; simurgh sim --help says more"
        );
        assert_eq!(
            parse(&words("--package")).unwrap_err().to_string(),
            "--package wants a value; simurgh sim --help says more"
        );
    }
}
