//! Ranges of bytes (RFC 9110, 14.1.2 and 14.2).

use std::ops::Range;

/// Ranges that one request may ask for; one that asks for more is answered with the whole.
pub(crate) const RANGES_MAX: usize = simurgh_config::Limits::DEFAULT.ranges_max;

/// What a request wants of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it: no ranges, or none that can be read, or too many.
    Whole,
    /// These parts, none empty, none twice.
    Parts(Vec<Range<u64>>),
    /// Parts that are not there.
    Nothing,
}

/// Reads the field `range` for a resource of this length.
///
/// Parts that overlap are sent as one, so that no request is answered with more than the resource.
pub(crate) fn wanted(value: &str, len: u64) -> Wanted {
    let Some(set) = value.split_once('=').filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes")) else {
        return Wanted::Whole;
    };
    let (mut parts, mut said) = (Vec::new(), 0);
    for range in set.1.split(',').map(|range| range.trim_matches([' ', '\t'])) {
        if range.is_empty() {
            continue;
        }
        said += 1;
        let Some(range) = one(range, len).filter(|_| said <= RANGES_MAX) else { return Wanted::Whole };
        if !range.is_empty() {
            parts.push(range);
        }
    }
    match (said, parts.is_empty()) {
        (0, _) => Wanted::Whole,
        (_, true) => Wanted::Nothing,
        (_, false) => Wanted::Parts(without_overlaps(parts)),
    }
}

/// One range; empty if nothing of it is there.
fn one(text: &str, len: u64) -> Option<Range<u64>> {
    let (from, to) = text.split_once('-')?;
    if from.is_empty() {
        let count = number(to)?;
        return Some(len - count.min(len)..len);
    }
    let from = number(from)?;
    if to.is_empty() {
        return Some(from.min(len)..len);
    }
    let to = number(to)?;
    if to < from {
        return None;
    }
    Some(from.min(len)..to.saturating_add(1).min(len))
}

/// A number of digits only; one beyond 64 bits is as large as that can be.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// In the order in which they were asked for, unless some overlap.
fn without_overlaps(parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
    let mut sorted = parts.clone();
    sorted.sort_unstable_by_key(|part| part.start);
    if sorted.windows(2).all(|pair| pair[0].end <= pair[1].start) {
        return parts;
    }
    let mut joined: Vec<Range<u64>> = Vec::new();
    for part in sorted {
        match joined.last_mut().filter(|last| part.start <= last.end) {
            Some(last) => last.end = last.end.max(part.end),
            None => joined.push(part),
        }
    }
    joined
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // a list of one range is what is meant
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_says() {
        let parts = |parts: &[Range<u64>]| Wanted::Parts(parts.to_vec());
        for (value, len, expected) in [
            ("bytes=0-499", 10_000, parts(&[0..500])),
            ("bytes=-500", 10_000, parts(&[9_500..10_000])),
            ("bytes=9500-", 10_000, parts(&[9_500..10_000])),
            ("Bytes= 0-0 ,, -1", 10_000, parts(&[0..1, 9_999..10_000])),
            ("bytes=-1,0-0", 10, parts(&[9..10, 0..1])),
            ("bytes=0-5,3-8,20-", 10, parts(&[0..9])),
            ("bytes=0-4,5-9", 10, parts(&[0..5, 5..10])),
            ("bytes=5-99999999999999999999999999", 10, parts(&[5..10])),
            ("bytes=-99999999999999999999999999", 10, parts(&[0..10])),
            ("bytes=99999999999999999999999999-", 10, Wanted::Nothing),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=5-4", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
            ("bytes=+1-2", 10, Wanted::Whole),
            ("bytes=0-1,x", 10, Wanted::Whole),
            ("bytes=", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes 0-1", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
        ] {
            assert_eq!(wanted(value, len), expected, "{value} of {len}");
        }
        let many = |count| format!("bytes={}", vec!["0-0"; count].join(","));
        assert_eq!(wanted(&many(RANGES_MAX), 10), parts(&[0..1]));
        assert_eq!(wanted(&many(RANGES_MAX + 1), 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn what_is_sent_is_never_more_than_there_is(value in "bytes=[0-9, -]{0,60}", len in 0u64..200) {
            if let Wanted::Parts(parts) = wanted(&value, len) {
                prop_assert!(!parts.is_empty() && parts.len() <= RANGES_MAX);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= len));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= len);
            }
        }
    }
}
