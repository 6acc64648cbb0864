//! The values of scenario files: times, shares, rates, sizes, and ranges of them.

use std::fmt;

use simurgh_sim::Stream;

/// A value of a knob or of a parameter of an invariant.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A time, in nanoseconds.
    Time(u64),
    /// A text.
    Text(String),
    /// Yes or no.
    Bool(bool),
    /// Several.
    List(Vec<Value>),
}

/// From where to where; both ends count. One value is a range of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    /// The least.
    pub(crate) low: f64,
    /// The most.
    pub(crate) high: f64,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Whole things.
    Count,
    /// Any number.
    Number,
    /// A share of 1.
    Share,
    /// A time, in nanoseconds: `"250ms"`.
    Time,
    /// Per second: `"50/s"`.
    Rate,
    /// Bytes per second: `"256KiB/s"`.
    Bandwidth,
}

const TIMES: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("min", 60e9), ("s", 1e9), ("h", 3600e9)];
const SIZES: [(&str, f64); 4] = [("GiB/s", 1_073_741_824.0), ("MiB/s", 1_048_576.0), ("KiB/s", 1024.0), ("B/s", 1.0)];
const RATES: [(&str, f64); 3] = [("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3600.0)];

impl Unit {
    /// What such a value looks like.
    pub(crate) fn example(self) -> &'static str {
        match self {
            Unit::Count => "a whole number, like 3, or a range, like \"3..5\"",
            Unit::Number => "a number, like 1.5, or a range, like \"1..2\"",
            Unit::Share => "a share from 0 to 1, like 0.2, or a range, like \"0.0..0.2\"",
            Unit::Time => "a time, like \"250ms\", or a range, like \"1s..5s\"",
            Unit::Rate => "a rate, like \"50/s\", or a range, like \"10/s..50/s\"",
            Unit::Bandwidth => "a bandwidth, like \"256KiB/s\", or a range, like \"64KiB/s..1MiB/s\"",
        }
    }

    fn suffixes(self) -> &'static [(&'static str, f64)] {
        match self {
            Unit::Count | Unit::Number | Unit::Share => &[],
            Unit::Time => &TIMES,
            Unit::Rate => &RATES,
            Unit::Bandwidth => &SIZES,
        }
    }

    /// Reads one value.
    pub(crate) fn parse_one(self, text: &str) -> Option<f64> {
        let text = text.trim();
        if text == "0" {
            return Some(0.0);
        }
        let suffixes = self.suffixes();
        if suffixes.is_empty() {
            return number(text);
        }
        suffixes.iter().find_map(|(suffix, factor)| Some(number(text.strip_suffix(suffix)?.trim())? * factor))
    }

    /// Reads a value or a range.
    ///
    /// # Errors
    /// Says what such a value looks like, or what is wrong with this one.
    pub(crate) fn parse(self, text: &str) -> Result<Span, String> {
        let bad = || format!("\"{text}\" is not {}", self.example());
        let (low, high) = match text.split_once("..") {
            None => {
                let one = self.parse_one(text).ok_or_else(bad)?;
                (one, one)
            }
            Some((low, high)) => {
                let high_value = self.parse_one(high).ok_or_else(bad)?;
                // The unit may stand at the end alone: "1..5s".
                let low_value = self.parse_one(low).or_else(|| {
                    let (suffix, _) = self.suffixes().iter().find(|(suffix, _)| high.trim().ends_with(suffix))?;
                    self.parse_one(&format!("{}{suffix}", low.trim()))
                });
                (low_value.ok_or_else(bad)?, high_value)
            }
        };
        self.check(Span { low, high }).map_err(|why| format!("\"{text}\": {why}"))
    }

    /// Checks that a span makes sense.
    pub(crate) fn check(self, span: Span) -> Result<Span, String> {
        let Span { low, high } = span;
        if low > high {
            return Err("the range is empty: its first value is above its second".into());
        }
        if low < 0.0 && self != Unit::Number {
            return Err("it must not be below 0".into());
        }
        if self == Unit::Share && high > 1.0 {
            return Err("a share is from 0 to 1".into());
        }
        if self == Unit::Count && (low.fract() != 0.0 || high.fract() != 0.0) {
            return Err(format!("it must be {}", self.example()));
        }
        Ok(span)
    }

    /// Draws from a span.
    pub(crate) fn draw(self, span: Span, stream: &mut Stream) -> f64 {
        let Span { low, high } = span;
        if low.to_bits() == high.to_bits() {
            return low;
        }
        match self {
            Unit::Time if low >= 1e6 => {
                // Ten microseconds are exact enough, and read by people.
                let exact = stream.between(low as u64, high as u64) as f64;
                ((exact / 1e4).round() * 1e4).clamp(low, high)
            }
            Unit::Count | Unit::Time | Unit::Bandwidth => stream.between(low as u64, high as u64) as f64,
            // Four digits are enough, and short ones are read by people.
            Unit::Number | Unit::Share | Unit::Rate => {
                let exact = low + (high - low) * stream.unit();
                ((exact * 1e4).round() / 1e4).clamp(low, high)
            }
        }
    }

    /// As it is written in a file.
    pub(crate) fn print(self, value: f64) -> String {
        match self {
            Unit::Count => format!("{}", value as u64),
            Unit::Number | Unit::Share => format!("{value:?}"),
            Unit::Time => format!("\"{}\"", print_time(value as u64)),
            Unit::Rate => format!("\"{value}/s\""),
            Unit::Bandwidth => format!("\"{}B/s\"", value as u64),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let starts = plain.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    plain.parse().ok().filter(|number: &f64| starts && number.is_finite())
}

/// A time in the largest unit that shows it exactly.
pub(crate) fn print_time(ns: u64) -> String {
    for (unit, size) in [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)] {
        if ns >= size && ns.is_multiple_of(size) {
            return format!("{}{unit}", ns / size);
        }
    }
    format!("{ns}ns")
}

/// A knob's value from a text: a number, a time, or the text itself.
pub(crate) fn parse_value(text: &str) -> Result<Value, String> {
    if let Some(number) = number(text) {
        return Ok(Value::Number(number));
    }
    if let Some(ns) = Unit::Time.parse_one(text) {
        return Ok(Value::Time(ns as u64));
    }
    if text.contains("..") {
        return Err(format!("\"{text}\" is a range; this wants one value"));
    }
    Ok(Value::Text(text.to_owned()))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => write!(f, "{}", *number as i64),
            Value::Number(number) => write!(f, "{number:?}"),
            Value::Time(ns) => write!(f, "\"{}\"", print_time(*ns)),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bool(yes) => write!(f, "{yes}"),
            Value::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_ranges_are_read() {
        let read = |unit: Unit, text: &str| unit.parse(text).map(|span| (span.low, span.high));
        assert_eq!(read(Unit::Count, "3..5"), Ok((3.0, 5.0)));
        assert_eq!(read(Unit::Count, "5_000"), Ok((5000.0, 5000.0)));
        assert_eq!(read(Unit::Time, "250ms"), Ok((250e6, 250e6)));
        assert_eq!(read(Unit::Time, "1ms..5s"), Ok((1e6, 5e9)));
        assert_eq!(read(Unit::Time, "1..5s"), Ok((1e9, 5e9)));
        assert_eq!(read(Unit::Time, "0"), Ok((0.0, 0.0)));
        assert_eq!(read(Unit::Time, "0..50ms"), Ok((0.0, 50e6)));
        assert_eq!(read(Unit::Rate, "50/s"), Ok((50.0, 50.0)));
        assert_eq!(read(Unit::Rate, "60/min"), Ok((1.0, 1.0)));
        assert_eq!(read(Unit::Bandwidth, "256KiB/s"), Ok((262_144.0, 262_144.0)));
        for (unit, text) in [
            (Unit::Count, "1.5"),
            (Unit::Count, "5..3"),
            (Unit::Count, "-1"),
            (Unit::Share, "1.5"),
            (Unit::Time, "5"),
            (Unit::Time, "fast"),
            (Unit::Rate, "50"),
            (Unit::Number, "inf"),
        ] {
            assert!(unit.parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_printed_as_they_are_read() {
        for ns in [0, 1, 999, 1_000, 250_000_000, 1_000_000_000, 1_500_000_000, 90_000_000_000] {
            assert_eq!(Unit::Time.parse_one(&print_time(ns)), Some(ns as f64), "{ns}");
        }
        assert_eq!(print_time(1_500_000_000), "1500ms");
    }
}
