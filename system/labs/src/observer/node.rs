//! Which node is observed.

use std::path::Path;

use simurgh::net::control::{Access, Client, ClientError, found};

/// The node that runs, or the one that was named.
pub(super) async fn choose(dir: &Path, name: Option<&str>) -> Result<Access, String> {
    let all = found(dir).await.unwrap_or_default(); // no directory: no node
    let is_meant = |access: &Access| name.is_none_or(|name| access.node == name || access.process.to_string() == name);
    let mut alive = Vec::new();
    for access in all.into_iter().filter(is_meant) {
        match Client::connect(&access).await {
            Ok(_) => alive.push(access),
            Err(ClientError::Unreachable(..)) => {} // killed; its file is left
            Err(error) => return Err(format!("node {} ({}): {error}", access.node, access.process)),
        }
    }
    match (alive.len(), name) {
        (1, _) => Ok(alive.remove(0)),
        (0, Some(name)) => Err(format!("no node {name} runs that says in {} how it is reached", dir.display())),
        (0, None) => Err(format!(
            "no node runs that says in {} how it is reached; lab observer --demo starts one to look at",
            dir.display()
        )),
        _ => {
            let names: Vec<_> = alive.iter().map(|access| format!("{} ({})", access.node, access.process)).collect();
            Err(format!("several nodes run: {}; choose with --node NAME, or --node ID", names.join(", ")))
        }
    }
}
