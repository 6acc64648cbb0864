//! A node with presence: people come, change and go, and one client listens to all of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use simurgh::channels::presence::{Diff, Presence, PresenceClient, PresenceOptions, Presences};
use simurgh::prelude::*;
use simurgh::runtime::sync::Mutex;
use simurgh::runtime::{env, random};

use super::link::{Mesh, listen};

const TOPICS: u64 = 3;
const KEYS: u64 = 4;
/// People of one node at once.
const PEOPLE_MAX: usize = 6;

/// What the client has, by topic.
type Clients = Arc<Mutex<BTreeMap<String, PresenceClient>>>;

/// The program of a node.
pub(super) async fn main() -> Result<(), String> {
    let (name, peers) = configured().await?;
    run(name, peers).await
}

/// A node of this name, beside these.
pub(super) async fn run(name: String, peers: Vec<(String, SocketAddr)>) -> Result<(), String> {
    let end = runtime::signal::shutdown().map_err(|error| error.to_string())?;
    let clients: Clients = Arc::default();
    let options =
        PresenceOptions { node: name.into(), shards: 2, tracker: super::options(), ..PresenceOptions::default() };
    let presence = Presence::builder(told(Arc::clone(&clients))).options(options).link(Mesh::to(peers)).build();
    let tree = Supervisor::one_for_one().intensity(100, 1.secs()).child("presence", presence.supervisor());
    let tree = tree.start("root").await.map_err(|error| error.to_string())?;
    let listening = spawn(listen(presence.clone()));
    runtime::ready();
    let mut people = People { presence: presence.clone(), all: BTreeMap::new() };
    select! {
        biased;
        _signal = end => {},
        () = people.live(&clients) => {},
    }
    tree.stop(10.secs()).await;
    sleep(300.millis()).await; // for what says goodbye
    listening.abort();
    Ok(())
}

/// The node's name and the others, once the world has said so.
async fn configured() -> Result<(String, Vec<(String, SocketAddr)>), String> {
    let (name, peers) = loop {
        match (env::var("NAME"), env::var("PEERS")) {
            (Some(name), Some(peers)) => break (name, peers),
            _ => sleep(1.millis()).await,
        }
    };
    let peer = |text: &str| {
        let (name, addr) = text.split_once('=')?;
        Some((name.to_owned(), addr.parse().ok()?))
    };
    let peers = peers
        .split(',')
        .map(|text| peer(text).ok_or_else(|| format!("{text} is no peer")))
        .collect::<Result<_, _>>()?;
    Ok((name, peers))
}

/// Where diffs go: to one client, and to those who judge.
fn told(clients: Clients) -> impl Fn(&str, &Diff) + Send + Sync + 'static {
    move |topic, diff| {
        for (joined, side) in [(true, &diff.joins), (false, &diff.leaves)] {
            for item in side.items() {
                event!("presence.change", {}, { ref: item.meta.phx_ref(), joined: joined });
            }
        }
        let payload = serde_json::to_value(diff).expect("a diff is an object");
        clients.lock().entry(topic.to_owned()).or_insert_with(fresh).diff(&payload);
    }
}

/// A client that joined when nobody was there.
fn fresh() -> PresenceClient {
    let mut client = PresenceClient::default();
    client.joined();
    client.state(&serde_json::json!({}));
    client
}

/// Those who are present on this node, by its own books.
struct People {
    presence: Presence,
    /// By process: what it tracked, with the ref of each.
    all: BTreeMap<Pid, BTreeMap<(String, String), String>>,
}

impl People {
    /// Comes and goes until the calm, and tells how it is.
    async fn live(&mut self, clients: &Clients) {
        loop {
            sleep(random::range(20..400).millis()).await;
            if env::var("CALM").is_none() {
                self.one_step();
            }
            self.census(clients);
        }
    }

    fn one_step(&mut self) {
        let (topic, key) = (format!("room:{}", random::range(0..TOPICS)), format!("user {}", random::range(0..KEYS)));
        let known: Vec<Pid> = self.all.keys().copied().collect();
        if known.is_empty() || (known.len() < PEOPLE_MAX && random::chance(0.3)) {
            self.all.insert(otp::spawn("somebody", std::future::pending::<()>()), BTreeMap::new());
            return;
        }
        let pid = known[random::range(0..known.len() as u64) as usize];
        let tracked = self.all.get_mut(&pid).expect("it is known");
        let place = (topic.clone(), key.clone());
        match random::range(0..8) {
            0 => {
                otp::kill(pid);
                self.all.remove(&pid);
            }
            1 | 2 => {
                if let Ok(meta) = self.presence.update(pid, &topic, &key, &serde_json::json!({"typing": true})) {
                    tracked.insert(place, meta.phx_ref().to_owned());
                }
            }
            3 | 4 => {
                if self.presence.untrack(pid, &topic, &key) {
                    tracked.remove(&place);
                }
            }
            _ => {
                if let Ok(meta) = self.presence.track(pid, &topic, &key, &()) {
                    tracked.insert(place, meta.phx_ref().to_owned());
                }
            }
        }
    }

    fn census(&self, clients: &Clients) {
        let own = self.all.values().flatten().map(|((topic, key), own)| format!("{topic} {key} {own}"));
        let topics = self.presence.topics();
        let view = topics.iter().flat_map(|topic| listed(topic, &self.presence.list(topic)));
        let clients = clients.lock();
        let replayed = clients.iter().flat_map(|(topic, client)| {
            client.refs().into_iter().map(move |(key, own)| format!("{topic} {key} {own}"))
        });
        let (own, view, replayed) = (text(own), text(view), text(replayed));
        event!("presence.census", {}, { own: &own, view: &view, replayed: &replayed });
    }
}

fn listed(topic: &str, list: &Presences) -> Vec<String> {
    list.items().iter().map(|item| format!("{topic} {} {}", item.key, item.meta.phx_ref())).collect()
}

fn text(entries: impl Iterator<Item = String>) -> String {
    let mut entries: Vec<String> = entries.collect();
    entries.sort_unstable();
    entries.join(",")
}
