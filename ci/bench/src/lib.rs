//! What the drivers share: the tables' heads, pinned child processes, processor time, and figures of pairs.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

mod times;

pub use times::Times;

/// Interleaved pairs, after one to warm up.
pub const PAIRS: usize = 12;

/// The top of a table: what, on which machine, when, which commit, made by which command.
pub fn header(title: &str, command: &str) {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count(); // this program may be pinned
    let date = Command::new("date").arg("+%Y-%m-%d").output();
    let date = date.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    let commit = std::env::var("BENCH_COMMIT").unwrap_or_default();
    println!("# {title}\n");
    println!("{model}, {cores} cores; {date}; commit {commit}; made by `{command}`.\n");
}

/// What a driver says to this program, line by line.
pub fn lines() -> UnboundedReceiver<String> {
    let (send, lines) = unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).try_for_each(|line| send.send(line))
    });
    lines
}

/// A peer's runtime, as ours is: for one worker thread tokio's scheduler for one, else that for several.
pub fn runtime() -> tokio::runtime::Runtime {
    let is_alone = std::env::var("TOKIO_WORKER_THREADS").is_ok_and(|said| said == "1");
    let mut runtime = if is_alone { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    runtime.enable_all().build().expect("a runtime")
}

/// Runs a peer on a worker, as ours: a task on the main thread would pay a wake-up each time.
pub fn on_tokio<T: Send + 'static>(main: impl Future<Output = T> + Send + 'static) -> T {
    runtime().block_on(async { tokio::spawn(main).await.expect("an end") })
}

/// A program of this workspace, pinned to one core, driven by lines.
pub struct Pinned {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Pinned {
    /// Starts a program on a core; one worker thread, so that a core is what it gets.
    pub fn start(core: u32, program: &str, args: &[&str]) -> Self {
        let mut child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(sibling(program))
            .args(args)
            .env("TOKIO_WORKER_THREADS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset (util-linux) starts a program of this workspace");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// The next line it prints.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "a program of the benchmark has ended");
        line.trim().to_owned()
    }

    /// Gives it a line and takes its answer, numbers.
    pub fn ask(&mut self, line: &str) -> Vec<f64> {
        writeln!(self.input, "{line}").expect("it reads");
        self.line().split_whitespace().map(|word| word.parse().expect("a number")).collect()
    }

    /// Makes a load reset its connections, and gives the server time to see their ends: they are part of the next
    /// figure's price otherwise.
    pub fn drop_held(&mut self) {
        self.ask("drop");
        settle();
    }

    /// Processor time of all its threads, in nanoseconds.
    pub fn cpu_ns(&self) -> f64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("its threads");
        let of = |path: PathBuf| {
            let text = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
            text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0)
        };
        tasks.flatten().map(|task| of(task.path())).sum()
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
        line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") * 1024.0
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn settle() {
    std::thread::sleep(Duration::from_millis(300));
}

/// By how many bytes a server's resident memory grows for each of `count` connections. It has had 64 before, so that what
/// it needs once is not theirs. `open` is what a load is told to have so many.
pub fn bytes_per_connection(
    mut server: Pinned,
    mut load: Pinned,
    count: u64,
    open: impl Fn(u16, u64) -> String,
) -> f64 {
    let port = port(&server.line());
    load.ask(&open(port, 64));
    load.drop_held();
    let before = server.resident();
    let held = load.ask(&open(port, count))[0];
    settle();
    (server.resident() - before) / held
}

/// A program beside this one.
pub fn sibling(program: &str) -> PathBuf {
    std::env::current_exe().expect("this program's path").with_file_name(program)
}

/// Median and 90 % interval of ratios measured in pairs.
///
/// The interval is by order statistics, which assume no distribution: of `n` values, those at the
/// ranks `k` and `n + 1 - k` enclose the median with a chance of at least 90 % for the largest `k`
/// that a binomial count with p = 1/2 allows.
pub struct Ratio {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Ratio {
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let mut outside = 0.0;
        let mut term = 0.5f64.powi(n as i32); // chance that no value lies below the median
        let mut k = 0;
        while k < n / 2 && 2.0 * (outside + term) <= 0.10 {
            outside += term;
            k += 1;
            term *= (n - k + 1) as f64 / k as f64;
        }
        let k = k.max(1);
        Self { median: middle(&values), low: values[k - 1], high: values[n - k] }
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3} ({:.3} to {:.3})", self.median, self.low, self.high)
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    middle(&values)
}

fn middle(sorted: &[f64]) -> f64 {
    let n = sorted.len();
    f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2])
}

/// The line of a port, whatever stands around the number.
pub fn port(line: &str) -> u16 {
    let digits: String = line.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no port in {line:?}"))
}

/// Whether a ratio that must not be above `bar` is there: its whole interval counts.
pub fn at_most(ratio: &Ratio, bar: f64) -> &'static str {
    if ratio.high <= bar {
        "met"
    } else if ratio.low > bar {
        "NOT MET"
    } else {
        "inconclusive"
    }
}

/// Whether a ratio that must not be below `bar` is there: its whole interval counts.
pub fn at_least(ratio: &Ratio, bar: f64) -> &'static str {
    if ratio.low >= bar {
        "met"
    } else if ratio.high < bar {
        "NOT MET"
    } else {
        "inconclusive"
    }
}

/// Whether a value that was measured a few times is never above `bar`: the least and the most count.
pub fn never_above(values: &[f64], bar: f64) -> &'static str {
    let all = Ratio {
        median: median(values.to_vec()),
        low: values.iter().copied().fold(f64::INFINITY, f64::min),
        high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    at_most(&all, bar)
}
