//! Standard output and error, a line at a time; in the simulator each node has its own.
//!
//! A reader that went away (a closed pipe) is no reason to die: what cannot be written is dropped.

use std::io::{self, Write};

use crate::sim::{self, Output};

/// Writes a line to standard output.
pub fn out(line: &str) {
    write(Output::Stdout, line);
}

/// Writes a line to standard error.
pub fn err(line: &str) {
    write(Output::Stderr, line);
}

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
