//! How often which time was measured.

use std::time::Duration;

/// Times are counted up to so many steps.
const STEPS: usize = 200_000;

/// Times, counted in steps of so many microseconds.
pub struct Times<const STEP_US: u64> {
    counts: Vec<u32>,
    /// How many there are.
    pub count: u64,
}

impl<const STEP_US: u64> Default for Times<STEP_US> {
    fn default() -> Self {
        Self { counts: vec![0; STEPS], count: 0 }
    }
}

impl<const STEP_US: u64> Times<STEP_US> {
    /// Counts one.
    pub fn add(&mut self, time: Duration) {
        let step = (time.as_micros() as u64 / STEP_US) as usize;
        self.counts[step.min(STEPS - 1)] += 1;
        self.count += 1;
    }

    /// The time in microseconds that this part of all were done in.
    pub fn at(&self, part: f64) -> f64 {
        let rank = (self.count as f64 * part) as u64;
        let mut seen = 0;
        let step = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen > rank
        });
        (step.unwrap_or(STEPS) as f64 + 0.5) * STEP_US as f64
    }
}
