//! What is lost when something fails: the rows of the table of that name in the guide (`system/simurgh/GUIDE.md`).

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::net::SocketAddr;

use serde_json::{Value, json};
use simurgh::channels::{Ending, Fault, Params, ResumeOptions};
use simurgh::http;
use simurgh::prelude::*;
use simurgh::web::{Endpoint, router};
use simurgh_sim::{Exit, Kill, Node, Profile, Sim};
use simurgh_test::channels::{Event, PhoenixClient, PhoenixOptions, State, TestChannel, TestSocket};

const CHAT: &str = "chat";
const ROOM: &str = "room:lobby";

struct User {
    name: String,
    presence: Presence,
}

impl UserSocket for User {
    async fn connect(params: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        let presence = otp::named::<Keeper>(CHAT).call(|reply| reply).await.map_err(|_| Refused::new())?;
        Ok(Self { name: params.get("name").unwrap_or("nobody").to_owned(), presence })
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*")
    }
}

struct Keeper(Presence);

impl Server for Keeper {
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

    async fn join(_: &Topic, params: Payload, socket: &mut Socket) -> Joined<Self> {
        let params: Value = params.deserialize()?;
        sleep(params["ms"].as_u64().unwrap_or(0).millis()).await;
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
            "say" => {
                socket.broadcast("said", &payload).await?;
                Handled::reply(&json!({}))
            }
            "slow" => {
                let asked: Value = payload.deserialize()?;
                sleep(asked["ms"].as_u64().unwrap_or(2_000).millis()).await;
                socket.broadcast("done", &payload).await?;
                out!("the slow one is done");
                Handled::reply(&json!({}))
            }
            "crash" => panic!("on purpose"),
            _ => Handled::unknown(),
        }
    }

    async fn terminate(&mut self, why: Ending, socket: &mut Socket) {
        out!("{} ends: {why:?}", socket.user::<User>().name);
    }
}

fn sockets() -> Sockets<User> {
    let options = SocketOptions { resume: Some(ResumeOptions::default()), ..SocketOptions::default() };
    Sockets::new(PubSub::find(CHAT).unwrap(), options)
}

router! { socket "/socket" => sockets(); }

async fn serve() -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let pubsub = PubSub::local(CHAT);
    pubsub.register().map_err(|error| error.to_string())?;
    let presence = Presence::new(pubsub);
    let (shards, addr) = (presence.supervisor(), SocketAddr::from(([0, 0, 0, 0], 4_000)));
    let server = http::Server::bind(addr, http::Options::default(), Endpoint::new(router())).await;
    let server = server.map_err(|error| error.to_string())?;
    let chat = Application::new("chat")
        .stage("presence", 5.secs(), shards)
        .stage("keeper", 5.secs(), move || Start::new("keeper", Keeper(presence.clone())).name(CHAT))
        .stage("web", 20.secs(), server.child());
    let running = chat.start().await.map_err(|error| error.to_string())?;
    otp::spawn("hand on the switch", async {
        while runtime::env::var("KILL").is_none() {
            sleep(10.millis()).await;
        }
        let tree = otp::observer::tree();
        let socket = tree.rows().into_iter().find(|(_, info)| info.label.to_string().starts_with("connection "));
        otp::kill(socket.expect("there is a connection").1.pid);
    });
    runtime::ready();
    let outcome = running.run_until(end).await;
    if outcome.code() == 0 { Ok(()) } else { Err(outcome.to_string()) }
}

async fn server(sim: &Sim) -> (Node, SocketAddr) {
    let node = sim.node("server", serve);
    node.started().await.unwrap();
    let addr = SocketAddr::new(node.ip(), 4_000);
    (node, addr)
}

async fn socket(addr: SocketAddr, name: &str) -> TestSocket {
    TestSocket::connect(addr, "/socket", &format!("name={name}")).await.unwrap()
}

fn client(addr: SocketAddr, name: &str) -> (PhoenixClient, TestChannel) {
    let options = PhoenixOptions { query: format!("name={name}"), ..PhoenixOptions::default() };
    let client = PhoenixClient::start(addr, "/socket", options);
    let room = client.join(ROOM, json!({}));
    (client, room)
}

fn has_ended(node: &Node, line: &str) -> bool {
    node.output().iter().any(|said| said.contains(line))
}

/// Waits until Alice is told that somebody is gone.
async fn gone(alice: &mut TestSocket, name: &str) {
    while !is_diff(&alice.next().await.unwrap(), "leaves", name) {}
}

fn is_diff(event: &Event, what: &str, name: &str) -> bool {
    event.event == "presence_diff" && event.payload[what].get(name).is_some()
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_client_that_closes_loses_what_its_channel_has_not_begun(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let (mut alice, mut bob) = (socket(addr, "Alice").await, socket(addr, "Bob").await);
    alice.join(ROOM, json!({})).await.assert_ok();
    bob.join(ROOM, json!({})).await.assert_ok();
    bob.push(ROOM, "slow", json!({})).await;
    bob.push(ROOM, "say", json!({})).await;
    sleep(1.secs()).await;
    drop(bob);
    // What it was doing it has done; what waited it has not.
    alice.assert_broadcast(ROOM, "done", json!({})).await;
    gone(&mut alice, "Bob").await;
    alice.refute(ROOM, "said").await;
    assert!(has_ended(&node, "Bob ends: Closed"));
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_short_cut_loses_nothing_and_a_long_one_what_was_said_meanwhile(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let (alice, room) = client(addr, "Alice");
    let bob = sim.node("bob", move || async move {
        let (client, room) = client(addr, "Bob");
        for text in ["short", "after"] {
            while !room.has_heard("said", &json!({ "text": text })) {
                sleep(50.millis()).await;
            }
        }
        // A broadcast that was lost, and one that was only late.
        assert!(!room.has_heard("said", &json!({ "text": "long" })));
        assert_eq!(client.connects(), 2);
        Ok::<(), String>(())
    });
    sleep(1.secs()).await;
    sim.partition(std::slice::from_ref(&node), std::slice::from_ref(&bob));
    room.push("say", json!({ "text": "short" })).await?.assert_ok();
    sleep(10.secs()).await;
    sim.heal();
    sleep(5.secs()).await;

    sim.partition(std::slice::from_ref(&node), std::slice::from_ref(&bob));
    let hears = |what, name| alice.take_heard().iter().any(|event| is_diff(event, what, name));
    let since = Instant::now();
    sim.eventually(120.secs(), || hears("leaves", "Bob")).await?;
    let silent_for = since.elapsed();
    assert!((25.secs()..=61.secs()).contains(&silent_for), "{silent_for:?}");
    room.push("say", json!({ "text": "long" })).await?.assert_ok();
    sleep(30.secs()).await;
    sim.heal();
    sim.eventually(60.secs(), || hears("joins", "Bob")).await?;
    room.push("say", json!({ "text": "after" })).await?.assert_ok();
    assert_eq!(bob.ended().await, Exit::Finished);
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn an_end_in_order_sends_what_waits_and_waits_for_no_handler(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let mut alice = socket(addr, "Alice").await;
    alice.join(ROOM, json!({})).await.assert_ok();
    for number in 0..100 {
        alice.push(ROOM, "say", json!({ "number": number })).await;
    }
    alice.push(ROOM, "slow", json!({ "ms": 10_000 })).await; // longer than a close waits for the client's
    sleep(1.secs()).await;
    assert_eq!(node.stop(60.secs()).await, Exit::Finished);
    let mut heard = Vec::new();
    while let Some(event) = alice.next().await {
        heard.push(event);
    }
    assert_eq!(heard.iter().filter(|event| event.event == "said").count(), 100);
    let answers = heard.iter().filter(|event| event.event == "phx_reply").count();
    assert_eq!(answers, 100, "none to the slow one, which is at work");
    assert_eq!(alice.closed().await.map(|code| code.0), Some(1012));
    assert!(!has_ended(&node, "the slow one is done"));
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_kill_loses_all_memory_and_says_so_to_who_resumes(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let mut alice = socket(addr, "Alice").await;
    alice.join(ROOM, json!({ "resume": null })).await.assert_ok();
    alice.push(ROOM, "say", json!({})).await;
    let mut cursor = Value::Null;
    while cursor.is_null() {
        let event = alice.next().await.unwrap();
        if event.event == "phx_cursor" {
            cursor = event.payload["cursor"].clone();
        }
    }
    sim.kill(&node, Kill::Crash);
    assert_eq!(alice.closed().await, None, "no close frame: 1006 for a browser");
    node.restart();
    node.started().await?;
    let mut again = socket(addr, "Alice").await;
    again.join(ROOM, json!({ "resume": cursor })).await.assert_ok();
    loop {
        let event = again.next().await.unwrap();
        if event.event == "phx_resumed" {
            assert_eq!((&event.payload["gap"], &event.payload["replayed"]), (&json!(true), &json!(0)));
            return Ok(());
        }
    }
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_cut_is_resumed_without_a_gap(sim: Sim) {
    let (_node, addr) = server(&sim).await;
    let (mut alice, mut bob) = (socket(addr, "Alice").await, socket(addr, "Bob").await);
    alice.join(ROOM, json!({})).await.assert_ok();
    bob.join(ROOM, json!({ "resume": null })).await.assert_ok();
    let mut cursor = Value::Null;
    while cursor.is_null() {
        let event = bob.next().await.unwrap();
        if event.event.starts_with("phx_") {
            cursor = event.payload["cursor"].clone();
        }
    }
    drop(bob);
    alice.push(ROOM, "say", json!({ "text": "meanwhile" })).await;
    alice.assert_broadcast(ROOM, "said", json!({ "text": "meanwhile" })).await;
    let mut bob = socket(addr, "Bob").await;
    bob.join(ROOM, json!({ "resume": cursor })).await.assert_ok();
    bob.assert_broadcast(ROOM, "said", json!({ "text": "meanwhile" })).await;
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_channel_that_crashes_takes_its_mailbox_along_and_joins_again(sim: Sim) {
    let (_node, addr) = server(&sim).await;
    let mut alice = socket(addr, "Alice").await;
    alice.join(ROOM, json!({})).await.assert_ok();
    let (bob, room) = client(addr, "Bob");
    sim.eventually(10.secs(), || room.state() == State::Joined).await?;
    sleep(1.secs()).await;
    let since = Instant::now();
    let (crash, lost) = join!(room.push("crash", json!({})), room.push("say", json!({ "text": "behind it" })));
    assert!(crash.is_err() && lost.is_err(), "neither is answered: {crash:?} {lost:?}");
    assert!(since.elapsed() >= 10.secs(), "the client gives up by itself");
    assert_eq!((room.state(), bob.connects()), (State::Joined, 1), "the socket is as it was");
    gone(&mut alice, "Bob").await;
    alice.refute(ROOM, "said").await;
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_socket_that_crashes_ends_its_channels_without_a_close_frame(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let mut bob = socket(addr, "Bob").await;
    bob.join(ROOM, json!({})).await.assert_ok();
    node.set_var("KILL", "1");
    assert_eq!(bob.closed().await, None, "1006 for a browser");
    let mut alice = socket(addr, "Alice").await;
    alice.join(ROOM, json!({})).await.assert_ok();
    sleep(1.secs()).await;
    assert!(has_ended(&node, "Bob ends: Closed"));
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn heartbeats_wait_while_a_join_runs(sim: Sim) {
    let (_node, addr) = server(&sim).await;
    let mut alice = socket(addr, "Alice").await;
    let since = Instant::now();
    alice.join(ROOM, json!({ "ms": 3_000 })).await.assert_ok();
    assert!(since.elapsed() >= 3.secs());
    let mut bob = socket(addr, "Bob").await;
    let (joined, ()) = join!(
        async {
            let joined = bob.join(ROOM, json!({ "ms": 3_000 })).await;
            joined.assert_ok();
            bob.refute(ROOM, "nothing").await; // a heartbeat, and its answer
            since.elapsed()
        },
        sleep(1.secs())
    );
    assert!(joined >= 6.secs());
}

#[simurgh_sim::test(seeds = 10, profile = Profile::calm())]
async fn a_push_is_given_up_after_10_s_with_and_without_a_server(sim: Sim) {
    let (node, addr) = server(&sim).await;
    let (_alice, room) = client(addr, "Alice");
    sim.eventually(10.secs(), || room.state() == State::Joined).await?;
    sim.kill(&node, Kill::Crash);
    sleep(1.secs()).await;
    let since = Instant::now();
    assert!(room.push("say", json!({})).await.is_err());
    assert!((10.secs()..11.secs()).contains(&since.elapsed()), "{:?}", since.elapsed());
}
