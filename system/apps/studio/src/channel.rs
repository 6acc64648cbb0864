//! What the official client talks to: a socket for each page, a channel for each room that it has joined.
//!
//! | event | from | what |
//! | --- | --- | --- |
//! | join of `room:NAME` with `{"name": "Alice"}` | client | answered with `{"name", "room"}`, or an error with `reason` and `message` |
//! | `history` with `{"messages"}` | server | after each join: the last 100 |
//! | `presence_state`, `presence_diff` | server | as the official `Presence` wants them |
//! | `new_msg` with `{"text", "nonce"}` | client | answered with `{"id"}` when it is on disk, or an error |
//! | `new_msg` with `{"id", "at", "name", "text", "nonce"}` | server | to all in the room, in one order |
//! | `typing` with `{"typing"}` | client | told to the others, with the name |
//!
//! There are no accounts: who has the same name in a room is one person in its list, however many pages that is.

use serde::Deserialize;
use serde_json::json;
use simurgh::channels::prelude::*;
use simurgh::channels::{Budget, CheckOrigin, DrainOptions, Fault, LongPollOptions, Rate};
use simurgh::config::Limits;
use simurgh::prelude::*;
use simurgh::web::{Keys, StatusCode};

use crate::history::Message;
use crate::names;
use crate::room::Said;
use crate::rooms::{NoRoom, Rooms, TOPIC};
use crate::settings::Settings;

/// What is bounded, as the table of the platform has it.
const LIMITS: Limits = Limits::DEFAULT;

/// Bytes of what a client calls a message.
const NONCE_LEN_MAX: usize = LIMITS.studio_nonce_len_max.as_usize();
/// Bytes of what a client sends at once.
pub(crate) const MESSAGE_LEN_MAX: usize = LIMITS.studio_message_len_max.as_usize();

/// One page that has connected.
pub struct User {
    rooms: Rooms,
}

impl UserSocket for User {
    async fn connect(_: Params, info: &ConnectInfo) -> Result<Self, Refused> {
        match info.state::<Rooms>() {
            Some(rooms) if !rooms.is_draining() => Ok(Self { rooms: rooms.clone() }),
            _ => Err(Refused::with(StatusCode::SERVICE_UNAVAILABLE, "")),
        }
    }

    fn channels() -> Channels {
        // Others than rooms are answered with a reason, too.
        Channels::new().channel::<RoomChannel>("room:*").channel::<Nowhere>("*")
    }
}

/// A topic that is no room's.
pub struct Nowhere;

impl Channel for Nowhere {
    type Info = ();

    async fn join(topic: &Topic, _: Payload, socket: &mut Socket) -> Joined<Self> {
        let no_room = NoRoom::from(names::room(topic).err().unwrap_or(names::Invalid::RoomName));
        Err(rejected(&socket.user::<User>().rooms, &no_room))
    }
}

fn rejected(rooms: &Rooms, why: &NoRoom) -> Rejected {
    rooms.count_refused();
    Rejected::with(&json!({ "reason": why.code(), "message": why.to_string() }))
}

/// One page in one room.
pub struct RoomChannel {
    rooms: Rooms,
    room: String,
    name: String,
}

/// What a channel sends itself.
#[derive(Debug)]
pub enum After {
    /// It has joined.
    Join,
}

#[derive(Deserialize)]
struct JoinParams {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct NewMessage {
    text: String,
    nonce: Option<String>,
}

#[derive(Deserialize)]
struct Typing {
    typing: bool,
}

impl Channel for RoomChannel {
    type Info = After;

    async fn join(topic: &Topic, params: Payload, socket: &mut Socket) -> Joined<Self> {
        let rooms = socket.user::<User>().rooms.clone();
        let checked = params.deserialize::<JoinParams>().map_err(Rejected::from)?;
        let name = names::person(&checked.name).map_err(|why| rejected(&rooms, &why.into()))?;
        let room = topic.strip_prefix(TOPIC).unwrap_or_default().to_owned();
        rooms.open(&room).await.map_err(|why| rejected(&rooms, &why))?;
        socket.sender::<Self>().send(After::Join);
        let response = json!({ "name": name, "room": room });
        Ok(Accepted::with(Self { rooms, room, name }, &response))
    }

    /// Only now does it hear broadcasts, so that no message is lost between the history and them.
    async fn handle_info(&mut self, After::Join: After, socket: &mut Socket) -> Handled {
        let topic = socket.topic().clone();
        let presence = self.rooms.presence();
        if let Err(error) = presence.track_self(&topic, &self.name, &json!({ "online_at": now_ms() })) {
            // A hundred pages with one name, or a node that is full: this page is told to stay away, not to try again.
            tracing::debug!(%topic, %error, "a page cannot be present");
            return Handled::stop();
        }
        socket.push("presence_state", &presence.state(&topic).await)?;
        let messages: Vec<Message> = self.rooms.history(&self.room).await.map_err(Fault::crash)?;
        socket.push("history", &json!({ "messages": messages }))?;
        Handled::noreply()
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        match event {
            "new_msg" => self.new_message(payload.deserialize()?).await,
            "typing" => {
                let Typing { typing } = payload.deserialize()?;
                socket.broadcast_from("typing", &json!({ "name": self.name, "typing": typing })).await?;
                Handled::noreply()
            }
            _ => Handled::unknown(),
        }
    }
}

impl RoomChannel {
    async fn new_message(&self, new: NewMessage) -> Handled {
        let refuse = |code: &str, message: String| Handled::reply_error(&json!({ "reason": code, "message": message }));
        let text = match names::text(&new.text) {
            Ok(text) => text,
            Err(why) => return refuse(why.code(), why.to_string()),
        };
        let nonce = new.nonce.filter(|nonce| nonce.len() <= NONCE_LEN_MAX);
        match self.rooms.say(&self.room, Said { name: self.name.clone(), text, nonce }).await {
            Ok(id) => Handled::reply(&json!({ "id": id })),
            Err(why) => refuse(why.code(), why.to_string()),
        }
    }
}

fn now_ms() -> i64 {
    Timestamp::now().as_nanos() / 1_000_000
}

/// The sockets, as the settings have them.
pub fn sockets(settings: &Settings, rooms: &Rooms) -> Sockets<User> {
    let check_origin = match &settings.origins[..] {
        [] => CheckOrigin::SameHost,
        origins => CheckOrigin::list(origins.iter().map(|origin| origin.0.as_str())),
    };
    let options = SocketOptions {
        check_origin,
        long_poll: Some(LongPollOptions::new(Keys::random())),
        frame_len_max: MESSAGE_LEN_MAX,
        message_len_max: MESSAGE_LEN_MAX,
        channels_max: LIMITS.studio_channels_max,
        budget: Budget {
            socket: Some(Rate::per_second(LIMITS.studio_socket_rate).burst(LIMITS.studio_socket_burst)),
            topic: Some(Rate::per_second(LIMITS.studio_room_rate).burst(LIMITS.studio_room_burst)),
            refusals_max: Some(LIMITS.studio_refusals_max),
        },
        drain: DrainOptions {
            batch: LIMITS.studio_drain_batch,
            interval: 150.millis(),
            limit: settings.sockets_limit(),
        },
        ..SocketOptions::default()
    };
    Sockets::new(rooms.pubsub().clone(), options).with_state(rooms.clone())
}
