//! The listener: a process for each connection, caps, time limits, suspend and resume, drain.
//!
//! ```
//! use simurgh_net::{Connection, Listener, Options};
//! use simurgh_runtime::net::TcpStream;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn greet(mut connection: Connection) -> std::io::Result<()> {
//!     connection.write_all(b"hello\n").await
//! }
//!
//! simurgh_runtime::run("doc", async {
//!     let listener = Listener::start("127.0.0.1:0".parse().unwrap(), Options::default(), greet).await?;
//!     let mut client = TcpStream::connect(listener.local_addr()).await?;
//!     let mut said = String::new();
//!     client.read_to_string(&mut said).await?;
//!     assert_eq!(said, "hello\n");
//!     assert_eq!(listener.drain().await.killed, 0);
//!     Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! })
//! .unwrap();
//! ```
//!
//! How the parts meet: one acceptor process takes a slot (the global cap), then a connection, and
//! starts a process that owns both; the process is admitted (the cap per address), handles the
//! connection, and gives everything back when it ends, however it ends. The listener's table knows
//! each connection by its process, and a drain waits for the table to be empty. On such a listener
//! stands [`control`], by which operators look into a node.

#![forbid(unsafe_code)]

mod acceptor;
mod connection;
mod error;
mod listener;
mod options;
mod table;

pub mod control;

pub use connection::{Connection, DrainSignal, Handler};
pub use error::ListenError;
pub use listener::{DrainReport, Listener};
pub use options::Options;
pub use table::{ConnectionInfo, ConnectionState, Counters};
