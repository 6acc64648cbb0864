//! Presence with its processes, on one node and between several, in virtual time.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use simurgh_channels::presence::{
    Diff, Extras, Link, Presence, PresenceClient, PresenceOptions, ReplicaId, TrackError,
};
use simurgh_otp::{self as otp, Pid, Supervisor, SupervisorRef};
use simurgh_runtime::sync::Mutex;
use simurgh_runtime::{DurationExt, Instant, random, sleep, timeout};
use simurgh_sim::{Exit, Outcome, Sim};

/// The diffs that were told, as a client would get them.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(String, Value)>>>);

impl Told {
    fn into_sink(self) -> impl Fn(&str, &Diff) + Send + Sync + 'static {
        move |topic, diff| self.0.lock().push((topic.to_owned(), serde_json::to_value(diff).unwrap()))
    }

    fn take(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock())
    }
}

async fn on_a_node<F, P>(sim: Sim, program: P) -> Outcome
where
    P: Fn() -> F + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let node = sim.node("node", program);
    match timeout(600.secs(), node.ended()).await {
        Ok(Exit::Finished) => Ok(()),
        other => Err(format!("the node did not finish: {other:?}").into()),
    }
}

async fn start(presence: &Presence) -> SupervisorRef {
    let tree = Supervisor::one_for_one().intensity(100, 1.secs()).child("presence", presence.supervisor());
    tree.start("root").await.unwrap()
}

fn sleeper() -> Pid {
    otp::spawn("sleeper", std::future::pending::<()>())
}

fn keys(presence: &Presence, topic: &str) -> Vec<String> {
    presence.list(topic).keys().map(str::to_owned).collect()
}

/// Waits until it is so, for two seconds: how stale a presence may be.
async fn soon(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let began = Instant::now();
    while !is_so() {
        if began.elapsed() > 2.secs() {
            return Err(format!("not within 2 s: {what}"));
        }
        sleep(5.millis()).await;
    }
    Ok(())
}

#[simurgh_sim::test(seeds = 20)]
async fn a_process_that_ends_is_nowhere_any_more(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let told = Told::default();
        let presence = Presence::new(told.clone().into_sink());
        let before = sleeper();
        presence.track(before, "room:1", "early", &()).unwrap();
        let root = start(&presence).await;
        let pid = sleeper();
        presence.track(pid, "room:1", "late", &json!({"n": 1})).unwrap();
        presence.track(pid, "room:2", "__proto__", &()).unwrap();
        assert!(matches!(presence.track(pid, "room:1", "late", &()), Err(TrackError::AlreadyTracked { .. })));
        assert_eq!(
            (keys(&presence, "room:1"), keys(&presence, "room:2")),
            (vec!["early".into(), "late".into()], vec!["__proto__".to_owned()])
        );
        told.take();
        otp::kill(before);
        otp::kill(pid);
        soon("both rooms are empty", || presence.list("room:1").is_empty() && presence.list("room:2").is_empty())
            .await?;
        let leaves: usize = told.take().iter().map(|(_, diff)| diff["leaves"].as_object().unwrap().len()).sum();
        assert_eq!((leaves, presence.own_count()), (3, 0));
        let dead = sleeper();
        otp::kill(dead);
        otp::monitor(dead).await;
        presence.track(dead, "room:1", "ghost", &()).unwrap();
        soon("the dead are nowhere", || presence.list("room:1").is_empty()).await?;
        root.stop(5.secs()).await;
        Ok(())
    })
    .await
}

#[simurgh_sim::test(seeds = 20)]
async fn an_end_is_noticed_also_while_the_watcher_was_dead(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let presence = Presence::new(|_: &str, _: &Diff| ());
        let root = start(&presence).await;
        let pids: Vec<Pid> = (0..20).map(|_| sleeper()).collect();
        for (number, pid) in pids.iter().enumerate() {
            presence.track(*pid, &format!("room:{}", number % 5), "k", &()).unwrap();
        }
        for info in otp::list().iter().filter(|info| info.label.to_string().starts_with("presence shard")) {
            otp::kill(info.pid);
        }
        pids.into_iter().for_each(otp::kill);
        soon("all are gone", || presence.own_count() == 0 && presence.topics().is_empty()).await?;
        root.stop(5.secs()).await;
        Ok(())
    })
    .await
}

#[simurgh_sim::test(seeds = 50)]
async fn what_clients_make_of_state_and_diffs_is_the_list(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let client: Arc<Mutex<PresenceClient>> = Arc::default();
        let sink = Arc::clone(&client);
        let presence = Presence::new(move |topic: &str, diff: &Diff| {
            assert_eq!(topic, "room");
            sink.lock().diff(&serde_json::to_value(diff).unwrap());
        });
        let root = start(&presence).await;
        for round in 0..5 {
            let busy: Vec<_> = (0..4)
                .map(|user| {
                    let presence = presence.clone();
                    otp::spawn("user", async move { visit(&presence, user).await })
                })
                .collect();
            client.lock().joined();
            sleep(random::range(0..20).millis()).await;
            let state = serde_json::to_value(presence.state("room").await).unwrap();
            client.lock().state(&state);
            for pid in busy {
                if random::chance(0.3) {
                    otp::kill(pid);
                }
                otp::monitor(pid).await;
            }
            let same = || {
                let list = presence.list("room");
                let mut listed: Vec<(String, String)> =
                    list.items().iter().map(|item| (item.key.to_string(), item.meta.phx_ref().to_owned())).collect();
                listed.sort_unstable();
                listed == client.lock().refs()
            };
            soon(&format!("round {round}: the client has what is listed"), same).await?;
        }
        root.stop(5.secs()).await;
        Ok(())
    })
    .await
}

async fn visit(presence: &Presence, user: u64) {
    let me = otp::self_pid();
    for _ in 0..20 {
        let key = format!("user {}", random::range(0..user + 2));
        match random::range(0..4) {
            0 | 1 => drop(presence.track_self("room", &key, &json!({"user": user}))),
            2 => drop(presence.update_with(me, "room", &key, |mut meta| {
                meta.insert("typing".into(), json!(true));
                meta
            })),
            _ => drop(presence.untrack(me, "room", &key)),
        }
        sleep(random::range(0..3).millis()).await;
    }
}

#[simurgh_sim::test(seeds = 20)]
async fn a_hook_is_asked_once_for_all_keys_of_a_batch(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let (told, asked) = (Told::default(), Arc::new(Mutex::new(Vec::new())));
        let calls = Arc::clone(&asked);
        let presence = Presence::builder(told.clone().into_sink())
            .fetch(move |topic, keys: Vec<String>| {
                calls.lock().push((topic, keys.clone()));
                async move {
                    sleep(10.millis()).await;
                    assert!(!keys.iter().any(|key| key == "bad"), "as planned");
                    if keys.iter().any(|key| key == "slow") {
                        sleep(60.secs()).await;
                    }
                    let row = |key: String| (key.clone(), json!({ "name": key }).as_object().unwrap().clone());
                    keys.into_iter().map(row).collect::<Extras>()
                }
            })
            .build();
        let root = start(&presence).await;
        let pids: Vec<Pid> = (0..10).map(|_| sleeper()).collect();
        for (number, pid) in pids.iter().enumerate() {
            presence.track(*pid, "room", &format!("k{number}"), &()).unwrap();
        }
        let names =
            |told: &Told| told.0.lock().iter().map(|(_, diff)| diff["joins"].as_object().unwrap().len()).sum::<usize>();
        soon("ten joins are told", || names(&told) == 10).await?;
        assert!(asked.lock().len() <= 2, "one batch, or two if the first join was alone: {:?}", asked.lock());
        for (_, diff) in told.take() {
            assert!(
                diff["joins"].as_object().unwrap().iter().all(|(key, entry)| entry["name"] == json!(key)),
                "{diff}"
            );
        }
        asked.lock().clear();
        let state = serde_json::to_value(presence.state("room").await).unwrap();
        assert_eq!((state["k3"]["name"].clone(), asked.lock().len()), (json!("k3"), 1));
        // A hook that fails or hangs costs what it would have given, and no diff.
        for key in ["bad", "slow"] {
            presence.track(pids[0], "room", key, &()).unwrap();
            sleep(6.secs()).await;
            let diffs = told.take();
            assert_eq!(diffs.len(), 1, "{key}: {diffs:?}");
            assert_eq!(
                (diffs[0].1["joins"][key]["metas"].as_array().map(Vec::len), diffs[0].1["joins"][key].get("name")),
                (Some(1), None)
            );
        }
        root.stop(5.secs()).await;
        Ok(())
    })
    .await
}

/// Presences of several nodes in one, whose messages arrive a little later.
#[derive(Clone, Default)]
struct Mesh(Arc<Mutex<Nodes>>);

/// Each with its name.
type Nodes = Vec<(Arc<str>, Presence)>;

struct Port {
    mesh: Mesh,
    me: Arc<str>,
}

impl Port {
    fn carry(&self, to: Option<&str>, shard: usize, message: &[u8]) {
        let others = self.mesh.0.lock().clone();
        for (name, presence) in others.into_iter().filter(|(name, _)| *name != self.me) {
            if to.is_none_or(|to| to == &*name) {
                let message = message.to_vec();
                let _detached = simurgh_runtime::spawn(async move {
                    sleep(random::range(1..20).millis()).await;
                    presence.receive(shard, &message).unwrap();
                });
            }
        }
    }
}

impl Link for Port {
    fn broadcast(&self, shard: usize, message: Vec<u8>) {
        self.carry(None, shard, &message);
    }

    fn send(&self, shard: usize, to: &ReplicaId, message: Vec<u8>) {
        self.carry(Some(to.name()), shard, &message);
    }
}

async fn join(mesh: &Mesh, name: &str, told: &Told) -> (Presence, SupervisorRef) {
    let me: Arc<str> = name.into();
    let options = PresenceOptions { node: Arc::clone(&me), shards: 2, ..PresenceOptions::default() };
    let link = Port { mesh: mesh.clone(), me: Arc::clone(&me) };
    let presence = Presence::builder(told.clone().into_sink()).options(options).link(link).build();
    mesh.0.lock().push((me, presence.clone()));
    let root = start(&presence).await;
    (presence, root)
}

#[simurgh_sim::test(seeds = 20)]
async fn nodes_see_each_other_within_two_seconds_and_an_orderly_end_at_once(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let (mesh, told) = (Mesh::default(), Told::default());
        let (a, root_a) = join(&mesh, "a", &Told::default()).await;
        let (b, root_b) = join(&mesh, "b", &told).await;
        let alice = sleeper();
        a.track(alice, "room", "alice", &json!({"n": 1})).unwrap();
        soon("b sees alice", || keys(&b, "room") == ["alice"]).await?;
        for number in 2..10 {
            sleep(random::range(0..2_500).millis()).await;
            a.update(alice, "room", "alice", &json!({ "n": number })).unwrap();
            soon("b sees the update", || {
                b.get_by_key("room", "alice").items()[0].meta.field::<u64>("n") == Some(number)
            })
            .await?;
        }
        b.track(sleeper(), "room", "bob", &()).unwrap();
        soon("a sees bob", || a.list("room").len() == 2).await?;
        otp::kill(alice);
        soon("alice is gone on both", || keys(&a, "room") == ["bob"] && keys(&b, "room") == ["bob"]).await?;
        a.track(sleeper(), "room", "carol", &()).unwrap();
        soon("b sees carol", || b.list("room").len() == 2).await?;
        told.take();
        root_a.stop(5.secs()).await;
        sleep(50.millis()).await;
        assert_eq!((keys(&b, "room"), told.take().len()), (vec!["bob".to_owned()], 1));
        // Started again, it is another replica, and what it has is known again.
        let root_a = start(&a).await;
        soon("b sees carol again", || b.list("room").len() == 2).await?;
        sleep(5.secs()).await;
        assert_eq!((a.list("room").len(), b.list("room").len()), (2, 2));
        b.node_down("a");
        assert_eq!(keys(&b, "room"), ["bob"]);
        sleep(20.secs()).await;
        assert_eq!(b.list("room").len(), 2, "a heartbeat brings it back");
        root_a.stop(5.secs()).await;
        root_b.stop(5.secs()).await;
        Ok(())
    })
    .await
}

#[simurgh_sim::test(seeds = 5)]
async fn a_room_that_many_enter_at_once_is_told_in_batches(sim: Sim) -> Outcome {
    on_a_node(sim, || async {
        let told = Told::default();
        let presence = Presence::new(told.clone().into_sink());
        let root = start(&presence).await;
        let pid = sleeper();
        for number in 0..5_000 {
            presence.track(pid, "room", &format!("k{number}"), &()).unwrap();
        }
        sleep(Duration::from_millis(300)).await;
        let diffs = told.take();
        let joins: usize = diffs.iter().map(|(_, diff)| diff["joins"].as_object().unwrap().len()).sum();
        assert_eq!(joins, 5_000);
        assert!(diffs.len() < 2_100, "{} diffs", diffs.len());
        root.stop(5.secs()).await;
        Ok(())
    })
    .await
}

#[test]
fn a_subscriber_may_ask_and_change_what_it_is_told_of() {
    simurgh_runtime::run("test", async {
        let slot: Arc<Mutex<Option<Presence>>> = Arc::default();
        let (inner, lens) = (Arc::clone(&slot), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&lens);
        let presence = Presence::new(move |topic: &str, _: &Diff| {
            let presence = inner.lock().clone().unwrap();
            let len = presence.list(topic).len();
            seen.lock().push(len);
            if len < 3 {
                presence.track(sleeper(), topic, &format!("k{len}"), &()).unwrap();
            }
        });
        *slot.lock() = Some(presence.clone());
        presence.track(sleeper(), "room", "k0", &()).unwrap();
        assert_eq!((presence.list("room").len(), lens.lock().clone()), (3, vec![1, 2, 3]));
    });
}
