//! A child process that is driven by lines: one command in, one answer out.

use simurgh::prelude::*;
use simurgh::runtime::process::{self, ChildStdin, ChildStdout, Command};
use simurgh::runtime::stdio;
use tokio::io::BufReader;

/// A copy of this program that does a part of a demonstration. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    input: ChildStdin,
    output: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this program with `args`.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub fn start(args: &[&str]) -> Result<Self, String> {
        let command = Command::this_program().map_err(|error| format!("this program's path is not known: {error}"))?;
        let command = args.iter().fold(command, Command::arg);
        let mut process = command.spawn().map_err(|error| format!("a child process does not start: {error}"))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a child process has no pipes".into());
        };
        Ok(Self { process, input, output: tokio::io::AsyncBufReadExt::lines(BufReader::new(output)) })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// The next line that it prints.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn line(&mut self) -> Result<String, String> {
        match self.output.next_line().await {
            Ok(Some(line)) => Ok(line),
            _ => Err("a child process has ended; its last words stand above".into()),
        }
    }

    /// Gives it a command and waits for its answer.
    ///
    /// # Errors
    /// If it has ended.
    pub async fn ask(&mut self, command: &str) -> Result<String, String> {
        let gone = |_| "a child process has ended; its last words stand above".to_owned();
        self.input.write_all(format!("{command}\n").as_bytes()).await.map_err(gone)?;
        self.input.flush().await.map_err(gone)?;
        self.line().await
    }

    /// Gives it a command whose answer is numbers.
    ///
    /// # Errors
    /// If it has ended, or answers something else.
    pub async fn ask_numbers<const N: usize>(&mut self, command: &str) -> Result<[u64; N], String> {
        let answer = self.ask(command).await?;
        let numbers: Option<Vec<u64>> = answer.split_whitespace().map(|word| word.parse().ok()).collect();
        numbers.and_then(|numbers| numbers.try_into().ok()).ok_or_else(|| format!("{command}: {answer}"))
    }

    /// Kills it, as `kill -9` does.
    ///
    /// # Errors
    /// If the operating system refuses.
    pub async fn kill(mut self) -> Result<(), String> {
        self.process.kill().await.map_err(|error| error.to_string())
    }
}

/// The child's side: the next command, or none when the parent is gone.
pub async fn next_command() -> Option<String> {
    stdio::read_line().await.ok().flatten()
}
