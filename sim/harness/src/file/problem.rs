//! What is wrong with a file, and where.

use std::fmt;

use super::tree::{At, Source};

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) at: At,
    pub(crate) message: String,
}

/// All that is wrong with a scenario file: file, line, column, and what would be right, one on each line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub(crate) Vec<String>);

impl Problem {
    pub(crate) fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl Problems {
    pub(crate) fn of(sources: &[Source], problems: &[Problem]) -> Self {
        let line = |problem: &Problem| match sources.get(problem.at.file) {
            Some(source) => {
                let (line, column) = source.place(problem.at.byte);
                format!("{}:{line}:{column}: {}", source.path, problem.message)
            }
            None => problem.message.clone(),
        };
        Self(problems.iter().map(line).collect())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

/// What else there is: the nearest name, or all of them if none is near.
pub(crate) fn instead<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known.iter().map(|name| (distance(wrong, name), *name)).min();
    match near {
        None => "there are none".to_owned(),
        Some((steps, name)) if steps <= 1 + name.len() / 3 => format!("the nearest is {name}"),
        Some(_) => format!("there are {}", known.join(", ")),
    }
}

/// How many letters to change, add or take away, or to swap with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<_>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let change = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named() {
        assert_eq!(distance("hold", "hodl"), 1);
        assert_eq!(distance("partion", "partition"), 2);
        assert_eq!(instead("evry", ["at", "every", "rate"]), "the nearest is every");
        assert_eq!(instead("zzzzzz", ["at", "every"]), "there are at, every");
    }
}
