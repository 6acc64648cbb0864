//! Clients of channels: in memory, and one that behaves as the official one, in the simulator.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::time::Duration;

use serde_json::json;
use simurgh_channels::prelude::*;
use simurgh_http::ws::CloseCode;
use simurgh_http::{Options, Server};
use simurgh_pubsub::PubSub;
use simurgh_runtime as runtime;
use simurgh_sim::{Kill, Sim};
use simurgh_test::channels::{PhoenixClient, PhoenixOptions, State, TestSocket};
use simurgh_web::{Endpoint, router};

struct User(Option<String>);

impl UserSocket for User {
    async fn connect(params: Params, _: &ConnectInfo) -> Result<Self, Refused> {
        if params.get("refuse").is_some() { Err(Refused::new()) } else { Ok(Self(params.get("user").map(Into::into))) }
    }

    fn id(&self) -> Option<String> {
        self.0.clone()
    }

    fn channels() -> Channels {
        Channels::new().channel::<Room>("room:*")
    }
}

struct Room;

impl Channel for Room {
    type Info = ();

    async fn join(topic: &Topic, _: Payload, _: &mut Socket) -> Joined<Self> {
        if topic.name() == "private" { Err(Rejected::because("unauthorized")) } else { Ok(Self.into()) }
    }

    async fn handle_in(&mut self, event: &str, payload: Payload, socket: &mut Socket) -> Handled {
        match event {
            "new_msg" => {
                socket.broadcast("new_msg", &payload).await?;
                Handled::reply(&json!({}))
            }
            "push" => {
                socket.push("pushed", &payload)?;
                Handled::noreply()
            }
            "bytes" => Handled::reply_binary(payload.bytes()?.clone()),
            "crash" => panic!("on purpose"),
            _ => Handled::unknown(),
        }
    }
}

fn sockets() -> Sockets<User> {
    Sockets::new(PubSub::local("chat"), SocketOptions::default())
}

router! { socket "/socket" => sockets(); }

/// A server on port 4000 of its node, until it is told to end.
async fn serve() {
    let end = runtime::signal::shutdown().unwrap();
    let addr = "0.0.0.0:4000".parse().unwrap();
    let server = Server::start(addr, Options::default(), Endpoint::new(router())).await.unwrap();
    runtime::ready();
    end.await;
    server.drain().await;
}

#[test]
fn a_room_in_memory() {
    runtime::run("test", async {
        let sockets = sockets();
        assert!(TestSocket::in_memory(&sockets, "refuse=1").await.is_err());
        let mut alice = TestSocket::in_memory(&sockets, "user=alice").await.unwrap();
        let mut bob = TestSocket::in_memory(&sockets, "user=bob").await.unwrap();
        assert_eq!(alice.join("room:private", json!({})).await.assert_error(), json!({"reason": "unauthorized"}));
        for client in [&mut alice, &mut bob] {
            assert_eq!(client.join("room:1", json!({})).await.assert_ok(), json!({}));
        }
        let sent = alice.push("room:1", "new_msg", json!({"body": "hi"})).await;
        alice.assert_reply(&sent, "ok", json!({})).await;
        bob.assert_broadcast("room:1", "new_msg", json!({"body": "hi"})).await;
        alice.push("room:1", "push", json!({"n": 1})).await;
        alice.assert_push("room:1", "pushed", json!({"n": 1})).await;
        bob.refute("room:1", "pushed").await;
        let sent = bob.push_binary("room:1", "bytes", &[1, 2]).await;
        bob.assert_reply(&sent, "ok", json!([1, 2])).await;
        bob.push("room:1", "crash", json!({})).await;
        bob.assert_end("room:1", "phx_error").await;
        alice.leave("room:1").await.assert_ok();
        alice.assert_end("room:1", "phx_close").await;
        sockets.drain().await;
        assert_eq!(alice.closed().await, Some(CloseCode::SERVICE_RESTART));
    });
}

#[simurgh_sim::test(seeds = 20)]
async fn a_server_that_is_killed_and_started_again_has_its_clients_back(sim: Sim) {
    let node = sim.node("server", serve);
    node.started().await.unwrap();
    let addr = std::net::SocketAddr::new(node.ip(), 4_000);
    let client = |name: &str| {
        let options = PhoenixOptions { query: format!("user={name}"), ..PhoenixOptions::default() };
        PhoenixClient::start(addr, "/socket", options)
    };
    let (alice, bob) = (client("alice"), client("bob"));
    let (one, two) = (alice.join("room:1", json!({})), bob.join("room:1", json!({})));
    let private = bob.join("room:private", json!({}));
    one.push("new_msg", json!({"n": 1})).await.unwrap().assert_ok();
    sim.eventually(Duration::from_secs(1), || one.has_heard("new_msg", &json!({"n": 1}))).await.unwrap();
    assert_ne!(private.state(), State::Joined);

    let _ = one.push("crash", json!({})).await; // has no answer; it joins again after a second
    assert_eq!(one.state(), State::Joined);

    for (n, how) in [(2, Kill::Crash), (3, Kill::Power)] {
        let connects = (alice.connects(), bob.connects());
        sim.kill(&node, how);
        runtime::sleep(Duration::from_secs(3)).await;
        // of a machine without power nothing is heard
        let state = if how == Kill::Crash { State::Errored } else { State::Joined };
        assert_eq!((one.state(), two.state()), (state, state));
        node.restart();
        let back = || {
            let have_connected = alice.connects() > connects.0 && bob.connects() > connects.1;
            have_connected && one.state() == State::Joined && two.state() == State::Joined
        };
        sim.eventually(Duration::from_mins(1), back).await.unwrap();
        two.push("new_msg", json!({"n": n})).await.unwrap().assert_ok();
        sim.eventually(Duration::from_secs(1), || one.has_heard("new_msg", &json!({"n": n}))).await.unwrap();
    }

    node.stop(Duration::from_secs(20)).await;
    sim.eventually(Duration::from_secs(1), || alice.closes().last() == Some(&Some(CloseCode::SERVICE_RESTART)))
        .await
        .unwrap();
}
