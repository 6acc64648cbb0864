//! `live.progress`

use std::collections::BTreeMap;

use simurgh_sim::{Evidence, Invariant, Moment, Seen};

use crate::by_node::{number, text};

/// When enough is healthy and no more faults come, whoever asks is answered in time.
///
/// Reads `live.calm` {`healthy`, `needed`, `within_ns`}: how many nodes are healthy from now on, and how many are needed
/// for progress; `live.end`, after which nothing is demanded any more; and the history (`history.invoke` {`client`},
/// `history.ok`, `history.fail`, `history.info`). If fewer are healthy than needed, progress is impossible, and that is
/// what a violation says, and its class (`stuck-impossible`): the scenario asks too much. Else it is stuck; and so is who is told, after
/// half of that time, that nothing came of it. Planted bug: `register.pause-unbounded` waits ever longer between two tries.
#[derive(Debug, Default)]
pub struct LiveProgress {
    calm: Option<Calm>,
    waiting: BTreeMap<(String, u64), (Moment, Asked)>,
    /// What was not answered.
    failed: Option<Evidence>,
}

#[derive(Debug, Clone)]
struct Asked {
    op: String,
    key: String,
}

#[derive(Debug, Clone, Copy)]
struct Calm {
    since: Moment,
    healthy: u64,
    needed: u64,
    within_ns: u64,
}

impl LiveProgress {
    fn fail(&mut self, calm: Calm, who: &(String, u64), asked: &Asked, ended: &str) -> String {
        let Calm { healthy, needed, within_ns, .. } = calm;
        let limit = within_ns as f64 / 1e9;
        let client = match who {
            (node, 0) => node.clone(),
            (node, number) => format!("{node}/{number}"),
        };
        let Asked { op, key } = asked;
        self.failed = Some(Evidence {
            key: key.clone(),
            expected: format!("the {op} of {client} is answered within {limit} s"),
            seen: format!("it {ended}"),
        });
        // In quotes: which operation it was, and of which key, makes no other defect of it.
        let what = format!("\"{op} of {key}\"");
        if healthy < needed {
            return format!(
                "impossible: {healthy} nodes are healthy and {needed} are needed, so {client} cannot \
                 have its {what}: the faults that are left leave no core"
            );
        }
        format!(
            "stuck: {healthy} nodes are healthy and {needed} are needed, no fault is left, and the {what} of {client} \
             {ended} within {limit} s; {} clients wait",
            self.waiting.len()
        )
    }

    fn late(&mut self, now: Moment) -> Result<(), String> {
        let Some(calm) = self.calm else { return Ok(()) };
        let is_late = |since: &Moment| now.0.saturating_sub(since.0.max(calm.since.0)) > calm.within_ns;
        let late = self.waiting.iter().find(|(_, (since, _))| is_late(since));
        match late.map(|(who, (_, asked))| (who.clone(), asked.clone())) {
            Some((who, asked)) => Err(self.fail(calm, &who, &asked, "has no answer")),
            None => Ok(()),
        }
    }
}

impl Invariant for LiveProgress {
    fn name(&self) -> &'static str {
        "live.progress"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        self.late(seen.at)?;
        let who = || (seen.node.to_owned(), number(seen, "client"));
        match seen.event.name {
            "live.calm" => {
                let (healthy, needed) = (number(seen, "healthy"), number(seen, "needed"));
                let within_ns = number(seen, "within_ns");
                self.calm = Some(Calm { since: seen.at, healthy, needed, within_ns });
            }
            "live.end" => self.calm = None,
            "history.invoke" => {
                let asked = Asked { op: text(seen, "op").to_owned(), key: text(seen, "key").to_owned() };
                self.waiting.insert(who(), (seen.at, asked));
            }
            "history.ok" => drop(self.waiting.remove(&who())),
            "history.fail" | "history.info" => {
                let who = who();
                let Some((since, asked)) = self.waiting.remove(&who) else { return Ok(()) };
                // Who gives up soon after the calm began may have lost what the faults took.
                let waited = |calm: &Calm| seen.at.0.saturating_sub(since.0.max(calm.since.0));
                if let Some(calm) = self.calm.filter(|calm| waited(calm) > calm.within_ns / 2) {
                    return Err(self.fail(calm, &who, &asked, "was given up"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn is_impossible(&self) -> bool {
        self.calm.is_some_and(|calm| calm.healthy < calm.needed)
    }

    fn evidence(&self) -> Vec<Evidence> {
        self.failed.iter().cloned().collect()
    }

    fn node_ended(&mut self, node: &str) {
        self.waiting.retain(|(of, _), _| of != node);
    }
}
