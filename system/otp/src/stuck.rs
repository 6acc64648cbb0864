//! Processes that hold their thread: the runtime's watchdog names the task, this its process.

use simurgh_runtime::watchdog::{self, Stuck};
use simurgh_runtime::{Node, sim, stdio};
use simurgh_telemetry::event;

use crate::Pid;

/// Has the watchdog's reports of a node logged, and told as `otp.process.stuck`, unless the
/// application deals with them itself ([`watchdog::on_stuck`]). The simulator ends the run instead.
pub(crate) fn tell_of(node: &Node) {
    if !sim::is_simulated() {
        watchdog::on_stuck_by_default(node, tell);
    }
}

fn tell(stuck: &Stuck) {
    let Stuck { task, label, thread, for_ms, has_returned, .. } = stuck;
    let name: String = label.to_string();
    event!("otp.process.stuck", { for_ms: *for_ms }, {
        process: *task, label: name.as_str(), thread: thread.as_str(), has_returned: *has_returned,
    });
    // Without a subscriber nobody would hear of it.
    if tracing::enabled!(tracing::Level::WARN) {
        let pid = Pid::of_task(stuck);
        let said = if *has_returned { "a process let go of its thread" } else { "a process holds its thread" };
        tracing::warn!(%pid, %label, thread, for_ms, "{said}: {stuck}");
    } else {
        stdio::err(&format!("warning: {stuck}"));
    }
}
