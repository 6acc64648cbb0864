//! What demonstrations share: points that pass or fail, child processes, and figures of a process.

mod child;
mod figures;
mod points;

pub use child::{Child, next_command};
pub use figures::{ProcessFigures, handles_max};
pub use points::Points;
