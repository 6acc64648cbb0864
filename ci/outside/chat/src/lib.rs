//! Chat rooms: what people say there, and who is there.

use std::error::Error;
use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::json;
use simurgh::channels::{Fault, Params};
use simurgh::http;
use simurgh::prelude::*;
use simurgh::web::{Conn, Endpoint, Redirect, Static, router};

/// The name of the publish/subscribe system, and of the process that knows who is there.
const CHAT: &str = "chat";

/// One page that has connected.
pub struct User {
    name: String,
    presence: Presence,
}

impl UserSocket for User {
    async fn connect(params: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        let name = params.get("name").filter(|name| (1..=32).contains(&name.chars().count()));
        let name = name.ok_or_else(Refused::new)?.to_owned();
        let presence = otp::named::<Keeper>(CHAT).call(|reply| reply).await.map_err(|_| Refused::new())?;
        Ok(Self { name, presence })
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*")
    }
}

/// One page in one room.
pub struct Room;

/// What a room sends itself, to go on when it has joined: only then can it push.
pub struct HasJoined;

#[derive(Deserialize)]
struct NewMessage {
    text: String,
}

impl Channel for Room {
    type Info = HasJoined;

    async fn join(topic: &Topic, _: Payload, socket: &mut Socket) -> Joined<Self> {
        if topic.name() == "staff" {
            return Err(Rejected::because("unauthorized"));
        }
        socket.sender::<Self>().send(HasJoined);
        Ok(Self.into())
    }

    async fn handle_info(&mut self, _: HasJoined, socket: &mut Socket) -> Handled {
        let (user, topic) = (socket.user::<User>(), socket.topic());
        user.presence.track_self(topic, &user.name, &()).map_err(Fault::crash)?;
        socket.push("presence_state", &user.presence.state(topic).await)?;
        Handled::noreply()
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        match event {
            "new_msg" => {
                let NewMessage { text } = payload.deserialize()?;
                let name = &socket.user::<User>().name;
                socket.broadcast("new_msg", &json!({ "name": name, "text": text })).await?;
                Handled::reply(&json!({}))
            }
            _ => Handled::unknown(),
        }
    }
}

/// Sockets are made by the platform, and ask this process who is there.
struct Keeper(Presence);

impl Server for Keeper {
    type Message = Reply<Presence>;

    async fn handle(&mut self, reply: Reply<Presence>, _: &mut Context<Self>) -> Flow {
        reply.send(self.0.clone());
        Flow::Continue
    }
}

fn sockets() -> Sockets<User> {
    Sockets::new(PubSub::find(CHAT).expect("serve has registered it"), SocketOptions::default())
}

async fn home(_: &mut Conn) -> Redirect {
    Redirect::to("/chat.html")
}

router! {
    get "/" => home;
    socket "/socket" => sockets();
}

/// Serves until it is asked to end.
pub async fn serve(addr: SocketAddr) -> Result<(), Box<dyn Error + Send + Sync>> {
    let end = runtime::signal::shutdown()?;
    let pubsub = PubSub::local(CHAT);
    pubsub.register()?;
    let presence = Presence::new(pubsub);
    let shards = presence.supervisor();
    let endpoint = Endpoint::new((Static::new("/", "static"), router()));
    let server = http::Server::bind(addr, http::Options::default(), endpoint).await?;
    let chat = Application::new("chat")
        .stage("presence", 5.secs(), shards)
        .stage("keeper", 5.secs(), move || Start::new("keeper", Keeper(presence.clone())).name(CHAT))
        .stage("web", 20.secs(), server.child());
    let running = chat.start().await?;
    out!("Chat at http://{}", server.local_addr());
    runtime::ready();
    let outcome = running.run_until(end).await;
    if outcome.code() == 0 { Ok(()) } else { Err(outcome.to_string().into()) }
}
