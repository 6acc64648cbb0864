//! One client: a WebSocket on which the protocol of channels is spoken, version 2.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use simurgh::http::ws::{self, Message, Socket};
use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use thiserror::Error;

use crate::Options;

/// How long a connection or a join may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The `ref` of joins and their `join_ref`, and of heartbeats; what is counted has numbers.
const JOIN: &str = "j";

/// Why a client does not go on. There are few different ones, so that they can be counted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Failure {
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no join: {0}")]
    Join(String),
    #[error("cut: {0}")]
    Cut(String),
}

pub(crate) struct Client {
    socket: Socket<TcpStream>,
}

/// A message of the server, whose payload is not taken apart.
pub(crate) struct Incoming<'a> {
    reference: Option<&'a str>,
    pub(crate) event: &'a str,
    pub(crate) payload: &'a str,
}

impl<'a> Incoming<'a> {
    pub(crate) fn of(message: &'a Message) -> Option<Self> {
        type Fields<'a> = (IgnoredAny, Option<&'a str>, IgnoredAny, &'a str, &'a RawValue);
        let (_, reference, _, event, payload): Fields<'a> = serde_json::from_slice(message.as_bytes()).ok()?;
        Some(Self { reference, event, payload: payload.get() })
    }

    /// The number of the message that this answers with `ok`.
    pub(crate) fn answered(&self) -> Option<u64> {
        self.reference.filter(|_| self.event == "phx_reply" && self.is_ok())?.parse().ok()
    }

    fn is_ok(&self) -> bool {
        #[derive(Deserialize)]
        struct Reply<'a> {
            status: &'a str,
        }
        serde_json::from_str::<Reply<'_>>(self.payload).is_ok_and(|reply| reply.status == "ok")
    }
}

impl Client {
    pub(crate) async fn connect(options: &Options) -> Result<Self, Failure> {
        let uri = format!("ws://{}{}/websocket?vsn=2.0.0", options.addr, options.mount);
        let opened = timeout(LIMIT, ws::connect(&uri, &ws::Options::default())).await;
        match opened {
            Ok(Ok(socket)) => Ok(Self { socket }),
            Ok(Err(error)) => Err(Failure::Connect(error.to_string())),
            Err(_) => Err(Failure::Connect(format!("not within {} s", LIMIT.as_secs()))),
        }
    }

    pub(crate) async fn join(&mut self, topic: &str, params: &str) -> Result<(), Failure> {
        self.feed(format!("[\"{JOIN}\",\"{JOIN}\",\"{topic}\",\"phx_join\",{params}]"))?;
        let joined = async {
            loop {
                let message = self.recv().await?;
                match Incoming::of(&message) {
                    Some(incoming) if incoming.reference == Some(JOIN) && incoming.event == "phx_reply" => {
                        let refused = || Failure::Join(incoming.payload.chars().take(100).collect());
                        return if incoming.is_ok() { Ok(()) } else { Err(refused()) };
                    }
                    _ => {}
                }
            }
        };
        timeout(LIMIT, joined).await.map_err(|_| Failure::Join(format!("not within {} s", LIMIT.as_secs())))?
    }

    /// Puts a message of a number behind what waits; it goes out with the next [`Client::recv`].
    pub(crate) fn push(&mut self, number: u64, topic: &str, event: &str, payload: &str) -> Result<(), Failure> {
        self.feed(format!("[\"{JOIN}\",\"{number}\",\"{topic}\",\"{event}\",{payload}]"))
    }

    pub(crate) fn heartbeat(&mut self) -> Result<(), Failure> {
        self.feed("[null,\"h\",\"phoenix\",\"heartbeat\",{}]".to_owned())
    }

    fn feed(&mut self, text: String) -> Result<(), Failure> {
        self.socket.feed(Message::text(text)).map_err(|error| Failure::Cut(error.to_string()))
    }

    /// The next message; meanwhile what waits is sent.
    pub(crate) async fn recv(&mut self) -> Result<Message, Failure> {
        match self.socket.recv().await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => {
                let code = self.socket.peer_close().map(|frame| frame.code);
                Err(Failure::Cut(code.map_or("closed".to_owned(), |code| format!("closed with {}", code.0))))
            }
            Err(error) => Err(Failure::Cut(error.to_string())),
        }
    }
}
