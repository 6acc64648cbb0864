//! The `Date` field (RFC 9110, 6.6.1) from the node's clock, in simulations. Elsewhere hyper writes it.

use http::HeaderValue;
use simurgh_runtime::Timestamp;

/// A date as text, made anew when the second has changed.
#[derive(Debug, Default)]
pub(super) struct Date {
    at_s: i64,
    value: Option<HeaderValue>,
}

impl Date {
    pub(super) fn now(&mut self) -> HeaderValue {
        let at_s = Timestamp::now().as_nanos().div_euclid(1_000_000_000);
        match &self.value {
            Some(value) if self.at_s == at_s => value.clone(),
            _ => {
                self.at_s = at_s;
                let value = HeaderValue::from_str(&imf_fixdate(at_s)).expect("letters, digits, spaces and colons");
                self.value.insert(value).clone()
            }
        }
    }
}

/// Seconds since 1970 as IMF-fixdate (RFC 9110, 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`.
fn imf_fixdate(at_s: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (at_s.div_euclid(86_400), at_s.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[days.rem_euclid(7) as usize],
        MONTHS[month - 1],
        second / 3_600,
        second / 60 % 60,
        second % 60,
    )
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the leap day is
/// a year's last, in eras of 400 years, which all have the same number of days.
fn civil(days: i64) -> (i64, usize, i64) {
    const ERA_DAYS: i64 = 146_097;
    let days = days + 719_468; // from 0000-03-01
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (at_s, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_709_251_199, "Thu, 29 Feb 2024 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(imf_fixdate(at_s), text);
        }
    }
}
