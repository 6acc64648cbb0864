//! Fewer faults, operations and nodes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::file::{Node, Scenario};
use crate::plan::{Plan, RolePlan};
use crate::registry::Registry;

use super::freeze::{faults_of, id_of, operations_of, set_list, set_operations, texts, texts_of, without_nodes};
use super::list::fewer;
use super::search::Search;
use super::simpler;

/// Rounds over all stages, at most: the second mostly finds a little, later ones what its share of the runs kept from it.
const ROUNDS_MAX: usize = 8;

/// How often nodes are left out with everything else put back, at most.
const ANEW_MAX: usize = 8;
/// Sets of nodes of one role that are tried each time, at most.
const CHOICES_MAX: usize = 10;

/// What edits of a plan need to know beside the plan.
pub(super) struct Ground<'a> {
    pub(super) registry: &'a Registry,
    pub(super) path: PathBuf,
    pub(super) seed: u64,
}

impl Ground<'_> {
    /// The plan that a file is.
    pub(super) fn plan(&self, root: &Node) -> Arc<Plan> {
        Arc::new(Plan::new(&Scenario { path: self.path.clone(), root: root.clone() }, self.seed))
    }
}

/// All stages, in rounds, until one takes nothing away. `frozen` is the plan before anything was taken away.
pub(super) fn all(search: &mut Search<'_>, ground: &Ground<'_>) {
    let frozen = search.best.clone();
    for round in 0..ROUNDS_MAX {
        let (before, runs) = (search.best.print(), search.runs);
        fewer_of_all(search, ground);
        if round == 0 {
            search.with_half(|search| nodes_anew(search, ground, &frozen));
        }
        search.with_half(|search| simpler::shorter(search, ground));
        search.with_half(simpler::calmer);
        search.with_half(simpler::decisions);
        // What was refused is not run again: a round that ran no more than a look at the schedule had nothing left to try.
        if search.is_spent() || search.best.print() == before && search.runs <= runs + 1 {
            return;
        }
    }
}

fn fewer_of_all(search: &mut Search<'_>, ground: &Ground<'_>) {
    search.with_half(families);
    search.with_half(faults);
    search.with_half(|search| operations(search, ground));
    search.with_half(|search| nodes(search, ground));
}

/// Fewer nodes, with all faults and operations of those that are left put back: what a node less needs may have been taken
/// away before. Then from there on again; what comes to no fewer nodes in the end is forgotten.
fn nodes_anew(search: &mut Search<'_>, ground: &Ground<'_>, frozen: &Node) {
    let whole = ground.plan(frozen);
    for _ in 0..ANEW_MAX {
        let (saved, before) = (search.saved(), search.report.nodes.len());
        let candidates = with_fewer_nodes(&ground.plan(&search.best), frozen, &whole);
        let mut from = 0;
        while search.report.nodes.len() >= before {
            let Some(at) = search.first(&candidates[from..]) else { return };
            from += at + 1;
            fewer_of_all(search, ground);
            if search.report.nodes.len() >= before {
                search.go_back(saved.clone());
            }
        }
    }
}

/// The frozen plan with one node less of some role than there are now; of the other roles with those that are there now,
/// or with all.
fn with_fewer_nodes(now: &Plan, frozen: &Node, whole: &Plan) -> Vec<Node> {
    let names_but = |plan: &Plan, role: &str| -> Vec<String> {
        plan.roles.iter().filter(|other| other.name != role).flat_map(RolePlan::names).collect()
    };
    let all: Vec<String> = whole.roles.iter().flat_map(RolePlan::names).collect();
    let mut candidates = Vec::new();
    for plan in [now, whole] {
        for role in &now.roles {
            let (there, others) = (role.names(), names_but(plan, &role.name));
            for some in choices(&whole.names_of(&role.name), there.len().saturating_sub(1), &there) {
                let is_gone = |name: &&String| !some.contains(name) && !others.contains(name);
                let gone: Vec<String> = all.iter().filter(is_gone).cloned().collect();
                candidates.push(without_nodes(frozen, whole, &gone));
            }
        }
    }
    candidates
}

/// Choices of `size` of `all`, those first that hold the most of `liked`; some of them, if there are many.
fn choices(all: &[String], size: usize, liked: &[String]) -> Vec<Vec<String>> {
    if size == 0 || size > all.len() || all.len() > 16 {
        return Vec::new();
    }
    let masks = (0u32..1 << all.len()).filter(|mask| mask.count_ones() as usize == size);
    let mut sets: Vec<Vec<String>> = masks
        .map(|mask| {
            all.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1).map(|(_, name)| name.clone()).collect()
        })
        .collect();
    sets.sort_by_key(|set: &Vec<String>| set.iter().filter(|name| !liked.contains(name)).count());
    sets.truncate(CHOICES_MAX);
    sets
}

/// What the names of a search leave is the shortest list of them.
fn names_left(search: &mut Search<'_>, names: &[String], with: impl Fn(&Node, &[String]) -> Node) {
    let root = search.best.clone();
    fewer(names, |shorter| {
        let candidates: Vec<Node> = shorter.iter().map(|left| with(&root, left)).collect();
        search.first(&candidates)
    });
}

fn with_faults(root: &Node, is_left: impl Fn(&Node) -> bool) -> Node {
    let mut root = root.clone();
    let left = faults_of(&root).into_iter().filter(|fault| is_left(fault)).collect();
    set_list(&mut root, "fault", left);
    root
}

/// Whole families: all strikes of one fault of the scenario.
pub(super) fn families(search: &mut Search<'_>) {
    let family = |fault: &Node| id_of(fault).split('/').next().unwrap_or_default().to_owned();
    let mut families: Vec<String> = faults_of(&search.best).iter().map(family).collect();
    families.sort();
    families.dedup();
    names_left(search, &families, |root, left| with_faults(root, |fault| left.contains(&family(fault))));
}

/// Single strikes.
pub(super) fn faults(search: &mut Search<'_>) {
    let ids: Vec<String> = faults_of(&search.best).iter().map(id_of).collect();
    names_left(search, &ids, |root, left| with_faults(root, |fault| left.contains(&id_of(fault))));
}

/// Whole clients, then single operations, then clients that have nothing to do.
pub(super) fn operations(search: &mut Search<'_>, ground: &Ground<'_>) {
    clients(search, ground);
    let plan = ground.plan(&search.best);
    let ops = operations_of(&search.best);
    names_left(search, &ops, |root, left| {
        let mut root = root.clone();
        set_operations(&mut root, &plan, left);
        root
    });
    let busy = operations_of(&search.best);
    let plan = ground.plan(&search.best);
    let is_idle = |name: &String| !busy.iter().any(|op| op.split('#').next() == Some(name));
    let idle: Vec<String> = client_names(&plan).into_iter().filter(is_idle).collect();
    if !idle.is_empty() && !search.take(without_nodes(&search.best, &plan, &idle)) {
        clients(search, ground);
    }
}

fn client_names(plan: &Plan) -> Vec<String> {
    plan.roles.iter().filter(|role| plan.is_client(&role.name)).flat_map(RolePlan::names).collect()
}

fn clients(search: &mut Search<'_>, ground: &Ground<'_>) {
    let plan = ground.plan(&search.best);
    nodes_left(search, &plan, &client_names(&plan));
}

fn nodes_left(search: &mut Search<'_>, plan: &Plan, names: &[String]) {
    names_left(search, names, |root, left| {
        let gone: Vec<String> = names.iter().filter(|name| !left.contains(name)).cloned().collect();
        without_nodes(root, plan, &gone)
    });
}

/// Nodes that are no clients, and members of the groups that faults strike.
pub(super) fn nodes(search: &mut Search<'_>, ground: &Ground<'_>) {
    let plan = ground.plan(&search.best);
    for role in plan.roles.iter().filter(|role| !plan.is_client(&role.name)) {
        nodes_left(search, &ground.plan(&search.best), &role.names());
    }
    for id in faults_of(&search.best).iter().map(id_of).collect::<Vec<_>>() {
        for group in ["target", "others"] {
            members(search, &id, group);
        }
    }
}

fn members(search: &mut Search<'_>, id: &str, group: &str) {
    let names: Vec<String> = faults_of(&search.best)
        .iter()
        .filter(|fault| id_of(fault) == id)
        .flat_map(|fault| texts_of(fault.get(group)))
        .collect();
    if names.len() < 2 {
        return;
    }
    names_left(search, &names, |root, left| {
        let mut root = root.clone();
        let mut faults = faults_of(&root);
        faults.iter_mut().filter(|fault| id_of(fault) == id).for_each(|fault| fault.set(&[group], texts(left)));
        if left.is_empty() {
            faults.retain(|fault| id_of(fault) != id);
        }
        set_list(&mut root, "fault", faults);
        root
    });
}
