//! The measurement for people: a line on the terminal, and the page.

use std::fmt::Write as _;
use std::path::Path;

use super::{Found, Row, STRATEGIES};

/// Between these lines of the page stands what is measured; the rest is written by hand and stays.
const BEGIN: &str = "<!-- begin: written by `cargo sim mutants` -->";
const END: &str = "<!-- end -->";

fn count(found: Option<&Found>) -> String {
    match found {
        None => String::new(),
        Some(Found { seeds, by: Some(_) }) => seeds.to_string(),
        Some(Found { seeds, by: None }) => format!("> {seeds}"),
    }
}

fn or_never(seeds: Option<&Option<u64>>) -> String {
    seeds.map_or_else(String::new, |seeds| seeds.map_or_else(|| "never".to_owned(), |seeds| seeds.to_string()))
}

/// The middle one and the last one.
fn median_and_most(seeds: &[Option<u64>]) -> (String, String) {
    (or_never(seeds.get(seeds.len().saturating_sub(1) / 2)), or_never(seeds.last()))
}

fn calm(row: &Row<'_>) -> String {
    match &row.calm.by {
        None => "missed".to_owned(),
        Some(by) => format!("FOUND after {} by {by}", row.calm.seeds),
    }
}

pub(super) fn line_head() -> String {
    let mut text = format!("{:<34} {:<18} {:>7} {:>7}", "mutant", "simulation", "median", "most");
    for strategy in STRATEGIES {
        let _ = write!(text, " {strategy:>7}");
    }
    text + "  without faults; caught by"
}

pub(super) fn line(row: &Row<'_>) -> String {
    let (median, most) = median_and_most(&row.by_default());
    let mut text = format!("{:<34} {:<18} {median:>7} {most:>7}", row.mutant.bug, row.mutant.simulation);
    for strategy in STRATEGIES {
        let _ = write!(text, " {:>7}", count(row.by_strategy.get(strategy)));
    }
    let nowhere = if row.places.is_empty() { " PLANTED NOWHERE" } else { "" };
    let _ = write!(text, "  {}; {}{nowhere}", calm(row), row.caught_by().join(", "));
    text
}

/// Writes the tables into the page.
pub(super) fn write(path: &Path, rows: &[Row<'_>], seeds: u64, bases: u64) -> Result<(), String> {
    let old = std::fs::read_to_string(path).unwrap_or_default();
    let (before, after) = match (old.split_once(BEGIN), old.split_once(END)) {
        (Some((before, _)), Some((_, after))) => (before.to_owned(), after.to_owned()),
        _ => ("# Mutants\n\n".to_owned(), "\n".to_owned()),
    };
    let text = format!("{before}{BEGIN}\n\n{}\n{END}{after}", tables(rows, seeds, bases));
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn tables(rows: &[Row<'_>], seeds: u64, bases: u64) -> String {
    let mut text = format!(
        "{} mutants; at most {seeds} seeds a search; median and most over the default strategy from seed 0 and from {bases} \
         others on.\n\n\
         | mutant | planted in | kind | simulation | caught by | median | most | random | pct | pos | fifo | fifo without faults |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        rows.len()
    );
    for row in rows {
        let (median, most) = median_and_most(&row.by_default());
        let caught: Vec<String> = row.caught_by().into_iter().map(|name| format!("`{name}`")).collect();
        let places: Vec<String> = row.places.iter().map(|place| format!("`{place}`")).collect();
        let by = |strategy| count(row.by_strategy.get(strategy));
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | `{}` | {} | {median} | {most} | {} | {} | {} | {} | {} |",
            row.mutant.bug,
            places.join(", "),
            row.mutant.kind,
            row.mutant.simulation,
            caught.join(", "),
            by("random"),
            by("pct"),
            by("pos"),
            by("fifo"),
            calm(row),
        );
    }
    text.push_str("\n| strategy, from seed 0 on | found | median | most |\n| --- | --- | --- | --- |\n");
    for strategy in STRATEGIES {
        let mut all: Vec<Option<u64>> = rows
            .iter()
            .filter_map(|row| row.by_strategy.get(strategy))
            .map(|found| found.by.as_ref().map(|_| found.seeds))
            .collect();
        all.sort_by_key(|seeds| seeds.unwrap_or(u64::MAX));
        let found = all.iter().flatten().count();
        let (median, most) = median_and_most(&all);
        let _ = writeln!(text, "| {strategy} | {found} of {} | {median} | {most} |", all.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_last_of_what_was_needed() {
        let of = |seeds: &[Option<u64>]| median_and_most(seeds);
        assert_eq!(of(&[Some(1), Some(2), Some(9)]), ("2".into(), "9".into()));
        assert_eq!(of(&[Some(1), Some(2), None]), ("2".into(), "never".into()));
        assert_eq!(of(&[]), (String::new(), String::new()));
    }
}
