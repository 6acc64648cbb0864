//! What a scenario file says is what happens, looked at from inside of small worlds.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use simurgh_runtime::net::UdpSocket;
use simurgh_runtime::observe::Event;
use simurgh_runtime::{self as runtime, Instant, sync::Mutex};
use simurgh_sim::{Invariant, Seen};

use super::{Look, run};
use crate::file::Scenario;
use crate::plan::Plan;
use crate::property::Property;
use crate::registry::Registry;
use crate::report::Report;
use crate::subject::{Client, Seat, Subject, Workload};

const PORT: u16 = 4000;

/// Who was heard by whom, and when, in seconds.
type Heard = Arc<Mutex<Vec<(String, String, f64)>>>;
type Pairs = BTreeSet<(String, String)>;

/// Is asked in the calm, and may not be before its time, in seconds.
struct NotBefore(f64);

impl Invariant for NotBefore {
    fn name(&self) -> &'static str {
        "mesh.not_before"
    }

    fn calm(&mut self) -> Result<(), String> {
        if now() < self.0 { Err(format!("asked at {} s", now())) } else { Ok(()) }
    }
}

/// Never holds, and says when it was asked.
struct Asked;

impl Invariant for Asked {
    fn name(&self) -> &'static str {
        "mesh.asked"
    }

    fn holds(&mut self) -> Result<(), String> {
        Err(format!("asked at {:.1} s", now()))
    }

    fn checks(&self) -> &'static [&'static str] {
        &["calm", "step", "event", "every", "end"]
    }
}

/// Is broken by the first event, through no fault of the program's.
struct Hopeless;

impl Invariant for Hopeless {
    fn name(&self) -> &'static str {
        "mesh.hopeless"
    }

    fn event(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        Err(format!("{} says {}", seen.node, seen.event.name))
    }

    fn is_impossible(&self) -> bool {
        true
    }
}

/// Holds for three seconds.
struct ForThreeSeconds;

impl Invariant for ForThreeSeconds {
    fn name(&self) -> &'static str {
        "mesh.for_three_seconds"
    }

    fn checks(&self) -> &'static [&'static str] {
        &["every"]
    }

    fn holds(&mut self) -> Result<(), String> {
        if now() > 3.0 { Err("it is over".into()) } else { Ok(()) }
    }
}

fn now() -> f64 {
    simurgh_sim::elapsed().as_secs_f64()
}

/// Tells all others that it is there, each 100 ms, and keeps whom it hears.
async fn chatter(seat: Seat, heard: Heard) -> Result<(), String> {
    const ROUND: Duration = Duration::from_millis(100);
    let socket = UdpSocket::bind(([0, 0, 0, 0], PORT).into()).await.map_err(|error| error.to_string())?;
    let others: Vec<SocketAddr> =
        seat.of_role("node").filter(|place| place.name != seat.name()).map(|place| (place.ip, PORT).into()).collect();
    let name = if seat.text("says") == "loud" { "mesh.said" } else { "mesh.said.heartbeat" };
    runtime::ready();
    let mut buffer = [0; 64];
    for round in 1u64.. {
        for other in &others {
            let _ = socket.send_to(seat.name().as_bytes(), *other).await;
        }
        let next = Instant::now() + ROUND;
        let left = || next.saturating_duration_since(Instant::now());
        while let Ok(read) = runtime::timeout(left(), socket.recv_from(&mut buffer)).await {
            let Ok((len, _)) = read else { continue };
            let from = String::from_utf8_lossy(&buffer[..len]).into_owned();
            heard.lock().push((from, seat.name().to_owned(), now()));
        }
        runtime::sim::world(|world| world.observe(&Event { name, measurements: &[], metadata: &[] }));
        if round % 10 == 0 {
            runtime::probe!("mesh.tenth");
        }
        if round == 12 && seat.text("says") == "loud" && seat.name() == "node3" {
            return Err("it fell over".into());
        }
    }
    Ok(())
}

async fn waits_for_ever(_: Client) -> Result<(), String> {
    std::future::pending().await
}

async fn has_too_much_to_do(_: Client) -> Result<(), String> {
    loop {
        runtime::sleep(Duration::from_millis(100)).await;
        runtime::sim::world(|world| {
            world.observe(&Event { name: "history.ok", measurements: &[], metadata: &[] });
        });
    }
}

fn registry(heard: &Heard) -> Registry {
    let (heard, elsewhere) = (Arc::clone(heard), Heard::default());
    Registry::new()
        .subject(
            Subject::new("other", "nothing here runs it")
                .role("node", move |seat| chatter(seat, Arc::clone(&elsewhere))),
        )
        .probe("other.never", "it is a probe of the other one")
        .probe("anyone.never", "nobody passes it")
        .subject(
            Subject::new("mesh", "each tells each that it is there")
                .role("node", move |seat| chatter(seat, Arc::clone(&heard)))
                .knob("says", "quiet"),
        )
        .workload(Workload::new("mesh.wait", "mesh", "waits for ever", &["wait"], waits_for_ever))
        .workload(Workload::new("mesh.busy", "mesh", "is answered, and never done", &["ask"], has_too_much_to_do))
        .workload(Workload::new("mesh.end", "mesh", "ends at once", &["end"], |_| std::future::ready(Ok(()))))
        .word("mesh.said", "a node says that it is there")
        .word("mesh.never", "nobody ever says this")
        .property(Property::new(
            "mesh.small",
            "no number is large",
            || 0..1_000_000u32,
            |number| if number < 100 { Ok(()) } else { Err(format!("{number} is large")) },
        ))
        .invariant("mesh.not_before", "the calm is not over before its time", |params| {
            NotBefore(params.time_or("time", Duration::ZERO).as_secs_f64())
        })
        .invariant("mesh.for_three_seconds", "it is not later than three seconds", |_| ForThreeSeconds)
        .invariant("mesh.hopeless", "nothing ever happens", |_| Hopeless)
        .invariant("mesh.asked", "whatever it is, it is not so", |_| Asked)
        .probe("mesh.tenth", "a node has said it ten times more")
}

fn play(text: &str) -> (Report, Heard) {
    play_and_look(text, Look::default())
}

fn play_and_look(text: &str, look: Look) -> (Report, Heard) {
    let heard = Heard::default();
    let registry = registry(&heard);
    let text = format!("schema = 1\nname = \"mesh\"\nwhy = \"a test\"\n{text}");
    let scenario =
        Scenario::parse(Path::new("mesh.toml"), &text, &registry).unwrap_or_else(|problems| panic!("{problems}"));
    let (report, _) = run(&Arc::new(Plan::new(&scenario, 3)), &Arc::new(registry), look, None);
    (report, heard)
}

/// Whom each heard between two times.
fn between(heard: &Heard, from: f64, until: f64) -> Pairs {
    let heard = heard.lock();
    let in_time = heard.iter().filter(|(_, _, at)| (from..until).contains(at));
    in_time.map(|(from, to, _)| (from.clone(), to.clone())).collect()
}

/// Whom each of `count` nodes hears while a fault lasts. Zones are two, given in turn.
fn heard_under(count: usize, fault: &str) -> Pairs {
    let (report, heard) = play(&format!(
        "subject = \"mesh\"\n[topology]\nnode = {{ count = {count}, zones = 2 }}\n[time]\nwarmup = \"1s\"\nchaos = \"2s\"\ncalm = \"1s\"\n{fault}"
    ));
    assert!(report.passed(), "{:?}", report.verdict);
    between(&heard, 1.2, 3.0)
}

fn all_pairs(count: usize) -> Pairs {
    let name = |number: usize| format!("node{number}");
    let pairs = (1..=count).flat_map(|one| (1..=count).map(move |other| (one, other)));
    pairs.filter(|(one, other)| one != other).map(|(one, other)| (name(one), name(other))).collect()
}

fn struck(kind: &str, target: &str, rest: &str) -> String {
    format!("[[fault]]\nkind = \"{kind}\"\ntarget = {target}\nat = \"0s\"\nhold = \"10s\"\n{rest}")
}

#[test]
fn a_run_misses_its_own_probes_and_not_those_of_another_subject() {
    let (report, _) = play("subject = \"mesh\"\n[topology]\nnode = { count = 2 }\n[time]\nchaos = \"1s\"");
    let names: Vec<&str> = report.probes.iter().map(|probe| &*probe.name).collect();
    let declared = ["anyone.never", "mesh.tenth", "other.never"].map(|name| names.contains(&name));
    assert_eq!(declared, [true, true, false], "{names:?}");
}

#[test]
fn selectors_strike_whom_they_say() {
    assert_eq!(heard_under(4, ""), all_pairs(4));
    assert_eq!(heard_under(4, &struck("partition", "\"all\"", "")), Pairs::new());

    let reached = |pairs: &Pairs, node: usize| pairs.iter().filter(|(_, to)| *to == format!("node{node}")).count();
    let ring = heard_under(5, &struck("partition", "\"ring\"", ""));
    assert_eq!((1..=5).map(|node| reached(&ring, node)).collect::<Vec<_>>(), [2; 5], "{ring:?}");
    assert!(ring.iter().all(|(from, to)| ring.contains(&(to.clone(), from.clone()))), "{ring:?}");

    let cut = |pairs: Pairs| all_pairs(4).difference(&pairs).cloned().collect::<Vec<_>>();
    let pair = cut(heard_under(4, &struck("partition", "\"pair\"", "")));
    assert!(matches!(&pair[..], [(a, b), (c, d)] if (a, b) == (d, c)), "{pair:?}");
    let deaf = cut(heard_under(4, &struck("partition", "\"pair\"", "direction = \"in\"")));
    assert_eq!(deaf.len(), 1, "{deaf:?}");

    let zone =
        |name: &String| name.trim_start_matches("node").parse::<usize>().map_or(0, |number| (number - 1) % 2 + 1);
    let same: Pairs = all_pairs(4).into_iter().filter(|(from, to)| zone(from) == zone(to)).collect();
    assert_eq!(heard_under(4, &struck("partition", "\"zone:1\"", "")), same);
    let second: Pairs = same.iter().filter(|(from, _)| zone(from) == 2).cloned().collect();
    assert_eq!(heard_under(4, &struck("kill.crash", "\"zone:1\"", "")), second);
    assert_eq!(heard_under(4, &struck("kill.crash", "\"role:node\"", "")), Pairs::new());
    let named = cut(heard_under(
        4,
        &struck("partition", "[\"node1\"]", "others = [\"node2\", \"node4\"]\ndirection = \"out\""),
    ));
    assert_eq!(named, [("node1".to_owned(), "node2".to_owned()), ("node1".to_owned(), "node4".to_owned())]);
}

#[test]
fn a_fault_that_waits_for_a_probe_strikes_when_it_is_passed() {
    // A node passes the probe each second.
    let world = "subject = \"mesh\"\n[topology]\nnode = { count = 1 }\n[time]\nwarmup = \"1500ms\"\nchaos = \"4s\"\ncalm = \"1s\"\n";
    // In tenths of a second.
    let at = |fault: &str| -> Vec<u64> {
        let (report, _) =
            play(&format!("{world}[[fault]]\nkind = \"pause\"\nhold = \"1ms\"\non = \"mesh.tenth\"\n{fault}"));
        assert!(report.passed(), "{:?}", report.verdict);
        report.faults.iter().map(|fault| (fault.at_ns + 50_000_000) / 100_000_000).collect()
    };
    assert_eq!(at(""), [20, 30, 40, 50]);
    assert_eq!(at("nth = 2"), [30]);
    assert_eq!(at("max = 1"), [20]);
    assert_eq!(at("nth = 9"), [0; 0]);
}

/// Five nodes; progress is demanded of a core from 2 s to 5 s, and all is whole at 8 s.
fn with_core(core: &str, faults: &str) -> Heard {
    let (report, heard) = play(&format!(
        "subject = \"mesh\"\n[topology]\nnode = {{ count = 5 }}\n[time]\nwarmup = \"1s\"\nchaos = \"1s\"\ncalm = \"6s\"\n\
         [expect]\nlive = {{ core = \"{core}\", within = \"3s\", what = [\"converged\"] }}\n{faults}"
    ));
    assert!(report.passed(), "{:?}", report.verdict);
    assert_eq!(between(&heard, 6.0, 8.0), all_pairs(5), "in the end all is mended");
    heard
}

#[test]
fn a_core_is_healed_and_all_other_failures_stay() {
    let of_core = |name: &str| matches!(name, "node3" | "node4" | "node5");
    let fault = |kind: &str, node: &str, rest: &str| {
        format!("[[fault]]\nkind = \"{kind}\"\ntarget = [\"{node}\"]\nat = \"500ms\"\n{rest}\n")
    };
    // One is down, one stands still for longer than the fault itself would last.
    let faults = fault("kill.crash", "node1", "hold = \"30s\"") + &fault("pause", "node2", "hold = \"600ms\"");
    let core: Pairs = all_pairs(5).into_iter().filter(|(from, to)| of_core(from) && of_core(to)).collect();
    assert_eq!(between(&with_core("quorum", &faults), 2.3, 5.0), core);
    assert_eq!(between(&with_core("all", &faults), 2.3, 5.0), all_pairs(5));
    // Two are deaf: they are heard, and hear nobody.
    let faults = ["node1", "node2"].map(|node| fault("partition", node, "direction = \"in\"\nhold = \"30s\"")).concat();
    let heard = between(&with_core("quorum", &faults), 2.3, 5.0);
    let expected: Pairs = all_pairs(5).into_iter().filter(|(_, to)| of_core(to)).collect();
    assert_eq!(heard, expected);
    // A fault that is over by then is not brought back.
    let faults = fault("kill.crash", "node1", "hold = \"100ms\"");
    assert_eq!(between(&with_core("quorum", &faults), 2.3, 5.0), all_pairs(5));
}

#[test]
fn what_must_come_true_is_asked_in_time() {
    let world = |what: &str, time: &str, says: &str| {
        play(&format!(
            "subject = \"mesh\"\n[topology]\nnode = {{ count = 2 }}\n[time]\nwarmup = \"1s\"\nchaos = \"1s\"\ncalm = \"5s\"\n\
             [swarm]\nknobs = {{ says = \"{says}\" }}\n[[invariant]]\nname = \"mesh.not_before\"\nparams = {{ time = \"{time}\" }}\n\
             [expect]\nlive = {{ within = \"2s\", what = [{what}] }}\n"
        ))
        .0
        .verdict
    };
    // `converged` asks at the bound, the end of the calm phase asks in any case.
    assert_eq!(world("\"converged\"", "3900ms", "quiet").class, "pass");
    let early = world("\"converged\"", "5s", "quiet");
    assert_eq!((early.class.as_str(), early.invariant.as_str()), ("invariant", "mesh.not_before"));
    assert_eq!(world("\"calls_answered\"", "5s", "quiet").class, "pass");
    assert_eq!(world("\"quiescent\"", "0", "quiet").class, "pass");
    let loud = world("\"quiescent\"", "0", "loud");
    assert_eq!(loud.class, "liveness");
    assert!(loud.message.contains("does not come to rest"), "{}", loud.message);
    assert_eq!(world("\"calls_answered\"", "0", "loud").class, "pass");
}

#[test]
fn what_is_impossible_is_not_called_stuck() {
    let waits = |core: &str, faults: &str| {
        let (report, _) = play(&format!(
            "[topology]\nnode = {{ count = 5 }}\nclient = {{ count = 1 }}\n[time]\nwarmup = \"1s\"\nchaos = \"1s\"\ncalm = \"3s\"\n\
             [[workload]]\nname = \"mesh.wait\"\n[expect]\nlive = {{ core = \"{core}\", within = \"2s\" }}\n{faults}"
        ));
        assert!(
            report.verdict.message.starts_with("client1 still waits for an answer, 2s after "),
            "{:?}",
            report.verdict
        );
        let lacks: Vec<String> =
            report.verdict.evidence.iter().map(|evidence| format!("{} {}", evidence.key, evidence.seen)).collect();
        (report.verdict.class.clone(), report.verdict.fingerprint.clone(), lacks.join("; "))
    };
    let strike = |kind: &str, target: &str| {
        format!("[[fault]]\nkind = \"{kind}\"\ntarget = \"{target}\"\nat = \"500ms\"\nhold = \"100ms\"\n")
    };
    let (stuck, fingerprint, lacks) = waits("all", "");
    assert_eq!(
        (stuck.as_str(), lacks.as_str()),
        ("liveness", "node1 runs; node2 runs; node3 runs; node4 runs; node5 runs")
    );
    for kind in ["kill.wipe", "disk.lie"] {
        assert_eq!(waits("all", &strike(kind, "minority")).0, "liveness");
        for core in ["all", "quorum"] {
            let (class, other, lacks) = waits(core, &strike(kind, "majority"));
            assert_eq!(class, "stuck-impossible");
            assert_ne!(other, fingerprint);
            assert_eq!(lacks.matches("its disk was lost or lied").count(), 3, "{lacks}");
        }
    }
    // Dead ones are healed, or are no more than a minority.
    assert_eq!(waits("quorum", &strike("kill.power", "majority")).0, "liveness");
    let (report, _) =
        play("subject = \"mesh\"\n[topology]\nnode = { count = 1 }\n[[invariant]]\nname = \"mesh.hopeless\"\n");
    assert_eq!(
        (report.verdict.class.as_str(), report.verdict.invariant.as_str()),
        ("stuck-impossible", "mesh.hopeless")
    );
    assert_eq!(report.verdict.exit_code, 26);
}

#[test]
fn who_is_answered_and_not_done_is_not_said_to_wait() {
    let (report, _) = play(
        "[topology]\nnode = { count = 2 }\nclient = { count = 1 }\n[time]\nwarmup = \"1s\"\nchaos = \"1s\"\ncalm = \"3s\"\n\
         [[workload]]\nname = \"mesh.busy\"\n[expect]\nlive = { core = \"all\", within = \"2s\" }\n",
    );
    assert_eq!(report.verdict.class, "liveness");
    let said = &report.verdict.message;
    assert!(said.starts_with("client1 is answered, and behind with what it has to do, 2s after everything"), "{said}");
}

#[test]
fn an_invariant_is_asked_when_the_file_says() {
    let asked = |check: &str| {
        let (report, _) = play(&format!(
            "subject = \"mesh\"\n[topology]\nnode = {{ count = 2 }}\n[time]\nwarmup = \"1s\"\nchaos = \"1s\"\ncalm = \"1s\"\n\
             [[invariant]]\nname = \"mesh.asked\"\n{check}"
        ));
        assert_eq!(report.verdict.invariant, "mesh.asked", "{check}");
        report.verdict.message
    };
    assert_eq!(asked("check = \"step\""), "asked at 0.0 s");
    assert_eq!(asked("check = \"event\""), "asked at 0.1 s");
    assert_eq!(asked("check = \"every\"\nperiod = \"400ms\""), "asked at 0.4 s");
    for at_the_end in ["check = \"calm\"", "check = \"end\"", ""] {
        assert_eq!(asked(at_the_end), "asked at 3.0 s", "{at_the_end}");
    }
}

#[test]
fn a_property_that_does_not_hold_is_named() {
    let (report, _) = play("level = \"property\"\n[[workload]]\nname = \"mesh.small\"\ncases = 50\n");
    assert_eq!((report.verdict.class.as_str(), report.verdict.invariant.as_str()), ("invariant", "mesh.small"));
    assert_eq!(report.verdict.message, "100 is large for 100");
    let (report, _) = play("level = \"property\"\n[[workload]]\nname = \"mesh.small\"\ncases = 0\n");
    assert!(report.passed(), "no case is tried");
}

#[test]
fn a_report_says_by_name_who_ended_how_and_what_faults_did_to_the_end() {
    let (report, _) = play_and_look(
        "subject = \"mesh\"\n[topology]\nnode = { count = 5, only = [\"node1\", \"node3\", \"node4\"], restart = \"supervised\" }\n\
         client = { count = 1 }\n[time]\nwarmup = \"1s\"\nchaos = \"3s\"\ncalm = \"1s\"\n[[workload]]\nname = \"mesh.end\"\n\
         [swarm]\nknobs = { says = \"loud\" }\n[[invariant]]\nname = \"mesh.not_before\"\nparams = { time = \"100s\" }\n\
         [[fault]]\nkind = \"kill.crash\"\ntarget = [\"node1\"]\nat = \"500ms\"\nhold = \"100ms\"\n\
         [[fault]]\nkind = \"partition\"\ntarget = [\"node1\"]\nothers = [\"node4\"]\nat = \"1s\"\nhold = \"1s\"\n",
        Look { keep: 100_000, record: false },
    );
    assert_eq!(report.verdict.invariant, "mesh.not_before", "{:?}", report.verdict);
    let how = |name: &str| {
        let node = report.nodes.iter().find(|node| node.name == name).expect("it is there");
        (node.lives[0].how.clone(), node.lives[0].why.clone())
    };
    assert_eq!(how("node1"), ("killed".into(), String::new()));
    assert_eq!(how("node3"), ("failed".into(), "it fell over".into()));
    assert_eq!(how("client1"), ("finished".into(), String::new()));
    let blank: Vec<_> = report.log.iter().filter(|line| line.text.trim().is_empty()).collect();
    assert!(blank.is_empty(), "lines that say nothing: {blank:?}");
    let says = |node: &str, kind: &str, text: &str| {
        assert!(
            report.log.iter().any(|line| line.node == node && line.kind == kind && line.text.contains(text)),
            "no {kind} of {node} says {text:?}"
        );
    };
    says("node1", "kill", "killed: the process crashed");
    says("node3", "exit", "ended by itself: its program failed: it fell over");
    says("client1", "exit", "ended by itself: its program returned");
    says("client1", "exit", "the task main is done");
    says("node1", "fault", "the way to node4 is cut");
    let by_number = report.log.iter().find(|line| line.text.contains("node 1") || line.text.contains("node 3"));
    assert_eq!(by_number, None, "a node has a name");
    let role = report.roles.iter().find(|role| role.name == "node").expect("it is there");
    assert_eq!((role.count, role.runs, role.is_client), (5, 3, false));
    assert!(report.nodes.iter().all(|node| !node.ip.is_empty()));
    assert!(report.words.contains_key("mesh.said") && !report.words.contains_key("mesh.never"), "{:?}", report.words);
    assert!(report.words.contains_key("count dropped"), "{:?}", report.words);
    let tenth = report.probes.iter().find(|probe| probe.name == "mesh.tenth").expect("it is declared");
    assert_eq!(tenth.about, "a node has said it ten times more");
}

#[test]
fn a_fault_that_the_failure_cuts_short_says_what_it_did_so_far() {
    let (report, _) = play(
        "subject = \"mesh\"\n[topology]\nnode = { count = 2 }\n[time]\nwarmup = \"1s\"\nchaos = \"3s\"\ncalm = \"1s\"\n\
         [[invariant]]\nname = \"mesh.for_three_seconds\"\ncheck = \"every\"\n\
         [[fault]]\nkind = \"partition\"\ntarget = \"all\"\nat = \"1s\"\nhold = \"30s\"\n",
    );
    assert_eq!(report.verdict.invariant, "mesh.for_three_seconds", "{:?}", report.verdict);
    let [fault] = &report.faults[..] else { panic!("{:?}", report.faults) };
    assert!(fault.until_ns.is_none() && fault.effects["dropped"] > 0, "{fault:?}");
    assert_eq!(fault.outcome, "effective", "{fault:?}");
}
