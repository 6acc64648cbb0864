//! The labs: one runnable demonstration for each system, built on the facade only.
//!
//! | lab | shows |
//! | --- | --- |
//! | `echo` | a TCP service with a process for each connection ([`echo`]) |
//! | `tree` | that service as a supervision tree, with a kill in the middle of it ([`tree`]) |
//! | `miniweb` | a web application from the server up: conn, plugs, router, handlers ([`miniweb`]) |
//! | `channels` | a room for any client of the channel protocol ([`channels`]) |
//! | `observer` | the processes of a running node, live in a terminal ([`observer`]) |

#![forbid(unsafe_code)]

pub mod channels;
pub mod demo;
pub mod echo;
pub mod miniweb;
pub mod observer;
pub mod tree;
