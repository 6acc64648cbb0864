//! Which route was meant.

use crate::Route;

/// Letters of a path that are looked at.
const PATH_LEN_MAX: usize = 200;
/// What a segment too many, or one that is missing, counts.
const SEGMENT: usize = 4;
/// Routes that are further away are not meant.
const FURTHEST: usize = 4;

/// The route that is nearest to this path, if one is near.
pub(super) fn to(path: &str, routes: &[&'static Route]) -> Option<usize> {
    let distances = routes.iter().map(|route| distance(path, route.path)).enumerate();
    distances.filter(|(_, distance)| *distance <= FURTHEST).min_by_key(|(_, distance)| *distance).map(|(at, _)| at)
}

fn distance(path: &str, pattern: &str) -> usize {
    let path = &path[..path.floor_char_boundary(PATH_LEN_MAX)];
    let (mut given, mut meant) = (segments(path), segments(pattern));
    let mut distance = 0;
    loop {
        distance += match (given.next(), meant.next()) {
            (None, None) => return distance,
            (_, Some(rest)) if rest.starts_with('*') => return distance,
            (Some(_), Some(parameter)) if parameter.starts_with(':') => 0,
            (Some(given), Some(meant)) => edits(given, meant),
            _ => SEGMENT,
        };
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// How many letters have to be put in, taken out or changed.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut corner = above;
        row[0] = above + 1;
        for at in 0..other.len() {
            let changed = corner + usize::from(other[at] != letter);
            corner = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_apart() {
        for (one, other, apart) in
            [("", "", 0), ("", "abc", 3), ("orders", "ordres", 2), ("a", "b", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((edits(one, other), edits(other, one)), (apart, apart), "{one} {other}");
        }
    }

    #[test]
    fn paths_apart() {
        for (path, pattern, apart) in [
            ("/", "/", 0),
            ("/oders/7", "/orders/:id", 1),
            ("/orders", "/orders/:id", SEGMENT),
            ("/files/a/b", "/file/*path", 1),
            ("/a/b/c", "/", 3 * SEGMENT),
        ] {
            assert_eq!(distance(path, pattern), apart, "{path} {pattern}");
        }
    }
}
