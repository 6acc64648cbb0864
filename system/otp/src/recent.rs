//! What a node remembers for its operators: the last crashes, and the last lines of traces.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::Timestamp;
use simurgh_runtime::sync::Mutex;

use crate::observer::{TRACE_LINES_MAX, TraceLine};
use crate::{CRASHES_MAX, CrashReport, Pid};

/// The last of each, the oldest first.
#[derive(Default)]
pub(crate) struct Recent {
    crashes: Mutex<VecDeque<Arc<CrashReport>>>,
    traces: Mutex<Traces>,
}

#[derive(Default)]
struct Traces {
    lines: VecDeque<TraceLine>,
    told: u64,
}

impl Recent {
    pub(crate) fn crashed(&self, report: Arc<CrashReport>) {
        push(&mut self.crashes.lock(), report, CRASHES_MAX);
    }

    pub(crate) fn crashes(&self) -> Vec<Arc<CrashReport>> {
        self.crashes.lock().iter().cloned().collect()
    }

    /// A traced process has handled a message.
    pub(crate) fn traced(&self, pid: Pid, message: &'static str, took: Duration) {
        let at = Timestamp::now();
        let mut traces = self.traces.lock();
        traces.told += 1;
        let number = traces.told;
        push(&mut traces.lines, TraceLine { number, at, pid, message, took }, TRACE_LINES_MAX);
    }

    /// The lines after the one of this number.
    pub(crate) fn traces_after(&self, number: u64) -> Vec<TraceLine> {
        self.traces.lock().lines.iter().filter(|line| line.number > number).cloned().collect()
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_go_and_numbers_show_it() {
        simurgh_runtime::run("test", async {
            let recent = Recent::default();
            let pid = "<0.1.0>".parse().unwrap();
            (0..TRACE_LINES_MAX + 5).for_each(|_| recent.traced(pid, "Tick", Duration::ZERO));
            let lines = recent.traces_after(0);
            assert_eq!((lines.len(), lines[0].number), (TRACE_LINES_MAX, 6));
            assert_eq!(recent.traces_after(TRACE_LINES_MAX as u64 + 4).len(), 1);
        });
    }
}
