//! Lines for a terminal. Who reads them may have gone, as `head` does when it has enough: then this process ends
//! without a word, as a Unix tool does.

use std::io::{ErrorKind, Write as _};

/// What a shell calls a tool that `SIGPIPE` ended: 128 and its number.
const READER_GONE: i32 = 141;
/// Standard output cannot be written, and somebody is there.
const UNWRITTEN: i32 = 74;

/// Writes to standard output, or ends this process.
pub fn put(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(READER_GONE),
        Err(error) => {
            warn(&format!("error: standard output: {error}\n"));
            std::process::exit(UNWRITTEN)
        }
    }
}

/// Writes to standard error. Who does not read it misses what it says, and nothing else changes.
pub fn warn(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// As `print!`, for a command line: a reader that is gone ends the process, and quietly.
#[doc(hidden)]
#[macro_export]
macro_rules! put {
    ($($arg:tt)*) => { $crate::shared::put(&::std::format!($($arg)*)) };
}

/// As `println!`, likewise.
#[doc(hidden)]
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => { $crate::shared::put(&::std::format!("{}\n", ::std::format_args!($($arg)*))) };
}

/// As `eprintln!`, for a command line: a reader that is gone changes nothing.
#[doc(hidden)]
#[macro_export]
macro_rules! warn {
    ($($arg:tt)*) => { $crate::shared::warn(&::std::format!("{}\n", ::std::format_args!($($arg)*))) };
}
