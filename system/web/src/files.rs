//! Files in answers: from the disk or from memory, whole or in parts.

mod deliver;
mod send;
mod static_files;

pub use send::Download;
pub use static_files::Static;
