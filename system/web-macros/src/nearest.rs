//! Which of the right names is nearest to a wrong one.

/// The one that takes the fewest edits, if those are at most half of it.
pub(crate) fn nearest<'a>(wrong: &str, right: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = right.into_iter().map(|name| (edits(wrong, name), name));
    let (edits, name) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits * 2 <= name.len().max(2)).then_some(name)
}

/// How many letters have to be put in, taken out or changed (Levenshtein).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, wanted) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *wanted);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("same", "same"), 0);
    }

    #[test]
    fn the_nearest_is_found_if_it_is_near() {
        assert_eq!(nearest("posts::shwo", ["posts::show", "pages::home"]), Some("posts::show"));
        assert_eq!(nearest("zzz", ["posts::show", "pages::home"]), None);
    }
}
