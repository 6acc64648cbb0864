//! What the seed drew becomes what the file says, and edits of such files.

use crate::file::{Node, What};
use crate::plan::{Plan, RolePlan};
use crate::registry::Registry;
use crate::report::Report;

/// The run as a file that leaves nothing to selectors: each fault that struck, with those whom it struck; each operation
/// that was due. What only a sweep needs is left out.
pub(super) fn freeze(plan: &Plan, report: &Report, registry: &Registry) -> Node {
    let mut root = bare(&plan.file);
    let until = report.verdict.at_ns;
    let mut kept = Vec::new();
    for instance in plan.file.get("fault").map_or(&[][..], Node::items) {
        let id = instance.get("id").and_then(Node::as_text);
        let struck = report.faults.iter().find(|fault| Some(fault.id.as_str()) == id);
        let Some(struck) = struck.filter(|struck| struck.outcome != "refused" && struck.at_ns <= until) else {
            continue;
        };
        let mut instance = instance.clone();
        // Rings, and each apart from each, are no two groups: these two keep their selector.
        let is_many = matches!(instance.get("target").and_then(Node::as_text), Some("ring" | "all"));
        if !is_many || struck.others.is_empty() && struck.outcome == "weakened" {
            instance.set(&["target"], texts(&struck.nodes));
            if !struck.others.is_empty() {
                instance.set(&["others"], texts(&struck.others));
            }
        }
        kept.push(in_order(&instance));
    }
    set_list(&mut root, "fault", kept);
    let due = plan.all_operations(registry).into_iter().filter(|(_, op)| op.at_ns <= until);
    let names: Vec<String> = due.map(|(client, op)| format!("{client}#{}", op.number)).collect();
    set_operations(&mut root, plan, &names);
    root
}

/// A fault with its fields in the order in which one reads them.
fn in_order(fault: &Node) -> Node {
    let mut ordered = Node::table();
    for key in ["id", "kind", "target", "others"] {
        if let Some(node) = fault.get(key) {
            ordered.set(&[key], node.clone());
        }
    }
    fault.entries().iter().for_each(|entry| ordered.set(&[&entry.key], entry.node.clone()));
    ordered
}

/// A resolved file without what only a sweep, a set, or the shrinker needs.
pub(super) fn bare(file: &Node) -> Node {
    let mut root = file.clone();
    for path in [
        &["seeds"][..],
        &["shrink"],
        &["weight"],
        &["swarm", "omit"],
        &["expect", "reach"],
        &["expect", "effect"],
        &["plan", "shrunk"],
    ] {
        root.remove(path);
    }
    root
}

pub(super) fn texts(names: &[String]) -> Node {
    Node::made(What::List(names.iter().map(Node::text).collect()))
}

pub(super) fn texts_of(node: Option<&Node>) -> Vec<String> {
    node.map_or(&[][..], Node::items).iter().filter_map(Node::as_text).map(str::to_owned).collect()
}

/// Sets a list of tables; an empty one is no field at all.
pub(super) fn set_list(root: &mut Node, name: &str, items: Vec<Node>) {
    if items.is_empty() {
        root.remove(&[name]);
    } else {
        root.set(&[name], Node::made(What::List(items)));
    }
}

pub(super) fn faults_of(root: &Node) -> Vec<Node> {
    root.get("fault").map_or(&[][..], Node::items).to_vec()
}

pub(super) fn id_of(fault: &Node) -> String {
    fault.get("id").and_then(Node::as_text).unwrap_or_default().to_owned()
}

/// Leaves these operations alone.
pub(super) fn set_operations(root: &mut Node, plan: &Plan, names: &[String]) {
    let workloads = root.get("workload").map_or(&[][..], Node::items).to_vec();
    let of_workload = |(mut node, workload): (Node, &crate::plan::WorkloadPlan)| {
        let clients: Vec<String> = plan.names_of(&workload.clients);
        let is_its = |name: &&String| clients.iter().any(|client| name.split('#').next() == Some(client));
        let own: Vec<String> = names.iter().filter(is_its).cloned().collect();
        node.set(&["only"], texts(&own));
        node
    };
    let workloads: Vec<Node> = workloads.into_iter().zip(&plan.workloads).map(of_workload).collect();
    set_list(root, "workload", workloads);
}

/// Leaves out nodes: from the topology, the groups of faults, and the operations.
pub(super) fn without_nodes(root: &Node, plan: &Plan, gone: &[String]) -> Node {
    let mut root = root.clone();
    let is_left = |name: &String| !gone.contains(name);
    for role in &plan.roles {
        let names = role.names();
        let left: Vec<String> = names.iter().filter(|name| is_left(name)).cloned().collect();
        if left.len() < names.len() {
            set_nodes(&mut root, role, &left, plan.is_client(&role.name));
        }
    }
    let mut faults = Vec::new();
    for mut fault in faults_of(&root) {
        let mut hits_somebody = true;
        for group in ["target", "others"] {
            if matches!(fault.get(group).map(|node| &node.what), Some(What::List(_))) {
                let left: Vec<String> = texts_of(fault.get(group)).into_iter().filter(is_left).collect();
                hits_somebody &= !left.is_empty();
                fault.set(&[group], texts(&left));
            }
        }
        if hits_somebody {
            faults.push(fault);
        }
    }
    set_list(&mut root, "fault", faults);
    let left: Vec<String> = operations_of(&root)
        .into_iter()
        .filter(|op| op.split('#').next().is_none_or(|client| is_left(&client.to_owned())))
        .collect();
    set_operations(&mut root, plan, &left);
    root
}

/// The first so many of a role are a count; others are named, so that whoever is left keeps its name and its draws. The
/// count of clients says when each operation is due, and stays.
fn set_nodes(root: &mut Node, role: &RolePlan, left: &[String], is_client: bool) {
    let first: Vec<String> = (1..=left.len()).map(|number| format!("{}{number}", role.name)).collect();
    if !is_client && left == first && !left.is_empty() {
        root.set(&["topology", &role.name, "count"], Node::made(What::Int(left.len() as i64)));
        root.remove(&["topology", &role.name, "only"]);
    } else {
        root.set(&["topology", &role.name, "only"], texts(left));
    }
}

/// The operations that a frozen file lists.
pub(super) fn operations_of(root: &Node) -> Vec<String> {
    root.get("workload")
        .map_or(&[][..], Node::items)
        .iter()
        .flat_map(|workload| texts_of(workload.get("only")))
        .collect()
}
