//! A client that does what a test tells it, and nothing by itself.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use serde_json::{Value, json};
use simurgh_channels::{ConnectInfo, Params, Refused, Sockets, UserSocket};
use simurgh_http::ws::{self, CloseCode, ConnectError, Message};
use simurgh_runtime::timeout;
use tokio::io::{AsyncRead, AsyncWrite};

use super::frame::{Event, Response, text};

/// How long something may take that a test waits for.
const LIMIT: Duration = Duration::from_secs(5);

/// Bytes that are on their way in memory.
const PIPE: usize = 64 << 10;

trait Io: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Io for T {}

type Stream = Pin<Box<dyn Io>>;

/// Names a message that was sent, for [`TestSocket::assert_reply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(String);

/// A client of channels that does what a test tells it, and nothing by itself. What it hears and was not asked for
/// waits in its order.
pub struct TestSocket {
    socket: ws::Socket<Stream>,
    next: u64,
    /// The life of each topic that it has joined.
    joined: BTreeMap<String, String>,
    heard: VecDeque<Event>,
}

impl TestSocket {
    /// Straight into the sockets of an application, without a socket of the machine. The query is that of a
    /// connection: `name=alice`.
    ///
    /// # Errors
    /// If the application refuses it.
    ///
    /// # Panics
    /// If the query is too long.
    pub async fn in_memory<U: UserSocket>(sockets: &Sockets<U>, query: &str) -> Result<Self, Refused> {
        let info = ConnectInfo::of(SocketAddr::from(([127, 0, 0, 1], 50_000)));
        Self::in_memory_as(sockets, query, &info).await
    }

    /// As [`in_memory`](Self::in_memory), from elsewhere or with a token.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub async fn in_memory_as<U: UserSocket>(
        sockets: &Sockets<U>,
        query: &str,
        info: &ConnectInfo,
    ) -> Result<Self, Refused> {
        let (here, there) = tokio::io::duplex(PIPE);
        let params = Params::of_query(&format!("{query}&vsn=2.0.0")).expect("a query that can be read");
        sockets.accept(there, params, info).await?;
        Ok(Self::over(ws::Socket::client(Box::pin(here) as Stream, &ws::Options::default(), None, None)))
    }

    /// Over a WebSocket to `ws://address:port/socket`, on real sockets or between nodes of a simulation.
    ///
    /// # Errors
    /// If there is no connection.
    pub async fn connect(addr: SocketAddr, path: &str, query: &str) -> Result<Self, ConnectError> {
        let uri = format!("ws://{addr}{path}/websocket?{query}&vsn=2.0.0");
        let socket = ws::connect(&uri, &ws::Options::default()).await?;
        Ok(Self::over(socket.map(|stream| Box::pin(stream) as Stream)))
    }

    fn over(socket: ws::Socket<Stream>) -> Self {
        Self { socket, next: 0, joined: BTreeMap::new(), heard: VecDeque::new() }
    }

    /// Joins a topic, and waits for the answer.
    ///
    /// # Panics
    /// If none comes within 5 s.
    pub async fn join(&mut self, topic: &str, params: Value) -> Response {
        let reference = self.reference();
        self.joined.insert(topic.to_owned(), reference.clone());
        self.say(topic, &reference, "phx_join", &params).await;
        self.response(&Reference(reference)).await
    }

    /// Leaves a topic, and waits for the answer.
    ///
    /// # Panics
    /// If none comes within 5 s.
    pub async fn leave(&mut self, topic: &str) -> Response {
        let reference = self.reference();
        self.say(topic, &reference, "phx_leave", &json!({})).await;
        let response = self.response(&Reference(reference)).await;
        self.joined.remove(topic);
        response
    }

    /// Sends an event to a topic.
    ///
    /// # Panics
    /// If the connection is gone.
    pub async fn push(&mut self, topic: &str, event: &str, payload: Value) -> Reference {
        let reference = self.reference();
        self.say(topic, &reference, event, &payload).await;
        Reference(reference)
    }

    /// Sends bytes to a topic.
    ///
    /// # Panics
    /// If the connection is gone, or a name has more than 255 bytes.
    pub async fn push_binary(&mut self, topic: &str, event: &str, bytes: &[u8]) -> Reference {
        let reference = self.reference();
        let join_ref = self.joined.get(topic).cloned().unwrap_or_default();
        let fields = [&*join_ref, &*reference, topic, event];
        let len = |field: &&str| u8::try_from(field.len()).expect("a name of at most 255 bytes");
        let mut frame: Vec<u8> = [0].into_iter().chain(fields.iter().map(len)).collect();
        frame.extend(fields.concat().as_bytes());
        frame.extend(bytes);
        self.socket.send(Message::binary(frame)).await.expect("the connection is open");
        Reference(reference)
    }

    /// The answer to a message.
    ///
    /// # Panics
    /// If none comes within 5 s.
    pub async fn response(&mut self, to: &Reference) -> Response {
        let what = format!("an answer to message {}", to.0);
        let event =
            self.find(&what, |event| event.reference.as_ref() == Some(&to.0) && event.event == "phx_reply").await;
        event.response().expect("it is a reply")
    }

    /// The answer to a message has this status and says this.
    ///
    /// # Panics
    /// If it has not, or none comes within 5 s.
    pub async fn assert_reply(&mut self, to: &Reference, status: &str, response: Value) {
        let got = self.response(to).await;
        assert_eq!(got, Response { status: status.to_owned(), response });
    }

    /// The channel of a topic pushes this to this client; what else was heard stays.
    ///
    /// # Panics
    /// If it does not within 5 s.
    pub async fn assert_push(&mut self, topic: &str, event: &str, payload: Value) {
        let join_ref = self.joined.get(topic).cloned();
        let what = format!("a push of {event} in {topic} with {payload}");
        let is_it = |heard: &Event| heard.join_ref == join_ref && is(heard, topic, event) && heard.payload == payload;
        self.find(&what, is_it).await;
    }

    /// This is broadcast in a topic; what else was heard stays.
    ///
    /// # Panics
    /// If it is not within 5 s.
    pub async fn assert_broadcast(&mut self, topic: &str, event: &str, payload: Value) {
        let what = format!("a broadcast of {event} in {topic} with {payload}");
        let is_it = |heard: &Event| heard.join_ref.is_none() && is(heard, topic, event) && heard.payload == payload;
        self.find(&what, is_it).await;
    }

    /// The channel of a topic has ended, and the client is told: `phx_close` in order, `phx_error` if it crashed.
    ///
    /// # Panics
    /// If it is not told within 5 s.
    pub async fn assert_end(&mut self, topic: &str, event: &str) {
        self.find(&format!("{event} of {topic}"), |heard| is(heard, topic, event)).await;
    }

    /// Nothing of this event was sent to the client so far: all that came is looked at, up to the answer of a
    /// heartbeat that is sent now.
    ///
    /// # Panics
    /// If there was something.
    pub async fn refute(&mut self, topic: &str, event: &str) {
        let reference = self.reference();
        let beat = text(None, &reference, "phoenix", "heartbeat", &json!({}));
        self.socket.send(beat).await.expect("the connection is open");
        self.response(&Reference(reference)).await;
        let heard = self.heard.iter().find(|heard| is(heard, topic, event));
        assert_eq!(heard, None, "{event} was sent in {topic}");
    }

    /// What comes next, in order; none once the connection has ended.
    ///
    /// # Panics
    /// If nothing comes within 5 s.
    pub async fn next(&mut self) -> Option<Event> {
        match self.heard.pop_front() {
            Some(event) => Some(event),
            None => timeout(LIMIT, self.hear()).await.expect("something comes within 5 s"),
        }
    }

    /// The code with which the server closes; what comes before is thrown away.
    pub async fn closed(&mut self) -> Option<CloseCode> {
        while self.hear().await.is_some() {}
        self.socket.peer_close().map(|frame| frame.code)
    }

    fn reference(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    async fn say(&mut self, topic: &str, reference: &str, event: &str, payload: &Value) {
        let frame = text(self.joined.get(topic).map(String::as_str), reference, topic, event, payload);
        self.socket.send(frame).await.expect("the connection is open");
    }

    async fn hear(&mut self) -> Option<Event> {
        let frame = self.socket.recv().await.ok()??;
        Some(Event::read(&frame).unwrap_or_else(|| panic!("{frame:?} is no frame of version 2")))
    }

    async fn find(&mut self, what: &str, mut is_it: impl FnMut(&Event) -> bool) -> Event {
        if let Some(at) = self.heard.iter().position(&mut is_it) {
            return self.heard.remove(at).expect("it is there");
        }
        let found = timeout(LIMIT, async {
            loop {
                match self.hear().await {
                    Some(event) if is_it(&event) => return Some(event),
                    Some(event) => self.heard.push_back(event),
                    None => return None,
                }
            }
        });
        match found.await.unwrap_or_default() {
            Some(event) => event,
            None => panic!("no {what} within 5 s, or until the connection ended; heard: {:#?}", self.heard),
        }
    }
}

fn is(heard: &Event, topic: &str, event: &str) -> bool {
    heard.topic == topic && heard.event == event
}

impl fmt::Debug for TestSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSocket").field("joined", &self.joined).field("heard", &self.heard).finish_non_exhaustive()
    }
}
