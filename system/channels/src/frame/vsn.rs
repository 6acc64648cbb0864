//! The versions of the protocol.

/// A version of the protocol, of which a client says in its query which it speaks: `vsn=2.0.0`.
///
/// ```
/// use simurgh_channels::Vsn;
///
/// assert_eq!("2.0.0".parse(), Ok(Vsn::V2));
/// assert_eq!(Vsn::of_query(None), Ok(Vsn::V1)); // who says nothing is of the oldest kind
/// assert!("3.0.0".parse::<Vsn>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vsn {
    /// 1.0.x: JSON objects.
    V1,
    /// 2.0.x: JSON arrays, and binary frames.
    V2,
}

/// A version that is none, or is not spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("vsn {0:?} is not spoken here: 2.0.0 and 1.0.0 are")]
pub struct UnsupportedVsn(pub String);

impl Vsn {
    /// What the parameter `vsn` says, and what it means if there is none.
    ///
    /// # Errors
    /// If it says another.
    pub fn of_query(vsn: Option<&str>) -> Result<Self, UnsupportedVsn> {
        vsn.map_or(Ok(Self::V1), str::parse)
    }
}

impl std::str::FromStr for Vsn {
    type Err = UnsupportedVsn;

    fn from_str(text: &str) -> Result<Self, UnsupportedVsn> {
        match parts(text) {
            Some((1, 0)) => Ok(Self::V1),
            Some((2, 0)) => Ok(Self::V2),
            _ => Err(UnsupportedVsn(text.chars().take(32).collect())),
        }
    }
}

/// Major and minor number of a semantic version that is not before its x.y.0.
fn parts(text: &str) -> Option<(u64, u64)> {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(numbers, pre)| (numbers, Some(pre)));
    let are_identifiers = |text: &str| {
        let is_byte = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        text.split('.').all(|part| !part.is_empty() && part.bytes().all(is_byte))
    };
    if !build.into_iter().chain(pre).all(are_identifiers) {
        return None;
    }
    let mut numbers = numbers.split('.').map(|number| {
        let is_number = number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
        number.parse::<u64>().ok().filter(|_| is_number)
    });
    let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
    (numbers.next().is_none() && (pre.is_none() || patch > 0)).then_some((major, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for (text, vsn) in [
            ("1.0.0", Some(Vsn::V1)),
            ("1.0.7", Some(Vsn::V1)),
            ("2.0.0", Some(Vsn::V2)),
            ("2.0.12", Some(Vsn::V2)),
            ("2.0.0+build.1", Some(Vsn::V2)),
            ("2.0.1-rc.1", Some(Vsn::V2)),
            ("2.0.0-rc.1", None), // is before 2.0.0
            ("2.1.0", None),
            ("3.0.0", None),
            ("2.0", None),
            ("2", None),
            ("2.0.0.0", None),
            ("02.0.0", None),
            ("+2.0.0", None),
            ("2.0.0+", None),
            ("", None),
            ("two", None),
            ("2.0.0 ", None),
        ] {
            assert_eq!(text.parse().ok(), vsn, "{text}");
        }
    }
}
