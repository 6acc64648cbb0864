//! Delta debugging: what of a list is needed.

/// The items that are needed. `first` gets lists that are shorter and says which is the first that still shows what it
/// must, if any does. What comes back is minimal: without any single item more it was refused, unless `first` refuses
/// all because its runs are spent.
///
/// After Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), with complements alone: halves,
/// quarters and so on are taken away, and what was taken away is not tried again.
pub(super) fn fewer<T: Clone>(items: &[T], mut first: impl FnMut(&[Vec<T>]) -> Option<usize>) -> Vec<T> {
    let mut items = items.to_vec();
    if items.is_empty() || first(&[Vec::new()]).is_some() {
        return Vec::new();
    }
    let mut size = items.len().div_ceil(2);
    loop {
        let (mut from, mut is_shorter) = (0, false);
        while from < items.len() {
            let starts: Vec<usize> = (from..items.len()).step_by(size).collect();
            let shorter: Vec<Vec<T>> = starts.iter().map(|start| without(&items, *start, size)).collect();
            let Some(index) = first(&shorter) else { break };
            (items, from, is_shorter) = (shorter[index].clone(), starts[index], true);
        }
        if size > 1 {
            size = size.div_ceil(2);
        } else if !is_shorter {
            return items;
        }
    }
}

fn without<T: Clone>(items: &[T], start: usize, size: usize) -> Vec<T> {
    let end = (start + size).min(items.len());
    items[..start].iter().chain(&items[end..]).cloned().collect()
}
