//! What the generator itself takes, by Linux's `/proc`.

use simurgh::runtime::fs;

/// Microseconds of a tick, in which Linux tells processor time.
const TICK_US: u64 = 10_000;

/// Processor time of this process, and how many cores and files it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Processor time in microseconds, user and system, in steps of 10 ms.
    pub cpu_us: u64,
    /// Cores that it may run on.
    pub cores: u64,
    /// Files that it may have open.
    pub files_max: u64,
}

impl Figures {
    /// Those of now; none where there is no `/proc`, as in the simulator.
    pub async fn now() -> Option<Self> {
        let read = async |name: &str| {
            let bytes = fs::read(format!("/proc/self/{name}")).await.ok()?;
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        Self::of(&read("stat").await?, &read("status").await?, &read("limits").await?)
    }

    fn of(stat: &str, status: &str, limits: &str) -> Option<Self> {
        // The program's name stands in parentheses and may hold blanks: count from its end.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        Some(Self {
            cpu_us: (ticks(11)? + ticks(12)?) * TICK_US,
            cores: cores(allowed.trim())?,
            files_max: files.split_whitespace().next()?.parse().unwrap_or(u64::MAX),
        })
    }
}

/// How many there are in a list such as `0-3,8`.
fn cores(list: &str) -> Option<u64> {
    list.split(',')
        .map(|part| match part.split_once('-') {
            Some((from, to)) => Some(to.parse::<u64>().ok()?.checked_sub(from.parse().ok()?)? + 1),
            None => part.parse::<u64>().ok().map(|_| 1),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        let stat = "1 (a ) b) S 2 3 4 5 6 7 8 9 10 11 12 13 14 15";
        let limits = "Limit   Soft  Hard\nMax open files            20000                20000                files\n";
        let figures = Figures::of(stat, "Name:\tx\nCpus_allowed_list:\t0-1,4\n", limits);
        assert_eq!(figures, Some(Figures { cpu_us: 250_000, cores: 3, files_max: 20_000 }));
    }

    #[test]
    fn cores_are_counted() {
        for (list, count) in [("0", Some(1)), ("0-7", Some(8)), ("0,2-3", Some(3)), ("", None), ("3-1", None)] {
            assert_eq!(cores(list), count, "{list}");
        }
    }
}
