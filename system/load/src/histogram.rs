//! Latencies, counted in buckets.

use std::time::Duration;

/// Buckets of one octave: a value is told within 1/128 of itself.
const PER_OCTAVE: usize = 128;
/// Values from 2^36 us on (19 hours) are counted as that.
const OCTAVES: usize = 30;

/// A histogram of times, in microseconds: 30 KiB, whatever is counted.
///
/// ```
/// use simurgh_load::Histogram;
/// use std::time::Duration;
///
/// let mut histogram = Histogram::default();
/// for ms in 1..=100 {
///     histogram.record(Duration::from_millis(ms));
/// }
/// let p99 = histogram.at(0.99);
/// assert!(p99 >= Duration::from_millis(99) && p99 < Duration::from_millis(100));
/// assert_eq!(histogram.max(), Duration::from_millis(100));
/// ```
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_us: u128,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; PER_OCTAVE * OCTAVES], count: 0, sum_us: 0, max_us: 0 }
    }
}

impl Histogram {
    /// Counts a time.
    pub fn record(&mut self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket_of(us)] += 1;
        self.count += 1;
        self.sum_us += u128::from(us);
        self.max_us = self.max_us.max(us);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The time within which this part of all were done; at most 1/128 more than it was. Zero if there are none.
    pub fn at(&self, part: f64) -> Duration {
        let rank = ((self.count as f64 * part).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        Duration::from_micros(bucket.map_or(0, |bucket| end_of(bucket).min(self.max_us)))
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max_us)
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        Duration::from_micros((self.sum_us / u128::from(self.count.max(1))) as u64)
    }
}

fn bucket_of(us: u64) -> usize {
    let per_octave = PER_OCTAVE as u64;
    if us < per_octave {
        return us as usize;
    }
    let shift = us.ilog2() - PER_OCTAVE.ilog2();
    let bucket = (shift as usize) * PER_OCTAVE + (us >> shift) as usize;
    bucket.min(PER_OCTAVE * OCTAVES - 1)
}

/// The greatest value of a bucket.
fn end_of(bucket: usize) -> u64 {
    if bucket < PER_OCTAVE {
        return bucket as u64;
    }
    let shift = bucket / PER_OCTAVE - 1;
    let from = (bucket % PER_OCTAVE + PER_OCTAVE) as u64;
    ((from + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_within_one_part_in_128() {
        let mut us = 1;
        while us < 1 << 35 {
            let end = end_of(bucket_of(us));
            assert!(end >= us && end - us <= us / 128, "{us} is told as {end}");
            us += 1 + us / 7;
        }
    }

    #[test]
    fn buckets_follow_each_other() {
        for bucket in 0..PER_OCTAVE * OCTAVES - 1 {
            assert_eq!(bucket_of(end_of(bucket)), bucket);
            assert_eq!(bucket_of(end_of(bucket) + 1), bucket + 1);
        }
    }

    #[test]
    fn what_is_too_long_is_counted_last() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(
            (histogram.count(), histogram.at(0.0)),
            (1, Duration::from_micros(end_of(PER_OCTAVE * OCTAVES - 1)))
        );
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Histogram::default().at(0.99), Duration::ZERO);
    }
}
