//! `MiniWeb`: a small web application, from the server up.
//!
//! ```text
//!   GET  /                  Welcome to MiniWeb!
//!   GET  /hello/world       Hello, world!
//!   POST /users             Created user: Alice       {"name": "Alice"}, however curl declares it
//!   GET  /conn/7?page=2     the conn, as JSON
//!   GET  /files/a/b.txt     the rest of the path
//!   GET  /vault             401 without the word
//!   other                   404 Not Found
//! ```
//!
//! [`app`] is the application: its handlers and its router; [`plugs`] its middleware, functions and
//! types; [`lab`] serves it and shows the points.

pub mod app;
pub mod lab;
pub mod plugs;

pub use app::endpoint;
