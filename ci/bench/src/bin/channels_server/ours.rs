//! Ours, with its default limits.

use std::time::Duration;

use simurgh::channels::prelude::*;
use simurgh::channels::presence::Presence;
use simurgh::channels::{CheckOrigin, Fault};
use simurgh::http::{Options, Server};
use simurgh::otp::{self, Context, Flow, Reply, Start, Supervisor};
use simurgh::pubsub::PubSub;
use simurgh::runtime;
use simurgh::web::{Endpoint, router};

const NAME: &str = "bench";
/// More than are ever opened; the default is 16,384.
const CONNECTIONS_MAX: usize = 20_000;

/// Present are those who say a name.
struct User {
    name: Option<String>,
    presence: Option<Presence>,
}

impl UserSocket for User {
    async fn connect(params: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        let Some(name) = params.get("user") else { return Ok(Self { name: None, presence: None }) };
        let presence = otp::named::<Keeper>(NAME).call(|reply| reply).await.map_err(|_| Refused::new())?;
        Ok(Self { name: Some(name.to_owned()), presence: Some(presence) })
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*")
    }
}

struct Keeper(Presence);

impl otp::Server for Keeper {
    type Message = Reply<Presence>;

    async fn handle(&mut self, reply: Reply<Presence>, _: &mut Context<Self>) -> Flow {
        reply.send(self.0.clone());
        Flow::Continue
    }
}

struct Room;

struct HasJoined;

impl Channel for Room {
    type Info = HasJoined;

    async fn join(_: &Topic, _: Payload, socket: &mut Socket) -> Joined<Self> {
        if socket.user::<User>().presence.is_some() {
            socket.sender::<Self>().send(HasJoined);
        }
        Ok(Self.into())
    }

    async fn handle_info(&mut self, HasJoined: HasJoined, socket: &mut Socket) -> Handled {
        if let User { name: Some(name), presence: Some(presence) } = socket.user::<User>() {
            presence.track_self(socket.topic(), name, &()).map_err(Fault::crash)?;
            socket.push("presence_state", &presence.state(socket.topic()).await)?;
        }
        Handled::noreply()
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        match event {
            "ping" => Handled::reply(&payload),
            "shout" => {
                socket.broadcast_from("shout", &payload).await?;
                Handled::noreply()
            }
            _ => Handled::unknown(),
        }
    }
}

router! {
    socket "/socket" => sockets();
}

fn sockets() -> Sockets<User> {
    // The load sends no heartbeats.
    let timeout = Duration::from_secs(3_600);
    let options = SocketOptions { check_origin: CheckOrigin::Off, timeout, ..SocketOptions::default() };
    Sockets::new(PubSub::find(NAME).expect("it is registered"), options)
}

pub fn run() {
    runtime::run("bench", async move {
        let pubsub = PubSub::local(NAME);
        pubsub.register().expect("a free name");
        let presence = Presence::new(pubsub);
        let keeper = presence.clone();
        let tree = Supervisor::one_for_one()
            .child("presence", presence.supervisor())
            .child("keeper", move || Start::new("keeper", Keeper(keeper.clone())).name(NAME));
        let _root = tree.start("bench").await.expect("it starts");
        let addr = "127.0.0.1:0".parse().expect("an address");
        let mut options = Options::default();
        (options.listener.max_connections, options.listener.max_per_address) = (CONNECTIONS_MAX, CONNECTIONS_MAX);
        let server = Server::start(addr, options, Endpoint::new(router())).await.expect("a free port");
        println!("{}", server.local_addr().port());
        std::future::pending::<()>().await;
    });
}
