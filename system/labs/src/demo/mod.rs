//! What demonstrations share: points that pass or fail, child processes, and figures of a process.

mod child;
mod figures;
mod line;
mod points;
mod until;

pub use child::{Child, next_command};
pub use figures::{ProcessFigures, handles_max};
pub use line::said_back;
pub use points::Points;
pub use until::until;
