//! Durations: a whole number and its unit.

use std::time::Duration;

use crate::Setting;

/// From the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

impl Setting for Duration {
    const NOUN: &'static str = "a duration such as 200ms, 5s or 2m";

    fn from_text(text: &str) -> Option<Self> {
        let (count, unit) = split_unit(text)?;
        let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let total_ns = u128::from(count).checked_mul(*unit_ns)?;
        let secs = u64::try_from(total_ns / 1_000_000_000).ok()?;
        Some(Duration::new(secs, (total_ns % 1_000_000_000) as u32))
    }

    /// In the largest unit that leaves no fraction.
    fn show(&self) -> String {
        if self.is_zero() {
            return "0s".to_owned();
        }
        let fits = UNITS.iter().find(|(_, unit_ns)| self.as_nanos().is_multiple_of(*unit_ns));
        let (unit, unit_ns) = fits.expect("the last unit is one nanosecond");
        format!("{}{unit}", self.as_nanos() / unit_ns)
    }
}

/// `16KiB` as 16 and `KiB`.
pub(crate) fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    Some((count.parse().ok()?, unit))
}
