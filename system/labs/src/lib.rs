//! The labs: one runnable demonstration for each system, built on the facade only.
//!
//! | lab | shows |
//! | --- | --- |
//! | `echo` | a TCP service with a process for each connection ([`echo`]) |
//! | `tree` | that service as a supervision tree, with a kill in the middle of it ([`tree`]) |
//! | `observer` | the processes of a running node, live in a terminal ([`observer`]) |

#![forbid(unsafe_code)]

pub mod demo;
pub mod echo;
pub mod observer;
pub mod tree;
