//! Which name was meant.

/// The name among `known` that is nearest to `given`, if it is near: at most a third of it differs. For messages about
/// names that are not known. Of a text longer than 64 bytes nothing is near.
///
/// ```
/// use simurgh_config::nearest;
///
/// assert_eq!(nearest("prot", ["host", "port"].into_iter()), Some("port"));
/// assert_eq!(nearest("colour", ["host", "port"].into_iter()), None);
/// ```
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Names are short; a long text is none of them and not worth the squares.
    if given.len() > 64 {
        return None;
    }
    let near = known.map(|name| (distance(given, name), name)).min_by_key(|(distance, _)| *distance);
    near.filter(|(distance, name)| *distance <= (name.len() / 3).max(1)).map(|(_, name)| name)
}

/// How many letters must be inserted, removed, replaced or swapped with the next one to make one
/// name of the other (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = above[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("", "port", 4),
            ("ports", "port", 1),
            ("cat", "dog", 3),
        ] {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let nearest = |given| nearest(given, ["port", "read_timeout", "key"].into_iter());
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("read_timout_ms"), Some("read_timeout"));
        assert_eq!(nearest("colour"), None);
        assert_eq!(nearest(&"p".repeat(1_000_000)), None);
    }
}
