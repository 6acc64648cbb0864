//! The studio in the simulator: the same `main` as in production, with clients that behave as the official one.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use simurgh::config::Source;
use simurgh::http::client;
use simurgh::http::ws::CloseCode;
use simurgh::runtime::{DurationExt, sleep, timeout};
use simurgh_sim::{Exit, Kill, Node, Sim};
use simurgh_test::channels::{Event, PhoenixClient, PhoenixOptions, State, TestChannel, TestSocket};
use studio::settings::Settings;

fn settings(more: &[(&str, &str)]) -> Settings {
    let source = Source::new().var("STUDIO_ADDR", "0.0.0.0:4000").var("STUDIO_DATA", "/data");
    let source = more.iter().fold(source, |source, (name, value)| source.var(name, value));
    Settings::load(&source).unwrap()
}

async fn server(sim: &Sim, more: &'static [(&'static str, &'static str)]) -> Node {
    let node = sim.node("server", move || studio::app::main(settings(more)));
    node.started().await.unwrap();
    node
}

fn addr(node: &Node) -> SocketAddr {
    SocketAddr::new(node.ip(), 4_000)
}

fn connect(node: &Node) -> PhoenixClient {
    PhoenixClient::start(addr(node), "/socket", PhoenixOptions::default())
}

/// Says something as the studio's page does: again, under the same name, until it is answered.
async fn say(channel: &TestChannel, text: &str) -> u64 {
    loop {
        let pushed = channel.push("new_msg", json!({ "text": text, "nonce": text })).await;
        match pushed {
            Ok(answer) if answer.status == "ok" => return answer.assert_ok()["id"].as_u64().unwrap(),
            _ => sleep(500.millis()).await,
        }
    }
}

/// The texts of the last history that was heard.
fn last_history(client: &PhoenixClient) -> Option<Vec<(u64, String)>> {
    let heard = client.take_heard();
    let history = heard.iter().rev().find(|event| event.event == "history")?;
    let of = |message: &Value| (message["id"].as_u64().unwrap(), message["text"].as_str().unwrap().to_owned());
    Some(history.payload["messages"].as_array().unwrap().iter().map(of).collect())
}

#[simurgh_sim::test(seeds = 20)]
async fn what_was_acknowledged_is_there_after_any_kill_once(sim: Sim) {
    let node = server(&sim, &[]).await;
    let (alice, bob) = (connect(&node), connect(&node));
    let one = alice.join("room:lobby", json!({ "name": "Alice" }));
    let two = bob.join("room:lobby", json!({ "name": "Bob" }));
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        for number in 0..5 {
            let text = format!("message {round}.{number}");
            let by = if number % 2 == 0 { &one } else { &two };
            acknowledged.insert((say(by, &text).await, text));
        }
        sim.kill(&node, if round % 2 == 0 { Kill::Power } else { Kill::Crash });
        sleep(2.secs()).await;
        node.restart();
        node.started().await.unwrap();
    }
    let reader = connect(&node);
    let last = reader.join("room:lobby", json!({ "name": "Charlie" }));
    sim.eventually(60.secs(), || last.state() == State::Joined).await.unwrap();
    let mut history = None;
    sim.eventually(10.secs(), || {
        history = history.take().or_else(|| last_history(&reader));
        history.is_some()
    })
    .await
    .unwrap();
    let history = history.unwrap();
    let texts: BTreeSet<&String> = history.iter().map(|(_, text)| text).collect();
    assert_eq!(texts.len(), history.len(), "each once: {history:?}");
    assert!(history.is_sorted_by(|before, after| before.0 < after.0), "in order: {history:?}");
    for said in &acknowledged {
        assert!(history.contains(said), "{said:?} was acknowledged, and is lost: {history:?}");
    }
}

#[simurgh_sim::test(seeds = 10)]
async fn rooms_refuse_with_a_reason(sim: Sim) {
    let node = server(&sim, &[("STUDIO_ROOMS_MAX", "2")]).await;
    let mut socket = TestSocket::connect(addr(&node), "/socket", "").await.unwrap();
    for (topic, name, reason) in [
        ("room:private:staff", "Alice", "private_room"),
        ("room:_x", "Alice", "private_room"),
        ("private:x", "Alice", "private_room"),
        ("room:No Room", "Alice", "bad_room_name"),
        ("room:../../etc/passwd", "Alice", "bad_room_name"),
        ("room:", "Alice", "bad_room_name"),
        ("elsewhere", "Alice", "bad_room_name"),
        ("room:lobby", "", "bad_name"),
        ("room:lobby", "\u{202e}ecilA", "bad_name"),
    ] {
        let refusal = socket.join(topic, json!({ "name": name })).await.assert_error();
        assert_eq!(refusal["reason"], reason, "{topic} as {name:?}");
        assert!(refusal["message"].as_str().is_some_and(|message| message.len() > 10), "{refusal}");
    }
    for room in ["a", "b"] {
        socket.join(&format!("room:{room}"), json!({ "name": "Alice" })).await.assert_ok();
    }
    let refusal = socket.join("room:c", json!({ "name": "Alice" })).await.assert_error();
    assert_eq!(refusal["reason"], "too_many_rooms");
    for (event, payload, reason) in [
        ("new_msg", json!({ "text": " " }), "empty_text"),
        ("new_msg", json!({ "text": "a\u{0}b" }), "bad_text"),
        ("new_msg", json!({ "text": "x".repeat(2_001) }), "text_too_long"),
        ("new_msg", json!({ "text": 7 }), "bad payload"),
        ("no_such_event", json!({}), "unknown event"),
    ] {
        let pushed = socket.push("room:a", event, payload).await;
        assert_eq!(socket.response(&pushed).await.assert_error()["reason"], reason, "{event}");
    }
    let mut limited = 0;
    for number in 0..30 {
        let pushed = socket.push("room:a", "new_msg", json!({ "text": format!("{number}") })).await;
        limited += usize::from(socket.response(&pushed).await.status == "error");
    }
    assert!(limited > 0, "who says too much at once is told so");
}

#[simurgh_sim::test(seeds = 20)]
async fn who_is_here_is_told_on_each_join_and_who_goes_is_gone(sim: Sim) {
    let node = server(&sim, &[]).await;
    let alice = connect(&node);
    let room = alice.join("room:lobby", json!({ "name": "Alice" }));
    let states = |client: &PhoenixClient| {
        let heard = client.take_heard();
        heard.into_iter().filter(|event| event.event.starts_with("presence_")).collect::<Vec<_>>()
    };
    let mut heard = Vec::new();
    let is_first = |heard: &[Event]| heard.iter().any(|event| event.event == "presence_state");
    sim.eventually(20.secs(), || {
        heard.extend(states(&alice));
        is_first(&heard)
    })
    .await
    .unwrap();
    sim.eventually(20.secs(), || room.state() == State::Joined).await.unwrap();
    heard.clear();

    let bob = connect(&node);
    let other = bob.join("room:lobby", json!({ "name": "Bob" }));
    sim.eventually(20.secs(), || {
        heard.extend(states(&alice));
        heard.iter().any(|event| event.payload["joins"]["Bob"].is_object())
    })
    .await
    .unwrap();
    sim.eventually(20.secs(), || other.state() == State::Joined).await.unwrap();
    drop(bob);
    sim.eventually(90.secs(), || {
        heard.extend(states(&alice));
        heard.iter().any(|event| event.payload["leaves"]["Bob"].is_object())
    })
    .await
    .unwrap();

    heard.clear();
    sim.kill(&node, Kill::Crash);
    sleep(1.secs()).await;
    node.restart();
    sim.eventually(60.secs(), || {
        heard.extend(states(&alice));
        is_first(&heard)
    })
    .await
    .unwrap();
}

#[simurgh_sim::test(seeds = 20)]
async fn asked_to_end_it_is_not_ready_closes_sockets_with_1012_and_ends_with_0(sim: Sim) {
    let node = server(&sim, &[("STUDIO_UNREADY", "5s")]).await;
    let clients: Vec<PhoenixClient> = (0..5).map(|_| connect(&node)).collect();
    let joins = clients.iter().enumerate();
    let rooms: Vec<TestChannel> =
        joins.map(|(at, client)| client.join("room:lobby", json!({ "name": format!("user {at}") }))).collect();
    sim.eventually(30.secs(), || rooms.iter().all(|room| room.state() == State::Joined)).await.unwrap();
    let ready = format!("http://{}/readyz", addr(&node));
    assert_eq!(client::get(&ready).await.unwrap().status(), 200);

    let end = async { node.stop(30.secs()).await };
    let look = async {
        sleep(2.secs()).await;
        timeout(2.secs(), client::get(&ready)).await
    };
    let (exit, seen) = simurgh::runtime::join!(end, look);
    if let Ok(Ok(response)) = seen {
        assert_eq!(response.status(), 503, "asked to end, it is not ready");
    }
    assert_eq!(exit, Exit::Finished);
    let told = |client: &PhoenixClient| client.closes().contains(&Some(CloseCode::SERVICE_RESTART));
    sim.eventually(5.secs(), || clients.iter().all(told)).await.unwrap();
    assert!(sim.elapsed() < Duration::from_mins(2));
}
