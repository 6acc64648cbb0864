//! Scenario files: what is wrong is said with file, line, column and what would be right; what is right resolves.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test reads files

use std::fmt::Write as _;
use std::path::Path;

use simurgh_harness::{Client, Property, Registry, Scenario, Seat, Subject, Workload, json_schema};
use simurgh_sim::Invariant;

struct Nothing;

impl Invariant for Nothing {
    fn name(&self) -> &'static str {
        "lease.one_owner"
    }

    fn checks(&self) -> &'static [&'static str] {
        &["calm", "every"]
    }
}

/// Judges at its own hooks alone.
struct Silent;

impl Invariant for Silent {
    fn name(&self) -> &'static str {
        "lease.fenced"
    }
}

fn registry() -> Registry {
    async fn node(_seat: Seat) -> Result<(), String> {
        Ok(())
    }
    async fn client(_client: Client) -> Result<(), String> {
        Ok(())
    }
    Registry::new()
        .subject(Subject::new("lease", "a lease").role("node", node).knob("heartbeat", "1s").knob("cap", "10"))
        .subject(Subject::new("other", "another subject").role("server", node))
        .workload(Workload::new("lease.take", "lease", "takes and gives back", &["take", "give"], client))
        .workload(Workload::new("other.do", "other", "does", &["do"], client))
        .property(Property::new("sets.commute", "a union is the same either way", || 0..9u8, |_| Ok(())))
        .invariant("lease.one_owner", "a lease has one owner", |_| Nothing)
        .invariant("lease.fenced", "an old owner writes nothing", |_| Silent)
        .probe("lease.lost", "a lease ran out")
        .planted("lease.never-ends", "the owner does not look at the clock")
}

const GOOD: &str = r#"schema = 1
name = "lease/split"
why = "two owners"

[topology]
node = { count = "3..5", zones = 3 }
client = { count = 2 }

[link]
latency = { shape = "bimodal", fast = "1ms..5ms", slow = "100ms..400ms", slow_share = 0.001 }
loss = "0.0..0.02"

[time]
chaos = "60s"

[[workload]]
name = "lease.take"
rate = "50/s"
ops = { take = 5, give = "1..4" }

[[fault]]
kind = "partition"
target = "majority"
every = "10s..30s"
hold = "2s..8s"

[[fault]]
kind = "kill.power"
on = "lease.lost"
max = 2

[swarm]
knobs = { heartbeat = "50ms..5s", cap = "1..1024" }

[[invariant]]
name = "lease.one_owner"
check = "calm"

[expect]
reach = ["lease.lost"]
effect = { partition = "dropped >= 1" }
"#;

fn parse(text: &str) -> Result<Scenario, String> {
    Scenario::parse(Path::new("scenarios/lease/split.toml"), text, &registry()).map_err(|problems| problems.to_string())
}

#[test]
fn what_is_wrong_is_said() {
    assert!(parse(GOOD).is_ok(), "{:?}", parse(GOOD).err());
    // What is changed, and into what.
    let cases = [
        ("schema = 1", "schema = 2"),
        ("schema = 1\n", ""),
        ("name = \"lease/split\"\n", ""),
        ("why = \"two owners\"", "why = \"\""),
        ("why = \"two owners\"", "why = 7"),
        ("why = \"two owners\"", "whi = \"two owners\""),
        ("why = \"two owners\"", "why = \"two owners\"\nlevel = \"cluster\""),
        ("why = \"two owners\"", "why = \"two owners\"\nextends = \"no-such.toml\""),
        ("why = \"two owners\"", "why = \"two owners\"\nplanted = \"lease.never-end\""),
        ("why = \"two owners\"", "why = \"two owners\"\nwhy = \"again\""),
        ("[topology]", "[topology"),
        ("[topology]", "topology = 3\n[topologie]"),
        ("node = { count", "nod = { count"),
        ("zones = 3", "zone = 3"),
        ("count = \"3..5\"", "count = \"5..3\""),
        ("count = \"3..5\"", "count = 2.5"),
        ("count = \"3..5\"", "count = -1"),
        ("count = 2", "count = \"many\""),
        ("client = {", "visitor = {"),
        ("[link]", "[links]"),
        ("shape = \"bimodal\"", "shape = \"bell\""),
        ("fast = \"1ms..5ms\"", "fast = 5"),
        ("fast = \"1ms..5ms\"", "fast = \"5 parsecs\""),
        ("loss = \"0.0..0.02\"", "loss = 2"),
        ("loss = \"0.0..0.02\"", "loss = 2026-01-01"),
        ("chaos = \"60s\"", "chaos = [60]"),
        ("[[workload]]", "[workload]"),
        ("name = \"lease.take\"", "name = \"lease.tke\""),
        ("rate = \"50/s\"", "rate = 50"),
        ("give = \"1..4\"", "gve = 4"),
        ("kind = \"partition\"", "kind = \"partion\""),
        ("kind = \"partition\"\n", ""),
        ("target = \"majority\"", "target = \"majorty\""),
        ("target = \"majority\"", "target = \"role:nods\""),
        ("target = \"majority\"", "target = \"role:client\""),
        ("target = \"majority\"", "target = \"zone:north\""),
        ("every = \"10s..30s\"", "every = \"10s..30s\"\nat = \"5s\""),
        ("every = \"10s..30s\"\n", ""),
        ("every = \"10s..30s\"", "every = \"10us\""),
        ("every = \"10s..30s\"", "every = \"10s\"\nnth = 2"),
        ("on = \"lease.lost\"", "on = \"lease.lst\""),
        ("heartbeat = \"50ms..5s\"", "hearbeat = \"50ms..5s\""),
        ("heartbeat = \"50ms..5s\"", "heartbeat = \"50ms..soon\""),
        ("name = \"lease.one_owner\"", "name = \"lease.one_ownr\""),
        ("check = \"calm\"", "check = \"sometimes\""),
        ("check = \"calm\"", "check = \"step\""),
        ("name = \"lease.one_owner\"", "name = \"lease.fenced\""),
        ("reach = [\"lease.lost\"]", "reach = [\"lease.found\"]"),
        ("reach = [\"lease.lost\"]", "reach = \"lease.lost\""),
        ("reach = [\"lease.lost\"]", "outcome = \"fail:lease.two\""),
        ("reach = [\"lease.lost\"]", "outcome = \"maybe\""),
        ("reach = [\"lease.lost\"]", "live = { what = [\"calls_answred\"] }"),
        ("dropped >= 1", "droped >= 1"),
        ("dropped >= 1", "dropped"),
        ("effect = { partition", "effect = { partitions"),
        ("[expect]", "[seeds]\nstop = \"never\"\n[expect]"),
        ("[expect]", "[[workload]]\nname = \"other.do\"\n[expect]"),
        ("why = \"two owners\"", "why = \"two owners\"\nlevel = \"concurrency\""),
        ("why = \"two owners\"", "why = \"two owners\"\nlevel = \"property\""),
    ];
    let mut said = String::new();
    for (from, to) in cases {
        assert!(GOOD.contains(from), "{from}");
        let wrong = parse(&GOOD.replacen(from, to, 1)).expect_err(to);
        let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.replace('\n', "\\n") };
        let _ = writeln!(said, "{} -> {}\n{wrong}\n", shown(from), shown(to));
    }
    insta::assert_snapshot!(said);
}

#[test]
fn a_resolved_file_resolves_to_itself_and_draws_have_names() {
    let registry = registry();
    let read = |text: &str| Scenario::parse(Path::new("a.toml"), text, &registry).unwrap();
    for seed in 0..50 {
        let resolved = parse(GOOD).unwrap().explain(seed);
        assert_eq!(read(&resolved).explain(seed), resolved, "seed {seed}");
        // One fault less, one knob less: all else stays.
        let (head, rest) = GOOD.split_once("[[fault]]\nkind = \"partition\"").unwrap();
        let less = format!("{head}[[fault]]{}", rest.split_once("[[fault]]").unwrap().1)
            .replace("cap = \"1..1024\"", "")
            .replace("5s\", }", "5s\" }")
            .replace("effect = { partition = \"dropped >= 1\" }\n", "");
        let less = read(&less).explain(seed);
        let lost: Vec<&str> = less.lines().filter(|line| !resolved.contains(line)).collect();
        assert!(lost.iter().all(|line| line.starts_with("knobs = ")), "{lost:?}");
    }
}

#[test]
fn swarm_leaves_out_each_family_in_some_seeds_alone() {
    let text = GOOD.replace("[swarm]", "[swarm]\nomit = 0.5");
    let scenario = parse(&text).unwrap();
    for word in ["kind = \"partition\"", "kind = \"kill.power\"", "loss = ", "heartbeat = ", "cap = "] {
        let with = (0..200).filter(|seed| scenario.explain(*seed).contains(word)).count();
        assert!((60..140).contains(&with), "{word} is in {with} of 200");
    }
}

#[test]
fn the_schema_knows_every_field_and_name() {
    let schema = json_schema(&registry());
    let fault = &schema["properties"]["fault"]["items"]["properties"];
    assert!(fault["kind"]["enum"].as_array().unwrap().iter().any(|kind| kind == "kill.power"));
    assert_eq!(fault["hold"]["default"], "1s");
    assert_eq!(schema["additionalProperties"], false);
    for table in
        ["topology", "link", "disk", "clock", "time", "schedule", "budget", "swarm", "expect", "seeds", "shrink"]
    {
        assert!(schema["properties"][table].is_object(), "{table}");
    }
}
