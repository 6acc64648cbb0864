//! Environment variables and arguments; those of the node in the simulator.

use crate::sim;

/// The value of an environment variable, if it is set and is text.
pub fn var(name: &str) -> Option<String> {
    sim::world(|world| world.var(name)).unwrap_or_else(|| std::env::var(name).ok())
}

/// The arguments, the program's name first. What is not text is shown with replacement characters.
pub fn args() -> Vec<String> {
    sim::world(|world| world.args())
        .unwrap_or_else(|| std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect())
}
