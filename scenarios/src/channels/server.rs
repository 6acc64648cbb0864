//! The server, and an application that tells what becomes of its channels.

use serde::Deserialize;
use serde_json::json;
use simurgh::channels::prelude::*;
use simurgh::channels::{Ending, Fault};
use simurgh::prelude::{DurationExt as _, event, runtime, sleep, spawn};
use simurgh::pubsub::{Message, PubSub};
use simurgh::runtime::{env, random};
use simurgh::web::Endpoint;
use simurgh_http::Server;

use super::PORT;
use super::flood::TOPIC_RATE;

/// The program of the server's node.
pub(super) async fn main(options: SocketOptions) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let frames_max = options.outbox.frames_max;
    let sockets = Sockets::<User>::new(PubSub::local("chat"), options);
    let addr = ([0, 0, 0, 0], PORT).into();
    let options = simurgh_http::Options::default();
    let server =
        Server::start(addr, options, Endpoint::new(sockets.clone())).await.map_err(|error| error.to_string())?;
    runtime::ready();
    let census = spawn(async move {
        while env::var("QUIET").is_none() {
            sleep(50.millis()).await;
        }
        event!("channel.app.quiet");
        let counts = sockets.counts();
        event!("channel.outbox.census", {
            high_water: counts.high_water,
            frames_max: frames_max,
            dropped: counts.dropped,
            replaced: counts.replaced,
            overflowed: counts.overflowed,
        });
    });
    end.await;
    census.abort();
    let report = server.drain().await;
    if report.killed > 0 { Err(format!("{} connections did not end by themselves", report.killed)) } else { Ok(()) }
}

/// One connection.
pub(super) struct User {
    socket: u64,
}

impl UserSocket for User {
    async fn connect(_: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        Ok(Self { socket: random::u64() >> 1 })
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*")
    }
}

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ask {
    sender: u64,
    number: u64,
    count: u64,
    len: usize,
    ms: u64,
    /// Where it is said, if elsewhere.
    to: Option<String>,
}

struct Room {
    life: u64,
    socket: u64,
    topic: Topic,
}

impl Room {
    /// Publishes, and says so in the same step.
    fn say(&self, ask: &Ask, number: u64, socket: &Socket) -> Result<(), Fault> {
        let said = json!({ "sender": ask.sender, "number": number, "text": "x".repeat(ask.len) });
        let topic = ask.to.as_deref().unwrap_or(&self.topic);
        let message = Message::json(topic, "said", &said).map_err(Fault::crash)?;
        socket.pubsub().broadcast(message).map_err(Fault::crash)?;
        event!("channel.said", {}, { topic: topic, sender: ask.sender, number: number });
        Ok(())
    }
}

impl Channel for Room {
    type Info = ();

    async fn join(topic: &Topic, params: Payload, socket: &mut Socket) -> Joined<Self> {
        let ask: Ask = params.deserialize()?;
        if ask.ms > 0 {
            sleep(ask.ms.millis()).await;
        }
        let room = Self { life: random::u64() >> 1, socket: socket.user::<User>().socket, topic: topic.clone() };
        event!("channel.app.join", {}, { life: room.life, socket: room.socket, topic: topic.as_str() });
        Ok(room.into())
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        let ask: Ask = payload.deserialize()?;
        match event {
            "say" => {
                self.say(&ask, ask.number, socket)?;
                Handled::reply(&json!({}))
            }
            "burst" => {
                for number in ask.number..ask.number + ask.count {
                    self.say(&ask, number, socket)?;
                }
                Handled::reply(&json!({}))
            }
            "work" => {
                event!("channel.app.handled", { per_second: TOPIC_RATE.0, burst: TOPIC_RATE.1 }, {
                    socket: self.socket, topic: self.topic.as_str(),
                });
                Handled::reply(&json!({}))
            }
            "slow" => {
                sleep(ask.ms.millis()).await;
                Handled::reply(&json!({}))
            }
            "stop" => Handled::stop(),
            "crash" => panic!("as planned"),
            _ => Handled::reply(&json!({})),
        }
    }

    async fn terminate(&mut self, why: Ending, _: &mut Socket) {
        if matches!(why, Ending::Left | Ending::Stopped) {
            event!("channel.app.ending", {}, { life: self.life, socket: self.socket, topic: self.topic.as_str() });
        }
        if random::chance(0.5) { sleep(random::range(1..10).millis()).await } else { runtime::yield_now().await }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        event!("channel.app.end", {}, { life: self.life, socket: self.socket, topic: self.topic.as_str() });
    }
}
