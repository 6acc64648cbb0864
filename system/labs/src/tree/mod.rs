//! `lab tree`: the supervision tree of the echo service, its points, and a kill in the middle of it.
//!
//! The server is the echo service as shipped; its clients are processes of their own. What the small
//! trees in `semantics` show of strategies, servers and applications is what the simulations in
//! `scenarios` prove: `lab tree --sim` runs those.

mod lab;
mod semantics;

pub use lab::{Killed, LabOptions, run};
