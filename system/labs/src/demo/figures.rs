//! What Linux tells of a process under `/proc`.

use simurgh::runtime::fs;

/// Memory and processor time of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessFigures {
    /// Resident memory in KiB (`VmRSS`).
    pub resident_kib: u64,
    /// Processor time in microseconds, user and system, in steps of [`ProcessFigures::TICK_US`].
    pub cpu_us: u64,
}

impl ProcessFigures {
    /// The step in which Linux tells processor time.
    pub const TICK_US: u64 = 10_000;

    /// The figures of a process now.
    ///
    /// # Errors
    /// If there is no such process, or no `/proc`.
    pub async fn of(pid: u32) -> Result<Self, String> {
        let read = async |name: &str| {
            let content = fs::read(format!("/proc/{pid}/{name}")).await;
            content
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .map_err(|error| format!("/proc/{pid}/{name}: {error}"))
        };
        let (status, stat) = (read("status").await?, read("stat").await?);
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident_kib = resident.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        // The program's name stands in parentheses and may hold blanks: count from its end.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
        match (resident_kib, ticks(11), ticks(12)) {
            (Some(resident_kib), Some(user), Some(system)) => {
                Ok(Self { resident_kib, cpu_us: (user + system) * Self::TICK_US })
            }
            _ => Err(format!("/proc/{pid} is not as expected")),
        }
    }
}

/// How many files this process may have open.
///
/// # Errors
/// If there is no `/proc`.
pub async fn handles_max() -> Result<u64, String> {
    let limits = fs::read("/proc/self/limits").await.map_err(|error| format!("/proc/self/limits: {error}"))?;
    let limits = String::from_utf8_lossy(&limits);
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    soft.map(|soft| soft.parse().unwrap_or(u64::MAX)).ok_or_else(|| "/proc/self/limits is not as expected".to_owned())
}
