//! Written by `sim shrink scenarios/negative/register-split-brain.toml --seed 7 --test`, and not by hand.
//! 2 of the file's 5 replicas and 1 of the file's 4 clients ran. The 2 replicas knew of no others: a
//! majority of them is 2, not 3. At 4.000 s client2 and replica2 were cut from each other, for 2.00 s.
//! It stopped the request for a connection from client2 to replica2. At 6.271 s client2 waits 50ms
//! before it tries replica2 again. At 6.277 s "write pears 20027" of client2 was called done with 1
//! answer of 2 asked, 1 needed; a majority would be 2. At 6.400 s nothing that replica3 said reached
//! client2 any more (one way only), to the end. It stopped "3 has 1 20027 20027" from replica3 to
//! client2. At 6.623 s "read pears" of client2 was called done with 1 answer of 2 asked, 1 needed; a
//! majority would be 2. Then, at 6.623 s, in the chaos phase: "pears": client2 read nothing (6.619008s
//! to 6.623008s) does not fit: the register holds 20027 then.
//!
//! The bug is planted: the run must fail with history.linearizable.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)] // a test starts a program and writes the file for it

use std::process::Command;

const NAME: &str = "negative_register_split_brain_seed_7";
const PLAN: &str = r#"# 2 of the file's 5 replicas and 1 of the file's 4 clients ran. The 2 replicas knew of no others: a
# majority of them is 2, not 3. At 4.000 s client2 and replica2 were cut from each other, for 2.00 s.
# It stopped the request for a connection from client2 to replica2. At 6.271 s client2 waits 50ms
# before it tries replica2 again. At 6.277 s "write pears 20027" of client2 was called done with 1
# answer of 2 asked, 1 needed; a majority would be 2. At 6.400 s nothing that replica3 said reached
# client2 any more (one way only), to the end. It stopped "3 has 1 20027 20027" from replica3 to
# client2. At 6.623 s "read pears" of client2 was called done with 1 answer of 2 asked, 1 needed; a
# majority would be 2. Then, at 6.623 s, in the chaos phase: "pears": client2 read nothing (6.619008s
# to 6.623008s) does not fit: the register holds 20027 then.
schema = 1
name = "negative/register-split-brain"
why = "both halves of a partition take themselves for the majority"
level = "distributed"
tier = "pr"
planted = "register.quorum-of-reachable"

[topology]
replica = { count = 5, only = ["replica2", "replica3"] }
client = { count = 4, only = ["client2"] }

[time]
warmup = 0
chaos = "6624ms"
calm = "12s"
max_steps = 2000000

[schedule]
strategy = "fifo"

[[workload]]
name = "register.ops"
clients = "client"
rate = "20/s"
ops = { read = 3, write = 2 }
only = ["client2#27", "client2#34"]

[[invariant]]
name = "history.linearizable"

[[invariant]]
name = "effect.exactly_once"

[[invariant]]
name = "replica.converges"

[[invariant]]
name = "live.progress"

[[invariant]]
name = "node.quiesces"

[[invariant]]
name = "memory.bounded"

[expect]
outcome = "fail:history.linearizable"
live = { core = "all", within = "12s", what = ["calls_answered"] }

[[fault]]
id = "partition/1"
kind = "partition"
target = ["client2"]
others = ["replica2"]
at = "4s"
hold = "2s"

[[fault]]
id = "partition#2/1"
kind = "partition"
target = ["replica3"]
others = ["client2"]
direction = "out"
at = "6400ms"
hold = "1s"

[plan]
seed = "7"
shrunk = { from = "scenarios/negative/register-split-brain.toml", runs = 268, fingerprint = "785dd192324459ce", before = { nodes = 9, faults = 4, operations = 152, decisions = 879, time = "8613203180ns" }, after = { nodes = 3, faults = 2, operations = 2, decisions = 0, time = "6623008071ns" } }
"#;

#[test]
fn negative_register_split_brain_seed_7() {
    let file = std::env::temp_dir().join(format!("{NAME}-{}.toml", std::process::id()));
    std::fs::write(&file, PLAN).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_scenarios")).arg("run").arg(&file).output().unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
