//! Schedules around one that is known: the same plan, and decisions that differ a little.
//!
//! What comes before the point at which one begins to differ stays as it was, so such a run mostly comes to the same
//! part of the world in another order. An await that was put in or taken away shifts all decisions after it by one
//! poll or a few; so one in five of these shifts them back.

use simurgh_sim::{Draws, Purpose, Stream};

/// A decision of a schedule: poll, place in the queue, budget.
pub(crate) type Made = (u64, u32, Option<u8>);

/// Schedules that a replay tries around the known one, unless told otherwise.
pub(crate) const AROUND: u64 = 50;
/// Longer schedules are cut here before they are varied.
const DECISIONS_MAX: usize = 50_000;
/// Of the polls after the point, one in so many gets a decision that it had not.
const ADDED_ONE_IN: u64 = 20;

/// The schedule of this number around `base`, a run of `polls` polls. The same each time.
pub(crate) fn around(base: &[Made], polls: u64, seed: u64, number: u64) -> Vec<Made> {
    let mut draws = Draws::new(seed).named(Purpose::Schedule, &format!("around {number}"));
    let base = &base[..base.len().min(DECISIONS_MAX)];
    // Late ones are likelier: what is late is near to where it went wrong.
    let point = draws.below(polls.max(1)).max(draws.below(polls.max(1)));
    let cut = base.partition_point(|(poll, ..)| *poll < point);
    let (kept, rest) = base.split_at(cut);
    let mut made = kept.to_vec();
    match number % 5 {
        0 => made.extend(shifted(rest, point, &mut draws)),
        1 => made.extend(rest.iter().filter(|_| draws.chance(0.8))),
        2 => made.extend(rest.iter().map(|(poll, place, budget)| {
            (*poll, if draws.chance(0.2) { draws.below(4) as u32 } else { *place }, *budget)
        })),
        3 => {} // first come, first served from there on
        _ => made.extend(added(rest, point, polls, &mut draws)),
    }
    made
}

/// All of them some polls later, or earlier.
fn shifted(rest: &[Made], point: u64, draws: &mut Stream) -> Vec<Made> {
    let by = draws.between(1, 3);
    let is_later = draws.chance(0.7);
    let shift = |poll: u64| if is_later { Some(poll + by) } else { poll.checked_sub(by).filter(|poll| *poll >= point) };
    rest.iter().filter_map(|(poll, place, budget)| Some((shift(*poll)?, *place, *budget))).collect()
}

/// With more of them: polls that come before their turn, and polls that are cut short.
fn added(rest: &[Made], point: u64, polls: u64, draws: &mut Stream) -> Vec<Made> {
    let mut rest = rest.iter().copied().peekable();
    let mut made = Vec::new();
    for poll in point..polls {
        let own = rest.next_if(|(at, ..)| *at == poll);
        let more =
            (draws.below(ADDED_ONE_IN) == 0).then(|| (poll, draws.below(3) as u32, draws.chance(0.5).then_some(0)));
        made.extend(more.or(own));
        if made.len() >= DECISIONS_MAX {
            break;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_point_stays_and_each_is_the_same_each_time() {
        let base: Vec<Made> = (1..200).map(|poll| (poll * 5, (poll % 3) as u32, None)).collect();
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..AROUND {
            let made = around(&base, 1_000, 7, number);
            assert_eq!(made, around(&base, 1_000, 7, number));
            assert!(made.windows(2).all(|two| two[0].0 < two[1].0), "{number}: polls come in order: {made:?}");
            let alike = made.iter().zip(&base).take_while(|(one, other)| one == other).count();
            assert!(alike > 0, "{number}: it differs from the first decision on");
            seen.insert(made);
        }
        assert!(seen.len() > 45, "{} schedules of {AROUND}", seen.len());
    }

    #[test]
    fn a_schedule_without_decisions_has_others_around_it() {
        let seen: std::collections::BTreeSet<_> = (0..AROUND).map(|number| around(&[], 500, 1, number)).collect();
        assert!(seen.len() > 8, "{}", seen.len());
    }
}
