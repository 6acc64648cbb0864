//! Dates of HTTP (RFC 9110, 5.6.7), as seconds since 1970.
//!
//! ```
//! use simurgh_http::date;
//!
//! let moment = date::parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
//! assert_eq!(moment, 784_111_777);
//! assert_eq!(date::format(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
//! ```

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// As IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn format(at_s: i64) -> String {
    let (days, second) = (at_s.div_euclid(86_400), at_s.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (weekday, month) = (DAYS[days.rem_euclid(7) as usize], MONTHS[month - 1]);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// Reads each of the three forms that a recipient has to know. The name of the weekday is not looked at.
pub fn parse(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).take(7).collect();
    match words[..] {
        // Sun, 06 Nov 1994 08:49:37 GMT
        [weekday, day, month, year, time, "GMT"] if weekday.ends_with(',') => {
            seconds(number(year, 4)?, month, number(day, 2)?, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        [weekday, date, time, "GMT"] if weekday.ends_with(',') => {
            let mut parts = date.splitn(3, '-');
            let (day, month, year) = (parts.next()?, parts.next()?, number(parts.next()?, 2)?);
            // Two digits of a year are of this century or the last; the format is older than either's end.
            let century = if year < 70 { 2_000 } else { 1_900 };
            seconds(century + year, month, number(day, 2)?, time)
        }
        // Sun Nov  6 08:49:37 1994
        [_, month, day, time, year] => {
            let day = if day.len() == 1 { number(day, 1)? } else { number(day, 2)? };
            seconds(number(year, 4)?, month, day, time)
        }
        _ => None,
    }
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn seconds(year: i64, month: &str, day: i64, time: &str) -> Option<i64> {
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    let mut parts = time.splitn(3, ':');
    let mut part = || number(parts.next()?, 2);
    let (hour, minute, second) = (part()?, part()?, part()?);
    let days = days(year, month as i64, day);
    // A leap second is the second after it.
    let is_time = hour < 24 && minute < 60 && second <= 60;
    let is_date = civil(days) == (year, month, day);
    (is_time && is_date).then_some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// Days since 1970 of a date. Years are counted from March, so that the leap day is a year's last, in eras
/// of 400 years, which all have the same number of days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

/// The date of a day counted from 1970.
fn civil(days: i64) -> (i64, usize, i64) {
    let days = days + EPOCH;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_forms_are_one_moment() {
        let at = 784_111_777;
        assert_eq!(format(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        let forms = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"];
        assert_eq!(forms.map(parse), [Some(at); 3]);
        for (at, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(format(at), text);
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        let none = [
            "",
            "Sun, 30 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
        ];
        for text in none {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_second_comes_back(at in -62_135_596_800i64..253_402_300_800) {
            prop_assert_eq!(parse(&format(at)), Some(at));
        }

        #[test]
        fn any_text_is_a_date_or_none(text in "[A-Za-z0-9,: GMT-]{0,40}") {
            if let Some(at) = parse(&text) {
                prop_assert_eq!(parse(&format(at)), Some(at));
            }
        }
    }
}
