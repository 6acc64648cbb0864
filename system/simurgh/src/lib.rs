//! Simurgh: a real-time platform in which everything runs in a deterministic simulator.
//!
//! ```
//! use simurgh::prelude::*;
//!
//! async fn greet(mut connection: Connection) -> std::io::Result<()> {
//!     connection.write_all(b"hello\n").await
//! }
//!
//! async fn serve() -> Result<(), ListenError> {
//!     let listener = Listener::start("127.0.0.1:0".parse().expect("an address"), Options::default(), greet).await?;
//!     out!("Listening on port {}...", listener.local_addr().port());
//!     runtime::ready();
//!     # return Ok(());
//!     runtime::signal::shutdown().expect("signal handlers").await;
//!     listener.drain().await;
//!     Ok(())
//! }
//!
//! runtime::run("greeter", serve()).unwrap();
//! ```
//!
//! What has a state is a process, under a supervisor that starts it again when it fails:
//!
//! ```
//! use simurgh::prelude::*;
//!
//! struct Account { cents: u64 }
//!
//! #[derive(Debug, PartialEq)]
//! struct Overdrawn { missing: u64 }
//!
//! enum Command {
//!     Deposit(u64),
//!     Withdraw(u64, Reply<Result<u64, Overdrawn>>),
//! }
//!
//! impl Account {
//!     fn withdraw(&mut self, cents: u64) -> Result<u64, Overdrawn> {
//!         self.cents = self.cents.checked_sub(cents).ok_or_else(|| Overdrawn { missing: cents - self.cents })?;
//!         Ok(self.cents)
//!     }
//! }
//!
//! impl Server for Account {
//!     type Message = Command;
//!
//!     async fn handle(&mut self, command: Command, _cx: &mut Context<Self>) -> Flow {
//!         match command {
//!             Command::Deposit(cents) => self.cents += cents,
//!             Command::Withdraw(cents, reply) => reply.send(self.withdraw(cents)),
//!         }
//!         Flow::Continue
//!     }
//! }
//!
//! runtime::run("bank", async {
//!     let tree = Supervisor::one_for_one()
//!         .intensity(3, 5.secs())
//!         .child("account", || Start::new("account", Account { cents: 0 }).name("account"));
//!     let bank = tree.start("bank").await.unwrap();
//!
//!     let account = otp::named::<Account>("account"); // whoever has the name, through restarts
//!     account.cast(Command::Deposit(500)).await.unwrap();
//!     let left = account.call(|reply| Command::Withdraw(200, reply)).await.unwrap();
//!     assert_eq!(left, Ok(300));
//!     let left = account.call(|reply| Command::Withdraw(400, reply)).await.unwrap();
//!     assert_eq!(left, Err(Overdrawn { missing: 100 }));
//!     bank.stop(5.secs()).await;
//! });
//! ```
//!
//! The same `serve` runs under a seeded simulator in a plain `cargo test`: see the crate
//! `simurgh-sim`, a development dependency. A chat from an empty folder, server, page and simulated test, is the
//! [`guide`]. The modules are the floors of the house, from the
//! machine up: [`runtime`], [`telemetry`], [`config`], [`otp`], [`net`], [`http`], [`pubsub`], [`web`],
//! [`channels`].

#![forbid(unsafe_code)]

pub mod guide;

pub use simurgh_channels as channels;
pub use simurgh_config as config;
pub use simurgh_http as http;
pub use simurgh_net as net;
pub use simurgh_otp as otp;
pub use simurgh_pubsub as pubsub;
pub use simurgh_runtime as runtime;
pub use simurgh_telemetry as telemetry;
pub use simurgh_web as web;

/// What most files of an application want.
///
/// Three names have to be imported from where they live, since they mean two things: [`http::Server`]
/// beside the trait of processes, [`http::Options`] beside the listener's, and
/// [`channels::Params`] beside [`web::Params`].
pub mod prelude {
    pub use crate::channels::presence::Presence;
    pub use crate::channels::{
        Answers, Channel, Channels, ConnectInfo, Handled, Joined, Payload, Refused, Rejected, Socket, SocketOptions,
        Sockets, Topic, UserSocket,
    };
    pub use crate::net::{Connection, Handler, ListenError, Listener, Options};
    pub use crate::otp::{
        self, Application, CallError, CastError, ChildSpec, Context, DynamicSupervisor, ExitReason, Flow, Info,
        InitError, IntoChild, Pid, Policy, Registry, Reply, Restart, Server, ServerRef, Shutdown, Start, StartError,
        Strategy, Supervisor, SupervisorRef, Task, TaskSupervisor, Tasks,
    };
    pub use crate::pubsub::PubSub;
    pub use crate::runtime::{
        self, DurationExt, Instant, Timestamp, buggify, err, join, note, out, planted, probe, select, sleep, spawn,
        timeout,
    };
    pub use crate::telemetry::{self, event};
    pub use tokio::io::{AsyncReadExt, AsyncWriteExt};
}

#[cfg(test)]
mod tests {
    /// Both preludes and all of the web, side by side: a name of two meanings would not compile.
    #[expect(dead_code, reason = "it has to compile")]
    mod side_by_side {
        use crate::channels::prelude::*;
        use crate::prelude::*;
        use crate::web::*;

        struct User(Presence, PubSub);

        impl UserSocket for User {
            async fn connect(_: crate::channels::Params, _: &ConnectInfo) -> std::result::Result<Self, Refused> {
                Err(Refused::new())
            }

            fn channels() -> Channels {
                Channels::new().channel::<Room>("room:*")
            }
        }

        struct Room;

        impl Channel for Room {
            type Info = ();

            async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
                Err(Rejected::because("closed"))
            }

            async fn handle_in(&mut self, _: &str, _: Payload, _: &mut Socket) -> Handled {
                Handled::noreply()
            }
        }

        fn endpoint(sockets: Sockets<User>) -> Endpoint<impl Plug> {
            let _: SocketOptions = SocketOptions::default();
            Endpoint::new(sockets)
        }
    }
}
