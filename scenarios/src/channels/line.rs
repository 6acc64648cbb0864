//! A way to the server: a WebSocket, or long-poll.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use simurgh::prelude::*;
use simurgh::runtime::net::TcpStream;
use simurgh_http::client::Connection;
use simurgh_http::ws::{self, Message};
use simurgh_http::{Body, Request};

/// The connection is over; with a close code, if there was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost(pub(super) Option<u16>);

/// How long anything may take before a client gives its connection up.
pub(super) const LIMIT: Duration = Duration::from_secs(15);

pub(super) enum Line {
    Socket(Box<ws::Socket<TcpStream>>),
    Poll(Poll),
}

pub(super) struct Poll {
    token: String,
    polls: Connection,
    posts: Connection,
    heard: VecDeque<String>,
}

impl Line {
    pub(super) async fn open(addr: SocketAddr, polls: bool) -> Result<Self, Lost> {
        let opened = if polls {
            timeout(LIMIT, async { Poll::open(addr).await.map(Self::Poll) }).await
        } else {
            timeout(LIMIT, async {
                let uri = format!("ws://{addr}/websocket?vsn=2.0.0");
                let socket = ws::connect(&uri, &ws::Options::default()).await.map_err(|_| Lost(None))?;
                Ok::<Self, Lost>(Self::Socket(Box::new(socket)))
            })
            .await
        };
        opened.map_err(|_| Lost(None))?
    }

    pub(super) async fn send(&mut self, text: String) -> Result<(), Lost> {
        let sent = match self {
            Self::Socket(socket) => {
                timeout(LIMIT, async { socket.send(Message::text(text)).await.map_err(|_| Lost(None)) }).await
            }
            Self::Poll(poll) => timeout(LIMIT, poll.post(text)).await,
        };
        sent.map_err(|_| Lost(None))?
    }

    /// The next frame, as text.
    pub(super) async fn recv(&mut self) -> Result<String, Lost> {
        match self {
            Self::Socket(socket) => match timeout(LIMIT, socket.recv()).await {
                Ok(Ok(Some(Message::Text(text)))) => Ok(text.as_str().to_owned()),
                Ok(Ok(None)) => Err(Lost(socket.peer_close().map(|frame| frame.code.0))),
                _ => Err(Lost(None)),
            },
            Self::Poll(poll) => timeout(LIMIT, poll.next()).await.map_err(|_| Lost(None))?,
        }
    }
}

impl Poll {
    async fn open(addr: SocketAddr) -> Result<Self, Lost> {
        let mut polls = Connection::connect(addr).await.map_err(|_| Lost(None))?;
        let posts = Connection::connect(addr).await.map_err(|_| Lost(None))?;
        let opened = answer(&mut polls, http::Request::get("/longpoll?vsn=2.0.0").body(Body::empty())).await?;
        let token = opened["token"].as_str().ok_or(Lost(None))?.to_owned();
        Ok(Self { token, polls, posts, heard: VecDeque::new() })
    }

    fn uri(&self) -> String {
        format!("/longpoll?vsn=2.0.0&token={}", self.token)
    }

    async fn post(&mut self, text: String) -> Result<(), Lost> {
        let request = http::Request::post(self.uri()).header("content-type", "application/x-ndjson");
        let answered = answer(&mut self.posts, request.body(Body::from(text))).await?;
        if answered["status"] == 200 { Ok(()) } else { Err(Lost(None)) }
    }

    async fn next(&mut self) -> Result<String, Lost> {
        loop {
            if let Some(text) = self.heard.pop_front() {
                return Ok(text);
            }
            let request = http::Request::get(self.uri()).body(Body::empty());
            let answered = answer(&mut self.polls, request).await?;
            if answered["status"] != 200 && answered["status"] != 204 {
                return Err(Lost(None));
            }
            let messages = answered["messages"].as_array().into_iter().flatten();
            self.heard.extend(messages.filter_map(Value::as_str).map(ToOwned::to_owned));
        }
    }
}

async fn answer(connection: &mut Connection, request: Result<Request, http::Error>) -> Result<Value, Lost> {
    let answer = connection.send(request.map_err(|_| Lost(None))?).await.map_err(|_| Lost(None))?;
    let body = answer.into_body().collect(10 << 20).await.map_err(|_| Lost(None))?;
    serde_json::from_slice(&body).map_err(|_| Lost(None))
}
