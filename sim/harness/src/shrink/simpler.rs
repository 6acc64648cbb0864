//! Shorter times, rounder numbers, what is rough made calm, and a schedule of few decisions.

use crate::file::{Node, What, number};
use crate::value::Unit;

use super::freeze::{faults_of, id_of, set_list};
use super::list::fewer;
use super::search::{RECORD, Search};
use super::stages::Ground;

const SECOND: f64 = 1e9;
/// What times are rounded to, the roundest first.
const STEPS: [f64; 4] = [SECOND, 0.1 * SECOND, 0.01 * SECOND, 0.001 * SECOND];
/// Decisions of the schedule that a file may list; where more are needed, the schedule stays as the seed draws it.
const DECISIONS_MAX: usize = 256;

/// What all the world does all the time.
const ROUGH: [&str; 6] = ["link", "disk", "clock", "budget", "swarm.buggify", "swarm.knobs"];

fn keys<'a>(path: &'a str, more: &'a [&'a str]) -> Vec<&'a str> {
    path.split('.').chain(more.iter().copied()).collect()
}

fn edited(root: &Node, edit: impl FnOnce(&mut Node)) -> Node {
    let mut root = root.clone();
    edit(&mut root);
    root
}

/// Takes the first of the candidates, again and again, until none is taken. Each makes the plan simpler, so that this
/// ends; the search bounds it besides.
fn while_taken(search: &mut Search<'_>, candidates: impl Fn(&Search<'_>) -> Vec<Node>) {
    loop {
        let next = candidates(search);
        if search.first(&next).is_none() {
            return;
        }
    }
}

/// What is rough made calm, then rounder.
pub(super) fn calmer(search: &mut Search<'_>) {
    let all = edited(&search.best, |root| ROUGH.iter().for_each(|path| root.remove(&keys(path, &[]))));
    search.take(all);
    while_taken(search, |search| {
        let has = |path: &&&str| search.best.find(path).is_some_and(|node| !node.entries().is_empty());
        let groups = ROUGH.iter().filter(has).map(|path| edited(&search.best, |root| root.remove(&keys(path, &[]))));
        groups.collect()
    });
    while_taken(search, |search| {
        let fields = ROUGH.iter().flat_map(|path| {
            let entries = search.best.find(path).map_or(&[][..], Node::entries);
            entries.iter().map(|entry| edited(&search.best, |root| root.remove(&keys(path, &[entry.key.as_str()]))))
        });
        fields.collect()
    });
    while_taken(search, |search| {
        let fields = ROUGH.iter().flat_map(|path| {
            let entries = search.best.find(path).map_or(&[][..], Node::entries).iter();
            entries.flat_map(move |entry| rounder(&entry.node).into_iter().map(move |node| (path, &entry.key, node)))
        });
        fields
            .map(|(path, key, node)| edited(&search.best, |root| root.set(&keys(path, &[key.as_str()]), node)))
            .collect()
    });
}

/// The same with one digit or two, if that is not what it is already.
fn rounder(node: &Node) -> Vec<Node> {
    let digits = |value: f64, digits: i32| {
        if value <= 0.0 {
            return 0.0;
        }
        let unit = 10f64.powi(value.log10().floor() as i32 - digits + 1);
        (value / unit).round() * unit
    };
    let values: Vec<Node> = match &node.what {
        What::Int(value) => [1, 2].map(|few| Node::made(What::Int(digits(*value as f64, few) as i64))).to_vec(),
        What::Float(value) => {
            // Of a share, the shortest text that is the same number: 0.3 and not 0.30000000000000004.
            let short = |few| format!("{:.6}", digits(*value, few)).parse().unwrap_or(*value);
            [1, 2].map(|few| Node::made(What::Float(short(few)))).to_vec()
        }
        What::Text(text) => match Unit::Time.parse_one(text) {
            Some(value) => [1, 2].map(|few| number(Unit::Time, digits(value, few).round())).to_vec(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    let mut seen = vec![node.inline()];
    let is_new = |value: &Node| {
        let is_new = !seen.contains(&value.inline());
        seen.push(value.inline());
        is_new
    };
    values.into_iter().filter(is_new).collect()
}

fn time_of(root: &Node, path: &str) -> f64 {
    match root.find(path).map(|node| &node.what) {
        Some(What::Text(text)) => Unit::Time.parse_one(text).unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Shorter phases, faults that come at round times and last as long, all of it faster.
pub(super) fn shorter(search: &mut Search<'_>, ground: &Ground<'_>) {
    phases(search, ground);
    while_taken(search, |search| [10.0, 5.0, 2.0].iter().filter_map(|by| faster(&search.best, *by)).collect());
    for id in faults_of(&search.best).iter().map(id_of).collect::<Vec<_>>() {
        round_fault(search, &id);
    }
    phases(search, ground);
}

fn phases(search: &mut Search<'_>, ground: &Ground<'_>) {
    let first_shorter = |search: &mut Search<'_>, path: &str, times: &[f64]| {
        let now = time_of(&search.best, path);
        let shorter = times.iter().filter(|ns| **ns < now);
        let set = |ns: &f64| edited(&search.best, |root| root.set(&keys(path, &[]), number(Unit::Time, ns.round())));
        let candidates: Vec<Node> = shorter.map(set).collect();
        search.first(&candidates);
    };
    let (warmup, chaos, calm) =
        (time_of(&search.best, "time.warmup"), time_of(&search.best, "time.chaos"), time_of(&search.best, "time.calm"));
    let failed = search.report.verdict.at_ns as f64;
    let in_calm = failed > warmup + chaos;
    // A run that fails before the calm never sees it: there it costs nothing, and once the failure is mended it is needed.
    if in_calm {
        let some = [SECOND, 2.0 * SECOND, 5.0 * SECOND, (calm / 2e9).ceil() * SECOND];
        first_shorter(search, "time.calm", &some);
    }
    let until = if in_calm { last_start(search, ground) } else { failed } - warmup;
    let ends = STEPS.map(|step| (until / step).floor() * step + step);
    first_shorter(search, "time.chaos", &ends);
    first_shorter(search, "time.warmup", &[0.0, 0.01 * SECOND, 0.1 * SECOND, SECOND]);
}

/// When the last operation is due, or the last fault is over.
fn last_start(search: &Search<'_>, ground: &Ground<'_>) -> f64 {
    let plan = ground.plan(&search.best);
    let due =
        plan.all_operations(ground.registry).into_iter().filter(|(_, op)| !op.is_last).map(|(_, op)| op.at_ns as f64);
    let over = search.report.faults.iter().filter_map(|fault| fault.until_ns).map(|ns| ns as f64);
    due.chain(over).fold(plan.warmup_ns as f64, f64::max)
}

/// The same plan in a part of the time: operations come more often, faults sooner and for less long.
fn faster(root: &Node, by: f64) -> Option<Node> {
    const RATE_MAX: f64 = 10_000.0;
    let part = |ns: f64| number(Unit::Time, (ns / by / 1e3).round() * 1e3);
    let mut root = root.clone();
    let mut faults = faults_of(&root);
    for fault in &mut faults {
        for field in ["at", "hold"] {
            if fault.get(field).is_some() {
                let ns = time_of(fault, field);
                fault.set(&[field], part(ns));
            }
        }
    }
    set_list(&mut root, "fault", faults);
    let mut workloads = root.get("workload").map_or(&[][..], Node::items).to_vec();
    for workload in &mut workloads {
        let rate =
            workload.get("rate").and_then(Node::as_text).and_then(|rate| Unit::Rate.parse_one(rate)).unwrap_or(10.0);
        if rate * by > RATE_MAX {
            return None;
        }
        workload.set(&["rate"], number(Unit::Rate, rate * by));
    }
    set_list(&mut root, "workload", workloads);
    Some(root)
}

fn round_fault(search: &mut Search<'_>, id: &str) {
    let set = |root: &Node, field: &'static str, node: Node| {
        let mut faults = faults_of(root);
        faults.iter_mut().filter(|fault| id_of(fault) == id).for_each(|fault| fault.set(&[field], node.clone()));
        edited(root, |root| set_list(root, "fault", faults))
    };
    let fault = |search: &Search<'_>| faults_of(&search.best).into_iter().find(|fault| id_of(fault) == id);
    let Some(own) = fault(search) else { return };
    // With names instead of selectors, few kinds look at it. One that is not given is drawn.
    if own.get("coin").is_some() {
        let mut faults = faults_of(&search.best);
        faults.iter_mut().filter(|fault| id_of(fault) == id).for_each(|fault| fault.remove(&["coin"]));
        let without = edited(&search.best, |root| set_list(root, "fault", faults));
        search.first(&[without, set(&search.best, "coin", Node::made(What::Int(0)))]);
    }
    if own.get("by").is_some() {
        while_taken(search, |search| {
            let by = fault(search).and_then(|fault| fault.get("by").cloned());
            by.iter().flat_map(rounder).map(|node| set(&search.best, "by", node)).collect()
        });
    }
    for field in ["at", "hold"] {
        if own.get(field).is_none() {
            continue;
        }
        let ns = time_of(&own, field);
        // For a fault, later is as good as sooner if the number is round.
        let mut round: Vec<f64> = vec![0.0];
        round.extend(STEPS.iter().flat_map(|step| [(ns / step).floor() * step, (ns / step).ceil() * step]));
        let is_rounder = |value: &f64| (*value - ns).abs() > 0.5 && (field != "hold" || *value > 0.0);
        let better: Vec<f64> =
            round.into_iter().take_while(|value| (*value - ns).abs() > 0.5).filter(is_rounder).collect();
        let candidates: Vec<Node> =
            better.iter().map(|value| set(&search.best, field, number(Unit::Time, *value))).collect();
        search.first(&candidates);
    }
}

/// First come, first served, if that will do; else the few decisions that matter.
pub(super) fn decisions(search: &mut Search<'_>) {
    let listed = decisions_of(&search.best);
    if listed.is_none() {
        let strategy = search.best.find("schedule.strategy").and_then(Node::as_text).unwrap_or("random").to_owned();
        let fifo = |root: &mut Node| root.set(&["schedule", "strategy"], Node::text("fifo"));
        let whole = |root: &mut Node| root.remove(&["schedule", "preempt"]);
        let depth = |root: &mut Node| ["depth", "length"].iter().for_each(|field| root.remove(&["schedule", field]));
        let has_preempt = search.best.find("schedule.preempt").is_some();
        let root = search.best.clone();
        let mut simpler = Vec::new();
        if strategy != "fifo" {
            simpler.push(edited(&root, |root| (fifo(root), whole(root), depth(root)).0));
            simpler.push(edited(&root, |root| (fifo(root), depth(root)).0));
        }
        if has_preempt {
            simpler.push(edited(&root, whole));
        }
        search.first(&simpler);
        let is_plain = |root: &Node| {
            root.find("schedule.strategy").and_then(Node::as_text) == Some("fifo")
                && root.find("schedule.preempt").is_none()
        };
        if is_plain(&search.best) {
            return;
        }
        let Some(recorded) = search.look(RECORD) else { return };
        let all: Vec<Node> = recorded.decisions.iter().map(decision).collect();
        let root = search.best.clone();
        // On trial: a list that stays long is worse to read than a strategy.
        let before = search.saved();
        if !search.take(with_decisions(&root, &all)) {
            return;
        }
        if fewer_decisions(search, &all).len() > DECISIONS_MAX {
            search.go_back(before);
        }
    } else if let Some(listed) = listed {
        fewer_decisions(search, &listed);
    }
}

fn fewer_decisions(search: &mut Search<'_>, decisions: &[Node]) -> Vec<Node> {
    let root = search.best.clone();
    fewer(decisions, |shorter| {
        let candidates: Vec<Node> = shorter.iter().map(|left| with_decisions(&root, left)).collect();
        search.first(&candidates)
    })
}

/// The decisions of a schedule instead of the strategy that drew them.
fn with_decisions(root: &Node, decisions: &[Node]) -> Node {
    edited(root, |root| {
        root.remove(&["schedule"]);
        root.set(&["plan", "decisions"], Node::made(What::List(decisions.to_vec())));
    })
}

fn decisions_of(root: &Node) -> Option<Vec<Node>> {
    root.find("plan.decisions").map(|node| node.items().to_vec())
}

fn decision((poll, place, budget): &(u64, u32, Option<u8>)) -> Node {
    let whole = |number: i64| Node::made(What::Int(number));
    let mut items = vec![whole(*poll as i64), whole(i64::from(*place))];
    items.extend(budget.map(|budget| whole(i64::from(budget))));
    Node::made(What::List(items))
}
