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
//!
//! Who says who it is, as `user` among the parameters of the socket or of a join, is present in the rooms that it has
//! joined: it gets `presence_state` after each join, and everybody there `presence_diff`.

use std::net::SocketAddr;

use serde_json::json;
use simurgh::channels::prelude::*;
use simurgh::channels::presence::Presence;
use simurgh::channels::{CheckOrigin, Fault, LongPollOptions};
use simurgh::http::{Options, Server};
use simurgh::otp::{Context, Flow};
use simurgh::prelude::*;
use simurgh::pubsub::PubSub;
use simurgh::web::{Endpoint, Keys, Plug, router};

/// The name of the publish/subscribe system, and of the process that knows who is present.
const NAME: &str = "channels";

/// A client of the lab, who needs no name.
pub struct User {
    name: Option<String>,
    presence: Presence,
}

impl UserSocket for User {
    async fn connect(params: Params, info: &ConnectInfo) -> Result<Self, Refused> {
        if params.get("refuse").is_some() {
            return Err(Refused::new());
        }
        let name = params.get("user").or(info.auth_token()).map(str::to_owned);
        let presence = otp::named::<Keeper>(NAME).call(|reply| reply).await.map_err(|_| Refused::new())?;
        Ok(Self { name, presence })
    }

    fn id(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("users_socket:{name}"))
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*").channel::<Private>("private:*").channel::<Realtime>("realtime:*")
    }
}

/// Tells sockets where presence is, which are made by the platform and not by us.
struct Keeper(Presence);

impl otp::Server for Keeper {
    type Message = Reply<Presence>;

    async fn handle(&mut self, reply: Reply<Presence>, _: &mut Context<Self>) -> Flow {
        reply.send(self.0.clone());
        Flow::Continue
    }
}

/// A room that anybody may join.
pub struct Room {
    name: Option<String>,
}

/// What a join may say.
#[derive(serde::Deserialize)]
struct JoinParams {
    #[serde(default)]
    user: Option<String>,
}

/// What a channel sends itself: it hears broadcasts now, and can be told who is there.
pub struct HasJoined;

impl Channel for Room {
    type Info = HasJoined;

    async fn join(_: &Topic, params: Payload, socket: &mut Socket) -> Joined<Self> {
        let said = params.deserialize::<JoinParams>().ok().and_then(|params| params.user);
        let name = said.or_else(|| socket.user::<User>().name.clone());
        if name.is_some() {
            socket.sender::<Self>().send(HasJoined);
        }
        Ok(Self { name }.into())
    }

    async fn handle_info(&mut self, HasJoined: HasJoined, socket: &mut Socket) -> Handled {
        if let Some(name) = &self.name {
            let (presence, topic) = (&socket.user::<User>().presence, socket.topic());
            let online_at = Timestamp::now().as_nanos() / 1_000_000_000;
            presence.track_self(topic, name, &json!({ "online_at": online_at })).map_err(Fault::crash)?;
            socket.push("presence_state", &presence.state(topic).await)?;
        }
        Handled::noreply()
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
        match event {
            "broadcast" => {
                socket.broadcast("broadcast", &payload).await?;
                Handled::noreply()
            }
            _ => Room { name: None }.handle_in(event, payload, socket).await,
        }
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
    Sockets::new(PubSub::find(NAME).unwrap_or_else(|| PubSub::local(NAME)), options)
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
    let pubsub = PubSub::local(NAME);
    pubsub.register().map_err(|error| error.to_string())?;
    let presence = Presence::new(pubsub);
    let keeper = presence.clone();
    let tree = Supervisor::one_for_one()
        .child("presence", presence.supervisor())
        .child("keeper", move || Start::new("keeper", Keeper(keeper.clone())).name(NAME));
    let root = tree.start("channels").await.map_err(|error| error.to_string())?;
    let server = Server::start(addr, Options::default(), endpoint()).await.map_err(|error| error.to_string())?;
    out!("Channels at ws://{}/socket", server.local_addr());
    runtime::ready();
    end.await;
    let report = server.drain().await;
    root.stop(5.secs()).await;
    out!("Stopped: {} connections finished, {} killed.", report.finished, report.killed);
    Ok(())
}
