//! Where a run failed, said so that another run can be asked whether it comes there too.
//!
//! A trace hash says that two runs are alike to the last event, which no change of the code survives. What survives is
//! what kinds of things happened close together when it went wrong:
//!
//! ```text
//!   marks   the last telemetry events but heartbeats, by role and name, and the probes passed among them
//!   within  how close together they stood, doubled, at least 100 ms
//!   during  kinds of faults that held then; before: kinds that had struck, and probes that had been passed
//!   asked   the invariant that did not hold
//! ```
//!
//! A run comes to this [`Spot`] if there is a moment at which all of it is so: an event, or the end of the run, since who
//! spins or waits for ever says nothing any more. An await more or less moves the moment; a
//! probe, an event or an invariant that is there no more leaves a mark unmet, and the run says which.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use simurgh_runtime::sync::Mutex;
use simurgh_sim::{Draws, Invariant, Purpose, Seen, Sim};

use crate::record::Recorder;
use crate::report::{FaultReport, ProbeReport, Report};

/// Telemetry events before the end of a run that count as close to it.
const LAST: usize = 12;
/// Marks are close together if they are within so long, at least.
const WITHIN_MIN_NS: u64 = 100_000_000;
/// An event ended the run if nothing came after it but the end of its poll.
const AT_ONCE_NS: u64 = 1_000;

/// What happened last in a run, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trail {
    /// The last telemetry events and probes: role and name, each kind once, in the order of the alphabet.
    pub marks: Vec<String>,
    /// From the first of them to the end.
    pub span_ns: u64,
}

/// Where a run failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spot {
    /// What happened last: role and name of telemetry events, and `probe NAME`.
    pub marks: Vec<String>,
    /// How close together.
    pub within_ns: u64,
    /// Kinds of faults that held then.
    pub during: Vec<String>,
    /// Kinds of faults that had struck by then.
    pub faults: Vec<String>,
    /// Probes that had been passed by then.
    pub probes: Vec<String>,
    /// The invariant that did not hold; empty if the failure was none of an invariant.
    pub asked: String,
}

/// Whether a run came to a spot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reached {
    /// When first, if it did.
    pub at_ns: Option<u64>,
    /// What is unmet, in words. Empty if it came there.
    pub unmet: Vec<String>,
}

impl Spot {
    /// The spot of a run that failed.
    pub(crate) fn of(report: &Report) -> Self {
        let at_ns = report.elapsed_ns;
        let within_ns = (report.trail.span_ns * 2).max(WITHIN_MIN_NS).div_ceil(1_000_000) * 1_000_000;
        let kinds = |faults: &mut dyn Iterator<Item = &FaultReport>| {
            let mut kinds: Vec<String> = faults.map(|fault| fault.kind.clone()).collect();
            kinds.sort();
            kinds.dedup();
            kinds
        };
        let struck = || report.faults.iter().filter(|fault| has_struck(fault, at_ns));
        let mut probes: Vec<String> =
            report.probes.iter().filter(|probe| probe.count > 0).map(|probe| probe.name.clone()).collect();
        probes.sort();
        let mut asked = report.verdict.invariant.clone();
        if !report.invariants.iter().any(|invariant| invariant.name == asked) {
            asked.clear();
        }
        Self {
            marks: report.trail.marks.clone(),
            within_ns,
            during: kinds(&mut struck().filter(|fault| holds(fault, at_ns, within_ns))),
            faults: kinds(&mut struck()),
            probes,
            asked,
        }
    }

    /// Whether there is nothing to tell it by. No run comes to such a spot.
    pub(crate) fn is_blank(&self) -> bool {
        self.marks.is_empty() && self.probes.is_empty() && self.asked.is_empty()
    }

    /// A hash of all of it, in hex.
    pub(crate) fn fingerprint(&self) -> String {
        let text = serde_json::to_string(self).expect("a spot is data");
        format!("{:016x}", Draws::new(0).named(Purpose::User, &text).u64())
    }
}

fn has_struck(fault: &FaultReport, at_ns: u64) -> bool {
    fault.outcome != "refused" && fault.at_ns <= at_ns
}

fn holds(fault: &FaultReport, at_ns: u64, within_ns: u64) -> bool {
    has_struck(fault, at_ns) && fault.until_ns.is_none_or(|until| until.saturating_add(within_ns) >= at_ns)
}

/// A kind of thing that happened: its role is empty for a probe.
#[derive(Debug)]
struct Mark {
    role: String,
    name: String,
    /// How often it was seen.
    count: u64,
}

impl Mark {
    fn words(&self) -> String {
        if self.role.is_empty() { format!("probe {}", self.name) } else { format!("{} {}", self.role, self.name) }
    }
}

/// The role of a node: its name without its number.
fn role(node: &str) -> &str {
    node.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// What is kept while a run goes on.
#[derive(Default)]
pub(crate) struct Way {
    kinds: Vec<Mark>,
    /// When, and which kind.
    last: VecDeque<(u64, usize)>,
    wanted: Option<Wanted>,
}

/// A spot that is looked for.
struct Wanted {
    spot: Spot,
    seen_ns: Vec<Option<u64>>,
    reached_ns: Option<u64>,
}

impl Wanted {
    /// Whether all of it is so at a moment.
    fn is_there(&self, faults: &[FaultReport], at_ns: u64, passed: impl Fn(&str) -> bool) -> bool {
        let spot = &self.spot;
        let from_ns = at_ns.saturating_sub(spot.within_ns);
        let are_close = self.seen_ns.iter().all(|seen| seen.is_some_and(|seen| seen >= from_ns));
        let is_held =
            |kind: &String| faults.iter().any(|fault| fault.kind == *kind && holds(fault, at_ns, spot.within_ns));
        !self.seen_ns.is_empty()
            && are_close
            && spot.during.iter().all(is_held)
            && not_struck(spot, faults, at_ns).next().is_none()
            && not_passed(spot, passed).next().is_none()
    }
}

impl Way {
    pub(crate) fn new(spot: Option<Spot>) -> Self {
        let wanted = spot.map(|spot| Wanted { seen_ns: vec![None; spot.marks.len()], spot, reached_ns: None });
        Self { wanted, ..Self::default() }
    }

    fn see(&mut self, at_ns: u64, role: &str, name: &str) {
        let known = self.kinds.iter().position(|mark| mark.name == name && mark.role == role);
        let kind = known.unwrap_or_else(|| {
            self.kinds.push(Mark { role: role.to_owned(), name: name.to_owned(), count: 0 });
            self.kinds.len() - 1
        });
        self.kinds[kind].count += 1;
        if self.last.len() == LAST {
            self.last.pop_front();
        }
        self.last.push_back((at_ns, kind));
        if let Some(wanted) = &mut self.wanted {
            let words = self.kinds[kind].words();
            if let Some(at) = wanted.spot.marks.iter().position(|mark| *mark == words) {
                wanted.seen_ns[at] = Some(at_ns);
            }
        }
    }

    /// What happened last. What was seen at the very end and never before is the failure itself, and no way to it: a
    /// run in which it is mended comes to the spot without.
    pub(crate) fn trail(&self, end_ns: u64) -> Trail {
        let ended_it = |at: u64| end_ns.saturating_sub(at) <= AT_ONCE_NS;
        let last = self.last.back().filter(|(at, kind)| ended_it(*at) && self.kinds[*kind].count == 1);
        let failure = last.map(|(_, kind)| *kind);
        let way = self.last.iter().filter(|(_, kind)| Some(*kind) != failure);
        let mut marks: Vec<String> = way.map(|(_, kind)| self.kinds[*kind].words()).collect();
        marks.sort();
        marks.dedup();
        let first = self.last.front().map_or(end_ns, |(at, _)| *at);
        Trail { marks, span_ns: end_ns.saturating_sub(first) }
    }

    /// Whether the run, which is over, came to the spot that was looked for.
    pub(crate) fn reached(&self, recorder: &Recorder, probes: &[ProbeReport], end_ns: u64) -> Option<Reached> {
        let wanted = self.wanted.as_ref()?;
        let Wanted { spot, seen_ns, reached_ns } = wanted;
        let was_passed = |name: &str| probes.iter().any(|probe| probe.name == name && probe.count > 0);
        // Who spins, or waits for ever, tells of no event after what led to it.
        let reached_ns = reached_ns.or_else(|| wanted.is_there(&recorder.faults, end_ns, was_passed).then_some(end_ns));
        let mut unmet = Vec::new();
        let was_asked =
            || recorder.invariants.iter().any(|invariant| invariant.name == spot.asked && invariant.evaluated > 0);
        if !spot.asked.is_empty() && !was_asked() {
            unmet.push(format!("the invariant {} was not asked", spot.asked));
        }
        if spot.is_blank() {
            unmet.push("nothing is known by which to tell the spot".to_owned());
        } else if reached_ns.is_none() {
            let before = unmet.len();
            let never = spot.marks.iter().zip(seen_ns).filter(|(_, seen)| seen.is_none());
            unmet.extend(never.map(|(mark, _)| format!("{mark} was never seen")));
            unmet.extend(not_passed(spot, was_passed));
            unmet.extend(not_struck(spot, &recorder.faults, end_ns));
            // Without marks the end of the run is as good a moment as any.
            if unmet.len() == before && !spot.marks.is_empty() {
                let within = crate::render::span(spot.within_ns);
                unmet.push(format!("all of it was seen, and never within {within} of each other"));
            }
        }
        Some(Reached { at_ns: reached_ns.or(Some(end_ns)).filter(|_| unmet.is_empty()), unmet })
    }
}

fn not_passed<'a>(spot: &'a Spot, passed: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = String> + 'a {
    spot.probes.iter().filter(move |name| !passed(name)).map(|name| format!("the probe {name} was not passed"))
}

fn not_struck<'a>(spot: &'a Spot, faults: &'a [FaultReport], at_ns: u64) -> impl Iterator<Item = String> + 'a {
    let struck = move |kind: &String| faults.iter().any(|fault| fault.kind == *kind && has_struck(fault, at_ns));
    spot.faults.iter().filter(move |kind| !struck(kind)).map(|kind| format!("no {kind} struck"))
}

/// Follows a run, event by event.
pub(crate) struct Follower {
    sim: Sim,
    recorder: Arc<Mutex<Recorder>>,
    /// The probes that were declared, and how often each was passed when it was looked at.
    probes: Vec<(&'static str, u64)>,
}

impl Follower {
    pub(crate) fn new(sim: Sim, recorder: Arc<Mutex<Recorder>>, probes: impl Iterator<Item = &'static str>) -> Self {
        Self { sim, recorder, probes: probes.map(|name| (name, 0)).collect() }
    }

    fn follow(&mut self, at_ns: u64, event: Option<(&str, &str)>) {
        let mut recorder = self.recorder.lock();
        for (name, known) in &mut self.probes {
            let now = self.sim.probed(name);
            if now > *known {
                *known = now;
                recorder.way.see(at_ns, "", name);
            }
        }
        // A heartbeat says only that time goes by.
        if let Some((node, name)) = event.filter(|(_, name)| !name.ends_with(".heartbeat")) {
            recorder.way.see(at_ns, role(node), name);
        }
        let Recorder { way, faults, .. } = &mut *recorder;
        let Some(wanted) = way.wanted.as_mut().filter(|wanted| wanted.reached_ns.is_none()) else { return };
        if wanted.is_there(faults, at_ns, |name| self.sim.probed(name) > 0) {
            wanted.reached_ns = Some(at_ns);
        }
    }
}

impl Invariant for Follower {
    fn name(&self) -> &'static str {
        "harness.reach"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        self.follow(seen.at.0, Some((seen.node, seen.event.name)));
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        self.follow(simurgh_sim::elapsed().as_nanos() as u64, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(seen: &[(u64, &str, &str)], spot: Option<Spot>) -> Way {
        let mut way = Way::new(spot);
        for (at, role, name) in seen {
            way.see(*at, role, name);
        }
        way
    }

    #[test]
    fn the_trail_is_what_happened_last_without_the_failure_itself() {
        let mut seen: Vec<(u64, &str, &str)> =
            (0..20).map(|at| (at, "node", if at < 9 { "a.early" } else { "a.late" })).collect();
        seen.push((20, "", "a.probe"));
        seen.push((21, "", "a.probe"));
        assert_eq!(
            way(&seen, None).trail(30),
            Trail { marks: vec!["node a.late".into(), "probe a.probe".into()], span_ns: 20 }
        );
        seen.push((22, "client", "a.wrong"));
        let trail = way(&seen, None).trail(30);
        assert_eq!(trail.marks, ["node a.late", "probe a.probe"], "it was seen when it failed, and never before");
        let spun = way(&seen, None).trail(30 + AT_ONCE_NS);
        assert_eq!(spun.marks.len(), 3, "what came so much later is no failure of that event");
        seen.insert(0, (0, "client", "a.wrong"));
        assert_eq!(way(&seen, None).trail(30).marks.len(), 3);
    }

    #[test]
    fn who_spins_comes_to_a_spot_without_another_event() {
        let spot = || Spot {
            marks: vec!["client a.asks".into()],
            within_ns: WITHIN_MIN_NS,
            during: vec!["partition".into()],
            faults: vec!["partition".into()],
            probes: vec!["a.probe".into()],
            ..Spot::default()
        };
        let struck = |at_ns| {
            let fault =
                FaultReport { kind: "partition".into(), outcome: "effective".into(), at_ns, ..FaultReport::default() };
            Recorder { faults: vec![fault], ..Recorder::default() }
        };
        let probes = [ProbeReport { name: "a.probe".into(), count: 1, ..ProbeReport::default() }];
        // It asks, then it is cut off and spins: there is no event after the fault.
        let way = way(&[(1_000, "client", "a.asks")], Some(spot()));
        let end_ns = WITHIN_MIN_NS;
        assert_eq!(
            way.reached(&struck(2_000), &probes, end_ns),
            Some(Reached { at_ns: Some(end_ns), unmet: Vec::new() })
        );
        let unmet =
            |recorder: &Recorder, probes: &[ProbeReport], end_ns| way.reached(recorder, probes, end_ns).unwrap().unmet;
        assert_eq!(unmet(&struck(2_000), &[], end_ns), ["the probe a.probe was not passed"]);
        assert_eq!(unmet(&struck(end_ns + 1), &probes, end_ns), ["no partition struck"]);
        assert_eq!(
            unmet(&struck(2_000), &probes, 2 * WITHIN_MIN_NS),
            ["all of it was seen, and never within 100 ms of each other"],
            "a run that goes on for long after it asked is elsewhere"
        );
    }

    #[test]
    fn what_is_unmet_is_said_by_name() {
        let spot = |marks: &[&str]| Spot {
            marks: marks.iter().map(|&mark| mark.to_owned()).collect(),
            within_ns: WITHIN_MIN_NS,
            faults: vec!["partition".into()],
            probes: vec!["a.probe".into()],
            asked: "a.holds".into(),
            ..Spot::default()
        };
        let seen = [(1, "node", "a.done")];
        let reached = way(&seen, Some(spot(&["node a.done", "node a.more"]))).reached(&Recorder::default(), &[], 9);
        let unmet = reached.unwrap().unmet;
        assert_eq!(
            unmet,
            [
                "the invariant a.holds was not asked",
                "node a.more was never seen",
                "the probe a.probe was not passed",
                "no partition struck"
            ]
        );
        let blank = way(&seen, Some(Spot::default())).reached(&Recorder::default(), &[], 9).unwrap();
        assert_eq!((blank.at_ns, blank.unmet.len()), (None, 1), "nobody comes to a spot that nothing tells");
        assert_eq!(way(&seen, None).reached(&Recorder::default(), &[], 9), None);
    }
}
