use std::time::Duration;

use simurgh_runtime::{DurationExt, Label, Timestamp};
use simurgh_sync::mailbox::Counts;

use super::*;
use crate::{ChildSpec, Context, Flow, ProcessInfo, Reply, Server, Strategy, Supervisor};

fn pid(number: u64) -> Pid {
    format!("<0.{number}.0>").parse().unwrap()
}

fn info(number: u64, parent: u64, label: &str, kind: Kind, (len, handled): (usize, u64)) -> ProcessInfo {
    let served = matches!(kind, Kind::Server | Kind::Supervisor(_));
    ProcessInfo {
        pid: pid(number),
        label: Label::from(label.to_owned()),
        kind,
        age: Duration::from_millis(1_500 * number),
        polls: 7,
        poll_time: Duration::ZERO,
        handled,
        mailbox: served.then_some(Counts { len, high_water: 12, shed: 3, blocked: 0, capacity: 1_024, bytes: 640 }),
        memory: 700 * number as usize,
        parent: (parent != 0).then(|| pid(parent)),
        links: Vec::new(),
    }
}

const ROOT: Kind = Kind::Supervisor(Strategy::OneForOne);

fn sample(adder: u64, handled: u64) -> Tree {
    let processes = vec![
        info(30, 0, "a connection with a name that is much longer than what fits", Kind::Process, (0, 0)),
        info(1, 0, "root", ROOT, (0, 0)),
        info(2, 1, "shop", Kind::Supervisor(Strategy::RestForOne), (0, 0)),
        info(adder, 2, "adder", Kind::Server, (5, handled)),
        info(4, 2, "mailer", Kind::Server, (0, 2_500_000)),
        info(5, 1, "sweeper", Kind::Worker, (0, 0)),
        info(9, 8, "its supervisor has ended", Kind::Worker, (0, 0)),
    ];
    Tree::of("demo", Timestamp::from_nanos(1_767_225_600_123_456_789), processes)
}

#[test]
fn a_tree_as_text() {
    insta::assert_snapshot!(sample(3, 40));
    insta::assert_snapshot!("sorted", sample(3, 40).sorted(SortBy::Handled));
}

#[test]
fn a_tree_as_json() {
    let tree = Tree::of("demo", Timestamp::from_nanos(0), vec![info(1, 0, "ro\"ot", ROOT, (5, 1))]);
    assert_eq!(
        tree.to_json(),
        "{\"node\":\"demo\",\"at\":\"1970-01-01T00:00:00.000000000Z\",\"omitted\":0,\"processes\":[{\"pid\":\"<0.1.0>\",\
         \"depth\":0,\"parent\":null,\"label\":\"ro\\\"ot\",\"kind\":\"one_for_one\",\"age_ms\":1500,\"handled\":1,\
         \"polls\":7,\"poll_time_ms\":0,\"memory_estimate\":700,\"links\":0,\"mailbox\":{\"len\":5,\"high_water\":12,\
         \"shed\":3,\"blocked\":0,\"capacity\":1024}}]}"
    );
}

#[test]
fn a_diff_tells_starts_ends_restarts_and_counters() {
    let (before, after) = (sample(3, 40), sample(77, 0));
    let diff = Tree::diff(&before, &after);
    assert_eq!(diff.to_string(), "* root > shop > adder <0.3.0> restarted as <0.77.0>");
    assert!(Tree::diff(&after, &after).is_empty());

    let empty = Tree::of("demo", after.at, Vec::new());
    assert_eq!(Tree::diff(&empty, &after).started.len(), 7);
    assert_eq!(Tree::diff(&after, &empty).ended.len(), 7);

    let diff = Tree::diff(&sample(3, 40), &sample(3, 42));
    assert_eq!(diff.to_string(), "  root > shop > adder <0.3.0> handled 2");
    assert_eq!(
        diff.to_json(),
        "{\"started\":[],\"ended\":[],\"restarted\":[],\"changed\":[{\"pid\":\"<0.3.0>\",\
         \"path\":\"root > shop > adder\",\"handled\":2,\"waiting_before\":5,\"waiting_after\":5,\"shed\":0}]}"
    );
}

#[test]
fn what_is_too_much_is_counted_and_supervised_trees_go_first() {
    let mut processes: Vec<_> =
        (100..PROCESSES_MAX as u64 + 150).map(|number| info(number, 0, "c", Kind::Process, (0, 0))).collect();
    processes.push(info(20_000, 0, "root", ROOT, (0, 0)));
    processes.push(info(20_001, 20_000, "child", Kind::Worker, (0, 0)));
    let tree = Tree::of("demo", Timestamp::from_nanos(0), processes);
    assert_eq!((tree.count(), tree.omitted), (PROCESSES_MAX, 52));
    assert_eq!(tree.get(pid(20_001)).unwrap().label.to_string(), "child");
}

struct Counter(u64);

enum Ask {
    Add(u64),
    Total(Reply<u64>),
}

impl Server for Counter {
    type Message = Ask;

    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Flow {
        match ask {
            Ask::Add(more) => self.0 += more,
            Ask::Total(reply) => reply.send(self.0),
        }
        Flow::Continue
    }

    fn name_of(ask: &Ask) -> &'static str {
        match ask {
            Ask::Add(_) => "Add",
            Ask::Total(_) => "Total",
        }
    }

    fn describe(&self) -> String {
        format!("a counter at {}", self.0)
    }
}

#[test]
fn a_running_node_is_seen_described_and_traced() {
    simurgh_runtime::run("test", async {
        let root = Supervisor::one_for_all()
            .child("counter", || Counter(40))
            .child("sweeper", ChildSpec::task(std::future::pending::<()>))
            .start("root")
            .await
            .unwrap();
        let counter = root.child::<Counter>("counter").await.unwrap();
        let seen = tree();
        let rows = seen.rows();
        let words: Vec<_> =
            rows.iter().map(|(depth, info)| (*depth, info.label.to_string(), info.kind.name())).collect();
        let expected = [(0, "root", "one_for_all"), (1, "counter", "server"), (1, "sweeper", "worker")];
        assert!(words.iter().map(|(depth, label, kind)| (*depth, label.as_str(), *kind)).eq(expected), "{words:?}");
        assert!(rows.iter().all(|(_, info)| (200..20_000).contains(&info.memory)));

        assert_eq!(describe(counter.pid()).await.unwrap(), "a counter at 40");
        assert_eq!(describe(root.pid()).await.unwrap(), "supervisor of 2 children, 2 ready");
        assert_eq!(describe(rows[2].1.pid).await, Err(ObserveError::NotDescribed(rows[2].1.pid, Kind::Worker)));
        assert_eq!(describe(pid(9_999)).await, Err(ObserveError::NoProcess(pid(9_999))));

        trace(counter.pid(), true).unwrap();
        counter.try_cast(Ask::Add(2)).map_err(|_| "dead").unwrap();
        assert_eq!(counter.call(Ask::Total).await, Ok(42));
        trace(counter.pid(), false).unwrap();
        assert_eq!(counter.call(Ask::Total).await, Ok(42));
        let lines = trace_lines(0);
        assert_eq!(lines.iter().map(|line| line.message).collect::<Vec<_>>(), ["Add", "Total"]);
        assert_eq!(trace_lines(1)[0].number, 2);
        assert!(lines[0].to_json().starts_with("{\"number\":1,\"at\":\""));
        assert!(matches!(trace(root.pid(), true), Err(ObserveError::NotTraced(..))));

        let later = tree();
        assert_eq!(Tree::diff(&seen, &later).changed[0].handled, 3);
        assert!(kill(counter.pid()) && !kill(pid(9_999)));
        root.stop(5.secs()).await;
        assert_eq!(tree().count(), 0);
    });
}

#[test]
fn a_process_that_does_not_answer_is_an_error_and_no_wait_for_ever() {
    assert_eq!(ObserveError::NoAnswer(pid(1)).to_string(), "<0.1.0> gave no answer within 5s");
}
