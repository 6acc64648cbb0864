//! How important a line must be to be written.

use std::fmt;
use std::str::FromStr;

use tracing::Level;
use tracing::level_filters::LevelFilter;

/// A level for everything, and others for some targets: `info,simurgh_net=debug,noisy=off`.
///
/// A target is a module path; the longest one given that a line's target is, or is within, decides.
///
/// ```
/// use simurgh_telemetry::logs::Levels;
/// use tracing::Level;
///
/// let levels: Levels = "warn,shop=info,shop::orders=off".parse().unwrap();
/// assert!(levels.allow("shop::stock", Level::INFO));
/// assert!(!levels.allow("shopping", Level::INFO));
/// assert!(!levels.allow("shop::orders::one", Level::ERROR));
/// assert_eq!(levels.to_string(), "warn,shop::orders=off,shop=info");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    other: LevelFilter,
    /// The longest first.
    targets: Vec<(String, LevelFilter)>,
}

/// Targets with a level of their own.
const TARGETS_MAX: usize = 64;

/// Why a text says no levels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LevelsError {
    /// Not the name of a level.
    #[error(
        "{0:?} is not a log level; levels are off, error, warn, info, debug and trace, as in info,simurgh_net=debug"
    )]
    Unknown(String),
    /// The same target again, or two levels for everything else.
    #[error("{0:?} gives a log level twice for the same target")]
    Twice(String),
    /// More than 64 targets.
    #[error("log levels can be given for {TARGETS_MAX} targets at most")]
    TooMany,
}

impl Levels {
    /// Whether a line of this target and level is written.
    pub fn allow(&self, target: &str, level: Level) -> bool {
        let within =
            |prefix: &str| target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
        let own = self.targets.iter().find(|(prefix, _)| within(prefix));
        level <= own.map_or(self.other, |(_, filter)| *filter)
    }

    /// The ranks up to which every target, and at least some target, is written.
    pub(super) fn bounds(&self) -> (u8, u8) {
        let ranks = || {
            self.targets
                .iter()
                .map(|(_, filter)| filter)
                .chain([&self.other])
                .map(|filter| filter.into_level().map_or(0, rank))
        };
        (ranks().min().unwrap_or(0), ranks().max().unwrap_or(0))
    }
}

/// From 1, the most important, to 5.
pub(super) fn rank(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self::from(Level::INFO)
    }
}

impl From<Level> for Levels {
    fn from(level: Level) -> Self {
        Self { other: level.into(), targets: Vec::new() }
    }
}

impl FromStr for Levels {
    type Err = LevelsError;

    /// Everything that is not named has the level info if none is given.
    fn from_str(text: &str) -> Result<Self, LevelsError> {
        let mut other = None;
        let mut targets: Vec<(String, LevelFilter)> = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                Some((target, level)) => {
                    let target = target.trim();
                    if targets.len() == TARGETS_MAX {
                        return Err(LevelsError::TooMany);
                    }
                    if targets.iter().any(|(other, _)| other == target) {
                        return Err(LevelsError::Twice(part.to_owned()));
                    }
                    targets.push((target.to_owned(), filter(level.trim())?));
                }
                None => {
                    if other.replace(filter(part)?).is_some() {
                        return Err(LevelsError::Twice(part.to_owned()));
                    }
                }
            }
        }
        targets.sort_by_key(|(target, _)| std::cmp::Reverse(target.len()));
        Ok(Self { other: other.unwrap_or(LevelFilter::INFO), targets })
    }
}

fn filter(name: &str) -> Result<LevelFilter, LevelsError> {
    // Not LevelFilter's own FromStr: it takes numbers and any case too.
    Ok(match name {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => return Err(LevelsError::Unknown(name.chars().take(40).collect())),
    })
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.other)?;
        self.targets.iter().try_for_each(|(target, filter)| write!(f, ",{target}={filter}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_say_no_levels() {
        let unknown = |text: &str| Err(LevelsError::Unknown(text.to_owned()));
        for (text, error) in [
            ("", unknown("")),
            ("INFO", unknown("INFO")),
            ("3", unknown("3")),
            ("info,", unknown("")),
            ("a=b=info", unknown("b=info")),
            ("info,debug", Err(LevelsError::Twice("debug".into()))),
            ("a=info, a=debug", Err(LevelsError::Twice("a=debug".into()))),
        ] {
            assert_eq!(text.parse::<Levels>(), error, "{text}");
        }
        let many: Vec<String> = (0..=TARGETS_MAX).map(|number| format!("t{number}=info")).collect();
        assert_eq!(many.join(",").parse::<Levels>(), Err(LevelsError::TooMany));
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in ["info", "off", "trace,a=off", "a=debug", "warn,a::b=info,a=error"] {
            let levels: Levels = text.parse().unwrap();
            assert_eq!(levels.to_string().parse(), Ok(levels), "{text}");
        }
    }

    #[test]
    fn bounds_are_those_of_all_targets() {
        let bounds = |text: &str| text.parse::<Levels>().unwrap().bounds();
        assert_eq!([bounds("info"), bounds("off"), bounds("warn,a=trace,b=off")], [(3, 3), (0, 0), (0, 5)]);
    }
}
