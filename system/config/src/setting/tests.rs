use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::value::parse;
use crate::{ByteSize, Setting};

/// A fixed sequence of numbers of every length.
fn numbers() -> impl Iterator<Item = u64> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    (0..2_000).map(move |turn| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> (turn % 64)
    })
}

/// What is shown reads back, as a variable and as a line of the file.
#[track_caller]
fn check_round_trip<T: Setting + PartialEq + Debug>(value: &T) {
    let shown = value.show();
    assert_eq!(T::from_text(&shown).as_ref(), Some(value), "as text: {shown}");
    let Some(toml) = value.to_toml() else { return };
    let table = parse("x.toml", &format!("a = {toml}")).unwrap();
    assert_eq!(T::from_value(&table.entries[0].value).as_ref(), Some(value), "in the file: {toml}");
}

#[test]
fn what_is_shown_reads_back() {
    for number in numbers() {
        check_round_trip(&number);
        check_round_trip(&(number as i16));
        check_round_trip(&(number as f64 / 1000.0));
        check_round_trip(&(number % 2 == 0));
        check_round_trip(&ByteSize(number));
        check_round_trip(&Duration::from_nanos(number));
        check_round_trip(&Duration::new(number, 0));
        check_round_trip(&SocketAddr::from((number.to_be_bytes().map(u16::from), number as u16)));
        check_round_trip(&IpAddr::from((number as u32).to_be_bytes()));
        check_round_trip(&vec![number as u32; number as usize % 3 + 1]);
        check_round_trip(&Some(number as u8));
        let text: String = number.to_be_bytes().iter().map(|byte| char::from(*byte)).collect();
        check_round_trip(&text);
        check_round_trip(&PathBuf::from(format!("/{number}")));
    }
    check_round_trip(&Vec::<bool>::new());
    check_round_trip(&Duration::MAX.saturating_sub(Duration::from_nanos(999_999_999)));
}

#[test]
fn text_that_means_nothing_is_refused() {
    for text in
        ["", "5", "s", "5 s", " 5s", "-5s", "1.5s", "5S", "5m2", "99999999999999999999s", "18446744073709551615d"]
    {
        assert_eq!(Duration::from_text(text), None, "{text}");
    }
    for text in ["", "5", "KiB", "5KB", "5 KiB", "-5B", "18014398509481984KiB"] {
        assert_eq!(ByteSize::from_text(text), None, "{text}");
    }
    for text in ["", "True", "yes", "1"] {
        assert_eq!(bool::from_text(text), None, "{text}");
    }
    for text in ["inf", "nan", "", "1e999"] {
        assert_eq!(f64::from_text(text), None, "{text}");
    }
    assert_eq!(u8::from_text("256"), None);
    assert_eq!(Vec::<u8>::from_text("1,,2"), None);
    assert_eq!(PathBuf::from_text(""), None);
}

#[test]
fn units_mean_what_they_say() {
    for (text, duration) in [
        ("7ns", Duration::from_nanos(7)),
        ("7us", Duration::from_micros(7)),
        ("200ms", Duration::from_millis(200)),
        ("90s", Duration::from_secs(90)),
        ("2m", Duration::from_mins(2)),
        ("3h", Duration::from_hours(3)),
        ("1d", Duration::from_hours(24)),
    ] {
        assert_eq!(Duration::from_text(text), Some(duration), "{text}");
    }
    assert_eq!(Duration::ZERO.show(), "0s");
    assert_eq!(ByteSize::from_text("3GiB"), Some(ByteSize(3 << 30)));
    assert_eq!(ByteSize(0).show(), "0B");
}
