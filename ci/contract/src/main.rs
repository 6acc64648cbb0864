//! Asks the kernel, our simulator and turmoil the same questions about sockets, time, files and processes, and writes what each
//! answered to `reports/contract.md`. Where they differ, the kernel is right.
//!
//! `contract [--check]`: with `--check`, it fails if our simulator differs from the kernel in a case that
//! [`DIFFERENCES`] does not explain, or explains one that is none.

mod arm;
mod arms;
mod cases;
mod children;
mod crashes;

use std::fmt::Write as _;
use std::process::ExitCode;

use arms::ARMS;
use cases::CASES;

/// Where ours differs from the kernel on purpose, and why.
const DIFFERENCES: &[(&str, &str)] = &[];

/// The first port of the first case; each case has four.
const FIRST_PORT: u16 = 21_000;

fn main() -> ExitCode {
    if let Some(code) = children::of_this_process() {
        return code;
    }
    let check = std::env::args().any(|arg| arg == "--check");
    // A panic of an arm is its answer.
    std::panic::set_hook(Box::new(|_| {}));
    let mut table = String::new();
    let mut wrong = Vec::new();
    let mut counts = [[0; 3]; 2];
    let mut details = String::new();
    for (index, (area, name, case)) in CASES.iter().enumerate() {
        let port = FIRST_PORT + index as u16 * 4;
        let [kernel, ours, turmoil] = ARMS.map(|(arm, run)| match (arm, *area) {
            ("turmoil", "files" | "processes") => Err(format!("no {area}")),
            _ => run(case, port),
        });
        let reason = DIFFERENCES.iter().find(|(of, _)| of == name).map(|(_, why)| *why);
        let verdicts = [&ours, &turmoil].map(|answer| match answer {
            Err(_) => 2,
            Ok(_) if *answer == kernel => 0,
            Ok(_) => 1,
        });
        for (counts, verdict) in counts.iter_mut().zip(verdicts) {
            counts[verdict] += 1;
        }
        let words = |verdict: usize, answer: &Result<Vec<String>, String>| match (verdict, answer) {
            (2, Err(why)) => format!("skipped: {why}"),
            (0, _) => "same".to_owned(),
            _ => "differs".to_owned(),
        };
        let (of_ours, of_turmoil) = (words(verdicts[0], &ours), words(verdicts[1], &turmoil));
        let said = kernel.as_ref().map_or_else(Clone::clone, |seen| seen.join("; "));
        let _ = writeln!(table, "| {area} | {name} | {} | {said} | {of_ours} | {of_turmoil} |", case.asks);
        for (arm, answer, verdict) in [("ours", &ours, verdicts[0]), ("turmoil", &turmoil, verdicts[1])] {
            if let (1, Ok(seen)) = (verdict, answer) {
                let why = if arm == "ours" { reason.unwrap_or("NOT EXPLAINED") } else { "turmoil's own" };
                let _ = writeln!(details, "| {name} | {arm} | {} | {why} |", seen.join("; "));
            }
        }
        if (verdicts[0] != 0) != reason.is_some() {
            wrong.push(*name);
        }
    }
    let [ours, turmoil] =
        counts.map(|[same, differs, skipped]| format!("{same} same, {differs} differ, {skipped} skipped"));
    print!(
        "\
# What a program may see of sockets, time, files and processes

{} cases, each a server's and a client's side, run on the kernel (tokio's sockets over loopback, files below the temporary
folder, real processes), in our simulator without faults, and in turmoil 0.7.2. Each side notes what it sees; the kernel's answer is right. Made by
`ci/contract/run`.

Ours: {ours}. turmoil: {turmoil}.

| area | case | asks | the kernel says | ours | turmoil |
| --- | --- | --- | --- | --- | --- |
{table}",
        CASES.len()
    );
    if !details.is_empty() {
        print!("\n## What differs\n\n| case | arm | says | why |\n| --- | --- | --- | --- |\n{details}");
    }
    let (crashes, against_the_model) = crashes::table();
    print!("{crashes}");
    wrong.extend(against_the_model);
    if check && !wrong.is_empty() {
        eprintln!("error: ours differs from the kernel, or is said to differ and does not: {}", wrong.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
