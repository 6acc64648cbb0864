//! The labs: one runnable demonstration for each system, built on the facade only.

#![forbid(unsafe_code)]

pub mod echo;
