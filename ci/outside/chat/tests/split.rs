//! Bob's network is cut, and comes back: in a hundred worlds that a seed has made.

use std::net::SocketAddr;
use std::slice::from_ref;

use serde_json::json;
use simurgh::channels::presence::PresenceClient;
use simurgh::prelude::*;
use simurgh_sim::{Exit, Sim};
use simurgh_test::channels::{PhoenixClient, PhoenixOptions, TestChannel};

/// What a page shows: a client that behaves as the official one does, and what it has made of what it heard.
struct Page {
    client: PhoenixClient,
    room: TestChannel,
    online: PresenceClient,
    texts: Vec<String>,
}

impl Page {
    fn open(addr: SocketAddr, name: &str) -> Self {
        let options = PhoenixOptions { query: format!("name={name}"), ..PhoenixOptions::default() };
        let client = PhoenixClient::start(addr, "/socket", options);
        let room = client.join("room:lobby", json!({}));
        Self { client, room, online: PresenceClient::default(), texts: Vec::new() }
    }

    fn look(&mut self) {
        for heard in self.client.take_heard() {
            match heard.event.as_str() {
                "presence_state" => {
                    self.online.joined();
                    self.online.state(&heard.payload);
                }
                "presence_diff" => self.online.diff(&heard.payload),
                "new_msg" => self.texts.extend(heard.payload["text"].as_str().map(str::to_owned)),
                _ => {}
            }
        }
    }

    fn shows(&mut self, names: &[&str]) -> bool {
        self.look();
        self.online.keys().eq(names.iter().copied())
    }

    fn has_read(&mut self, text: &str) -> bool {
        self.look();
        self.texts.iter().any(|read| read == text)
    }
}

async fn bob(addr: SocketAddr) -> Result<(), String> {
    let mut page = Page::open(addr, "Bob");
    while !page.has_read("Welcome back!") {
        sleep(100.millis()).await;
    }
    if page.has_read("Bob is away.") { Err("what was said while he was away came".into()) } else { Ok(()) }
}

#[simurgh_sim::test(seeds = 100)]
async fn who_was_cut_off_is_gone_and_comes_back(sim: Sim) {
    let server = sim.node("server", || chat::serve(([0, 0, 0, 0], 4000).into()));
    server.started().await?;
    let addr = SocketAddr::new(server.ip(), 4000);
    let mut alice = Page::open(addr, "Alice");
    let bob = sim.node("bob", move || bob(addr));
    sim.eventually(60.secs(), || alice.shows(&["Alice", "Bob"])).await?;

    sim.partition(from_ref(&server), from_ref(&bob));
    sim.eventually(120.secs(), || alice.shows(&["Alice"])).await?;
    alice.room.push("new_msg", json!({ "text": "Bob is away." })).await?.assert_ok();

    sim.heal();
    sim.eventually(60.secs(), || alice.shows(&["Alice", "Bob"])).await?;
    alice.room.push("new_msg", json!({ "text": "Welcome back!" })).await?.assert_ok();
    assert_eq!(bob.ended().await, Exit::Finished);
    assert_eq!(server.stop(60.secs()).await, Exit::Finished);
}
