//! The calm phase: a core is healed, all other failures stay, and the core must make progress.
//!
//! ```text
//!   core = "all"       everything is mended
//!   core = "quorum"    a majority of the servers and the clients are mended, those first that lack least; who else is
//!                      down, stands still or is cut off stays so until `within`, and is mended then
//! ```
//!
//! If nothing moves, the first question is whether it could: too few servers may still know what was. Only what is
//! possible is called stuck.

use std::collections::BTreeSet;
use std::time::Duration;

use simurgh_runtime::{self as runtime, Scope};
use simurgh_sim::{Exit, Node};

use super::Stage;
use crate::chaos::Left;
use crate::report::Evidence;
use crate::select::quorum;

/// Who has had an answer so lately is not stuck: it began with more than it could do in its time.
const BEHIND: Duration = Duration::from_secs(1);

impl Stage {
    pub(super) async fn calm(&self, left: &Left) -> Result<(), String> {
        let began = self.sim.elapsed();
        let end = began + Duration::from_nanos(self.plan.calm_ns);
        let live = self.plan.live.clone();
        let core = self.core(left, live.as_ref().is_some_and(|live| live.is_quorum));
        self.heal(&core, left).await?;
        let frozen = self.freeze(&core, left);
        if let Some(calm) = self.subject().and_then(|subject| subject.calm.clone()) {
            calm(self.chaos.world.clone()).await?;
        }
        let wants = |what: &str| live.as_ref().is_some_and(|live| live.what.iter().any(|wanted| wanted == what));
        let within = live.as_ref().map_or(self.plan.calm_ns, |live| live.within.as_nanos() as u64);
        let deadline = began + Duration::from_nanos(within);
        if live.is_none() || wants("calls_answered") {
            self.clients_end(deadline, &core, left).await?;
        }
        if wants("converged") {
            self.until(deadline.as_nanos() as u64).await;
            self.sim.ask(|invariant| invariant.calm());
        }
        if core.len() < self.chaos.servers.len() {
            drop(frozen);
            self.heal(&self.chaos.servers, left).await?;
        }
        if wants("quiescent") {
            let quarter = Duration::from_nanos(self.plan.calm_ns / 4);
            self.until(end.saturating_sub(quarter).as_nanos() as u64).await;
            let before = self.recorder.lock().lively;
            self.until(end.as_nanos() as u64).await;
            let lively = self.recorder.lock().lively - before;
            if lively > 0 {
                let what = format!(
                    "the world does not come to rest: {lively} events that are no heartbeats in the last {quarter:?} of calm"
                );
                return self.not_live(what, &core, left);
            }
        }
        self.until(end.as_nanos() as u64).await;
        Ok(())
    }

    /// Whom to heal: all, or the majority that lacks least.
    fn core(&self, left: &Left, is_quorum: bool) -> Vec<Node> {
        let servers = &self.chaos.servers;
        if !is_quorum {
            return servers.clone();
        }
        let unreliable = self.chaos.state.lock().unreliable.clone();
        let mut core = servers.clone();
        core.sort_by_key(|node| {
            let name = node.name();
            let cuts = left.cuts.iter().filter(|(from, to)| from == name || to == name).count();
            (unreliable.contains(name), !node.is_running(), left.paused.contains_key(name), cuts)
        });
        core.truncate(quorum(servers.len()));
        core
    }

    /// Mends these nodes, and all ways. One that does not start is no error if its disk was lost or lied: then it is
    /// one that is missing.
    async fn heal(&self, core: &[Node], left: &Left) -> Result<(), String> {
        let lost = self.chaos.state.lock().unreliable.clone();
        let (broken, sound): (Vec<Node>, Vec<Node>) = core.iter().cloned().partition(|node| lost.contains(node.name()));
        self.sim.mend(&sound).await?;
        for node in broken {
            let _ = self.sim.mend(&[node]).await;
        }
        let all: Vec<Node> = self.chaos.world.nodes.values().flatten().cloned().collect();
        for node in core {
            if left.narrow.contains(node.name()) {
                self.sim.limit_bandwidth(std::slice::from_ref(node), &all, 0);
            }
            if left.drifting.contains(node.name()) {
                self.sim.drift_clock(node, 0);
            }
        }
        Ok(())
    }

    /// Keeps as it is what is wrong outside of the core; as long as the scope lives.
    fn freeze(&self, core: &[Node], left: &Left) -> Scope {
        let scope = Scope::new();
        if core.len() == self.chaos.servers.len() {
            return scope;
        }
        let nodes: Vec<&Node> = self.chaos.servers.iter().chain(&self.chaos.clients).collect();
        let of = |name: &str| nodes.iter().find(|node| node.name() == name).map(|node| (*node).clone());
        let healed: BTreeSet<&str> = core.iter().chain(&self.chaos.clients).map(Node::name).collect();
        let is_left = |(from, to): &&(String, String)| !healed.contains(from.as_str()) || !healed.contains(to.as_str());
        for (from, to) in left.cuts.iter().filter(is_left) {
            if let (Some(from), Some(to)) = (of(from), of(to)) {
                self.sim.partition_one_way(&[from], &[to]);
            }
        }
        for (name, until) in left.paused.iter().filter(|(name, _)| !healed.contains(name.as_str())) {
            let Some(node) = of(name) else { continue };
            let (sim, more) = (self.sim, until.saturating_sub(self.sim.elapsed()));
            let rest = Duration::from_nanos(self.plan.calm_ns);
            scope.spawn("freeze", async move {
                runtime::sleep(more).await;
                sim.pause(&node, rest);
            });
        }
        scope
    }

    /// Waits until the clients have done all, the operations after the chaos too.
    async fn clients_end(&self, deadline: Duration, core: &[Node], left: &Left) -> Result<(), String> {
        for client in &self.chaos.clients {
            let patience = deadline.saturating_sub(self.sim.elapsed());
            match runtime::timeout(patience, client.ended()).await {
                Ok(Exit::Failed(why)) => return Err(format!("{}: {why}", client.name())),
                Ok(_) => {}
                Err(_) => {
                    let healed = if core.len() < self.chaos.servers.len() { "a quorum" } else { "everything" };
                    let after = deadline.saturating_sub(Duration::from_nanos(self.plan.warmup_ns + self.plan.chaos_ns));
                    let answered = self.recorder.lock().answered.get(client.name()).copied();
                    let doing = match answered {
                        Some(at) if self.sim.elapsed() < at + BEHIND => {
                            "is answered, and behind with what it has to do"
                        }
                        _ => "still waits for an answer",
                    };
                    let what = format!("{} {doing}, {after:?} after {healed} was healed", client.name());
                    return self.not_live(what, core, left);
                }
            }
        }
        Ok(())
    }

    /// No progress: impossible, or stuck.
    fn not_live(&self, message: String, core: &[Node], left: &Left) -> Result<(), String> {
        let servers = &self.chaos.servers;
        let needed = quorum(servers.len());
        let unreliable = self.chaos.state.lock().unreliable.len();
        let is_impossible = !servers.is_empty() && servers.len().saturating_sub(unreliable) < needed;
        let evidence = servers.iter().map(|node| self.lacks(node, core, left)).collect();
        let mut recorder = self.recorder.lock();
        recorder.class = Some(if is_impossible { "stuck-impossible" } else { "liveness" });
        recorder.evidence = evidence;
        if is_impossible {
            return Err(format!(
                "{message}; {unreliable} of {} nodes lost their disks or were lied to by them, so that no quorum can know what was",
                servers.len()
            ));
        }
        Err(message)
    }

    /// What a server lacks while progress is demanded.
    fn lacks(&self, node: &Node, core: &[Node], left: &Left) -> Evidence {
        let name = node.name();
        let is_core = core.iter().any(|other| other.name() == name);
        let mut seen = vec![if node.is_running() { "runs".to_owned() } else { "is down".to_owned() }];
        if self.chaos.state.lock().unreliable.contains(name) {
            seen.push("its disk was lost or lied".to_owned());
        }
        if !is_core {
            let cuts = left.cuts.iter().filter(|(from, to)| from == name || to == name).count();
            if cuts > 0 {
                seen.push(format!("{cuts} of its ways are cut"));
            }
            if left.paused.contains_key(name) {
                seen.push("stands still".to_owned());
            }
        }
        let expected = if is_core { "of the healed core" } else { "as the faults left it" };
        Evidence { key: name.to_owned(), expected: expected.to_owned(), seen: seen.join(", ") }
    }
}
