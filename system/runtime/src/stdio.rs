//! Standard output and error, a line at a time; in the simulator each node has its own.
//!
//! A reader that went away (a closed pipe) is no reason to die: what cannot be written is dropped.

use std::io::{self, Write};
use std::task::{Context, Poll};

use crate::process::{PipeArm, reads_its_pipe, writes_its_pipe};
use crate::sim::{self, Output};

/// Writes a line to standard output.
pub fn out(line: &str) {
    write(Output::Stdout, line);
}

/// Writes a line to standard error.
pub fn err(line: &str) {
    write(Output::Stderr, line);
}

/// Standard input, as bytes. A simulated process has one if its parent gave it a pipe ([`process`](crate::process)).
///
/// In production a thread reads it, which waits for input even when nobody wants it any more.
#[derive(Debug)]
pub struct Stdin(PipeArm<tokio::io::Stdin>);

/// Standard output, as bytes. What a simulated process without a pipe writes there is printed as lines.
#[derive(Debug)]
pub struct Stdout(PipeArm<tokio::io::Stdout>);

/// This process's standard input.
pub fn stdin() -> Stdin {
    Stdin(match sim::world(|world| world.standard_stream(0)) {
        Some(pipe) => PipeArm::Sim(pipe.unwrap_or_else(|| Box::new(Nothing))),
        None => PipeArm::Real(tokio::io::stdin()),
    })
}

/// This process's standard output.
pub fn stdout() -> Stdout {
    Stdout(match sim::world(|world| world.standard_stream(1)) {
        Some(pipe) => PipeArm::Sim(pipe.unwrap_or_else(|| Box::new(Nothing))),
        None => PipeArm::Real(tokio::io::stdout()),
    })
}

/// No input, and output that is printed.
struct Nothing;

impl sim::Pipe for Nothing {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        sim::world(|world| world.print(Output::Stdout, from));
        Poll::Ready(Ok(from.len()))
    }
}

reads_its_pipe!(Stdin);
writes_its_pipe!(Stdout);

/// The next line of standard input without its end, or none at its end. A simulated node has no input.
///
/// The line is read by a thread for blocking work, which waits for it even if the caller gives up.
///
/// # Errors
/// If standard input cannot be read, or is not text.
pub async fn read_line() -> io::Result<Option<String>> {
    if sim::is_simulated() {
        return Ok(None);
    }
    crate::blocking(|| {
        let mut line = String::new();
        let len = std::io::stdin().read_line(&mut line)?;
        Ok((len > 0).then(|| line.trim_end_matches(['\n', '\r']).to_owned()))
    })
    .await
}

fn write(to: Output, line: &str) {
    // One write, so that lines of several threads do not mix.
    let line = format!("{line}\n");
    if sim::world(|world| world.print(to, line.as_bytes())).is_some() {
        return;
    }
    let _ = match to {
        Output::Stdout => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush())
        }
        Output::Stderr => std::io::stderr().lock().write_all(line.as_bytes()),
    };
}
