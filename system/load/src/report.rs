//! What came of a load.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use crate::shared::Shared;
use crate::{Figures, Histogram, Scenario};

/// From this share of its cores on the generator may be what limits.
const BUSY: f64 = 0.8;

/// What came of a load.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Connections that were asked for.
    pub connections: usize,
    /// Those that got in.
    pub ready: u64,
    /// Seconds until all had got in.
    pub opened_in_s: f64,
    /// Seconds of what was measured.
    pub seconds: f64,
    /// What was sent: messages, connects, joins, or connections that were cut.
    pub sent: u64,
    /// What came back: answers, deliveries, connections.
    pub received: u64,
    /// When the last of it came: milliseconds since 1970, by the generator's clock. 0 if nothing did.
    pub last_at_ms: u64,
    /// What was to come back and did not.
    pub lost: u64,
    /// Clients that failed, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Connections that the server has cut, by how; only of a storm that is the server's.
    pub cuts: BTreeMap<String, u64>,
    /// Seconds from the first of them to the last.
    pub cut_within_s: Option<f64>,
    /// Latencies, from the time at which something was to be done.
    pub latency_ms: Latency,
    /// The generator's processor time as a part of its cores, from 0 to 1; none where it is not told.
    pub own_share: Option<f64>,
    /// Cores that the generator may run on.
    pub own_cores: Option<u64>,
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[allow(missing_docs, reason = "each is what its name says")]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Latency {
    fn of(histogram: &Histogram) -> Self {
        let ms = |time: Duration| time.as_micros() as f64 / 1e3;
        Self {
            mean: ms(histogram.mean()),
            p50: ms(histogram.at(0.5)),
            p90: ms(histogram.at(0.9)),
            p99: ms(histogram.at(0.99)),
            p999: ms(histogram.at(0.999)),
            max: ms(histogram.max()),
        }
    }
}

impl Report {
    pub(crate) fn new(
        shared: &Shared,
        ready: u64,
        opened_in: Duration,
        took: Duration,
        own: Option<(Figures, Figures)>,
    ) -> Self {
        let options = &shared.options;
        let (sent, received) = (Shared::get(&shared.sent), Shared::get(&shared.received));
        let due = match options.scenario {
            Scenario::FanOut => sent * ready.saturating_sub(1),
            _ => sent,
        };
        let share = |(before, after): (Figures, Figures)| {
            (after.cpu_us - before.cpu_us) as f64 / 1e6 / took.as_secs_f64() / after.cores as f64
        };
        let (cuts, cut_within) = shared.cuts();
        Self {
            scenario: options.scenario.name(),
            connections: options.connections,
            ready,
            opened_in_s: opened_in.as_secs_f64(),
            seconds: took.as_secs_f64(),
            sent,
            received,
            last_at_ms: Shared::get(&shared.last_at_ms),
            lost: due.saturating_sub(received),
            failures: shared.failures(),
            cuts,
            cut_within_s: cut_within.map(|within| within.as_secs_f64()),
            latency_ms: Latency::of(&shared.latencies.lock()),
            own_share: own.map(share),
            own_cores: own.map(|(_, after)| after.cores),
        }
    }

    /// As a table for people.
    pub fn to_text(&self) -> String {
        let Latency { mean, p50, p90, p99, p999, max } = self.latency_ms;
        let mut text = String::new();
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<12}{value}");
        };
        row("scenario", self.scenario);
        row("connections", &format!("{} of {}, in {:.2} s", self.ready, self.connections, self.opened_in_s));
        row("sent", &format!("{} in {:.2} s", self.sent, self.seconds));
        row("received", &format!("{} ({:.0}/s)", self.received, self.received as f64 / self.seconds));
        row("lost", &self.lost.to_string());
        if self.received > 0 {
            let tail = format!("p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2} ms");
            row("latency", &format!("mean {mean:.2}  p50 {p50:.2}  p90 {p90:.2}  {tail}"));
        }
        for (how, count) in &self.cuts {
            let within = self.cut_within_s.unwrap_or_default();
            row("cut", &format!("{count} x {how}, all within {within:.2} s"));
        }
        for (why, count) in &self.failures {
            row("failed", &format!("{count} x {why}"));
        }
        if let (Some(share), Some(cores)) = (self.own_share, self.own_cores) {
            let near = if share >= BUSY { ": near its limit, so latencies may be its own" } else { "" };
            row("generator", &format!("{:.0} % of its {cores} cores{near}", share * 100.0));
        }
        text.trim_end().to_owned()
    }

    /// As a JSON object.
    ///
    /// # Panics
    /// Never: there is nothing in it that JSON does not know.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and text")
    }

    /// Whether all was answered and nobody failed.
    ///
    /// # Errors
    /// With what was not.
    pub fn verdict(&self) -> Result<(), String> {
        let failed: u64 = self.failures.values().sum();
        if failed > 0 || self.lost > 0 {
            return Err(format!("{failed} clients failed, {} answers are lost", self.lost));
        }
        Ok(())
    }
}
