//! One run of a plan: warm-up, chaos, calm, and the report of it.
//!
//! ```text
//!   warmup   all nodes start; nothing goes wrong, clients wait
//!   chaos    faults strike, clients work; safety is judged at every event
//!   calm     all is mended, or a core is and the rest stays as it is; progress is judged (`live`)
//! ```

mod live;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::{self as runtime, Scope, sync::Mutex};
use simurgh_sim::{Body, Decision, Effect, Exit, Node, Profile, RunConfig, Sim, Verdict, run_watched};

use crate::chaos::{Chaos, State};
use crate::plan::Plan;
use crate::reach::{Follower, Spot, Way};
use crate::record::{Lives, Recorder, TICK_NS, Watched};
use crate::registry::Registry;
use crate::report::{
    self, FaultReport, Form, Judgement, LogLine, Message, NodeReport, Phase, ProbeReport, Report, RoleReport,
    Undelivered,
};
use crate::subject::{Client, Place, Seat, World};
use crate::value::Value;

/// How a run is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Look {
    /// Keep so many of the last events and messages.
    pub(crate) keep: usize,
    /// Record the decisions of the schedule.
    pub(crate) record: bool,
}

/// Runs a plan, and asks whether it comes to a spot. The second is true if a poll has not returned: then only the end of this process ends it.
pub(crate) fn run(plan: &Arc<Plan>, registry: &Arc<Registry>, look: Look, spot: Option<Spot>) -> (Report, bool) {
    let recorder = Arc::new(Mutex::new(Recorder { way: Way::new(spot), ..Recorder::default() }));
    let config = RunConfig {
        physics: Some(plan.physics.clone()),
        planted: plan.planted.clone(),
        max_polls: plan.max_polls,
        keep: look.keep,
        record: look.record,
        replay: plan.decisions.clone(),
        ..RunConfig::new(plan.seed, Profile::calm())
    };
    let body: Body = {
        let (plan, registry, recorder) = (Arc::clone(plan), Arc::clone(registry), Arc::clone(&recorder));
        Arc::new(move |sim| Box::pin(body(sim, Arc::clone(&plan), Arc::clone(&registry), Arc::clone(&recorder))))
    };
    let (ran, is_stuck) = match run_watched(&config, &body) {
        Ok(ran) => (ran, false),
        Err(ran) => (*ran, true),
    };
    (report_of(plan, registry, &ran, &mut recorder.lock()), is_stuck)
}

async fn body(
    sim: Sim,
    plan: Arc<Plan>,
    registry: Arc<Registry>,
    recorder: Arc<Mutex<Recorder>>,
) -> Result<(), String> {
    if plan.level == "property" {
        for workload in &plan.workloads {
            if let Some(property) = registry.properties.get(workload.name.as_str()) {
                let broken = |broken: crate::property::Broken| {
                    let mut recorder = recorder.lock();
                    (recorder.class, recorder.law) = (Some("invariant"), property.name);
                    recorder.case = broken.case;
                    broken.why
                };
                (property.check)(plan.seed, workload.cases).map_err(broken)?;
            }
        }
        return Ok(());
    }
    sim.watch(Follower::new(sim, Arc::clone(&recorder), registry.probes.keys().copied()));
    sim.watch(Lives { recorder: Arc::clone(&recorder) });
    for invariant in &plan.invariants {
        if let Some(kind) = registry.invariants.get(invariant.name.as_str()) {
            sim.watch(Watched::new((kind.make)(&invariant.params), invariant, &recorder));
        }
    }
    Stage::build(sim, plan, registry, recorder).play().await
}

/// A world that was built.
struct Stage {
    chaos: Arc<Chaos>,
    sim: Sim,
    plan: Arc<Plan>,
    recorder: Arc<Mutex<Recorder>>,
}

impl Stage {
    fn build(sim: Sim, plan: Arc<Plan>, registry: Arc<Registry>, recorder: Arc<Mutex<Recorder>>) -> Self {
        let mut nodes: BTreeMap<String, Vec<Node>> = BTreeMap::new();
        let mut places = Vec::new();
        // Servers first, so that their addresses do not depend on how many clients there are.
        let (clients, servers): (Vec<_>, Vec<_>) = plan.roles.iter().partition(|role| plan.is_client(&role.name));
        for role in servers.iter().chain(&clients) {
            let of_role = nodes.entry(role.name.clone()).or_default();
            for number in role.numbers() {
                let node = sim.machine(&role.name_of(number));
                places.push(Place {
                    name: node.name().to_owned(),
                    role: role.name.clone(),
                    zone: 1 + (number - 1) % role.zones,
                    version: 1 + (number - 1) % role.versions,
                    ip: node.ip(),
                });
                recorder.lock().machines.push(node.clone());
                of_role.push(node);
            }
        }
        recorder.lock().nodes = places
            .iter()
            .map(|place| NodeReport {
                name: place.name.clone(),
                ip: place.ip.to_string(),
                role: place.role.clone(),
                zone: place.zone,
                lives: Vec::new(),
            })
            .collect();
        let all = Arc::new(places);
        let of_roles = |roles: &[&crate::plan::RolePlan]| -> Vec<Node> {
            roles.iter().flat_map(|role| nodes[&role.name].iter().cloned()).collect()
        };
        let (servers, clients) = (of_roles(&servers), of_roles(&clients));
        for place in all.iter() {
            let node = nodes[&place.role].iter().find(|node| node.name() == place.name).expect("it was made above");
            install(sim, node, place, &all, &plan, &registry);
        }
        let server_places = all.iter().filter(|place| !plan.is_client(&place.role)).cloned().collect();
        let chaos = Arc::new(Chaos {
            world: World { sim, nodes: Arc::new(nodes) },
            plan: Arc::clone(&plan),
            registry,
            servers,
            clients,
            places: server_places,
            recorder: Arc::clone(&recorder),
            state: Mutex::new(State::default()),
        });
        Self { chaos, sim, plan, recorder }
    }

    async fn play(self) -> Result<(), String> {
        for node in &self.chaos.servers {
            node.started().await?;
        }
        let ticks = Scope::new();
        let sim = self.sim;
        let is_periodic = self.recorder.lock().invariants.iter().any(|invariant| invariant.check == "every");
        if is_periodic {
            ticks.spawn("ticks", async move {
                loop {
                    runtime::sleep(Duration::from_nanos(TICK_NS)).await;
                    sim.ask(|invariant| invariant.holds());
                }
            });
        }
        self.phase("warmup");
        self.until(self.plan.warmup_ns).await;
        self.phase("chaos");
        let watchers = self.supervise();
        let faults = Scope::new();
        for fault in &self.plan.faults {
            let probed = match &fault.trigger {
                crate::plan::Trigger::Probe(probe, _) => sim.probed(probe),
                crate::plan::Trigger::At(_) => 0,
            };
            faults.spawn("fault", Arc::clone(&self.chaos).fault(fault.clone(), probed));
        }
        self.until(self.plan.warmup_ns + self.plan.chaos_ns).await;
        drop(faults);
        let left = self.chaos.left();
        self.chaos.close_all();
        self.phase("calm");
        self.calm(&left).await?;
        drop((watchers, ticks));
        sim.ask(|invariant| invariant.calm());
        if let Some(finish) = self.subject().and_then(|subject| subject.finish.clone()) {
            finish(self.chaos.world.clone()).await?;
        }
        self.phase("");
        Ok(())
    }

    fn subject(&self) -> Option<&crate::subject::Subject> {
        self.plan.subject(&self.chaos.registry)
    }

    /// The last phase ends and this one begins.
    fn phase(&self, name: &str) {
        let now = self.sim.elapsed().as_nanos() as u64;
        let mut recorder = self.recorder.lock();
        if let Some(last) = recorder.phases.last_mut() {
            last.until_ns = now;
        }
        if !name.is_empty() {
            recorder.phases.push(Phase { name: name.to_owned(), from_ns: now, until_ns: now });
        }
    }

    async fn until(&self, ns: u64) {
        runtime::sleep(Duration::from_nanos(ns).saturating_sub(self.sim.elapsed())).await;
    }

    /// Starts processes again that ended by themselves, as a service manager does.
    fn supervise(&self) -> Scope {
        const RESTART: Duration = Duration::from_millis(100);
        let scope = Scope::new();
        let supervised = |name: &str| self.plan.roles.iter().any(|role| role.name == name && role.is_supervised);
        for (node, place) in
            self.chaos.servers.iter().zip(&self.chaos.places).filter(|(_, place)| supervised(&place.role))
        {
            let (node, name, chaos) = (node.clone(), place.name.clone(), Arc::clone(&self.chaos));
            scope.spawn("service manager", async move {
                loop {
                    let how = node.ended().await;
                    runtime::sleep(RESTART).await;
                    let is_held = chaos.state.lock().away.contains_key(&name);
                    if how != Exit::Killed && !is_held && !node.is_running() {
                        node.restart();
                    }
                }
            });
        }
        scope
    }
}

/// Gives a machine its program.
fn install(sim: Sim, node: &Node, place: &Place, all: &Arc<Vec<Place>>, plan: &Arc<Plan>, registry: &Arc<Registry>) {
    let workload = plan.workloads.iter().find(|workload| workload.clients == place.role);
    let kind = |name: &str| registry.workloads.get(name);
    let subject = plan.subject(registry);
    let Some(subject) = subject else { return };
    let mut knobs: BTreeMap<String, Value> =
        subject.knobs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    knobs.extend(plan.knobs.clone());
    let role = plan.roles.iter().find(|role| role.name == place.role);
    knobs.extend(role.map(|role| role.knobs.clone()).unwrap_or_default());
    let seat = Seat { place: place.clone(), all: Arc::clone(all), knobs: Arc::new(knobs), seed: plan.seed };
    if let Some((workload, kind)) = workload.and_then(|workload| Some((workload, kind(&workload.name)?))) {
        let clients = role.map_or(1, |role| role.count);
        let operations = plan.operations(workload, &place.name, clients, registry);
        let client = Arc::clone(&kind.client);
        node.install(move || client(Client::new(seat.clone(), sim, Arc::clone(&operations))));
    } else if let Some(program) = subject.roles.get(place.role.as_str()) {
        let program = Arc::clone(program);
        node.install(move || program(seat.clone()));
    }
}

fn report_of(plan: &Plan, registry: &Registry, ran: &simurgh_sim::Report, recorder: &mut Recorder) -> Report {
    // Those that the end of the run has cut short.
    for (index, measuring) in std::mem::take(&mut recorder.measuring) {
        measuring.write(&ran.effects, &mut recorder.faults[index]);
    }
    let roles = plan.role_names();
    let unmet: Vec<String> = plan
        .never
        .iter()
        .filter(|probe| ran.probes.iter().any(|(name, count)| name == *probe && *count > 0))
        .map(|probe| format!("the probe {probe} was passed, which must never be"))
        .collect();
    let mut verdict = match &ran.failure {
        Some(Verdict::Failed(why)) if recorder.class.is_some() => {
            Judgement::new(recorder.class.unwrap_or("failed"), recorder.law, why, &roles)
        }
        // An invariant that could not hold.
        Some(verdict @ Verdict::Invariant { .. }) if recorder.class.is_some() => {
            Judgement::new(recorder.class.unwrap_or("invariant"), verdict.invariant(), verdict.message(), &roles)
        }
        Some(verdict) => Judgement::of_verdict(verdict, &roles),
        None => match (unmet.first(), &recorder.inconclusive) {
            (Some(why), _) => Judgement::new("never", "", why, &roles),
            (None, Some(why)) => Judgement::new("inconclusive", "", why, &roles),
            (None, None) => Judgement::pass(),
        },
    };
    (verdict.at_ns, verdict.event) = (ran.elapsed.as_nanos() as u64, ran.events);
    verdict.evidence = std::mem::take(&mut recorder.evidence);
    verdict.demands = demands(registry, &verdict);
    let expected = |name: &str| if plan.never.iter().any(|never| never == name) { "never" } else { "" };
    let count = |name: &str| ran.probes.iter().find(|(known, _)| known == name).map_or(0, |(_, count)| *count);
    // A property runs no nodes: it misses no probe. Nor does a run miss what is named after another subject.
    let subject = plan.subject(registry).map_or("", |subject| subject.name);
    let is_anothers =
        |name: &str| name.split_once('.').is_some_and(|(of, _)| of != subject && registry.subjects.contains_key(of));
    let may_miss = |name: &str| plan.level != "property" && !is_anothers(name);
    let is_told = |name: &&&str| count(name) > 0 || !expected(name).is_empty() || may_miss(name);
    let declared = registry.probes.keys().filter(is_told);
    let mut probes: Vec<ProbeReport> = declared
        .map(|name| ProbeReport {
            name: (*name).to_owned(),
            count: count(name),
            expected: expected(name).into(),
            about: registry.probes[name].to_owned(),
        })
        .collect();
    let undeclared = ran.probes.iter().filter(|(name, _)| !registry.probes.contains_key(name.as_str()));
    probes.extend(undeclared.map(|(name, count)| ProbeReport {
        name: name.clone(),
        count: *count,
        ..ProbeReport::default()
    }));
    let elapsed_ns = ran.elapsed.as_nanos() as u64;
    let (trail, reached) = (recorder.way.trail(elapsed_ns), recorder.way.reached(recorder, &probes, elapsed_ns));
    let log: Vec<LogLine> = ran.kept.iter().map(LogLine::from).collect();
    let words = words_of(registry, &log, &recorder.faults);
    let begins = || {
        let arrived = ran.messages.iter().map(|message| message.begins.as_str());
        arrived.chain(ran.undelivered.iter().map(|message| message.begins.as_str()))
    };
    let forms = plan.subject(registry).map(|subject| subject.forms.as_slice()).unwrap_or_default().iter();
    let forms = forms.map(|(form, about)| Form { form: (*form).to_owned(), about: (*about).to_owned() });
    let forms = forms.filter(|form| begins().any(|begins| form.fits(begins))).collect();
    Report {
        magic: report::MAGIC.into(),
        schema: report::SCHEMA,
        scenario: plan.name.clone(),
        file: String::new(),
        why: plan.why.clone(),
        level: plan.level.clone(),
        seed: plan.seed,
        planted: plan.planted.clone(),
        verdict,
        trace_hash: format!("{:016x}", ran.hash),
        events: ran.events,
        polls: ran.polls,
        elapsed_ns,
        plan: plan.file.print(),
        differs: crate::file::differs(&plan.file),
        phases: std::mem::take(&mut recorder.phases),
        roles: plan.roles.iter().map(|role| role_of(plan, role)).collect(),
        nodes: std::mem::take(&mut recorder.nodes),
        faults: std::mem::take(&mut recorder.faults),
        effects: Effect::ALL
            .iter()
            .map(|(effect, name, _)| ((*name).to_owned(), ran.effects.of(*effect)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        invariants: std::mem::take(&mut recorder.invariants),
        probes,
        tally: ran.tally.counts(),
        unmet,
        messages: ran.messages.iter().map(Message::from).collect(),
        undelivered: ran.undelivered.iter().map(Undelivered::from).collect(),
        case: recorder.case.take(),
        forms,
        log,
        words,
        decisions: ran.decisions.iter().map(|Decision { poll, place, budget }| (*poll, *place, *budget)).collect(),
        trail,
        reached,
    }
}

/// What a verdict says that does not hold: in the words of the invariant or the property, or of its class.
fn demands(registry: &Registry, verdict: &Judgement) -> String {
    let name = verdict.invariant.as_str();
    let invariant = registry.invariants.get(name).map(|kind| kind.about);
    let own = invariant.or_else(|| registry.properties.get(name).map(|property| property.about));
    own.unwrap_or_else(|| crate::judge::demand(&verdict.class)).to_owned()
}

fn role_of(plan: &Plan, role: &crate::plan::RolePlan) -> RoleReport {
    RoleReport {
        name: role.name.clone(),
        count: role.count,
        runs: role.numbers().count() as u32,
        is_client: plan.is_client(&role.name),
    }
}

/// What the names mean that appear in a log and in what faults count.
fn words_of(registry: &Registry, log: &[LogLine], faults: &[FaultReport]) -> BTreeMap<String, String> {
    let mut words = BTreeMap::new();
    let mut mean = |name: &str| {
        if let Some(about) = registry.words.get(name) {
            words.insert(name.to_owned(), (*about).to_owned());
        }
    };
    for line in log.iter().filter(|line| line.kind == "event") {
        let (event, fields) = crate::render::fields_of(&line.text);
        mean(event);
        for (field, _) in fields {
            let own = format!("{event} {field}");
            mean(if registry.words.contains_key(own.as_str()) { &own } else { field });
        }
    }
    for fault in faults {
        let measures =
            registry.faults.get(fault.kind.as_str()).map(|kind| kind.measures.as_slice()).unwrap_or_default();
        for (measure, effects) in measures {
            let about = effects.first().and_then(|effect| Effect::ALL.iter().find(|(known, ..)| known == effect));
            if let Some((.., about)) = about {
                words.insert(format!("count {measure}"), (*about).to_owned());
            }
        }
    }
    words
}

impl From<&simurgh_sim::Message> for Message {
    fn from(message: &simurgh_sim::Message) -> Self {
        Self {
            from: message.from.clone(),
            to: message.to.clone(),
            sent_ns: message.sent.0,
            arrived_ns: message.arrived.0,
            event: message.event,
            connection: message.connection,
            len: message.len,
            begins: message.begins.clone(),
        }
    }
}

impl From<&simurgh_sim::Undelivered> for Undelivered {
    fn from(message: &simurgh_sim::Undelivered) -> Self {
        Self {
            from: message.from.clone(),
            to: message.to.clone(),
            sent_ns: message.sent.0,
            stopped_ns: message.stopped.0,
            stop: message.stop.word().into(),
            connection: message.connection,
            len: message.len,
            begins: message.begins.clone(),
        }
    }
}

impl From<&simurgh_sim::TraceEvent> for LogLine {
    fn from(event: &simurgh_sim::TraceEvent) -> Self {
        Self {
            at_ns: event.at.0,
            event: event.number,
            node: event.node.clone(),
            task: event.task,
            kind: event.kind.clone(),
            text: event.words.clone(),
        }
    }
}
