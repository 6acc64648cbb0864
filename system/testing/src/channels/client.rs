//! A client that does by itself what the official one does.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use simurgh_http::ws::{self, CloseCode, Message};
use simurgh_runtime::net::TcpStream;
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{Instant, JoinHandle, select, sleep_until, spawn};
use tokio::sync::{mpsc, oneshot};

use super::frame::{Event, Response, text};

/// Waits before it connects again, in ms: after the first failure, the second, and so on; the last for all after.
pub const RECONNECT_MS: [u64; 10] = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000, 5_000];

/// Waits before a channel joins again, in ms.
pub const REJOIN_MS: [u64; 4] = [1_000, 2_000, 5_000, 10_000];

/// Events that are kept for a test to look at; the oldest make room.
const HEARD_MAX: usize = 100_000;

/// How a client behaves: as the official one (npm `phoenix` 1.8) unless something else is said.
#[derive(Debug, Clone)]
pub struct PhoenixOptions {
    /// Time from heartbeat to heartbeat; a client that has no answer by then connects anew. Default: 30 s.
    pub heartbeat: Duration,
    /// How long a join or a push waits for its answer. Default: 10 s.
    pub timeout: Duration,
    /// What the connection's query says besides the version.
    pub query: String,
}

impl Default for PhoenixOptions {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(30), timeout: Duration::from_secs(10), query: String::new() }
    }
}

/// How a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It waits for the answer to its join, or for a connection.
    Joining,
    /// It has joined.
    Joined,
    /// It was refused or crashed, or the connection is gone: it will join again.
    Errored,
    /// It was left, or the server has closed it: it will not join again.
    Closed,
}

/// Why a push has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// None came in time.
    #[error("no answer came in time")]
    TimedOut,
    /// The client has gone.
    #[error("the client has gone")]
    Gone,
}

/// A client that does by itself what the official one (npm `phoenix` 1.8) does: it sends a heartbeat each 30 s and
/// connects anew if one is unanswered, connects again after 10, 50, 100 ms and so on, joins again at once after that,
/// and after 1, 2, 5, 10 s where it was refused. Dropping it ends it.
///
/// ```
/// # use serde_json::json;
/// # use simurgh_channels::prelude::*;
/// # use simurgh_http::{Options, Server};
/// # use simurgh_pubsub::PubSub;
/// # struct User;
/// # impl UserSocket for User {
/// #     async fn connect(_: Params, _: &ConnectInfo) -> Result<Self, Refused> { Ok(User) }
/// #     fn channels() -> Channels { Channels::new().channel::<Room>("room:*") }
/// # }
/// # struct Room;
/// # impl Channel for Room {
/// #     type Info = ();
/// #     async fn join(_: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> { Ok(Room.into()) }
/// #     async fn handle_in(&mut self, _: &str, payload: Payload, _: &mut Socket) -> Handled { Handled::reply(&payload) }
/// # }
/// use simurgh_test::channels::{PhoenixClient, PhoenixOptions};
///
/// simurgh_web::router! { socket "/socket" => Sockets::<User>::new(PubSub::local("chat"), SocketOptions::default()); }
///
/// # simurgh_runtime::run("doc", async {
/// let endpoint = simurgh_web::Endpoint::new(router());
/// let server = Server::start("127.0.0.1:0".parse()?, Options::default(), endpoint).await?;
/// let client = PhoenixClient::start(server.local_addr(), "/socket", PhoenixOptions::default());
/// let room = client.join("room:lobby", json!({}));
/// assert_eq!(room.push("echo", json!({"n": 1})).await?.assert_ok(), json!({"n": 1}));
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// # }).unwrap();
/// ```
pub struct PhoenixClient {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    task: Option<JoinHandle<()>>,
}

/// One topic of a [`PhoenixClient`].
#[derive(Clone)]
pub struct TestChannel {
    topic: String,
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    states: BTreeMap<String, State>,
    heard: VecDeque<Event>,
    connects: u64,
    closes: Vec<Option<CloseCode>>,
}

enum Command {
    Join(String, Value),
    Leave(String),
    Push { topic: String, event: String, payload: Value, answer: oneshot::Sender<Response> },
}

impl PhoenixClient {
    /// Starts one, which connects to the sockets that are mounted at a path.
    pub fn start(addr: SocketAddr, path: &str, options: PhoenixOptions) -> Self {
        let (commands, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::default());
        let uri = format!("ws://{addr}{path}/websocket?{}&vsn=2.0.0", options.query);
        let driver = Driver {
            uri,
            options,
            shared: Arc::clone(&shared),
            commands: receiver,
            next: 0,
            channels: BTreeMap::new(),
            pushes: BTreeMap::new(),
            beat: None,
            tries: 0,
        };
        Self { commands, shared, task: Some(spawn(driver.run())) }
    }

    /// Joins a topic, and joins it again whenever it has to.
    pub fn join(&self, topic: &str, params: Value) -> TestChannel {
        let _ = self.commands.send(Command::Join(topic.to_owned(), params));
        self.shared.seen.lock().states.insert(topic.to_owned(), State::Joining);
        TestChannel { topic: topic.to_owned(), commands: self.commands.clone(), shared: Arc::clone(&self.shared) }
    }

    /// How often it has connected.
    pub fn connects(&self) -> u64 {
        self.shared.seen.lock().connects
    }

    /// With which codes the server has closed, in order; none where there was no close frame.
    pub fn closes(&self) -> Vec<Option<CloseCode>> {
        self.shared.seen.lock().closes.clone()
    }

    /// All events that it has heard, but for answers, and takes them out.
    pub fn take_heard(&self) -> Vec<Event> {
        self.shared.seen.lock().heard.drain(..).collect()
    }
}

impl Drop for PhoenixClient {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl fmt::Debug for PhoenixClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoenixClient").field("connects", &self.connects()).finish_non_exhaustive()
    }
}

impl TestChannel {
    /// How it stands.
    pub fn state(&self) -> State {
        self.shared.seen.lock().states.get(&self.topic).copied().unwrap_or(State::Closed)
    }

    /// Sends an event, as soon as it has joined, and waits for the answer.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn push(&self, event: &str, payload: Value) -> Result<Response, PushError> {
        let (answer, answered) = oneshot::channel();
        let (topic, event) = (self.topic.clone(), event.to_owned());
        let command = Command::Push { topic, event, payload, answer };
        self.commands.send(command).map_err(|_| PushError::Gone)?;
        answered.await.map_err(|_| PushError::TimedOut)
    }

    /// Leaves the topic for good.
    pub fn leave(&self) {
        let _ = self.commands.send(Command::Leave(self.topic.clone()));
    }

    /// Whether this event was heard in its topic, with this payload.
    pub fn has_heard(&self, event: &str, payload: &Value) -> bool {
        let seen = self.shared.seen.lock();
        seen.heard.iter().any(|heard| heard.topic == self.topic && heard.event == event && heard.payload == *payload)
    }
}

impl fmt::Debug for TestChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestChannel({}, {:?})", self.topic, self.state())
    }
}

/// The client's process.
struct Driver {
    uri: String,
    options: PhoenixOptions,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedReceiver<Command>,
    next: u64,
    channels: BTreeMap<String, Member>,
    pushes: BTreeMap<String, Waiting>,
    /// The heartbeat that is not answered yet.
    beat: Option<String>,
    tries: usize,
}

struct Member {
    params: Value,
    join_ref: String,
    state: State,
    tries: usize,
    /// When it joins again, or gives up the join that is under way.
    due: Option<Instant>,
    /// What waits for the join.
    buffered: VecDeque<Waiting>,
}

struct Waiting {
    topic: String,
    event: String,
    payload: Value,
    answer: oneshot::Sender<Response>,
    until: Instant,
}

type Wire = ws::Socket<TcpStream>;

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Why a connection is over.
struct Lost(Option<CloseCode>);

impl Driver {
    async fn run(mut self) {
        loop {
            let (uri, options) = (self.uri.clone(), ws::Options::default());
            let connected = select! {
                connected = ws::connect(&uri, &options) => connected.ok(),
                () = self.idle_until(None) => None,
            };
            if let Some(mut wire) = connected {
                self.tries = 0;
                self.shared.seen.lock().connects += 1;
                let Err(Lost(code)) = self.connected(&mut wire).await;
                self.shared.seen.lock().closes.push(code);
            }
            self.lost();
            let wait = RECONNECT_MS[self.tries.min(RECONNECT_MS.len() - 1)];
            self.tries += 1;
            self.idle_until(Some(Instant::now() + Duration::from_millis(wait))).await;
        }
    }

    /// Takes what it is told, and gives up what has waited too long, while there is no connection.
    async fn idle_until(&mut self, end: Option<Instant>) {
        loop {
            let wake = self.waits().chain(end).min();
            select! {
                () = until(wake) => {}
                command = self.commands.recv() => match command {
                    Some(command) => self.note(command),
                    None => std::future::pending().await,
                },
            }
            let now = Instant::now();
            if end.is_some_and(|end| end <= now) {
                return;
            }
            self.expire(now);
        }
    }

    /// Until when pushes wait for their answers, or to be sent.
    fn waits(&self) -> impl Iterator<Item = Instant> + '_ {
        let buffered = self.channels.values().flat_map(|member| &member.buffered);
        buffered.chain(self.pushes.values()).map(|waiting| waiting.until)
    }

    fn expire(&mut self, now: Instant) {
        self.pushes.retain(|_, waiting| waiting.until > now);
        for member in self.channels.values_mut() {
            member.buffered.retain(|waiting| waiting.until > now);
        }
    }

    /// All channels are errored, and join at once when there is a connection again.
    fn lost(&mut self) {
        self.beat = None;
        for (topic, member) in &mut self.channels {
            member.due = None;
            set(&self.shared, topic, member, State::Errored);
        }
    }

    async fn connected(&mut self, wire: &mut Wire) -> Result<std::convert::Infallible, Lost> {
        let topics: Vec<String> = self.channels.keys().cloned().collect();
        for topic in topics {
            self.join(wire, &topic).await?;
        }
        let mut beat_at = Instant::now() + self.options.heartbeat;
        loop {
            let due = self.channels.values().filter_map(|member| member.due);
            let wake = due.chain(self.waits()).chain([beat_at]).min().unwrap_or(beat_at);
            select! {
                frame = wire.recv() => match frame {
                    Ok(Some(frame)) => self.heard(wire, &frame).await?,
                    Ok(None) | Err(_) => return Err(Lost(wire.peer_close().map(|frame| frame.code))),
                },
                command = self.commands.recv() => match command {
                    Some(command) => self.act(wire, command).await?,
                    None => std::future::pending().await,
                },
                () = sleep_until(wake) => {}
            }
            let now = Instant::now();
            if now >= beat_at {
                if self.beat.is_some() {
                    let _ = wire.close(CloseCode::NORMAL, "heartbeat timeout").await;
                    return Err(Lost(None));
                }
                beat_at = now + self.options.heartbeat;
                let reference = self.reference();
                self.beat = Some(reference.clone());
                send(wire, text(None, &reference, "phoenix", "heartbeat", &json!({}))).await?;
            }
            self.overdue(wire, now).await?;
        }
    }

    async fn overdue(&mut self, wire: &mut Wire, now: Instant) -> Result<(), Lost> {
        self.expire(now);
        let due = self.channels.iter().filter(|(_, member)| member.due.is_some_and(|due| due <= now));
        let due: Vec<(String, State)> = due.map(|(topic, member)| (topic.clone(), member.state)).collect();
        for (topic, state) in due {
            if state == State::Joining {
                // No answer to the join: it leaves, and tries again later.
                let reference = self.reference();
                let join_ref = self.channels[&topic].join_ref.clone();
                send(wire, text(Some(&join_ref), &reference, &topic, "phx_leave", &json!({}))).await?;
                self.errored(&topic);
            } else {
                self.join(wire, &topic).await?;
            }
        }
        Ok(())
    }

    async fn join(&mut self, wire: &mut Wire, topic: &str) -> Result<(), Lost> {
        let reference = self.reference();
        let timeout = self.options.timeout;
        let Some(member) = self.channels.get_mut(topic) else { return Ok(()) };
        member.join_ref.clone_from(&reference);
        member.due = Some(Instant::now() + timeout);
        set(&self.shared, topic, member, State::Joining);
        let frame = text(Some(&reference), &reference, topic, "phx_join", &member.params);
        send(wire, frame).await
    }

    fn errored(&mut self, topic: &str) {
        if let Some(member) = self.channels.get_mut(topic) {
            let wait = REJOIN_MS[member.tries.min(REJOIN_MS.len() - 1)];
            member.tries += 1;
            member.due = Some(Instant::now() + Duration::from_millis(wait));
            set(&self.shared, topic, member, State::Errored);
        }
    }

    /// What is told while there is no connection.
    fn note(&mut self, command: Command) {
        match command {
            Command::Join(topic, params) => {
                let buffered = VecDeque::new();
                let state = State::Joining;
                let member = Member { params, join_ref: String::new(), state, tries: 0, due: None, buffered };
                self.channels.insert(topic, member);
            }
            Command::Leave(topic) => {
                self.channels.remove(&topic);
                self.shared.seen.lock().states.insert(topic, State::Closed);
            }
            Command::Push { topic, event, payload, answer } => {
                let until = Instant::now() + self.options.timeout;
                if let Some(member) = self.channels.get_mut(&topic) {
                    member.buffered.push_back(Waiting { topic, event, payload, answer, until });
                }
            }
        }
    }

    async fn act(&mut self, wire: &mut Wire, command: Command) -> Result<(), Lost> {
        match command {
            Command::Join(ref topic, _) => {
                let topic = topic.clone();
                self.note(command);
                self.join(wire, &topic).await
            }
            Command::Leave(ref topic) => {
                let frame = self.channels.get(topic).map(|member| member.join_ref.clone());
                if let Some(join_ref) = frame {
                    let reference = self.reference();
                    send(wire, text(Some(&join_ref), &reference, topic, "phx_leave", &json!({}))).await?;
                }
                self.note(command);
                Ok(())
            }
            Command::Push { ref topic, .. } => {
                let topic = topic.clone();
                self.note(command);
                self.send_buffered(wire, &topic).await
            }
        }
    }

    async fn send_buffered(&mut self, wire: &mut Wire, topic: &str) -> Result<(), Lost> {
        loop {
            let Some(member) = self.channels.get_mut(topic).filter(|member| member.state == State::Joined) else {
                return Ok(());
            };
            let Some(waiting) = member.buffered.pop_front() else { return Ok(()) };
            let join_ref = member.join_ref.clone();
            let reference = self.reference();
            let frame = text(Some(&join_ref), &reference, topic, &waiting.event, &waiting.payload);
            self.pushes.insert(reference, waiting);
            send(wire, frame).await?;
        }
    }

    async fn heard(&mut self, wire: &mut Wire, frame: &Message) -> Result<(), Lost> {
        let Some(event) = Event::read(frame) else { return Ok(()) };
        if event.reference.is_some() && event.reference == self.beat {
            self.beat = None;
            return Ok(());
        }
        let Some(member) = self.channels.get_mut(&event.topic) else { return Ok(()) };
        if event.join_ref.as_ref().is_some_and(|join_ref| *join_ref != member.join_ref) {
            return Ok(()); // of a former life
        }
        match event.event.as_str() {
            "phx_reply" if event.reference.as_ref() == Some(&member.join_ref) => {
                if event.payload["status"] == "ok" {
                    (member.tries, member.due) = (0, None);
                    set(&self.shared, &event.topic, member, State::Joined);
                    return self.send_buffered(wire, &event.topic).await;
                }
                self.errored(&event.topic);
            }
            "phx_reply" => {
                let waiting = event.reference.as_ref().and_then(|reference| self.pushes.remove(reference));
                if let (Some(waiting), Some(response)) = (waiting, event.response()) {
                    debug_assert_eq!(waiting.topic, event.topic, "an answer is in the topic of its question");
                    let _ = waiting.answer.send(response);
                }
            }
            "phx_error" => self.errored(&event.topic),
            "phx_close" => {
                self.channels.remove(&event.topic);
                self.shared.seen.lock().states.insert(event.topic, State::Closed);
            }
            _ => {
                let mut seen = self.shared.seen.lock();
                if seen.heard.len() == HEARD_MAX {
                    seen.heard.pop_front();
                }
                seen.heard.push_back(event);
            }
        }
        Ok(())
    }

    fn reference(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }
}

fn set(shared: &Shared, topic: &str, member: &mut Member, state: State) {
    member.state = state;
    shared.seen.lock().states.insert(topic.to_owned(), state);
}

async fn send(wire: &mut Wire, frame: Message) -> Result<(), Lost> {
    wire.send(frame).await.map_err(|_| Lost(None))
}
