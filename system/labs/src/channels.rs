//! `lab channels`: rooms for any client of the channel protocol, at `/socket`.
//!
//! | topic | |
//! | --- | --- |
//! | `room:*` | anybody may join |
//! | `private:*` | nobody may |
//! | `realtime:*` | as the clients of Supabase expect it |
//!
//! | event in a room | |
//! | --- | --- |
//! | `ping` | answered, and broadcast as `pong`, with what it carries |
//! | `shout` | broadcast to all others |
//! | `bytes` | answered with the bytes that it carries, and pushed back as `bytes` |
//! | `later` | answered a moment later, by another process |
//! | `stop` | answered, then the channel ends |
//! | `crash` | the channel panics |

use std::net::SocketAddr;

use simurgh::channels::prelude::*;
use simurgh::channels::{CheckOrigin, LongPollOptions};
use simurgh::http::{Options, Server};
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;
use simurgh::web::{Endpoint, Keys, Plug, router};

/// A client of the lab, who needs no name.
pub struct User {
    id: Option<String>,
}

impl UserSocket for User {
    async fn connect(params: Params, info: &ConnectInfo) -> Result<Self, Refused> {
        if params.get("refuse").is_some() {
            return Err(Refused::new());
        }
        let id = params.get("user").or(info.auth_token()).map(|user| format!("users_socket:{user}"));
        Ok(Self { id })
    }

    fn id(&self) -> Option<String> {
        self.id.clone()
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*").channel::<Private>("private:*").channel::<Realtime>("realtime:*")
    }
}

/// A room that anybody may join.
pub struct Room;

impl Channel for Room {
    type Info = ();

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        Ok(Self.into())
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        match event {
            "ping" => {
                socket.broadcast("pong", &payload).await?;
                Handled::reply(&payload)
            }
            "shout" => {
                socket.broadcast_from("shout", &payload).await?;
                Handled::noreply()
            }
            "bytes" => {
                let bytes = payload.bytes()?.clone();
                socket.push("bytes", &payload)?;
                Handled::reply_binary(bytes)
            }
            "later" => {
                let reply = socket.reply_ref();
                otp::spawn("a later reply", async move {
                    sleep(20.millis()).await;
                    reply.ok(&payload).map_err(|error| error.to_string())
                });
                Handled::noreply()
            }
            "stop" => Handled::reply(&payload).and_stop(),
            "crash" => panic!("a client has asked for it"),
            _ => Handled::unknown(),
        }
    }
}

/// A room that nobody may join.
pub struct Private;

impl Channel for Private {
    type Info = ();

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        Err(Rejected::because("unauthorized"))
    }
}

/// What clients of Supabase join.
pub struct Realtime;

impl Channel for Realtime {
    type Info = ();

    async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        Ok(Accepted::with(Self, &Changes { postgres_changes: [] }))
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        Room.handle_in(event, payload, socket).await
    }
}

#[derive(serde::Serialize)]
struct Changes {
    postgres_changes: [(); 0],
}

/// The sockets of the lab, over both transports.
pub fn sockets() -> Sockets<User> {
    let options = SocketOptions {
        check_origin: CheckOrigin::Off,
        auth_token: true,
        long_poll: Some(LongPollOptions::new(Keys::random())),
        ..SocketOptions::default()
    };
    Sockets::new(PubSub::local("channels"), options)
}

router! {
    socket "/socket" => sockets();
}

/// The endpoint of the lab.
pub fn endpoint() -> Endpoint<impl Plug> {
    Endpoint::new(router())
}

/// Serves until it is asked to end.
///
/// # Errors
/// If it cannot listen.
pub async fn serve(port: u16) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let server = Server::start(addr, Options::default(), endpoint()).await.map_err(|error| error.to_string())?;
    out!("Channels at ws://{}/socket", server.local_addr());
    runtime::ready();
    end.await;
    let report = server.drain().await;
    out!("Stopped: {} connections finished, {} killed.", report.finished, report.killed);
    Ok(())
}
